/* SPDX-License-Identifier: GPL-2.0-or-later */
/* index.json: which images there are and how they are called. Read whole, changed under a lock, replaced by rename, so that a
 * kill leaves the former or the new one. Source: image-spec 1.1, image-layout and annotations. */
#include "base/auto.h"
#include "base/file.h"
#include "base/mem.h"
#include "storage/store.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#define INDEX_TYPE "application/vnd.oci.image.index.v1+json"
#define DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"

bool img_is_index_type(const char *media_type)
{
    return !strcmp(media_type, INDEX_TYPE) || !strcmp(media_type, DOCKER_LIST);
}

bool img_is_index(const struct img_desc *d)
{
    return img_is_index_type(d->media_type);
}

static json *empty_index(void)
{
    json *j = js_object();
    js_set_int(j, "schemaVersion", 2);
    js_set_str(j, "mediaType", INDEX_TYPE);
    js_set(j, "manifests", js_array());
    return j;
}

int img_index_load(int images_fd, json **out, struct err *e)
{
    auto_free char *text = NULL;
    struct err re = {0};
    size_t n = 0;
    int r = file_read(images_fd, "index.json", MANIFEST_MAX, &text, &n, &re);
    if (r == -ENOENT) {
        *out = empty_index();
        return 0;
    }
    if (r < 0)
        return err_set(e, re.kind, re.code, "image store: %s", re.text);
    json *j = js_parse(text, n, e);
    if (!j)
        return err_prefix(e, "image store: index.json");
    if (js_type_of(js_get(j, "manifests")) != JS_ARRAY) {
        js_free(j);
        return err_set(e, ERR_INVALID, EINVAL, "image store: index.json names no manifests");
    }
    *out = j;
    return 0;
}

const char *img_entry_name(const json *entry)
{
    return js_get_str(js_get(entry, "annotations"), REF_NAME, NULL);
}

int img_entry_desc(const json *entry, struct img_desc *d, struct err *e)
{
    const char *type = js_get_str(entry, "mediaType", ""), *digest = js_get_str(entry, "digest", "");
    int64_t size = js_get_int(entry, "size", -1);
    if (!img_digest_ok(digest) || size < 0 || strlen(type) >= sizeof(d->media_type))
        return err_set(e, ERR_INVALID, EINVAL, "index: an entry is no descriptor");
    *d = (struct img_desc){.size = (uint64_t)size};
    snprintf(d->media_type, sizeof(d->media_type), "%s", type);
    snprintf(d->digest, sizeof(d->digest), "%s", digest);
    return 0;
}

json *img_index_find(const json *index, const char *canonical)
{
    const json *all = js_get(index, "manifests");
    for (size_t i = 0; i < js_len(all); i++)
        if (str_eq(img_entry_name(js_at(all, i)), canonical))
            return js_at(all, i);
    return NULL;
}

