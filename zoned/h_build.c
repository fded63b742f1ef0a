/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image build: the recipe is checked here, the work is zone-image's, which comes back over the socket for the zones that its steps
 * run in. Whatever way it ends, its zone goes. */
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "specs/image_ref.h"
#include "specs/recipe.h"
#include "zoned/handlers.h"
#include "zoned/images.h"
#include "zoned/ops.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <systemd/sd-event.h>

#define BUILD_LABEL "zoned.build"
#define BUILD_PREFIX "build-"
#define BUILD_HEX 12 /* digits */

#define AGAIN_US 200000
#define EPOCH_MAX 253402300799 /* 9999-12-31T23:59:59Z */

struct build_job {
    struct zd *d;
    char zone[SPEC_NAME_MAX + 1];
    pid_t worker;
};

static bool has_label(const struct spec *s)
{
    for (unsigned i = 0; s && i < s->labels.len; i++)
        if (str_eq(s->labels.at[i].key, BUILD_LABEL))
            return true;
    return false;
}

static bool is_build(const struct zone *z)
{
    const char *hex = str_starts(z->name, BUILD_PREFIX) ? z->name + strlen(BUILD_PREFIX) : "";
    return strlen(hex) == BUILD_HEX && strspn(hex, "0123456789abcdef") == BUILD_HEX && has_label(z->spec);
}

static const struct build_job *build_of(const struct zd *d, const char *zone)
{
    for (unsigned i = 0; i < d->builds.len; i++)
        if (str_eq(d->builds.at[i]->zone, zone))
            return d->builds.at[i];
    return NULL;
}

bool build_is_wanted(const struct zd *d, const char *zone)
{
    return build_of(d, zone) != NULL;
}

/* The worker reads the zone's files as a layer when its step has ended: nobody else may put something in, or start it, or take it
 * away meanwhile. It is known by its process, which lives as long as the build. */
int build_permits(const struct zd *d, const struct zd_request *r, const char *zone, struct err *e)
{
    const struct build_job *b = build_of(d, zone);
    pid_t pid = 0;
    uid_t uid;
    if (r)
        zd_peer(r, &uid, &pid);
    if (!b || pid == b->worker)
        return 0;
    err_set(e, ERR_BUSY, EBUSY, "zone %s: it is of a build under way", zone);
    return err_hint(e, "it goes with the build; zonectl stop %s fails the step that runs in it", zone);
}

int zone_to_change(struct zd *d, const struct zd_request *r, struct zone **out, struct err *e)
{
    int k = registry_get(d, zd_param(r, 0), out, e);
    return k < 0 ? k : build_permits(d, r, (*out)->name, e);
}

static int on_again(sd_event_source *s, uint64_t usec, void *arg)
{
    build_clear(arg);
    trash_empty(arg, NULL, 0, NULL);
    return 0;
}

static void again_soon(struct zd *d)
{
    (void)sd_event_add_time_relative(d->event, &d->build_again, CLOCK_MONOTONIC, AGAIN_US, 0, on_again, d);
}

/* One that is just being made, copied or stopped cannot go yet. */
void build_clear(struct zd *d)
{
    unsigned n;
    bool again = false;
    auto_free struct zone **all = registry_sorted(d, &n);
    for (unsigned i = 0; i < n; i++) {
        auto_free char *name = xstrdup(all[i]->name);
        if (!is_build(all[i]) || build_is_wanted(d, name))
            continue;
        (void)op_delete(d, all[i], NULL, true, NULL);
        again |= registry_find(d, name) != NULL;
    }
    d->build_again = sd_event_source_disable_unref(d->build_again);
    if (again)
        again_soon(d);
}

/* A worker's last words may be read after its end: nothing would take away what they make. */
int build_zone_check(const struct zd *d, const char *zone, const struct spec *s, struct err *e)
{
    return !has_label(s) || build_is_wanted(d, zone)
               ? 0
               : err_set(e, ERR_CONFLICT, ECANCELED,
                         "zone %s: no build of that name is under way (label %s is of builds alone)", zone,
                         BUILD_LABEL);
}

