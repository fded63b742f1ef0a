/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an OCI image says of itself, under what the spec says. The image's words are a stranger's data (R7): each is checked like
 * a spec's, and none can name a device, a mount of the host, a capability or a limit. Source: image-spec 1.1 config.md, Docker's
 * image spec v1.2 (Healthcheck). */
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "specs/schema.h"
#include <string.h>

#define NS_PER_MS 1000000
#define DAY_MS (24 * 3600 * 1000)

static void bad(struct problems *ps, const char *key, const char *value, const char *complaint)
{
    problem_add(ps, ERR_INVALID, NULL, 0, key, "the image's %.100s %s: give another in the spec", value,
                complaint);
}

/* Docker's rule: a command of the user goes behind the image's entrypoint; an entrypoint of the user has no command of the
 * image's. */
static void apply_args(struct spec *s, const json *config, struct problems *ps)
{
    char **entry =
        s->process.entrypoint ? strv_copy(s->process.entrypoint) : js_get_strv(config, "Entrypoint");
    char **cmd = NULL;
    if (s->process.args)
        cmd = strv_copy(s->process.args);
    else if (!s->process.entrypoint)
        cmd = js_get_strv(config, "Cmd");
    for (char **a = cmd; a && *a; a++)
        strv_add(&entry, *a);
    strv_free(cmd);
    if (entry && !**entry)
        bad(ps, "process.args", "program", "has no name");
    for (char **a = entry; a && *a; a++)
        if (spec_check_arg(*a))
            bad(ps, "process.args", "program", spec_check_arg(*a));
    strv_free(s->process.args);
    strv_free(s->process.entrypoint);
    s->process.entrypoint = NULL;
    s->process.args = entry;
}

static void apply_user(struct spec *s, const json *config, struct problems *ps)
{
    const char *user = js_get_str(config, "User", "");
    if (s->process.user || !*user)
        return;
    const char *complaint = spec_check_user(user);
    if (complaint)
        bad(ps, "process.user", user, complaint);
    else
        s->process.user = xstrdup(user);
}

/* "app/" is /app. */
static void apply_cwd(struct spec *s, const json *config, struct problems *ps)
{
    const char *dir = js_get_str(config, "WorkingDir", "");
    struct str clean = {0};
    if (s->process.cwd || !*dir)
        return;
    for (const char *p = dir; *p;) {
        size_t n = strcspn(p, "/");
        if (n && !(n == 1 && *p == '.'))
            str_addf(&clean, "/%.*s", (int)n, p);
        p += n + (p[n] == '/');
    }
    const char *path = clean.len ? clean.p : "/", *complaint = spec_check_abs(path);
    if (complaint)
        bad(ps, "process.cwd", dir, complaint);
    else
        s->process.cwd = xstrdup(path);
    str_done(&clean);
}

static void apply_signal(struct spec *s, const json *config, struct problems *ps)
{
    const char *text = js_get_str(config, "StopSignal", "");
    int sig;
    if (s->process.stop_signal_given || !*text || s->init == SPEC_INIT_SYSTEM)
        return;
    if (spec_parse_signal(text, &sig) < 0) {
        bad(ps, "process.stop_signal", text, "is not a signal");
        return;
    }
    s->process.stop_signal = sig;
    s->process.stop_signal_given = true;
}

static uint64_t health_ms(const json *h, const char *key, uint64_t least, uint64_t otherwise)
{
    int64_t ns = js_get_int(h, key, 0);
    uint64_t ms = ns > 0 ? (uint64_t)ns / NS_PER_MS : otherwise;
    return ms < least ? least : ms > DAY_MS ? DAY_MS : ms;
}

static void apply_health(struct spec *s, const json *config, struct problems *ps)
{
    const json *h = js_get(config, "Healthcheck");
    char **test = js_get_strv(h, "Test"), **exec = NULL;
    int64_t retries = js_get_int(h, "Retries", 0);
    if (s->health.kind == SPEC_HEALTH_NONE && strv_len(test) >= 2) {
        if (!strcmp(test[0], "CMD-SHELL")) {
            strv_add(&exec, "/bin/sh");
            strv_add(&exec, "-c");
            strv_add(&exec, test[1]);
        } else if (!strcmp(test[0], "CMD")) {
            exec = strv_copy(test + 1);
        }
    }
    strv_free(test);
    for (char **a = exec; a && *a; a++)
        if (spec_check_arg(*a))
            bad(ps, "health.exec", "health check", spec_check_arg(*a));
    if (!exec)
        return;
    s->health.kind = SPEC_HEALTH_EXEC;
    s->health.exec = exec;
    s->health.interval_ms = health_ms(h, "Interval", 100, 30000);
    s->health.timeout_ms = health_ms(h, "Timeout", 10, 30000);
    s->health.start_period_ms = health_ms(h, "StartPeriod", 0, 0);
    s->health.retries = retries > 0 && retries <= 1000 ? (uint64_t)retries : 3;
}

static char **image_env(const json *config)
{
    char **all = js_get_strv(config, "Env"), **good = NULL;
    for (char **p = all; p && *p; p++)
        if (**p != '=' && strchr(*p, '=') && strlen(*p) <= 131071)
            strv_add(&good, *p);
    strv_free(all);
    return good;
}

void spec_apply_image(struct spec *s, const json *config, char ***env, struct problems *ps)
{
    if (s->init == SPEC_INIT_APP)
        apply_args(s, config, ps);
    apply_user(s, config, ps);
    apply_cwd(s, config, ps);
    apply_signal(s, config, ps);
    apply_health(s, config, ps);
    *env = image_env(config);
}
