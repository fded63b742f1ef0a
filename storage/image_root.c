/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An image of the store as a zone's root. roots/ALGORITHM-HEX, by the digest that index.json names, says which layers it is made of
 * and holds its config: so a create finds them by reading two small files. The record is made again whenever it is missing. */
#include "base/auto.h"
#include "base/file.h"
#include "base/mem.h"
#include "storage/store.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define RECORD_MAX (1u << 20)

static void record_path(const char *digest, char out[IMG_DIGEST_MAX + 8])
{
    char key[IMG_DIGEST_MAX];
    img_key(digest, key);
    snprintf(out, IMG_DIGEST_MAX + 8, "roots/%s", key);
}

int img_root_save(struct img_store *s, const struct img_desc *d, const struct img_image *i, struct err *e)
{
    char path[IMG_DIGEST_MAX + 8];
    json *config = js_get(i->config_json, "config");
    auto_js json *o = js_object();
    char **lowers = img_lowers(s, i);
    js_set_str(o, "manifest", i->manifest.digest);
    js_set_strv(o, "lowers", lowers);
    strv_free(lowers);
    if (js_type_of(config) == JS_OBJECT)
        js_set(o, "config", js_ref(config));
    auto_free char *text = js_dump(o, false);
    if (strlen(text) > RECORD_MAX)
        return err_set(e, ERR_LIMIT, EFBIG, "config: larger than %u bytes", RECORD_MAX);
    record_path(d->digest, path);
    auto_fd int lock = img_index_lock(s, e);
    return lock < 0 ? lock : file_replace(s->fd, path, text, strlen(text), 0600, false, e);
}

static int open_images(const struct stor_pool *p)
{
    return openat(p->fd, "images", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Without the store's own door: no digest is computed here, the daemon asks at each start. */
static int find_entry(const struct stor_pool *p, int images, const char *image, struct img_desc *d,
                      struct err *e)
{
    struct img_ref ref auto_done(img_ref_done) = {0};
    auto_js json *index = NULL;
    int r = img_ref_parse(image, &ref, e);
    r = r < 0 ? r : img_index_load(images, &index, e);
    if (r < 0)
        return r;
    auto_free char *name = img_ref_print(&ref);
    const json *entry = img_index_find(index, name);
    return entry ? img_entry_desc(entry, d, e) : -ENOENT;
}

static int load(const struct stor_pool *p, const char *image, struct stor_root_plan *out)
{
    char path[IMG_DIGEST_MAX + 8];
    struct img_desc d;
    auto_free char *text = NULL;
    size_t n = 0;
    auto_fd int images = open_images(p);
    if (images < 0 || find_entry(p, images, image, &d, NULL) < 0)
        return -ENOENT;
    record_path(d.digest, path);
    if (file_read(images, path, RECORD_MAX, &text, &n, NULL) < 0)
        return -ENOENT;
    auto_js json *j = js_parse(text, n, NULL);
    char **lowers = js_get_strv(j, "lowers");
    bool whole = lowers != NULL;
    for (char **l = lowers; whole && *l; l++)
        whole = file_exists(p->layers_fd, *l);
    if (!whole || !out) {
        strv_free(lowers);
        return whole ? 0 : -ENOENT;
    }
    *out = (struct stor_root_plan){.lowers = lowers};
    out->manifest = xstrdup(js_get_str(j, "manifest", NULL));
    if (js_type_of(js_get(j, "config")) == JS_OBJECT)
        out->config = js_ref(js_get(j, "config"));
    return 0;
}

/* A prune under way makes it not ready: then a worker waits for it. */
int img_root_load(struct stor_pool *p, const char *image, struct stor_root_plan *out, struct err *e)
{
    auto_fd int hold = stor_layers_hold(p, false, NULL);
    int r = hold < 0 ? -ENOENT : load(p, image, out);
    return r < 0 && e ? err_set(e, ERR_NOT_FOUND, ENOENT, "image %s is not unpacked", image) : r;
}

/* Only what is read: nothing is adopted, so no prune is kept off, and one under way makes it "not there". */
static int peek_config(struct stor_pool *p, int images, const struct img_desc *d, json **config,
                       struct err *e)
{
    struct img_store s = {.pool = p, .fd = images, .staging_fd = -1, .lock_fd = -1};
    struct img_image i auto_done(img_image_done) = {0};
    int r = img_load_any(&s, d, NULL, &i, e);
    if (r == 0)
        *config = js_ref(js_get(i.config_json, "config"));
    return r;
}

int img_root_config(struct stor_pool *p, const char *image, json **config, struct err *e)
{
    struct stor_root_plan root = {0};
    struct img_desc d;
    *config = NULL;
    auto_fd int images = open_images(p);
    if (images < 0 || find_entry(p, images, image, &d, NULL) < 0)
        return 0;
    if (load(p, image, &root) < 0)
        return peek_config(p, images, &d, config, e);
    *config = js_ref(root.config);
    stor_root_done(&root);
    return 0;
}

int img_root_check(struct stor_pool *p, const char *image, struct err *e)
{
    struct img_desc d;
    auto_fd int images = open_images(p);
    int r = images < 0 ? -ENOENT : find_entry(p, images, image, &d, e);
    if (r != -ENOENT || (e && err_is(e)))
        return r;
    err_set(e, ERR_NOT_FOUND, ENOENT, "image %s is not in the store", image);
    return err_hint(e, "zonectl image pull %s, or zonectl image import FILE %s", image, image);
}

int img_root_prepare(struct stor_pool *p, const char *image, const struct stor_bounds *b,
                     struct stor_root_plan *out, struct err *e)
{
    struct img_store *s = NULL;
    struct img_desc d;
    struct img_image i auto_done(img_image_done) = {0};
    if (load(p, image, out) == 0)
        return 0;
    int r = img_store_open(p, &s, e);
    r = r < 0 ? r : img_find(s, image, &d, e);
    r = r < 0 ? r : img_load_any(s, &d, NULL, &i, e);
    r = r < 0 ? r : img_unpack(s, &d, &i, b, e);
    img_store_free(s);
    return r < 0                     ? err_prefix(e, "image %s", image)
           : load(p, image, out) < 0 ? err_set(e, ERR_INTERNAL, EIO, "image %s: its layers vanished", image)
                                     : 0;
}