/* ---- changes ---- */
int img_index_lock(struct img_store *s, struct err *e)
{
    auto_fd int fd = openat(s->fd, "index.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    while (fd >= 0 && flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return err_sys(e, "image store: lock");
    return fd < 0 ? err_sys(e, "image store: lock") : take_fd(&fd);
}

int img_index_save(struct img_store *s, const json *index, struct err *e)
{
    auto_free char *text = js_dump(index, false);
    return file_replace(s->fd, "index.json", text, strlen(text), 0600, true, e);
}

/* Without a name, and only once: a named entry of the same digest says as much. */
static void forget_name(json *index, const char *canonical)
{
    auto_js json *kept = js_array();
    json *all = js_get(index, "manifests"), *old = img_index_find(index, canonical);
    const char *digest = js_get_str(old, "digest", "");
    bool other = false;
    for (size_t i = 0; i < js_len(all); i++)
        if (js_at(all, i) != old) {
            other = other || !strcmp(js_get_str(js_at(all, i), "digest", ""), digest);
            js_add(kept, js_ref(js_at(all, i)));
        }
    if (old && !other) {
        js_del(old, "annotations");
        js_add(kept, js_ref(old));
    }
    js_set(index, "manifests", js_ref(kept));
}

static void drop_unnamed(json *index, const char *digest)
{
    auto_js json *kept = js_array();
    json *all = js_get(index, "manifests");
    for (size_t i = 0; i < js_len(all); i++)
        if (img_entry_name(js_at(all, i)) || strcmp(js_get_str(js_at(all, i), "digest", ""), digest) != 0)
            js_add(kept, js_ref(js_at(all, i)));
    js_set(index, "manifests", js_ref(kept));
}

static json *make_entry(const struct img_desc *d, const char *canonical)
{
    json *entry = js_object(), *notes = js_object();
    js_set_str(entry, "mediaType", d->media_type);
    js_set_str(entry, "digest", d->digest);
    js_set_int(entry, "size", (int64_t)d->size);
    js_set_str(notes, REF_NAME, canonical);
    js_set(entry, "annotations", notes);
    return entry;
}

static int blob_is_there(void *arg, const struct img_desc *d, const struct img_image *of)
{
    return img_blob_have(arg, d) ? 0 : -ENOENT;
}

static int canonical_of(const char *ref, char **out, struct err *e)
{
    struct img_ref r auto_done(img_ref_done) = {0};
    int k = img_ref_parse(ref, &r, e);
    if (k == 0)
        *out = img_ref_print(&r);
    return k;
}

int img_tag(struct img_store *s, const char *ref, const struct img_desc *d, struct err *e)
{
    auto_free char *name = NULL;
    auto_js json *index = NULL;
    int r = canonical_of(ref, &name, e);
    if (r == 0 && (r = img_each_blob(s, d, 0, blob_is_there, s, e)) < 0 && e && !err_is(e))
        err_set(e, ERR_INVALID, EBADMSG, "image %s: a blob that it needs is not in the store", name);
    if (r < 0)
        return r;
    auto_fd int lock = img_index_lock(s, e);
    r = lock < 0 ? lock : img_index_load(s->fd, &index, e);
    if (r < 0)
        return r;
    forget_name(index, name);
    drop_unnamed(index, d->digest);
    js_add(js_get(index, "manifests"), make_entry(d, name));
    return img_index_save(s, index, e);
}

/* Whoever types an id means the one name that it has. */
static int name_of_id(struct img_store *s, const json *index, const char *text, char **name, struct err *e)
{
    const json *all = js_get(index, "manifests");
    struct img_desc d;
    int r = img_find(s, text, &d, e);
    for (size_t k = 0; r == 0 && k < js_len(all); k++) {
        const char *has = img_entry_name(js_at(all, k));
        if (!has || strcmp(js_get_str(js_at(all, k), "digest", ""), d.digest) != 0)
            continue;
        if (*name) {
            err_set(e, ERR_CONFLICT, EEXIST, "image %s has several names: %s, %s", text, *name, has);
            return err_hint(e, "delete the one that you mean");
        }
        *name = xstrdup(has);
    }
    if (r < 0 || *name)
        return r;
    err_set(e, ERR_CONFLICT, ENOENT, "image %s has no name any more", text);
    return err_hint(e, "zonectl image prune frees it when no zone needs it");
}

int img_untag(struct img_store *s, const char *ref, struct err *e)
{
    auto_free char *name = NULL;
    auto_js json *index = NULL;
    auto_fd int lock = img_index_lock(s, e);
    int r = lock < 0 ? lock : img_index_load(s->fd, &index, e);
    if (r == 0 && (canonical_of(ref, &name, NULL) < 0 || !img_index_find(index, name))) {
        free(take_ptr(&name));
        r = name_of_id(s, index, ref, &name, e);
    }
    if (r < 0)
        return r;
    forget_name(index, name);
    return img_index_save(s, index, e);
}
