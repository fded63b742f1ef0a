/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone's files as an image (commit) or as a tar (export). Both read its root as data, in a job of zone-image, while the zone is
 * held; a running one stands still meanwhile. Its supervisor lets it run again by itself if we die. */
#include "base/path.h"
#include "base/str.h"
#include "zoned/handlers.h"
#include "zoned/images.h"
#include "zoned/ops.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <stdio.h>

struct save_job {
    struct zd *d;
    struct zd_request *r;
    char zone[SPEC_NAME_MAX + 1];
    const char *op;
    json *args, *result;
    bool paused;
    struct image_job *job;
    struct err e;
};

static void save_free(struct save_job *s)
{
    js_free(s->args);
    js_free(s->result);
    free(s);
}

static void let_go(struct save_job *s)
{
    struct zone *z = registry_find(s->d, s->zone);
    if (z)
        op_unhold(z);
}

/* ---- the end ---- */
static void finish(struct save_job *s)
{
    let_go(s);
    if (s->job)
        image_finish(s->job, s->result, &s->e, NULL);
    else
        zd_reply_error(s->r, &s->e, NULL);
    save_free(s);
}

static void on_resumed(struct zone *z, const json *reply, const struct err *e, void *arg)
{
    struct save_job *s = arg;
    if (err_is(e) && !err_is(&s->e))
        image_note(s->job, "the zone is still paused");
    finish(s);
}

static void resume(struct save_job *s)
{
    struct zone *z = s->paused ? registry_find(s->d, s->zone) : NULL;
    json *m = js_object();
    js_set_str(m, "op", "resume");
    s->paused = false;
    if (!z || z->sup_fd < 0) {
        js_free(m);
        finish(s);
    } else if (sup_request(z, m, NULL, 0, on_resumed, s, NULL) < 0) {
        finish(s);
    }
}

static void on_saved(struct image_job *j, const json *result, const struct err *e, void *arg)
{
    struct save_job *s = arg;
    s->job = j;
    s->result = js_ref((json *)result);
    if (err_is(e))
        s->e = *e;
    resume(s);
}

/* ---- the beginning ---- */
static void run_job(struct save_job *s)
{
    if (image_run(s->d, s->op, take_ptr(&s->args), IMAGE_STREAM, s->r, on_saved, s, &s->e) < 0)
        resume(s);
}

static void on_paused(struct zone *z, const json *reply, const struct err *e, void *arg)
{
    struct save_job *s = arg;
    s->paused = !err_is(e);
    if (s->paused) {
        run_job(s);
        return;
    }
    s->e = *e;
    finish(s);
}

static int pause_first(struct save_job *s, struct zone *z, struct err *e)
{
    json *m = js_object();
    js_set_str(m, "op", "pause");
    js_set_bool(m, "while_connected", true);
    return sup_request(z, m, NULL, 0, on_paused, s, e);
}

static int root_of(struct zd *d, struct zone *z, json **out, struct err *e)
{
    struct stor_root_plan root = {0};
    if (z->plan) {
        *out = stor_root_to_json(&z->plan->root);
        return 0;
    }
    if (!zone_root_ready(d, z)) {
        err_set(e, ERR_CONFLICT, ENOENT, "zone %s has no root yet", z->name);
        return err_hint(e, "start it once");
    }
    int r = zone_root(d, z, &root, e);
    if (r == 0)
        *out = stor_root_to_json(&root);
    stor_root_done(&root);
    return r;
}

static int save(struct zd *d, struct zd_request *r, const char *op, json *args, struct err *e)
{
    struct zone *z;
    json *root = NULL;
    auto_js json *own = args;
    int k = registry_get(d, zd_param(r, 0), &z, e);
    if (k == 0 && !z->spec)
        k = err_set(e, ERR_INVALID, EINVAL, "the spec of zone %s cannot be read", z->name);
    if (k == 0 && state_allows(z->state, VERB_COPY, z->name, e) == VERB_REFUSED)
        k = -EBUSY;
    k = k < 0 ? k : root_of(d, z, &root, e);
    if (k < 0)
        return k;
    js_set(own, "root", root);
    js_set_str(own, "zone", z->name);
    k = op_hold(z, OP_COPY, false, e);
    if (k < 0)
        return k;
    struct save_job *s = xcalloc(1, sizeof(*s));
    *s = (struct save_job){.d = d, .r = r, .op = op, .args = take_ptr(&own)};
    snprintf(s->zone, sizeof(s->zone), "%s", z->name);
    if (z->state != ZONE_RUNNING) {
        run_job(s);
        return 0;
    }
    k = pause_first(s, z, e);
    if (k < 0) {
        op_unhold(z);
        save_free(s);
    }
    return k;
}

/* ---- what the image says of itself: what the zone says, over what its image said ---- */
static void set_list(json *o, const char *key, char *const *v)
{
    if (v)
        js_set_strv(o, key, v);
}

static void add_env(json *o, const struct spec *s, const json *image)
{
    char **env = js_get_strv(image, "Env"), **all = NULL;
    for (char **p = env; p && *p; p++) {
        size_t n = strcspn(*p, "=");
        bool over = false;
        for (unsigned i = 0; i < s->process.env.len; i++)
            over =
                over || (strlen(s->process.env.at[i].key) == n && !strncmp(s->process.env.at[i].key, *p, n));
        if (!over)
            strv_add(&all, *p);
    }
    for (unsigned i = 0; i < s->process.env.len; i++)
        strv_take(&all, xasprintf("%s=%s", s->process.env.at[i].key, s->process.env.at[i].value));
    if (all)
        js_set_strv(o, "Env", all);
    strv_free(all);
    strv_free(env);
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
    if (s->process.entrypoint && !s->process.args)
        js_set(o, "Cmd", js_null());
    if (s->process.user)
        js_set_str(o, "User", s->process.user);
    if (s->process.cwd)
        js_set_str(o, "WorkingDir", s->process.cwd);
    if (s->process.stop_signal_given)
        js_set_str(o, "StopSignal", spec_signal_name(s->process.stop_signal));
    add_env(o, s, image);
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
    if (!ref)
        return err_set(e, ERR_INVALID, EINVAL, "ref: must be the name of the image to make");
    int k = registry_get(d, zd_param(r, 0), &z, e);
    if (k == 0 && !z->spec)
        k = err_set(e, ERR_INVALID, EINVAL, "the spec of zone %s cannot be read", z->name);
    k = k < 0 ? k : root_of(d, z, &image, e);
    if (k < 0)
        return k;
    json *args = js_object();
    js_set_str(args, "ref", ref);
    js_set(args, "config", config_of(z, js_get(image, "config")));
    return save(d, r, "commit", args, e);
}

int h_export_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    const char *path = js_get_str(zd_body_of(r), "path", NULL);
    if (!path || !path_is_clean_absolute(path))
        return err_set(e, ERR_INVALID, EINVAL, "path: must be absolute, without . and ..");
    json *args = js_object();
    js_set_str(args, "path", path);
    return save(d, r, "export", args, e);
}
