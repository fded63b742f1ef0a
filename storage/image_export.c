/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An image out of the store, its blobs byte by byte: as an OCI folder, or as one tar that is an OCI archive and docker's kind at
 * once (index.json and manifest.json), so that docker, podman, skopeo and umoci all read it. Written beside its place and renamed.
 * Sources: image-spec 1.1 image-layout, docker image spec v1.2, POSIX ustar. */
#include "base/auto.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "storage/source.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define PIECE (1u << 20)
#define LAYOUT_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}"

struct export
{
    struct img_store *s;
    const char *name; /* canonical, or NULL */
    struct img_desc desc;
    int out; /* of the tar, or the folder */
    bool dir;
    json *done; /* digests that were written */
};

static int write_error(int r, struct err *e)
{
    return err_sysk(e, r == -ENOSPC || r == -EDQUOT ? ERR_LIMIT : ERR_INTERNAL, -r, "writing the archive");
}

/* ---- tar ---- */
static int tar_header(int out, const char *name, uint64_t size, struct err *e)
{
    char h[512] = "";
    unsigned sum = 0;
    snprintf(h, 100, "%s", name);
    snprintf(h + 100, 8, "%07o", 0644);
    snprintf(h + 108, 8, "%07o", 0);
    snprintf(h + 116, 8, "%07o", 0);
    if (size < (1ull << 33)) {
        snprintf(h + 124, 12, "%011llo", (unsigned long long)size);
    } else {
        h[124] = (char)0x80;
        for (unsigned i = 0; i < 8; i++)
            h[135 - i] = (char)(size >> (8 * i));
    }
    snprintf(h + 136, 12, "%011o", 0);
    h[156] = '0';
    memcpy(h + 257, "ustar\00000", 8);
    memset(h + 148, ' ', 8);
    for (unsigned i = 0; i < sizeof(h); i++)
        sum += (unsigned char)h[i];
    snprintf(h + 148, 8, "%06o", sum & 0777777);
    int r = fd_write_full(out, h, sizeof(h));
    return r < 0 ? write_error(r, e) : 0;
}

static int tar_pad(int out, uint64_t size, struct err *e)
{
    static const char zero[1024];
    int r = fd_write_full(out, zero, size % 512 ? 512 - size % 512 : 0);
    return r < 0 ? write_error(r, e) : 0;
}

static int tar_end(int out, struct err *e)
{
    static const char zero[1024];
    int r = fd_write_full(out, zero, sizeof(zero));
    return r < 0 ? write_error(r, e) : 0;
}

/* ---- one member ---- */
static int put_text(struct export *x, const char *name, const char *text, struct err *e)
{
    size_t n = strlen(text);
    if (x->dir)
        return file_replace(x->out, name, text, n, 0644, true, e);
    int r = tar_header(x->out, name, n, e);
    int k = r < 0 ? 0 : fd_write_full(x->out, text, n);
    return r < 0 ? r : k < 0 ? write_error(k, e) : tar_pad(x->out, n, e);
}

static int copy_blob(struct export *x, const struct img_desc *d, int out, struct err *e)
{
    char item[16];
    auto_free char *buf = xcalloc(1, PIECE);
    struct img_hash h = {0};
    char got[IMG_DIGEST_MAX];
    auto_fd int in = img_blob_open(x->s, d, e);
    uint64_t done = 0;
    ssize_t n = 0;
    snprintf(item, sizeof(item), "%.12s", d->digest + 7);
    int r = in < 0 ? in : img_hash_start(&h, d->digest, e);
    while (r == 0 && done < d->size && (n = read(in, buf, PIECE)) > 0) {
        int k = fd_write_full(out, buf, (size_t)n);
        r = k < 0 ? write_error(k, e) : 0;
        img_hash_add(&h, buf, (size_t)n);
        done += (uint64_t)n;
        img_tell(x->s, item, "write", done, d->size);
    }
    if (r == 0) {
        img_hash_end(&h, got);
        if (done != d->size || strcmp(got, d->digest) != 0)
            r = err_set(e, ERR_INVALID, EBADMSG, "blob %.24s is damaged", d->digest);
    }
    img_hash_done(&h);
    return r;
}

