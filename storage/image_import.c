/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Archives and folders into the store: OCI layout, docker save, a root's tar; told by content. Blobs first, then the layers are
 * unpacked and checked, then the name: an image that cannot be used never gets one. Manifests are kept byte by byte; docker's
 * archives have none, so one is made. Sources: image-spec 1.1 image-layout, docker image spec v1.2. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "storage/source.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define IMAGES_MAX 1000

struct import {
    struct img_store *st;
    struct img_source src;
    const char *ref;        /* the caller's name, or NULL */
    const char *created_by; /* history of a root */
    char **names;
};

/* ---- names ---- */
static char *try_name(const char *text)
{
    struct img_ref r auto_done(img_ref_done) = {0};
    return text && img_ref_parse(text, &r, NULL) == 0 ? img_ref_print(&r) : NULL;
}

/* The caller's, the archive's, or one made of the file's and the archive's tag. */
static int choose_name(struct import *im, const char *full, const char *said, char **out, struct err *e)
{
    char *name = im->ref ? try_name(im->ref) : try_name(full);
    if (!name && !im->ref && said && strpbrk(said, ":/"))
        name = try_name(said);
    if (!name && !im->ref) {
        auto_free char *made = xasprintf("localhost/%s:%s", im->src.name, said ? said : "latest");
        name = try_name(made);
    }
    if (!name) {
        err_set(e, ERR_INVALID, EINVAL, "%s names no image", im->ref ? im->ref : "the archive");
        return err_hint(e, "zonectl image import FILE NAME[:TAG]");
    }
    *out = name;
    return 0;
}

/* Layers first: what cannot be unpacked gets no name. Foreign platforms are kept packed. */
static int adopt(struct import *im, const struct img_desc *d, char *name, struct err *e)
{
    struct img_image i auto_done(img_image_done) = {0};
    struct err le = {0};
    int r = img_load_any(im->st, d, NULL, &i, &le);
    if (r == 0)
        r = i.nlayers ? img_unpack(im->st, d, &i, NULL, e) : 0;
    else if (r != -ENOENT || !img_is_index(d))
        return err_set(e, le.kind, le.code, "%s", le.text);
    if (r == 0 || r == -ENOENT)
        r = img_tag(im->st, name, d, e);
    if (r == 0)
        strv_add(&im->names, name);
    return r;
}

/* ---- OCI layout ---- */
static int bring_blob(struct import *im, const struct img_desc *d, struct err *e)
{
    char path[IMG_DIGEST_MAX + 16];
    int r = img_blob_path(d->digest, path, e);
    return r < 0 ? r : img_source_blob(&im->src, path, im->st, d, e);
}

static int bring_image(struct import *im, const struct img_desc *d, struct err *e)
{
    struct img_image i auto_done(img_image_done) = {0};
    auto_free char *text = NULL;
    int r = img_blob_read(im->st, d, MANIFEST_MAX, &text, e);
    r = r < 0 ? r : img_manifest_parse(text, d->size, d->media_type, &i, e);
    r = r < 0 ? r : bring_blob(im, &i.config, e);
    for (unsigned k = 0; r == 0 && k < i.nlayers; k++)
        r = bring_blob(im, &i.layers[k].blob, e);
    return r;
}

static int bring(struct import *im, const struct img_desc *d, unsigned depth, struct err *e);

/* Statements about images that builders put beside them are not brought in: no zone runs them. */
static bool is_image(const json *entry, const struct img_desc *d)
{
    return strcmp(js_get_str(js_get(entry, "platform"), "os", ""), "unknown") != 0 &&
           (img_is_index(d) || img_is_manifest_type(d->media_type));
}

