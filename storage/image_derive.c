/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An image with another configuration on the same layers, or with no layer at all; and what a build has made already, kept in the
 * store under names that no person gives. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "storage/pack.h"
#include "storage/store.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#define CONFIG_TYPE "application/vnd.oci.image.config.v1+json"

void img_set_epoch(struct img_store *s, uint64_t epoch)
{
    s->has_epoch = true;
    s->epoch = epoch;
}

void img_now(const struct img_store *s, char buf[32])
{
    if (!s->has_epoch) {
        clock_rfc3339(clock_real_us(), buf);
        return;
    }
    time_t t = (time_t)s->epoch;
    struct tm tm;
    gmtime_r(&t, &tm);
    (void)strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

bool img_is_cache(const char *name)
{
    return name && str_starts(name, IMG_CACHE);
}

char *img_cache_name(const char *key)
{
    return xasprintf(IMG_CACHE "%s", key);
}

bool img_cache_find(struct img_store *s, const char *key, struct img_desc *out)
{
    auto_free char *name = img_cache_name(key);
    struct img_image i auto_done(img_image_done) = {0};
    struct img_desc found;
    if (img_find(s, name, &found, NULL) < 0 || img_load(s, &found, &i, NULL) < 0)
        return false;
    for (unsigned k = 0; k < i.nlayers; k++)
        if (!img_blob_have(s, &i.layers[k].blob))
            return false;
    *out = found; /* untouched where it is damaged: what the step begins with */
    return true;
}

/* Environment variables by name: what is said now wins. */
static json *merge_env(const json *base, const json *said)
{
    json *out = js_array();
    for (size_t i = 0; i < js_len(base); i++) {
        const char *pair = js_str_of(js_at(base, i), "");
        size_t n = strcspn(pair, "=") + 1;
        bool again = false;
        for (size_t k = 0; k < js_len(said); k++)
            again |= !strncmp(js_str_of(js_at(said, k), ""), pair, n);
        if (!again)
            js_add(out, js_ref(js_at(base, i)));
    }
    for (size_t k = 0; k < js_len(said); k++)
        js_add(out, js_ref(js_at(said, k)));
    return out;
}

static json *merge_objects(const json *base, const json *said)
{
    json *out = js_object();
    for (void *it = base ? js_iter((json *)base) : NULL; it; it = js_next((json *)base, it))
        js_set(out, js_iter_key(it), js_ref(js_iter_value(it)));
    for (void *it = said ? js_iter((json *)said) : NULL; it; it = js_next((json *)said, it))
        js_set(out, js_iter_key(it), js_ref(js_iter_value(it)));
    return out;
}

/* A new entrypoint makes the image's arguments meaningless, as with docker. */
static json *merge_config(const json *base, const json *said)
{
    json *out = merge_objects(base, said);
    if (js_get(said, "Env"))
        js_set(out, "Env", merge_env(js_get(base, "Env"), js_get(said, "Env")));
    if (js_get(said, "Labels"))
        js_set(out, "Labels", merge_objects(js_get(base, "Labels"), js_get(said, "Labels")));
    if (js_get(said, "Entrypoint") && !js_get(said, "Cmd"))
        js_del(out, "Cmd");
    return out;
}

static char *config_text(const struct img_store *s, const struct img_image *base, const json *said)
{
    struct img_platform p;
    char now[32];
    auto_js json *o = merge_objects(base->config_json, NULL);
    json *rootfs = js_object(), *ids = js_array(), *history = js_array(), *step = js_object();
    (void)img_platform_parse(NULL, &p, NULL);
    img_now(s, now);
    js_set_str(o, "created", now);
    if (!js_get(o, "architecture"))
        js_set_str(o, "architecture", p.arch);
    if (!js_get(o, "os"))
        js_set_str(o, "os", p.os);
    js_set(o, "config", merge_config(js_get(base->config_json, "config"), said));
    for (unsigned k = 0; k < base->nlayers; k++)
        js_add(ids, js_string(base->layers[k].diff_id));
    js_set_str(rootfs, "type", "layers");
    js_set(rootfs, "diff_ids", ids);
    js_set(o, "rootfs", rootfs);
    for (size_t k = 0; k < js_len(js_get(base->config_json, "history")); k++)
        js_add(history, js_ref(js_at(js_get(base->config_json, "history"), k)));
    js_set_str(step, "created", now);
    js_set_str(step, "created_by", "zonectl image build");
    js_set_bool(step, "empty_layer", true);
    js_add(history, step);
    js_set(o, "history", history);
    return js_dump(o, false);
}

int img_derive(struct img_store *s, const struct img_desc *from, const json *said, struct img_desc *out,
               struct err *e)
{
    struct img_image base auto_done(img_image_done) = {0};
    struct img_desc config;
    int r = from ? img_load(s, from, &base, e) : 0;
    if (r < 0)
        return r;
    auto_free char *text = config_text(s, &base, said);
    auto_free struct img_desc *layers = xcalloc(base.nlayers + 1, sizeof(*layers));
    for (unsigned k = 0; k < base.nlayers; k++) {
        layers[k] = base.layers[k].blob;
        img_oci_type(&layers[k]);
    }
    r = img_blob_put(s, CONFIG_TYPE, text, strlen(text), &config, e);
    return r < 0 ? r : img_manifest_put(s, &config, layers, base.nlayers, out, e);
}

/* ---- for the keys of steps ---- */
void img_digest_of(const void *data, size_t n, char out[65])
{
    struct img_hash h = {0};
    char digest[IMG_DIGEST_MAX] = "";
    if (img_hash_start(&h, "sha256", NULL) == 0) {
        img_hash_add(&h, data, n);
        img_hash_end(&h, digest);
    }
    img_hash_done(&h);
    snprintf(out, 65, "%.64s", digest + strlen("sha256:"));
}

int img_digest_of_fd(int fd, char out[65], struct err *e)
{
    struct img_hash h = {0};
    char digest[IMG_DIGEST_MAX] = "";
    auto_free char *buf = xcalloc(1, 1u << 18);
    ssize_t n = 0;
    int r = img_hash_start(&h, "sha256", e);
    for (off_t at = 0; r == 0 && (n = pread(fd, buf, 1u << 18, at)) > 0; at += n)
        img_hash_add(&h, buf, (size_t)n);
    if (r == 0 && n < 0)
        r = err_sys(e, "read");
    if (r == 0) {
        img_hash_end(&h, digest);
        snprintf(out, 65, "%.64s", digest + strlen("sha256:"));
    }
    img_hash_done(&h);
    return r;
}

static int to_fd(void *arg, const void *data, size_t n, struct err *e)
{
    int r = fd_write_full(*(int *)arg, data, n);
    return r < 0 ? err_sysk(e, r == -ENOSPC ? ERR_LIMIT : ERR_INTERNAL, -r, "writing the tar") : 0;
}

int img_pack_folder(const struct img_store *s, const char *dir, int out_fd, struct err *e)
{
    const struct stor_pack_options o = {.has_epoch = s->has_epoch, .epoch = s->epoch};
    auto_fd int fd = img_open_folder(dir, e);
    return fd < 0 ? fd : stor_pack_tree(fd, &o, to_fd, &out_fd, e);
}
