/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verbs that take zones from state to state. Several names: all are tried, the first failure's status counts.
 */
#include "cmd/zonectl/zonectl.h"
#include <stdio.h>
#include <string.h>

static int one(struct ctl *c, const char *method, const char *name, const char *tail, json *body,
               bool several)
{
    auto_free char *path = ctl_zone_path(name, tail), *what = xasprintf("%s %s", c->called, name);
    auto_js json *answer = NULL;
    int status = ctl_call(c, method, path, body, &answer, what);
    if (status)
        return status;
    ctl_messages_of(answer, several ? name : NULL);
    (void)ctl_print_data(c, answer);
    return 0;
}

static int dry_run(struct ctl *c, const char *name)
{
    auto_free char *path = ctl_zone_path(name, "start"), *what = xasprintf("start %s", name);
    auto_js json *answer = NULL;
    json *body = js_object();
    js_set_bool(body, "dry_run", true);
    int status = ctl_call(c, "POST", path, body, &answer, what);
    if (status || ctl_print_data(c, answer))
        return status;
    json *plan = js_get(answer, "plan");
    for (size_t i = 0; i < js_len(plan); i++) {
        struct str line = {0};
        ctl_value(js_at(plan, i), &line);
        printf("%3zu  %s\n", i + 1, line.p ? line.p : "");
        str_done(&line);
    }
    return 0;
}

static int parse_seconds(struct ctl *c, const char *text, uint64_t *ms)
{
    if (parse_u64(text, 31536000, ms) == 0)
        *ms *= 1000;
    else if (parse_time(text, ms) < 0)
        return ctl_usage(c, "%s: seconds are wanted, or a time such as 500ms", text);
    return 0;
}

int ctl_start(struct ctl *c, int argc, char **argv)
{
    struct ctl_args a = {.argc = argc, .argv = argv, .opts = c->verb->opts, .format = &c->format};
    int id, at, status = 0, first = 0;
    bool dry = false;
    uint64_t ms = UINT64_MAX;
    while ((id = ctl_option(c, &a, &at, &status)) != CTL_END) {
        if (id == CTL_BAD)
            return status;
        if (id == 't' && (status = parse_seconds(c, a.value, &ms)))
            return status;
        dry |= id == 'n';
    }
    if (at >= argc)
        return ctl_usage(c, "the zone's name is missing");
    bool several = argc - at > 1;
    for (; at < argc; at++) {
        json *body = js_object();
        if (ms != UINT64_MAX)
            js_set_int(body, "timeout_ms", (int64_t)ms);
        status = dry ? dry_run(c, argv[at]) : one(c, "POST", argv[at], "start", js_ref(body), several);
        js_free(body);
        first = first ? first : status;
    }
    return first;
}

/* Names of the zones that live on another's network: seldom any. strv */
static char **sharers(const json *zones)
{
    char **names = NULL;
    for (size_t i = 0; i < js_len(zones); i++) {
        const json *first = js_at(js_get(js_at(zones, i), "network"), 0);
        if (str_starts(js_get_str(first, "link", ""), "zone:"))
            strv_add(&names, js_get_str(js_at(zones, i), "name", ""));
    }
    return names;
}

struct asked_of_each {
    const char *method, *tail;
    json *body;
};

/* Of several those go first that live on another's network, in whatever order they are named. */
static int sharers_first(struct ctl *c, char **names, int n, const struct asked_of_each *what)
{
    int first = 0;
    auto_js json *zones = NULL;
    if (n > 1 && (first = ctl_call(c, "GET", "/zones?spec=0", NULL, &zones, c->called)))
        return first;
    char **before = sharers(zones);
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < n; i++)
            if (strv_has(before, names[i]) == (pass == 0)) {
                int status = one(c, what->method, names[i], what->tail, js_ref(what->body), n > 1);
                first = first ? first : status;
            }
    strv_free(before);
    return first;
}

