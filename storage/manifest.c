/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Manifests and indexes as text: what they name, checked and bounded. Pure. OCI 1.1 and Docker v2.2; what a descriptor says is
 * believed only as far as digest and size go, and these are held against the bytes later. Source: image-spec 1.1. */
#include "base/auto.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/store.h"
#include <errno.h>
#include <string.h>

#define LAYERS_MAX 128
#define INDEX_MAX 1000
#define BLOB_MAX (1ll << 46)

static const char *const manifest_types[] = {"application/vnd.oci.image.manifest.v1+json",
                                             "application/vnd.docker.distribution.manifest.v2+json", NULL};
static const char *const index_types[] = {"application/vnd.oci.image.index.v1+json",
                                          "application/vnd.docker.distribution.manifest.list.v2+json", NULL};
static const char *const config_types[] = {"application/vnd.oci.image.config.v1+json",
                                           "application/vnd.docker.container.image.v1+json", NULL};
static const char *const layer_types[] = {"application/vnd.oci.image.layer.v1.tar",
                                          "application/vnd.oci.image.layer.v1.tar+gzip",
                                          "application/vnd.oci.image.layer.v1.tar+zstd",
                                          "application/vnd.docker.image.rootfs.diff.tar",
                                          "application/vnd.docker.image.rootfs.diff.tar.gzip",
                                          "application/vnd.docker.image.rootfs.diff.tar.zstd",
                                          "application/vnd.oci.image.layer.nondistributable.v1.tar",
                                          "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
                                          "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
                                          "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                                          NULL};

static bool one_of(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (!strcmp(text, *list))
            return true;
    return false;
}

static int read_desc(json *j, const char *what, const char *const *types, struct img_desc *d, struct err *e)
{
    const char *type = js_get_str(j, "mediaType", NULL), *digest = js_get_str(j, "digest", NULL);
    int64_t size = js_type_of(js_get(j, "size")) == JS_INT ? js_get_int(j, "size", -1) : -1;
    if (!type || !digest)
        return err_set(e, ERR_INVALID, EINVAL, "%s: mediaType and digest are required", what);
    if (!img_digest_ok(digest))
        return err_set(e, ERR_INVALID, EINVAL, "%s: \"%.80s\" is no digest (sha256 or sha512)", what, digest);
    if (size < 0 || size > BLOB_MAX)
        return err_set(e, ERR_INVALID, EINVAL, "%s: the size is no number of bytes", what);
    if (types && !one_of(type, types))
        return err_set(e, ERR_UNSUPPORTED, EINVAL, "%s: media type \"%.120s\" is unknown", what, type);
    if (strlen(type) >= sizeof(d->media_type))
        return err_set(e, ERR_INVALID, EINVAL, "%s: a media type of more than %zu bytes", what,
                       sizeof(d->media_type) - 1);
    memset(d, 0, sizeof(*d));
    snprintf(d->media_type, sizeof(d->media_type), "%s", type);
    snprintf(d->digest, sizeof(d->digest), "%s", digest);
    d->size = (uint64_t)size;
    return 0;
}

bool img_is_manifest_type(const char *media_type)
{
    return one_of(media_type, manifest_types);
}

/* The document's own word, the header's, the shape: the first that is there decides, and the shape must fit. */
static int check_kind(json *j, const char *media_type, const char *const *types, const char *shape,
                      const char *noun, struct err *e)
{
    const char *said = js_get_str(j, "mediaType", NULL);
    if (!said && media_type && *media_type && strcmp(media_type, "application/json") != 0 &&
        strcmp(media_type, "application/octet-stream") != 0)
        said = media_type;
    if (js_type_of(j) != JS_OBJECT || js_get_int(j, "schemaVersion", 0) != 2)
        return err_set(e, ERR_INVALID, EINVAL, "no %s of schema version 2", noun);
    if (said && !one_of(said, types))
        return err_set(e, ERR_UNSUPPORTED, EINVAL, "%s: media type \"%.120s\" is unknown", noun, said);
    if (js_type_of(js_get(j, shape)) != JS_ARRAY)
        return err_set(e, ERR_INVALID, EINVAL, "%s: \"%s\" is required", noun, shape);
    return 0;
}

static int read_layers(json *layers, struct img_image *i, struct err *e)
{
    char what[32];
    i->nlayers = (unsigned)js_len(layers);
    i->layers = xcalloc(i->nlayers ? i->nlayers : 1, sizeof(*i->layers));
    for (unsigned k = 0; k < i->nlayers; k++) {
        snprintf(what, sizeof(what), "manifest: layer %u", k + 1);
        int r = read_desc(js_at(layers, k), what, layer_types, &i->layers[k].blob, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static const char *type_of(json *j, const char *media_type)
{
    const char *said = js_get_str(j, "mediaType", media_type);
    return said && one_of(said, manifest_types) ? said : manifest_types[0];
}

int img_manifest_parse(const char *text, size_t n, const char *media_type, struct img_image *out,
                       struct err *e)
{
    struct img_image i auto_done(img_image_done) = {0};
    auto_js json *j = js_parse(text, n, e);
    if (!j)
        return err_prefix(e, "manifest");
    int r = check_kind(j, media_type, manifest_types, "layers", "manifest", e);
    if (r == 0 && js_len(js_get(j, "layers")) > LAYERS_MAX)
        r = err_set(e, ERR_LIMIT, E2BIG, "manifest: %zu layers, at most %d are taken",
                    js_len(js_get(j, "layers")), LAYERS_MAX);
    if (r == 0)
        r = read_desc(js_get(j, "config"), "manifest: config", config_types, &i.config, e);
    if (r == 0)
        r = read_layers(js_get(j, "layers"), &i, e);
    if (r < 0)
        return r;
    snprintf(i.manifest.media_type, sizeof(i.manifest.media_type), "%s", type_of(j, media_type));
    i.manifest.size = n;
    *out = i;
    memset(&i, 0, sizeof(i));
    return 0;
}

void img_image_done(struct img_image *i)
{
    free(i->layers);
    js_free(i->config_json);
    memset(i, 0, sizeof(*i));
}

/* ---- indexes ---- */
/* 3: the very one, 2: it runs here (no variant named on one side), 1: a nested index without a platform, 0: no. */
static unsigned fits(json *entry, const struct img_platform *want)
{
    json *p = js_get(entry, "platform");
    const char *type = js_get_str(entry, "mediaType", "");
    if (!p)
        return one_of(type, index_types);
    const char *arch = js_get_str(p, "architecture", ""), *variant = js_get_str(p, "variant", "");
    if (strcmp(js_get_str(p, "os", ""), want->os) != 0 || strcmp(arch, want->arch) != 0)
        return 0;
    if (!strcmp(arch, "arm64")) { /* v8 is what arm64 without a variant is */
        variant = *variant ? variant : "v8";
        return !strcmp(variant, *want->variant ? want->variant : "v8") ? 3 : 0;
    }
    if (!strcmp(variant, want->variant))
        return 3;
    return !*variant || !*want->variant ? 2 : 0;
}

static void list_platforms(json *manifests, struct str *s)
{
    for (size_t k = 0; k < js_len(manifests) && s->len < 200; k++) {
        json *p = js_get(js_at(manifests, k), "platform");
        const char *os = js_get_str(p, "os", ""), *arch = js_get_str(p, "architecture", ""),
                   *v = js_get_str(p, "variant", "");
        struct img_platform known;
        auto_free char *text = xasprintf("%s/%s%s%s", os, arch, *v ? "/" : "", v);
        if (img_platform_parse(text, &known, NULL) == 0 && strcmp(os, "unknown") != 0)
            str_addf(s, "%s%s", s->len ? ", " : "", text);
    }
}

int img_index_pick(const char *text, size_t n, const struct img_platform *p, struct img_desc *out,
                   struct err *e)
{
    struct img_platform want;
    struct str there = {0};
    unsigned best = 0;
    json *chosen = NULL;
    auto_js json *j = js_parse(text, n, e);
    if (!j)
        return err_prefix(e, "index");
    int r = check_kind(j, NULL, index_types, "manifests", "index", e);
    json *all = js_get(j, "manifests");
    if (r == 0 && js_len(all) > INDEX_MAX)
        r = err_set(e, ERR_LIMIT, E2BIG, "index: %zu manifests, at most %d are taken", js_len(all),
                    INDEX_MAX);
    if (r == 0 && !p)
        r = img_platform_parse(NULL, &want, e);
    if (r < 0)
        return r;
    want = p ? *p : want;
    for (size_t k = 0; k < js_len(all); k++)
        if (fits(js_at(all, k), &want) > best) {
            chosen = js_at(all, k);
            best = fits(chosen, &want);
        }
    if (chosen)
        return read_desc(chosen, "index: the chosen manifest", NULL, out, e);
    list_platforms(all, &there);
    err_set(e, ERR_NOT_FOUND, ENOENT, "the image has nothing for %s/%s%s%s", want.os, want.arch,
            *want.variant ? "/" : "", want.variant);
    if (there.len)
        err_hint(e, "--platform takes one of: %.200s", there.p);
    str_done(&there);
    return -ENOENT;
}
