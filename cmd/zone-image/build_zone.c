/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A step of a build in a zone: made by the daemon like any other, so that a build is caged like what it builds. The zone's changes
 * become a layer; the zone goes. */
#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/zone-image/build.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LOOK_EVERY_NS 100000000

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

static int drop_zone(struct build *b)
{
    struct err e = {0};
    int r = ask(b, "DELETE", "?force=1", NULL, NULL, &e);
    return e.kind == ERR_NOT_FOUND ? 0 : r;
}

static void set(json *list, const char *key, const char *value)
{
    auto_js json *quoted = js_string(value);
    auto_free char *text = js_dump(quoted, false), *edit = xasprintf("%s=%s", key, text);
    js_add(list, js_string(edit));
}

static int make_zone(struct build *b, const char *image, const struct build_step *s, struct err *e)
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
    return ask(b, "POST", NULL, body, NULL, e);
}

/* What has been written since: the log is small, and read again as a whole. */
static int tell_output(struct build *b, size_t *told, struct err *e)
{
    struct api_answer a = {0};
    auto_free char *path = zone_path(b, "/logs");
    int r = api_call(b->api, "GET", path, NULL, &a, e, NULL);
    while (r == 0 && a.text && *told < a.text_len) {
        const char *line = a.text + *told, *end = memchr(line, '\n', a.text_len - *told);
        if (!end)
            break;
        build_note(b, "  %.*s", (int)(end - line), line);
        *told += (size_t)(end - line) + 1;
    }
    api_answer_done(&a);
    return r;
}

/* Runs the script to its end; its output is told as it comes. */
static int run_zone(struct build *b, const struct build_step *s, struct err *e)
{
    size_t told = 0;
    int64_t status = -1;
    bool alive = true;
    int r = ask(b, "POST", "/start", js_object(), NULL, e);
    while (r == 0 && alive) {
        auto_js json *zone = NULL;
        (void)nanosleep(&(struct timespec){.tv_nsec = LOOK_EVERY_NS}, NULL);
        r = ask(b, "GET", "", NULL, &zone, e);
        const char *state = js_get_str(zone, "state", "");
        alive = strcmp(state, "installed") != 0 && strcmp(state, "failed") != 0 && strcmp(state, "down") != 0;
        status = js_get_int(zone, "exit_status", -1);
        r = r < 0 ? r : tell_output(b, &told, e);
    }
    return r == 0 && status != 0
               ? err_set(e, ERR_INVALID, EINVAL, "%s: status %lld", s->what, (long long)status)
               : r;
}

static int put_files(struct build *b, int tar_fd, struct err *e)
{
    auto_free char *path = zone_path(b, "/archive?path=%2F");
    return api_transfer(b->api, "PUT", path, tar_fd, -1, e, NULL);
}

static int take_layer(struct build *b, const char *image, const char *key, struct img_desc *out,
                      struct err *e)
{
    struct stor_root_plan root = {0};
    auto_free char *name = img_cache_name(key);
    if (!stor_zone_root_load(b->job->pool, b->zone, image, &root))
        return err_set(e, ERR_INTERNAL, EIO, "the zone of the build has no root");
    int r = img_commit(b->job->store, b->zone, &root, NULL, name, out, e);
    stor_root_done(&root);
    return r;
}

int build_in_zone(struct build *b, const struct img_desc *from, const struct build_step *s, const char *key,
                  struct img_desc *out, struct err *e)
{
    char parent[KEY_SIZE];
    build_key(b, from->digest, "parent", b->zone, parent);
    auto_free char *image = img_cache_name(parent);
    build_note(b, "%s", s->what);
    int r = build_keep(b, parent, from, e); /* a name to make the zone from */
    r = r < 0 ? r : drop_zone(b);
    r = r < 0 ? r : make_zone(b, image, s, e);
    if (r == 0 && s->tar_fd >= 0)
        r = put_files(b, s->tar_fd, e);
    else if (r == 0)
        r = run_zone(b, s, e);
    r = r < 0 ? r : take_layer(b, image, key, out, e);
    (void)drop_zone(b);
    (void)img_untag(b->job->store, image, NULL);
    return r;
}