/* stop and restart. */
int ctl_stop(struct ctl *c, int argc, char **argv)
{
    struct ctl_args a = {.argc = argc, .argv = argv, .opts = c->verb->opts, .format = &c->format};
    bool force = !strcmp(c->called, "halt");
    int id, at, status = 0;
    uint64_t ms = UINT64_MAX;
    while ((id = ctl_option(c, &a, &at, &status)) != CTL_END) {
        if (id == CTL_BAD)
            return status;
        if (id == 't' && (status = parse_seconds(c, a.value, &ms)))
            return status;
        force |= id == 'f';
    }
    if (at >= argc)
        return ctl_usage(c, "the zone's name is missing");
    json *body = js_object();
    js_set(body, "timeout_ms", ms == UINT64_MAX ? js_null() : js_int((int64_t)ms));
    if (force)
        js_set_bool(body, "force", true);
    const struct asked_of_each what = {"POST", c->verb->name, body};
    status = sharers_first(c, argv + at, argc - at, &what);
    js_free(body);
    return status;
}

int ctl_simple(struct ctl *c, int argc, char **argv)
{
    int status, first = 0, at = ctl_positionals(c, argc, argv, 1, -1, &status);
    if (at < 0)
        return status;
    bool several = argc - at > 1;
    for (; at < argc; at++) {
        status = one(c, "POST", argv[at], c->verb->name, js_object(), several);
        first = first ? first : status;
    }
    return first;
}

int ctl_kill(struct ctl *c, int argc, char **argv)
{
    struct ctl_args a = {.argc = argc, .argv = argv, .opts = c->verb->opts, .format = &c->format};
    const char *sig = "KILL";
    int id, at, status = 0, first = 0;
    while ((id = ctl_option(c, &a, &at, &status)) != CTL_END) {
        if (id == CTL_BAD)
            return status;
        sig = a.value;
    }
    if (at >= argc)
        return ctl_usage(c, "the zone's name is missing");
    bool several = argc - at > 1;
    for (; at < argc; at++) {
        json *body = js_object();
        js_set_str(body, "signal", sig);
        status = one(c, "POST", argv[at], "kill", body, several);
        first = first ? first : status;
    }
    return first;
}

int ctl_delete(struct ctl *c, int argc, char **argv)
{
    struct ctl_args a = {.argc = argc, .argv = argv, .opts = c->verb->opts, .format = &c->format};
    bool force = false;
    int id, at, status = 0;
    while ((id = ctl_option(c, &a, &at, &status)) != CTL_END) {
        if (id == CTL_BAD)
            return status;
        force = true;
    }
    if (at >= argc)
        return ctl_usage(c, "the zone's name is missing");
    const struct asked_of_each what = {"DELETE", force ? "?force=1" : "", NULL};
    return sharers_first(c, argv + at, argc - at, &what);
}

int ctl_rename(struct ctl *c, int argc, char **argv)
{
    int status, at = ctl_positionals(c, argc, argv, 2, 2, &status);
    if (at < 0)
        return status;
    json *body = js_object();
    js_set_str(body, "new", argv[at + 1]);
    return one(c, "POST", argv[at], c->verb->name, body, false);
}

int ctl_wait(struct ctl *c, int argc, char **argv)
{
    struct ctl_args a = {.argc = argc, .argv = argv, .opts = c->verb->opts, .format = &c->format};
    const char *state = "stopped";
    uint64_t ms = UINT64_MAX;
    int id, at, status = 0, first = 0;
    while ((id = ctl_option(c, &a, &at, &status)) != CTL_END) {
        if (id == CTL_BAD)
            return status;
        if (id == 't' && (status = parse_seconds(c, a.value, &ms)))
            return status;
        if (id == 256)
            state = a.value;
    }
    if (at >= argc)
        return ctl_usage(c, "the zone's name is missing");
    if (strcmp(state, "running") != 0 && strcmp(state, "stopped") != 0 && strcmp(state, "healthy") != 0)
        return ctl_usage(c, "--for %s: running, stopped or healthy is wanted", state);
    auto_free char *limit =
        ms == UINT64_MAX ? xstrdup("") : xasprintf("&timeout_ms=%llu", (unsigned long long)ms);
    auto_free char *tail = xasprintf("wait?for=%s%s", state, limit);
    for (; at < argc; at++) {
        status = one(c, "GET", argv[at], tail, NULL, false);
        first = first ? first : status;
    }
    return first;
}