static void built(struct image_job *job, const json *result, const struct err *e, void *arg)
{
    struct build_job *b = arg;
    struct zd *d = b->d;
    for (unsigned i = 0; i < d->builds.len; i++)
        if (d->builds.at[i] == b)
            d->builds.at[i] = d->builds.at[--d->builds.len];
    build_clear(d);
    if (stor_work_discard(d->pool, b->zone) && !d->build_again)
        again_soon(d); /* whatever worked in there is dying */
    image_finish(job, result, e, NULL);
    free(b);
}

static bool is_image(const char *from)
{
    return strcmp(from, "scratch") != 0 && !str_starts(from, "debian:") && !str_starts(from, "dir:") &&
           !str_starts(from, "tar:");
}

/* No name that a program of the host or of the zone heeds beyond its proxies (LD_PRELOAD, APT_CONFIG). */
static int check_env(const json *env, struct err *e)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"};
    enum js_type t = js_type_of(env);
    if (env && t != JS_NULL && t != JS_ARRAY)
        return err_set(e, ERR_INVALID, EINVAL, "env: must be a list");
    for (size_t i = 0; i < js_len(env); i++) {
        const char *pair = js_str_of(js_at(env, i), "");
        size_t n = strcspn(pair, "=");
        bool known = false;
        for (unsigned k = 0; k < ARRAY_LEN(names); k++)
            known |= strlen(names[k]) == n && !strncasecmp(pair, names[k], n);
        if (!known || !pair[n])
            return err_set(e, ERR_INVALID, EINVAL, "env: \"%.60s\" is no proxy (like http_proxy=http://…)",
                           pair);
    }
    return 0;
}

static int check_epoch(const json *epoch, struct err *e)
{
    if (!epoch || js_type_of(epoch) == JS_NULL)
        return 0;
    int64_t seconds = js_int_of(epoch, -1);
    return js_type_of(epoch) == JS_INT && seconds >= 0 && seconds <= EPOCH_MAX
               ? 0
               : err_set(e, ERR_INVALID, EINVAL, "epoch: must be seconds since 1970, before the year 10000");
}

static int check(struct zd *d, const json *body, struct problems *ps, struct err *e)
{
    auto_recipe struct spec_recipe *recipe = NULL;
    const json *source = js_get(body, "source");
    const char *text = js_get_str(source, "text", NULL), *file = js_get_str(source, "file", "(request)"),
               *folder = js_get_str(body, "folder", NULL), *ref = js_get_str(body, "ref", NULL);
    struct img_ref parsed auto_done(img_ref_done) = {0};
    if (folder && !path_is_clean_absolute(folder))
        return err_set(e, ERR_INVALID, EINVAL, "folder: must be absolute, without . and ..");
    if (ref && img_ref_parse(ref, &parsed, e) < 0)
        return -EINVAL;
    if (check_env(js_get(body, "env"), e) < 0 || check_epoch(js_get(body, "epoch"), e) < 0)
        return -EINVAL;
    if (spec_recipe_parse(text, strlen(text), file, &recipe, ps) < 0)
        return problems_to_err(ps, e, file);
    return is_image(recipe->from) ? image_check(d, recipe->from, ps, e) : 0;
}

static json *args_of(struct zd *d, const json *body, const char *zone)
{
    static const char *const keys[] = {"source", "folder", "ref", "epoch", "no_cache", "env"};
    json *args = js_object();
    for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
        if (js_get(body, keys[i]))
            js_set(args, keys[i], js_ref(js_get(body, keys[i])));
    js_set_str(args, "zone", zone);
    js_set_str(args, "socket", d->socket_path);
    return args;
}

int h_build_image(struct zd *d, struct zd_request *r, struct err *e)
{
    unsigned char raw[BUILD_HEX / 2];
    char hex[BUILD_HEX + 1];
    const json *body = zd_body_of(r);
    int k = check(d, body, zd_problems(r), e);
    if (k < 0)
        return k;
    if (getrandom(raw, sizeof(raw), 0) != sizeof(raw))
        return err_sys(e, "getrandom");
    hex_encode(raw, sizeof(raw), hex);
    struct build_job *b = xcalloc(1, sizeof(*b));
    b->d = d;
    snprintf(b->zone, sizeof(b->zone), BUILD_PREFIX "%s", hex);
    k = image_run_known(d, "build", args_of(d, body, b->zone), IMAGE_STREAM, r, built, b, &b->worker, e);
    if (k < 0)
        free(b);
    else
        *vec_add(&d->builds) = b;
    return k;
}
