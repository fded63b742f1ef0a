/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an image made here says of itself: the configuration of what it stands on, one layer more or none, what the caller says
 * otherwise, and one more entry of history. Commit, pack, import of a root and each step of a build make theirs here. Equal
 * arguments and an equal time give equal bytes. Source: OCI image-spec 1.1, config.md. */
#include "base/auto.h"
#include "base/mem.h"
#include "storage/store.h"
#include <stdio.h>
#include <string.h>

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
    js_add_all(out, said);
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

static json *rootfs_of(const struct img_image *base, const struct img_layer *top)
{
    json *rootfs = js_object(), *ids = js_array();
    for (unsigned k = 0; k < base->nlayers; k++)
        js_add(ids, js_string(base->layers[k].diff_id));
    if (top)
        js_add(ids, js_string(top->diff_id));
    js_set_str(rootfs, "type", "layers");
    js_set(rootfs, "diff_ids", ids);
    return rootfs;
}

static void add_event(json *history, const char *when, const char *what, bool layer)
{
    json *o = js_object();
    js_set_str(o, "created", when);
    js_set_str(o, "created_by", what);
    if (!layer)
        js_set_bool(o, "empty_layer", true);
    js_add(history, o);
}

/* Whoever reads history finds an entry for each layer: those of a root that is no image, or of an image that tells none, get one. */
static json *history_of(const struct img_image *base, const struct img_layer *top, const char *when,
                        const char *created_by)
{
    json *history = js_array();
    const json *old = js_get(base->config_json, "history");
    unsigned told = 0;
    for (size_t k = 0; k < js_len(old); k++) {
        js_add(history, js_ref(js_at(old, k)));
        told += !js_get_bool(js_at(old, k), "empty_layer", false);
    }
    for (; told < base->nlayers; told++)
        add_event(history, when, "root", true);
    add_event(history, when, created_by, top != NULL);
    return history;
}

static json *config_on(const struct img_store *s, const struct img_image *base, const struct img_layer *top,
                       const json *said, const char *created_by)
{
    struct img_platform p;
    char now[32];
    json *o = merge_objects(base->config_json, NULL);
    (void)img_platform_parse(NULL, &p, NULL);
    img_now(s, now);
    js_set_str(o, "created", now);
    if (!js_get(o, "architecture")) {
        js_set_str(o, "architecture", p.arch);
        if (*p.variant)
            js_set_str(o, "variant", p.variant);
    }
    if (!js_get(o, "os"))
        js_set_str(o, "os", p.os);
    js_set(o, "config", merge_config(js_get(base->config_json, "config"), said));
    js_set(o, "rootfs", rootfs_of(base, top));
    js_set(o, "history", history_of(base, top, now, created_by));
    js_del(o, "moby.buildkit.buildinfo.v1"); /* of another image */
    return o;
}

/* The manifest is an OCI one now. */
static void oci_type(struct img_desc *layer)
{
    const char *t = layer->media_type;
    if (strncmp(t, "application/vnd.docker.", 23) != 0)
        return;
    snprintf(layer->media_type, sizeof(layer->media_type), "%s",
             strstr(t, ".gzip")   ? IMG_LAYER_TYPE "+gzip"
             : strstr(t, ".zstd") ? IMG_LAYER_TYPE "+zstd"
                                  : IMG_LAYER_TYPE);
}

int img_make_on(struct img_store *s, const struct img_image *base, const struct img_layer *top,
                const json *said, const char *created_by, struct img_desc *out, struct err *e)
{
    struct img_desc config;
    auto_js json *o = config_on(s, base, top, said, created_by);
    auto_free char *text = js_dump(o, false);
    auto_free struct img_desc *layers = xcalloc(base->nlayers + 1, sizeof(*layers));
    unsigned n = 0;
    for (; n < base->nlayers; n++) {
        layers[n] = base->layers[n].blob;
        oci_type(&layers[n]);
    }
    if (top)
        layers[n++] = top->blob;
    int r = img_blob_put(s, IMG_CONFIG_TYPE, text, strlen(text), &config, e);
    return r < 0 ? r : img_manifest_put(s, &config, layers, n, out, e);
}