static int bring_index(struct import *im, const struct img_desc *d, unsigned depth, struct err *e)
{
    auto_free char *text = NULL;
    struct img_desc child;
    char path[IMG_DIGEST_MAX + 16];
    unsigned found = 0;
    int r = depth >= INDEX_DEPTH ? err_set(e, ERR_INVALID, ELOOP, "index: nested deeper than %d", INDEX_DEPTH)
                                 : img_blob_read(im->st, d, MANIFEST_MAX, &text, e);
    auto_js json *j = r < 0 ? NULL : js_parse(text, d->size, e);
    json *all = js_get(j, "manifests");
    if (r == 0 && (!j || js_len(all) > IMAGES_MAX))
        r = j ? err_set(e, ERR_LIMIT, E2BIG, "index: more than %d manifests", IMAGES_MAX) : -EINVAL;
    for (size_t k = 0; r == 0 && k < js_len(all); k++) {
        r = img_entry_desc(js_at(all, k), &child, e);
        r = r < 0 ? r : img_blob_path(child.digest, path, e);
        if (r == 0 && is_image(js_at(all, k), &child) && img_source_has(&im->src, path)) {
            found++;
            r = bring(im, &child, depth + 1, e);
        }
    }
    return r < 0 || found ? r
                          : err_set(e, ERR_INVALID, ENOENT, "index: the archive has none of its manifests");
}

static int bring(struct import *im, const struct img_desc *d, unsigned depth, struct err *e)
{
    if (!img_is_index(d) && !img_is_manifest_type(d->media_type))
        return err_set(e, ERR_UNSUPPORTED, EINVAL, "index: media type \"%.90s\" is unknown", d->media_type);
    if (d->size > MANIFEST_MAX)
        return err_set(e, ERR_LIMIT, EFBIG, "manifest: larger than %u bytes", MANIFEST_MAX);
    int r = bring_blob(im, d, e);
    return r < 0 ? r : img_is_index(d) ? bring_index(im, d, depth, e) : bring_image(im, d, e);
}

static int import_layout(struct import *im, struct err *e)
{
    auto_free char *text = NULL;
    size_t n = 0;
    int r = img_source_text(&im->src, "index.json", MANIFEST_MAX, &text, &n, e);
    auto_js json *j = r < 0 ? NULL : js_parse(text, n, e);
    if (!j)
        return r < 0 ? r : err_prefix(e, "index.json");
    json *all = js_get(j, "manifests");
    if (!js_len(all) || js_len(all) > IMAGES_MAX || (im->ref && js_len(all) > 1))
        return err_set(e, ERR_INVALID, EINVAL, "index.json names %zu images%s", js_len(all),
                       im->ref ? ": they cannot have one name" : "");
    for (size_t k = 0; r == 0 && k < js_len(all); k++) {
        struct img_desc d;
        json *entry = js_at(all, k), *notes = js_get(entry, "annotations");
        auto_free char *name = NULL;
        r = img_entry_desc(entry, &d, e);
        r = r < 0 ? r
                  : choose_name(im, js_get_str(notes, "io.containerd.image.name", NULL),
                                img_entry_name(entry), &name, e);
        r = r < 0 ? r : bring(im, &d, 0, e);
        r = r < 0 ? r : adopt(im, &d, name, e);
    }
    return r;
}

/* ---- a manifest of our own ---- */
static json *desc_json(const struct img_desc *d)
{
    json *o = js_object();
    js_set_str(o, "mediaType", d->media_type);
    js_set_str(o, "digest", d->digest);
    js_set_int(o, "size", (int64_t)d->size);
    return o;
}

int img_manifest_put(struct img_store *s, const struct img_desc *config, const struct img_desc *layers,
                     unsigned n, struct img_desc *out, struct err *e)
{
    auto_js json *o = js_object();
    json *list = js_array();
    for (unsigned k = 0; k < n; k++)
        js_add(list, desc_json(&layers[k]));
    js_set_int(o, "schemaVersion", 2);
    js_set_str(o, "mediaType", MANIFEST_TYPE);
    js_set(o, "config", desc_json(config));
    js_set(o, "layers", list);
    auto_free char *text = js_dump(o, false);
    return img_blob_put(s, MANIFEST_TYPE, text, strlen(text), out, e);
}