static int put_in_dir(struct export *x, const struct img_desc *d, const char *path, struct err *e)
{
    if (file_exists(x->out, path))
        return 0;
    auto_free char *tmp = xasprintf("%s.part", path);
    auto_fd int out = openat(x->out, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    int r = out < 0 ? err_sys(e, "%s", path) : copy_blob(x, d, out, e);
    if (r == 0 && (fsync(out) < 0 || renameat(x->out, tmp, x->out, path) < 0))
        r = err_sys(e, "%s", path);
    if (r < 0)
        (void)unlinkat(x->out, tmp, 0);
    return r;
}

static int put_blob(void *arg, const struct img_desc *d, const struct img_image *of)
{
    struct export *x = arg;
    struct err own = {0}, *e = &own;
    char path[IMG_DIGEST_MAX + 16];
    if (js_get(x->done, d->digest))
        return 0;
    js_set_bool(x->done, d->digest, true);
    int r = img_blob_path(d->digest, path, e);
    if (r == 0 && x->dir)
        r = put_in_dir(x, d, path, e);
    else if (r == 0 && (r = tar_header(x->out, path, d->size, e)) == 0 &&
             (r = copy_blob(x, d, x->out, e)) == 0)
        r = tar_pad(x->out, d->size, e);
    if (r < 0)
        js_set(x->done, "error", js_from_err(e, NULL));
    return r;
}

/* ---- what names them ---- */
/* Tools read a bare tag here: the whole name goes where containerd and docker put it. */
static json *entry(struct export *x)
{
    json *o = js_object(), *notes = js_object();
    struct img_ref r auto_done(img_ref_done) = {0};
    js_set_str(o, "mediaType", x->desc.media_type);
    js_set_str(o, "digest", x->desc.digest);
    js_set_int(o, "size", (int64_t)x->desc.size);
    if (x->name && img_ref_parse(x->name, &r, NULL) == 0) {
        js_set_str(notes, "io.containerd.image.name", x->name);
        js_set_str(notes, REF_NAME, r.tag ? r.tag : "latest");
    }
    js_set(o, "annotations", notes);
    return o;
}

static int put_index(struct export *x, struct err *e)
{
    auto_js json *index = NULL, *kept = js_array();
    int r = x->dir ? img_index_load(x->out, &index, e) : 0;
    if (r < 0)
        return r;
    if (!index) {
        index = js_object();
        js_set_int(index, "schemaVersion", 2);
    }
    json *mine = entry(x);
    const char *tag = img_entry_name(mine);
    for (size_t k = 0; k < js_len(js_get(index, "manifests")); k++)
        if (!str_eq(img_entry_name(js_at(js_get(index, "manifests"), k)), tag))
            js_add(kept, js_ref(js_at(js_get(index, "manifests"), k)));
    js_add(kept, mine);
    js_set(index, "manifests", js_ref(kept));
    auto_free char *text = js_dump(index, false);
    return put_text(x, "index.json", text, e);
}

/* docker's: the one for this host, or the only one. */
static int put_docker_manifest(struct export *x, struct err *e)
{
    struct img_image i auto_done(img_image_done) = {0};
    char path[IMG_DIGEST_MAX + 16];
    auto_js json *list = js_array();
    json *o = js_object(), *layers = js_array(), *tags = js_array();
    js_add(list, o);
    js_set(o, "RepoTags", tags);
    js_set(o, "Layers", layers);
    if (img_load_any(x->s, &x->desc, NULL, &i, NULL) < 0)
        return 0; /* foreign: an OCI archive alone */
    if (x->name && !strchr(x->name, '@'))
        js_add(tags, js_string(x->name));
    for (unsigned k = 0; k < i.nlayers && img_blob_path(i.layers[k].blob.digest, path, e) == 0; k++)
        js_add(layers, js_string(path));
    int r = img_blob_path(i.config.digest, path, e);
    js_set_str(o, "Config", path);
    auto_free char *text = js_dump(list, false);
    return r < 0 ? r : put_text(x, "manifest.json", text, e);
}

static int put_all(struct export *x, struct err *e)
{
    static const char *const folders[] = {"blobs", "blobs/sha256", "blobs/sha512"};
    for (unsigned i = 0; x->dir && i < ARRAY_LEN(folders); i++)
        if (mkdirat(x->out, folders[i], 0755) < 0 && errno != EEXIST)
            return err_sys(e, "%s", folders[i]);
    int r = put_text(x, "oci-layout", LAYOUT_TEXT, e);
    if (r == 0 && (r = img_each_blob(x->s, &x->desc, 0, put_blob, x, e)) < 0 && js_get(x->done, "error"))
        js_to_err(js_get(x->done, "error"), e, NULL);
    r = r < 0 || x->dir ? r : put_docker_manifest(x, e);
    r = r < 0 ? r : put_index(x, e);
    if (r == 0 && !x->dir)
        r = tar_end(x->out, e);
    return r;
}

/* ---- where it goes ---- */
/* Beside its place, so that nobody sees half of it. */
int img_write_file(const char *path, int (*fill)(void *arg, int fd, struct err *e), void *arg, struct err *e)
{
    auto_free char *tmp = xasprintf("%s.part-%d", path, (int)getpid());
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return err_set(e, ERR_INVALID, EISDIR, "%s is a folder", path);
    auto_fd int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    int r = fd < 0 ? err_sys(e, "%s", path) : fill(arg, fd, e);
    if (r == 0 && (fchmod(fd, 0644) < 0 || fsync(fd) < 0 || rename(tmp, path) < 0))
        r = err_sys(e, "%s", path);
    if (r < 0 && fd >= 0)
        (void)unlink(tmp);
    return r;
}

static int fill_tar(void *arg, int fd, struct err *e)
{
    struct export *x = arg;
    x->out = fd;
    return put_all(x, e);
}

static int write_dir(struct export *x, const char *path, struct err *e)
{
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return err_sys(e, "%s", path);
    auto_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    x->out = fd;
    x->dir = true;
    return fd < 0 ? err_sys(e, "%s", path) : put_all(x, e);
}

int img_export(struct img_store *s, const char *ref, enum img_format f, const char *path, struct err *e)
{
    struct img_ref parsed auto_done(img_ref_done) = {0};
    struct export x = {.s = s, .out = -1};
    int r = img_find(s, ref, &x.desc, e);
    if (r < 0)
        return r;
    if (f == IMG_ROOTFS_TAR)
        return img_export_root(s, &x.desc, path, e);
    auto_free char *name = img_ref_parse(ref, &parsed, NULL) == 0 ? img_ref_print(&parsed) : NULL;
    auto_js json *index = NULL;
    if (name && img_index_load(s->fd, &index, NULL) == 0 && img_index_find(index, name))
        x.name = name; /* not where an id was typed */
    x.done = js_object();
    r = f == IMG_OCI_DIR ? write_dir(&x, path, e) : img_write_file(path, fill_tar, &x, e);
    js_free(x.done);
    return r < 0 ? err_prefix(e, "export of %s", ref) : 0;
}
