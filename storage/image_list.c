/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the store has, for people: sizes derived from what the images name, shared with others and own. */
#include "base/auto.h"
#include "base/mem.h"
#include "storage/store.h"
#include <errno.h>
#include <string.h>

/* Which images need a blob: {digest: {bytes, users: {image digest: true}}}. */
struct users {
    json *blobs;
    const char *image;
};

static int count_user(void *arg, const struct img_desc *d, const struct img_image *of)
{
    struct users *u = arg;
    json *blob = js_get(u->blobs, d->digest);
    if (!blob) {
        blob = js_object();
        js_set_int(blob, "bytes", (int64_t)d->size);
        js_set(blob, "users", js_object());
        js_set(u->blobs, d->digest, blob);
    }
    js_set_bool(js_get(blob, "users"), u->image, true);
    return 0;
}

static void sum_sizes(json *o, json *blobs, const char *image)
{
    int64_t shared = 0, own = 0;
    for (void *it = js_iter(blobs); it; it = js_next(blobs, it)) {
        json *blob = js_iter_value(it), *users = js_get(blob, "users");
        if (js_get(users, image))
            *(js_len(users) > 1 ? &shared : &own) += js_get_int(blob, "bytes", 0);
    }
    js_set_int(o, "size", shared + own);
    js_set_int(o, "shared", shared);
    js_set_int(o, "own", own);
}

static void describe(json *o, const struct img_image *i)
{
    const json *c = i->config_json;
    const char *variant = js_get_str(c, "variant", "");
    auto_free char *platform = xasprintf("%s/%s%s%s", js_get_str(c, "os", "?"),
                                         js_get_str(c, "architecture", "?"), *variant ? "/" : "", variant);
    js_set_str(o, "id", i->config.digest + 7);
    js_set_str(o, "created", js_get_str(c, "created", NULL));
    js_set_str(o, "platform", platform);
    js_set_int(o, "layers", i->nlayers);
}

/* An index of strangers' platforms alone is listed all the same. */
static json *row(struct img_store *s, const json *entry, json *blobs)
{
    struct img_desc d;
    struct img_image i auto_done(img_image_done) = {0};
    struct err e = {0};
    json *o = js_object();
    js_set_str(o, "ref", img_entry_name(entry));
    js_set_str(o, "digest", js_get_str(entry, "digest", ""));
    if (img_entry_desc(entry, &d, &e) == 0 && img_load_any(s, &d, NULL, &i, &e) == 0)
        describe(o, &i);
    else if (e.kind != ERR_NOT_FOUND)
        js_set_str(o, "error", e.text);
    sum_sizes(o, blobs, js_get_str(entry, "digest", ""));
    return o;
}

static json *users_of(struct img_store *s, const json *index)
{
    const json *all = js_get(index, "manifests");
    json *blobs = js_object();
    for (size_t k = 0; k < js_len(all); k++) {
        struct img_desc d;
        struct users u = {blobs, js_get_str(js_at(all, k), "digest", "")};
        if (img_entry_desc(js_at(all, k), &d, NULL) == 0)
            (void)img_each_blob(s, &d, 0, count_user, &u, NULL);
    }
    return blobs;
}

int img_list(struct img_store *s, json **out, struct err *e)
{
    auto_js json *index = NULL;
    int r = img_index_load(s->fd, &index, e);
    if (r < 0)
        return r;
    auto_js json *blobs = users_of(s, index);
    const json *all = js_get(index, "manifests");
    json *list = js_array();
    for (size_t k = 0; k < js_len(all); k++)
        if (!img_is_cache(img_entry_name(js_at(all, k))))
            js_add(list, row(s, js_at(all, k), blobs));
    *out = list;
    return 0;
}

/* ---- one image ---- */
static json *layer_rows(struct img_store *s, const struct img_image *i, json *blobs)
{
    json *list = js_array();
    for (unsigned k = 0; k < i->nlayers; k++) {
        const struct img_layer *l = &i->layers[k];
        char key[LAYER_KEY_SIZE];
        auto_js json *mark = NULL;
        json *o = js_object();
        img_layer_key(l->diff_id, key);
        js_set_str(o, "digest", l->blob.digest);
        js_set_str(o, "diff_id", l->diff_id);
        js_set_str(o, "media_type", l->blob.media_type);
        js_set_int(o, "size", (int64_t)l->blob.size);
        js_set_bool(o, "shared", js_len(js_get(js_get(blobs, l->blob.digest), "users")) > 1);
        if (img_mark_load(s, key, &mark, NULL) == 0) {
            js_set_int(o, "unpacked", js_get_int(mark, "bytes", 0));
            js_set_int(o, "skipped_devices", js_get_int(mark, "skipped_devices", 0));
        } else {
            js_set(o, "unpacked", js_null());
        }
        js_add(list, o);
    }
    return list;
}

static json *names_of(const json *index, const char *digest)
{
    const json *all = js_get(index, "manifests");
    json *names = js_array();
    for (size_t k = 0; k < js_len(all); k++)
        if (!strcmp(js_get_str(js_at(all, k), "digest", ""), digest) && img_entry_name(js_at(all, k)))
            js_add(names, js_string(img_entry_name(js_at(all, k))));
    return names;
}

int img_show(struct img_store *s, const char *ref, json **out, struct err *e)
{
    struct img_desc d;
    struct img_image i auto_done(img_image_done) = {0};
    auto_js json *index = NULL;
    int r = img_find(s, ref, &d, e);
    r = r < 0 ? r : img_load_any(s, &d, NULL, &i, e);
    r = r < 0 ? r : img_index_load(s->fd, &index, e);
    if (r < 0)
        return r;
    auto_js json *blobs = users_of(s, index);
    json *o = js_object();
    js_set(o, "names", names_of(index, d.digest));
    js_set_str(o, "digest", d.digest);
    js_set_str(o, "manifest", i.manifest.digest);
    js_set_str(o, "media_type", i.manifest.media_type);
    describe(o, &i);
    sum_sizes(o, blobs, d.digest);
    js_set(o, "layers", layer_rows(s, &i, blobs));
    char **lowers = img_lowers(s, &i);
    js_set_strv(o, "lowers", lowers);
    strv_free(lowers);
    if (js_get(i.config_json, "config"))
        js_set(o, "config", js_ref(js_get(i.config_json, "config")));
    if (js_get(i.config_json, "history"))
        js_set(o, "history", js_ref(js_get(i.config_json, "history")));
    *out = o;
    return 0;
}