/* ---- docker save ---- */
/* The members are plain tars, whose digest is the diff id; one pass copies and checks. Else both are computed. */
static int bring_layer(struct import *im, const char *member, const char *diff_id, struct img_desc *d,
                       struct err *e)
{
    uint64_t at, size;
    char got[IMG_DIGEST_MAX];
    struct err plain = {0};
    int fd = img_source_member(&im->src, member, &at, &size, e);
    if (fd < 0)
        return fd;
    close(fd);
    *d = (struct img_desc){.size = size};
    snprintf(d->media_type, sizeof(d->media_type), IMG_LAYER_TYPE);
    snprintf(d->digest, sizeof(d->digest), "%s", diff_id);
    if (img_source_blob(&im->src, member, im->st, d, &plain) == 0)
        return 0;
    if (plain.code != EBADMSG)
        return err_set(e, plain.kind, plain.code, "%s", plain.text);
    int r = img_source_digests(&im->src, member, im->st, d, got, e);
    if (r == 0 && strcmp(got, diff_id) != 0)
        r = err_set(e, ERR_INVALID, EBADMSG, "%.200s: wrong diff id: %.24s…, the config says %.24s…", member,
                    got, diff_id);
    return r < 0 ? r : img_source_blob(&im->src, member, im->st, d, e);
}

static int read_config(struct import *im, const char *member, struct img_image *i, struct img_desc *config,
                       unsigned nlayers, struct err *e)
{
    auto_free char *text = NULL;
    size_t n = 0;
    if (nlayers > 128)
        return err_set(e, ERR_LIMIT, E2BIG, "manifest.json: %u layers, at most 128 are taken", nlayers);
    int r = img_source_text(&im->src, member, MANIFEST_MAX, &text, &n, e);
    i->nlayers = nlayers;
    i->layers = xcalloc(nlayers ? nlayers : 1, sizeof(*i->layers));
    r = r < 0 ? r : img_config_parse(text, n, i, e);
    r = r < 0 ? r : img_blob_put(im->st, IMG_CONFIG_TYPE, text, n, config, e);
    size_t hex = strspn(member, "0123456789abcdef");
    if (r == 0 && hex == 64 && !strcmp(member + hex, ".json") && strncmp(config->digest + 7, member, 64) != 0)
        r = err_set(e, ERR_INVALID, EBADMSG, "%.80s: wrong digest: the bytes are %.24s…", member,
                    config->digest);
    return r;
}

static int import_docker_image(struct import *im, json *entry, struct err *e)
{
    struct img_image i auto_done(img_image_done) = {0};
    struct img_desc config, manifest;
    json *members = js_get(entry, "Layers"), *tags = js_get(entry, "RepoTags");
    unsigned n = (unsigned)(js_len(members) < 100000 ? js_len(members) : 100000);
    int r = read_config(im, js_get_str(entry, "Config", ""), &i, &config, n, e);
    struct img_desc *layers = xcalloc(n ? n : 1, sizeof(*layers));
    for (unsigned k = 0; r == 0 && k < n; k++)
        r = bring_layer(im, js_str_of(js_at(members, k), ""), i.layers[k].diff_id, &layers[k], e);
    r = r < 0 ? r : img_manifest_put(im->st, &config, layers, n, &manifest, e);
    free(layers);
    for (size_t k = 0; r == 0 && (k == 0 || (!im->ref && k < js_len(tags) && k < IMAGES_MAX)); k++) {
        auto_free char *name = NULL;
        r = choose_name(im, js_str_of(js_at(tags, k), NULL), NULL, &name, e);
        r = r < 0 ? r : adopt(im, &manifest, name, e);
    }
    return r;
}

