/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handlers that make an image (commit) or a tar (export) of a zone's files. */
#include "base/path.h"
#include "base/str.h"
#include "zoned/handlers.h"
#include "zoned/images.h"
#include "zoned/ops.h"
#include "zoned/save.h"
#include <errno.h>

/* ---- what the image says of itself: what the zone says, over what its image said ---- */
static void set_list(json *o, const char *key, char *const *v)
{
    if (v)
        js_set_strv(o, key, v);
}

static void add_env(json *o, const struct spec *s)
{
    char **all = NULL;
    for (unsigned i = 0; i < s->process.env.len; i++)
        strv_take(&all, xasprintf("%s=%s", s->process.env.at[i].key, s->process.env.at[i].value));
    if (all)
        js_set_strv(o, "Env", all);
    strv_free(all);
}

static void add_ports(json *o, const struct spec *s, const json *image)
{
    json *ports = js_object(), *old = js_get(image, "ExposedPorts");
    for (void *it = old ? js_iter(old) : NULL; it; it = js_next(old, it))
        js_set(ports, js_iter_key(it), js_object());
    for (unsigned i = 0; i < s->network.len; i++)
        for (unsigned k = 0; k < s->network.at[i].ports.len; k++) {
            const struct spec_port *p = &s->network.at[i].ports.at[k];
            for (unsigned n = 0; n <= (unsigned)(p->host_last - p->host_first); n++) {
                auto_free char *key = xasprintf("%u/%s", p->zone_first + n, spec_proto_name(p->proto));
                js_set(ports, key, js_object());
            }
        }
    if (js_len(ports))
        js_set(o, "ExposedPorts", ports);
    else
        js_free(ports);
}

static json *config_of(const struct zone *z, const json *image)
{
    const struct spec *s = z->spec;
    json *o = js_object();
    set_list(o, "Entrypoint", s->process.entrypoint);
    set_list(o, "Cmd", s->process.args);
    if (s->process.user)
        js_set_str(o, "User", s->process.user);
    if (s->process.cwd)
        js_set_str(o, "WorkingDir", s->process.cwd);
    if (s->process.stop_signal_given)
        js_set_str(o, "StopSignal", spec_signal_name(s->process.stop_signal));
    add_env(o, s);
    add_ports(o, s, image);
    json *labels = zone_labels(z);
    if (js_len(labels))
        js_set(o, "Labels", labels);
    else
        js_free(labels);
    return o;
}

int h_commit_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    struct zone *z;
    auto_js json *image = NULL;
    const char *ref = js_get_str(zd_body_of(r), "ref", NULL);
    int k = registry_get(d, zd_param(r, 0), &z, e);
    if (k == 0 && !z->spec)
        k = err_set(e, ERR_INVALID, EINVAL, "the spec of zone %s cannot be read", z->name);
    k = k < 0 ? k : save_root_of(d, z, &image, e);
    if (k < 0)
        return k;
    json *args = js_object();
    js_set_str(args, "ref", ref);
    js_set(args, "config", config_of(z, js_get(image, "config")));
    return save_zone(d, r, "commit", args, NULL, e);
}

int h_export_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    const char *path = js_get_str(zd_body_of(r), "path", NULL);
    if (!path || !path_is_clean_absolute(path))
        return err_set(e, ERR_INVALID, EINVAL, "path: must be absolute, without . and ..");
    json *args = js_object();
    js_set_str(args, "path", path);
    return save_zone(d, r, "export", args, NULL, e);
}
