/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A step of a build in a zone: made by the daemon like any other, so that a step is caged like what it builds; what the build
 * begins with is not (build_host.c). The zone's changes become a layer; the zone goes. */
#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/zone-image/build.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define TOLD_LINE_MAX 65536

static char *zone_path(const struct build *b, const char *tail)
{
    return xasprintf("/zones/%s%s", b->zone, tail);
}

static int ask(struct build *b, const char *method, const char *tail, json *body, json **answer,
               struct err *e)
{
    struct api_answer a = {0};
    auto_free char *path = tail ? zone_path(b, tail) : xstrdup("/zones");
    int r = b->api ? 0 : api_open(b->socket, &b->api, e);
    if (r < 0)
        js_free(body);
    else
        r = api_call(b->api, method, path, body, &a, e, NULL);
    if (r == 0 && answer)
        *answer = take_ptr(&a.body);
    api_answer_done(&a);
    return r;
}

/* By a new connection: zoned closes one that is idle for long, and long may be what a step takes. */
static int drop_zone(struct build *b)
{
    struct err e = {0};
    api_close(b->api);
    b->api = NULL;
    int r = ask(b, "DELETE", "?force=1", NULL, NULL, &e);
    return e.kind == ERR_NOT_FOUND ? 0 : r;
}

static void set(json *list, const char *key, const char *value)
{
    auto_js json *quoted = js_string(value);
    auto_free char *text = js_dump(quoted, false), *edit = xasprintf("%s=%s", key, text);
    js_add(list, js_string(edit));
}

static json *zone_of(const struct build *b, const char *image, const struct build_step *s)
{
    json *body = js_object(), *edits = js_array(), *args = js_array();
    js_add(args, js_string("/bin/sh"));
    js_add(args, js_string("-ec"));
    js_add(args, js_string(s->script ? s->script : ":"));
    auto_free char *command = js_dump(args, false), *edit = xasprintf("process.args=%s", command);
    js_free(args);
    js_set_str(body, "name", b->zone);
    set(edits, "image", image);
    js_add(edits, js_string(edit));
    js_add(edits, js_string("process.entrypoint=[]")); /* not the base's */
    set(edits, "process.user", "0:0");
    set(edits, "process.cwd", "/");
    set(edits, "hostname", "build");
    set(edits, "labels.zoned.build", b->recipe->package.name);
    for (char **v = b->env; v && *v; v++) {
        auto_free char *name = xstrndup(*v, strcspn(*v, "="));
        auto_free char *key = xasprintf("process.env.%s", name);
        if (strchr(*v, '='))
            set(edits, key, strchr(*v, '=') + 1);
    }
    char epoch[24];
    snprintf(epoch, sizeof(epoch), "%llu", (unsigned long long)b->epoch);
    if (b->has_epoch)
        set(edits, "process.env.SOURCE_DATE_EPOCH", epoch);
    js_set(body, "set", edits);
    return body;
}

/* ---- a command ---- */
/* Whole lines; a very long one in pieces, and at the end the rest. */
static void tell(struct build *b, struct str *text, const void *data, size_t n, bool end)
{
    str_addn(text, data, n);
    size_t at = 0;
    for (char *nl; text->len && (nl = memchr(text->p + at, '\n', text->len - at));) {
        build_note(b, "  %.*s", (int)(nl - (text->p + at)), text->p + at);
        at = (size_t)(nl - text->p) + 1;
    }
    if (at < text->len && (end || text->len - at > TOLD_LINE_MAX)) {
        build_note(b, "  %.*s", (int)(text->len - at), text->p + at);
        at = text->len;
    }
    if (at)
        memmove(text->p, text->p + at, text->len - at);
    text->len -= at;
}