static int import_docker(struct import *im, struct err *e)
{
    auto_free char *text = NULL;
    size_t n = 0;
    int r = img_source_text(&im->src, "manifest.json", MANIFEST_MAX, &text, &n, e);
    auto_js json *j = r < 0 ? NULL : js_parse(text, n, e);
    if (!j)
        return r < 0 ? r : err_prefix(e, "manifest.json");
    if (js_type_of(j) != JS_ARRAY || !js_len(j) || js_len(j) > IMAGES_MAX || (im->ref && js_len(j) > 1))
        return err_set(e, ERR_INVALID, EINVAL, "manifest.json names %zu images%s", js_len(j),
                       im->ref ? ": they cannot have one name" : "");
    for (size_t k = 0; r == 0 && k < js_len(j); k++)
        r = import_docker_image(im, js_at(j, k), e);
    return r;
}

/* ---- a root's tar ---- */
/* The file as it was given is the layer's blob, but bzip2 and xz, which OCI does not know: these are stored plain. */
static int import_rootfs(struct import *im, const char *path, struct err *e)
{
    struct img_image nothing = {0};
    struct img_layer layer = {0};
    struct img_desc manifest;
    auto_free char *name = NULL;
    int r = choose_name(im, NULL, NULL, &name, e);
    struct img_member *m = r < 0 ? NULL : vec_add(&im->src.members);
    if (!m)
        return r;
    auto_fd int raw = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    char head[6] = "";
    if (raw < 0 || pread(raw, head, 5, 0) < 0)
        return err_sys(e, "%s", path);
    if (memcmp(head, "BZh", 3) != 0 && memcmp(head,
                                              "\xfd"
                                              "7zXZ",
                                              5) != 0) {
        close(im->src.fd);
        im->src.fd = take_fd(&raw);
    }
    off_t size = lseek(im->src.fd, 0, SEEK_END);
    *m = (struct img_member){xstrdup("//root"), NULL, 0, size < 0 ? 0 : (uint64_t)size};
    r = img_source_digests(&im->src, "//root", im->st, &layer.blob, layer.diff_id, e);
    r = r < 0 ? r : img_source_blob(&im->src, "//root", im->st, &layer.blob, e);
    r = r < 0 ? r : img_make_on(im->st, &nothing, &layer, NULL, im->created_by, &manifest, e);
    return r < 0 ? r : adopt(im, &manifest, name, e);
}

int img_import_root(struct img_store *s, const char *path, const char *ref, const char *created_by,
                    struct err *e)
{
    struct import im = {.st = s, .ref = ref, .created_by = created_by, .src.fd = -1};
    int r = img_source_open(s, path, &im.src, e);
    if (r < 0)
        return r;
    r = im.src.tar ? import_rootfs(&im, path, e) : err_set(e, ERR_INVALID, EINVAL, "not a tar of a root");
    img_source_done(&im.src);
    strv_free(im.names);
    return r < 0 ? err_prefix(e, "import of %s", path) : 0;
}

int img_import(struct img_store *s, const char *path, const char *ref, char ***names, struct err *e)
{
    struct import im = {.st = s, .ref = ref, .created_by = "zonectl image import", .src.fd = -1};
    int r = img_source_open(s, path, &im.src, e);
    if (r < 0)
        return r;
    if (img_source_has(&im.src, "index.json") && img_source_has(&im.src, "oci-layout"))
        r = import_layout(&im, e);
    else if (img_source_has(&im.src, "manifest.json"))
        r = import_docker(&im, e);
    else if (im.src.tar)
        r = import_rootfs(&im, path, e);
    else
        r = err_set(e, ERR_INVALID, EINVAL,
                    "the folder is no OCI image layout (no oci-layout and index.json)");
    img_source_done(&im.src);
    if (r < 0) {
        strv_free(im.names);
        return err_prefix(e, "import of %s", path);
    }
    *names = im.names;
    return 0;
}
