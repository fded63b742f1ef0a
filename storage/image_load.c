/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An image out of the store: reference to descriptor, descriptor to manifest, config and diff ids; bounded at every turn. */
#include "base/auto.h"
#include "base/mem.h"
#include "storage/store.h"
#include <errno.h>
#include <string.h>

#define ID_MIN 12 /* hex digits of an id that is typed */

/* Exactly as many bytes as the descriptor says. */
static int read_text(struct img_store *s, const struct img_desc *d, char **out, struct err *e)
{
    auto_free char *text = NULL;
    int r = img_blob_read(s, d, MANIFEST_MAX, &text, e);
    if (r < 0)
        return r;
    if (!img_blob_have(s, d))
        return err_set(e, ERR_INVALID, EBADMSG, "blob %.24s has not the %llu bytes that were announced",
                       d->digest, (unsigned long long)d->size);
    *out = take_ptr(&text);
    return 0;
}

static int read_diff_ids(struct img_image *i, struct err *e)
{
    json *ids = js_get(js_get(i->config_json, "rootfs"), "diff_ids");
    if (js_len(ids) != i->nlayers)
        return err_set(e, ERR_INVALID, EINVAL, "config: %zu diff ids for %u layers", js_len(ids), i->nlayers);
    for (unsigned k = 0; k < i->nlayers; k++) {
        const char *id = js_str_of(js_at(ids, k), "");
        if (!img_digest_ok(id))
            return err_set(e, ERR_INVALID, EINVAL, "config: diff id %u is no digest", k + 1);
        snprintf(i->layers[k].diff_id, sizeof(i->layers[k].diff_id), "%s", id);
    }
    return 0;
}

int img_config_parse(const char *text, size_t n, struct img_image *i, struct err *e)
{
    json *j = js_parse(text, n, e);
    if (!j)
        return err_prefix(e, "config");
    js_free(i->config_json);
    i->config_json = j;
    if (js_type_of(j) != JS_OBJECT)
        return err_set(e, ERR_INVALID, EINVAL, "config: not an object");
    return read_diff_ids(i, e);
}

int img_load(struct img_store *s, const struct img_desc *d, struct img_image *out, struct err *e)
{
    struct img_image i auto_done(img_image_done) = {0};
    auto_free char *text = NULL, *config = NULL;
    int r = read_text(s, d, &text, e);
    if (r == 0)
        r = img_manifest_parse(text, d->size, d->media_type, &i, e);
    if (r < 0)
        return r;
    i.manifest = *d;
    r = read_text(s, &i.config, &config, e);
    if (r == 0)
        r = img_config_parse(config, i.config.size, &i, e);
    if (r < 0)
        return r;
    *out = i;
    memset(&i, 0, sizeof(i));
    return 0;
}

int img_load_any(struct img_store *s, const struct img_desc *d, const struct img_platform *p,
                 struct img_image *out, struct err *e)
{
    struct img_desc at = *d;
    for (unsigned depth = 0; img_is_index(&at); depth++) {
        auto_free char *text = NULL;
        if (depth == INDEX_DEPTH)
            return err_set(e, ERR_INVALID, ELOOP, "index: nested deeper than %d", INDEX_DEPTH);
        int r = read_text(s, &at, &text, e);
        if (r == 0)
            r = img_index_pick(text, at.size, p, &at, e);
        if (r < 0)
            return r;
    }
    return img_load(s, &at, out, e);
}

/* ---- all that hangs on a descriptor ---- */
static int each_of_image(struct img_store *s, const struct img_desc *d,
                         int (*fn)(void *, const struct img_desc *, const struct img_image *), void *arg,
                         struct err *e)
{
    struct img_image i auto_done(img_image_done) = {0};
    int r = img_load(s, d, &i, e);
    r = r < 0 ? r : fn(arg, &i.config, &i);
    for (unsigned k = 0; r == 0 && k < i.nlayers; k++)
        r = fn(arg, &i.layers[k].blob, &i);
    return r;
}