static int take_exit(const void *data, size_t n, int64_t *status, struct err *e)
{
    auto_js json *o = js_parse(data, n, e);
    if (!o)
        return -EPROTO;
    *status = js_get_int(o, "exit_status", -1);
    struct err own = {0};
    if (js_get(o, "error"))
        js_to_err(js_get(o, "error"), &own, NULL);
    if (err_is(&own) && e)
        *e = own;
    return err_is(&own) ? -own.code : 0;
}

/* Until the command has ended; what it says is told as it comes. */
static int listen_to(struct build *b, int fd, int64_t *status, struct err *e)
{
    auto_free struct api_frames *f = xcalloc(1, sizeof(*f));
    struct str out = {0}, errors = {0};
    enum api_frame_type type = API_STDOUT;
    const unsigned char *data;
    uint32_t n;
    int r = 0;
    while (type != API_EXIT && (r = api_frames_next(f, fd, &type, &data, &n)) >= 0)
        if (r == 0)
            (void)poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1);
        else if (type == API_STDOUT || type == API_STDERR)
            tell(b, type == API_STDOUT ? &out : &errors, data, n, false);
    tell(b, &out, "", 0, true);
    tell(b, &errors, "", 0, true);
    str_done(&out);
    str_done(&errors);
    return r < 0 ? err_sysk(e, ERR_UNREACHABLE, -r, "the zone of the build") : take_exit(data, n, status, e);
}

/* Makes the zone and runs its script to the end. */
static int run_zone(struct build *b, const char *image, const struct build_step *s, struct err *e)
{
    struct api_answer a = {0};
    int64_t status = -1;
    auto_fd int fd = -1;
    int r = api_upgrade(b->api, "/run", zone_of(b, image, s), &fd, &a, e, NULL);
    if (r == 0 && fd < 0)
        r = err_set(e, ERR_INTERNAL, EPROTO, "the daemon has not connected the zone of the build");
    api_answer_done(&a);
    r = r < 0 ? r : listen_to(b, fd, &status, e);
    r = r < 0 ? r : ask(b, "GET", "/wait?for=stopped", NULL, NULL, e);
    auto_free char *text = build_in_short(s->what);
    return r == 0 && status != 0 ? err_set(e, ERR_INVALID, EINVAL, "%s: status %lld", text, (long long)status)
                                 : r;
}

/* ---- files ---- */
static int put_files(struct build *b, int tar_fd, struct err *e)
{
    auto_free char *path = zone_path(b, "/archive?path=%2F");
    return api_transfer(b->api, "PUT", path, tar_fd, -1, e, NULL);
}

static int take_layer(struct build *b, const char *image, const char *what, const char *key,
                      struct img_desc *out, struct err *e)
{
    struct stor_root_plan root = {0};
    auto_free char *name = img_cache_name(key);
    if (!stor_zone_root_load(b->job->pool, b->zone, image, &root))
        return err_set(e, ERR_INTERNAL, EIO, "the zone of the build has no root");
    int r = img_commit(b->job->store, b->zone, &root, NULL, what, name, out, e);
    stor_root_done(&root);
    return r;
}

int build_in_zone(struct build *b, const struct img_desc *from, const struct build_step *s, const char *key,
                  struct img_desc *out, struct err *e)
{
    char parent[KEY_SIZE];
    build_key(b, from->digest, "parent", b->zone, parent);
    auto_free char *image = img_cache_name(parent);
    auto_free char *text = build_in_short(s->what);
    build_note(b, "%s", text);
    int r = build_keep(b, parent, from, e); /* a name to make the zone from */
    r = r < 0 ? r : drop_zone(b);
    if (r == 0 && s->tar_fd >= 0) {
        r = ask(b, "POST", NULL, zone_of(b, image, s), NULL, e);
        r = r < 0 ? r : put_files(b, s->tar_fd, e);
    } else if (r == 0) {
        r = run_zone(b, image, s, e);
    }
    r = r < 0 ? r : take_layer(b, image, s->what, key, out, e);
    (void)drop_zone(b);
    (void)img_untag(b->job->store, image, NULL);
    return r;
}