static int each_of_index(struct img_store *s, const struct img_desc *d, unsigned depth,
                         int (*fn)(void *, const struct img_desc *, const struct img_image *), void *arg,
                         struct err *e)
{
    auto_free char *text = NULL;
    struct img_desc child;
    unsigned found = 0;
    int r = depth >= INDEX_DEPTH ? err_set(e, ERR_INVALID, ELOOP, "index: nested deeper than %d", INDEX_DEPTH)
                                 : read_text(s, d, &text, e);
    auto_js json *j = r < 0 ? NULL : js_parse(text, d->size, e);
    if (!j)
        return r < 0 ? r : err_prefix(e, "index");
    json *all = js_get(j, "manifests");
    for (size_t k = 0; r == 0 && k < js_len(all); k++) {
        r = img_entry_desc(js_at(all, k), &child, e);
        if (r == 0 && img_blob_have(s, &child)) {
            found++;
            r = img_each_blob(s, &child, depth + 1, fn, arg, e);
        }
    }
    return r < 0 || found ? r
                          : err_set(e, ERR_INVALID, ENOENT, "index: none of its manifests is in the store");
}

int img_each_blob(struct img_store *s, const struct img_desc *d, unsigned depth,
                  int (*fn)(void *arg, const struct img_desc *d, const struct img_image *of), void *arg,
                  struct err *e)
{
    int r = fn(arg, d, NULL);
    if (r < 0)
        return r;
    return img_is_index(d) ? each_of_index(s, d, depth, fn, arg, e) : each_of_image(s, d, fn, arg, e);
}

/* ---- references ---- */
static const char *hex_of(const char *digest)
{
    return str_starts(digest, "sha256:") || str_starts(digest, "sha512:") ? digest + 7 : digest;
}

static bool could_be_id(const char *text)
{
    const char *hex = hex_of(text);
    size_t n = strlen(hex);
    return n >= ID_MIN && n <= 128 && strspn(hex, "0123456789abcdef") == n;
}

/* An image answers to its manifest's digest and, as Docker's users know it, to its config's. *is: which it is by the config:
 * one image may have come in several manifests. */
static bool answers_to(struct img_store *s, const struct img_desc *d, const char *hex,
                       char is[IMG_DIGEST_MAX])
{
    struct img_image i auto_done(img_image_done) = {0};
    size_t n = strlen(hex);
    snprintf(is, IMG_DIGEST_MAX, "%s", d->digest);
    if (img_load_any(s, d, NULL, &i, NULL) == 0) {
        snprintf(is, IMG_DIGEST_MAX, "%s", i.config.digest);
        if (!strncmp(i.config.digest + 7, hex, n) || !strncmp(i.manifest.digest + 7, hex, n))
            return true;
    }
    return !strncmp(d->digest + 7, hex, n);
}

static int find_id(struct img_store *s, const json *index, const char *text, struct img_desc *out,
                   struct err *e)
{
    const json *all = js_get(index, "manifests");
    struct img_desc d, found = {0};
    char is[IMG_DIGEST_MAX], was[IMG_DIGEST_MAX];
    for (size_t k = 0; k < js_len(all); k++) {
        if (img_entry_desc(js_at(all, k), &d, NULL) < 0 || !answers_to(s, &d, hex_of(text), is))
            continue;
        if (found.size && strcmp(was, is) != 0)
            return err_set(e, ERR_CONFLICT, EEXIST, "several images begin with %s", text);
        found = found.size ? found : d;
        memcpy(was, is, sizeof(was));
    }
    if (!found.size)
        return -ENOENT;
    *out = found;
    return 0;
}

int img_find(struct img_store *s, const char *text, struct img_desc *out, struct err *e)
{
    struct img_ref ref auto_done(img_ref_done) = {0};
    auto_js json *index = NULL;
    int r = img_index_load(s->fd, &index, e);
    if (r < 0)
        return r;
    if (img_ref_parse(text, &ref, could_be_id(text) ? NULL : e) == 0) {
        auto_free char *name = img_ref_print(&ref);
        json *entry = img_index_find(index, name);
        if (entry)
            return img_entry_desc(entry, out, e);
        if (ref.digest && (r = find_id(s, index, ref.digest, out, e)) != -ENOENT)
            return r;
    } else if (!could_be_id(text)) {
        return -EINVAL;
    }
    r = could_be_id(text) ? find_id(s, index, text, out, e) : -ENOENT;
    if (r != -ENOENT)
        return r;
    err_set(e, ERR_NOT_FOUND, ENOENT, "image %.200s is not in the store", text);
    return err_hint(e, "zonectl image pull %.200s, or zonectl image import FILE", text);
}

int img_resolve(struct img_store *s, const char *text, const struct img_platform *p, struct img_image *out,
                struct err *e)
{
    struct img_desc d;
    int r = img_find(s, text, &d, e);
    return r < 0 ? r : img_load_any(s, &d, p, out, e);
}
