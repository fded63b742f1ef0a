/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests to one registry, several at once in one loop: redirects (a credential never goes to another host), logins (Basic,
 * Docker's token flow; one token for all requests, fetched again when it ends), retries with growing pauses, downloads that go
 * on where they were cut. A request that came to its end is given to its on_done. No threads, no signals, no files. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "storage/registry.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REDIRECTS 10
#define LOGINS 2 /* without an answer in between that is no 401 */
#define TOKEN_ANSWER_MAX 262144
#define TURN_MS 500

void reg_request_init(struct reg_request *r, const char *method, char *url, const char *what)
{
    memset(r, 0, sizeof(*r));
    r->method = method;
    r->url = url;
    r->what = what;
    r->body_fd = -1;
}

void reg_request_header(struct reg_request *r, const char *fmt, ...)
{
    va_list ap;
    char *line = NULL;
    va_start(ap, fmt);
    if (vasprintf(&line, fmt, ap) < 0)
        abort();
    va_end(ap);
    strv_take(&r->headers, line);
}

static void forget_headers(struct reg_request *r)
{
    for (char **h = r->headers; h && *h; h++)
        explicit_bzero(*h, strlen(*h)); /* one may be a login */
    strv_free(r->headers);
    r->headers = NULL;
}

void reg_request_done(struct reg_request *r)
{
    if (r->session && r->easy)
        reg_http_stop(r->session, r);
    forget_headers(r);
    free(r->url);
    free(r->location);
    free(r->content_type);
    free(r->digest);
    free(r->range);
    free(r->retry_after);
    free(r->content_range);
    free(r->chunk_min);
    str_done(&r->text);
    reg_challenge_done(&r->challenge);
    memset(r, 0, sizeof(*r));
    r->body_fd = -1;
}

static void unlink_request(struct reg_session *s, struct reg_request *r)
{
    for (struct reg_request **p = &s->requests; *p; p = &(*p)->next)
        if (*p == r) {
            *p = r->next;
            r->next = NULL;
            return;
        }
}

void reg_submit(struct reg_session *s, struct reg_request *r)
{
    struct reg_request **p = &s->requests;
    while (*p)
        p = &(*p)->next;
    *p = r;
    r->next = NULL;
    r->session = s;
    r->state = REG_QUEUED;
}

/* The end: r is out of the session before its owner hears of it, because he may free it. */
static void finish(struct reg_session *s, struct reg_request *r)
{
    unlink_request(s, r);
    r->state = REG_DONE;
    if (r->on_done)
        r->on_done(r);
}

static void queue_again(struct reg_request *r, int64_t delay_ms)
{
    r->not_before_us = delay_ms > 0 ? clock_mono_us() + (uint64_t)delay_ms * 1000 : 0;
    r->state = REG_QUEUED;
}

/* ---- logins ---- */
static void set_auth(struct reg_session *s, char *header)
{
    reg_secret_free(&s->auth_header);
    s->auth_header = header;
    s->auth_generation++;
}

static void wake_waiting(struct reg_session *s, const struct err *why)
{
    for (struct reg_request *r = s->requests, *next; r; r = next) {
        next = r->next;
        if (r->state != REG_WAITS_TOKEN)
            continue;
        if (why) {
            r->error = *why;
            r->state = REG_DONE; /* finished by the loop */
        } else {
            queue_again(r, 0);
        }
    }
}

static void free_token_request(struct reg_request *t)
{
    if (t->text.p)
        explicit_bzero(t->text.p, t->text.len);
    if (t->body)
        explicit_bzero((void *)t->body, t->body_size);
    free((void *)t->body);
    reg_request_done(t);
    free(t);
}

static void token_came(struct reg_request *t)
{
    struct reg_session *s = t->session;
    auto_free char *token = NULL;
    struct err e = t->error;
    s->token = NULL;
    if (!err_is(&e) && reg_token_parse(t->text.p ? t->text.p : "", t->text.len, &token, &e) < 0)
        err_prefix(&e, "%s", s->registry);
    if (!err_is(&e))
        set_auth(s, xasprintf("Authorization: Bearer %s", token));
    wake_waiting(s, err_is(&e) ? &e : NULL);
    if (token)
        explicit_bzero(token, strlen(token));
    free_token_request(t);
}

static void ask_for_token(struct reg_session *s, const struct reg_challenge *c)
{
    const struct img_credential *k = s->credential;
    struct reg_request *t = xcalloc(1, sizeof(*t));
    bool refresh = k && k->kind == IMG_IDENTITY_TOKEN;
    reg_request_init(t, refresh ? "POST" : "GET", refresh ? xstrdup(c->realm) : reg_token_url(c, s->scopes),
                     s->registry);
    if (refresh) {
        t->body = reg_token_form(c, s->scopes, k->secret);
        t->body_size = strlen(t->body);
        reg_request_header(t, "Content-Type: application/x-www-form-urlencoded");
    } else if (k && k->kind == IMG_PASSWORD) {
        strv_take(&t->headers, reg_basic_header(k->user, k->secret));
    }
    s->used_credential = k != NULL;
    t->text_max = TOKEN_ANSWER_MAX;
    t->is_token = true;
    t->on_done = token_came;
    s->token = t;
    reg_submit(s, t);
}

/* 401: 1 = tried again with a login, 0 = there is none to try. */
static int log_in(struct reg_session *s, struct reg_request *r)
{
    const struct img_credential *k = s->credential;
    if (r->is_token || r->no_auth || r->foreign || r->challenge.scheme == REG_NO_SCHEME)
        return 0;
    if (r->auth_generation != s->auth_generation) {
        queue_again(r, 0); /* another one has logged in meanwhile */
        return 1;
    }
    if (r->logins++ >= LOGINS)
        return 0;
    if (r->challenge.scheme == REG_BASIC || (k && k->kind == IMG_REGISTRY_TOKEN)) {
        bool basic = r->challenge.scheme == REG_BASIC;
        if (!k || s->used_credential || (basic != (k->kind == IMG_PASSWORD)))
            return 0;
        s->used_credential = true;
        set_auth(s, basic ? reg_basic_header(k->user, k->secret)
                          : xasprintf("Authorization: Bearer %s", k->secret));
        queue_again(r, 0);
        return 1;
    }
    if (reg_realm_check(s->base, r->challenge.realm, &r->error) < 0) {
        err_prefix(&r->error, "%s", s->registry);
        return 0;
    }
    r->state = REG_WAITS_TOKEN;
    if (!s->token)
        ask_for_token(s, &r->challenge);
    return 1;
}

/* ---- what an attempt's end means ---- */
static void redirected(struct reg_session *s, struct reg_request *r)
{
    char *to = NULL;
    bool same = false, reads = !strcmp(r->method, "GET") || !strcmp(r->method, "HEAD");
    if (!r->location || (!reads && r->status != 307 && r->status != 308))
        err_set(&r->error, ERR_INVALID, EPROTO, "%s: a redirect that leads nowhere (HTTP %d)", r->what,
                r->status);
    else if (++r->redirects > REDIRECTS)
        err_set(&r->error, ERR_INVALID, ELOOP, "%s: the registry redirects in a circle (more than %d times)",
                r->what, REDIRECTS);
    else if (reg_follow(r->url, r->location, &to, &same, &r->error) < 0)
        err_prefix(&r->error, "%s", r->what);
    if (err_is(&r->error)) {
        finish(s, r);
        return;
    }
    free(r->url);
    r->url = to;
    r->foreign |= !same;
    queue_again(r, 0);
}

static void network_error(struct reg_session *s, struct reg_request *r)
{
    bool certificate = strstr(r->why, "certificate") != NULL;
    char clean[sizeof(r->why)];
    snprintf(clean, sizeof(clean), "%s", r->why);
    for (char *p = clean; *p; p++)
        if ((unsigned char)*p < 0x20)
            *p = ' ';
    if (r->ranged && r->have < r->total)
        err_set(&r->error, ERR_INTERNAL, EIO, "%s: cut off at byte %llu of %llu: %s", r->what,
                (unsigned long long)r->have, (unsigned long long)r->total, clean);
    else
        err_set(&r->error, ERR_INTERNAL, EIO, "%s: %s", r->what, clean);
    if (certificate)
        err_hint(&r->error, "--ca FILE names a private authority's certificate");
    else if (r->ranged)
        err_hint(&r->error, "the same command goes on where this one stopped");
    else if (strstr(clean, "resolve host"))
        err_hint(&r->error,
                 "is the registry's name right, and does this host resolve names (/etc/resolv.conf)? A name "
                 "without a registry is docker.io's");
    else
        err_hint(&r->error, "does this host reach the registry? Try again when it does");
}

static void answered_badly(struct reg_session *s, struct reg_request *r)
{
    auto_free char *detail = r->text.len ? reg_error_text(r->text.p, r->text.len) : NULL;
    auto_free char *login = r->is_token ? xasprintf("login to %s", s->registry) : NULL;
    reg_status_error(r->status, r->is_token ? NULL : detail, login ? login : r->what, s->used_credential,
                     &r->error);
}

/* Gives up or not; a byte gained makes the count of tries begin again. */
static void failed(struct reg_session *s, struct reg_request *r, enum reg_failure f)
{
    bool progress = r->have > r->highest;
    struct reg_outcome o = {f, r->status, r->retry_after, progress ? 0 : r->attempt, r->attempts, s->reached};
    r->highest = progress ? r->have : r->highest;
    int64_t delay = reg_retry_after(&o, (int64_t)(clock_real_us() / 1000000), (unsigned)clock_mono_us());
    r->retry_ms = delay;
    if (delay >= 0 && !r->no_retry) {
        r->attempt = progress ? 1 : r->attempt + 1;
        r->attempts++;
        queue_again(r, delay);
        return;
    }
    if (f == REG_ANSWERED)
        answered_badly(s, r);
    else
        network_error(s, r);
    finish(s, r);
}

static void download_answered(struct reg_session *s, struct reg_request *r)
{
    if (r->status == 416 && r->have < r->total) {
        if (r->highest) /* these bytes are its own */
            err_set(&r->error, ERR_INVALID, EPROTO,
                    "%s: the registry has %llu bytes where %llu were announced", r->what,
                    (unsigned long long)r->have, (unsigned long long)r->total);
        r->have = 0;
        if (err_is(&r->error) || r->on_restart(r, &r->error) < 0)
            finish(s, r);
        else
            failed(s, r, REG_LOST);
        return;
    }
    if (r->have == r->total) {
        finish(s, r);
        return;
    }
    snprintf(r->why, sizeof(r->why), "the registry sends less than it announced");
    failed(s, r, REG_LOST);
}

static void answered(struct reg_session *s, struct reg_request *r)
{
    int status = r->status;
    s->reached = true;
    if (status == 401) {
        if (log_in(s, r))
            return;
        if (!err_is(&r->error) && err_is(&r->challenge_error))
            r->error = r->challenge_error;
        if (!err_is(&r->error))
            answered_badly(s, r);
        finish(s, r);
        return;
    }
    r->logins = 0;
    if (status == 301 || status == 302 || status == 303 || status == 307 || status == 308)
        redirected(s, r);
    else if (r->ranged && (status == 416 || (status >= 200 && status < 300)))
        download_answered(s, r);
    else if ((status >= 200 && status < 300) ||
             (r->any_status && status >= 400 && status < 500 && status != 408 && status != 429))
        finish(s, r);
    else
        failed(s, r, REG_ANSWERED);
}

static void attempt_ended(struct reg_session *s, struct reg_request *r, enum reg_failure f)
{
    if (err_is(&r->error))
        finish(s, r);
    else if (f == REG_ANSWERED)
        answered(s, r);
    else
        failed(s, r, f);
}

/* ---- the loop ---- */
static unsigned count_running(const struct reg_session *s)
{
    unsigned n = 0;
    for (const struct reg_request *r = s->requests; r; r = r->next)
        n += r->state == REG_RUNNING && !r->is_token;
    return n;
}

/* Starts what may start; the time until the next one may, in ms. */
static int start_due(struct reg_session *s)
{
    uint64_t now = clock_mono_us(), soonest = now + TURN_MS * 1000;
    unsigned running = count_running(s);
    for (struct reg_request *r = s->requests, *next; r; r = next) {
        next = r->next;
        if (r->state == REG_DONE) { /* its token did not come */
            finish(s, r);
            return 0;
        }
        if (r->state != REG_QUEUED || (!r->is_token && running >= s->parallel))
            continue;
        if (r->not_before_us > now) {
            soonest = r->not_before_us < soonest ? r->not_before_us : soonest;
            continue;
        }
        running += !r->is_token;
        r->state = REG_RUNNING;
        r->auth_generation = s->auth_generation;
        if (reg_http_start(s, r, &r->error) < 0) {
            finish(s, r);
            return 0;
        }
    }
    return (int)((soonest - now) / 1000) + 1;
}

static void abandon(struct reg_session *s)
{
    while (s->requests) {
        struct reg_request *r = s->requests;
        s->requests = r->next;
        reg_http_stop(s, r);
        r->session = NULL;
        if (r->is_token)
            free_token_request(r);
    }
    s->token = NULL;
}

int reg_run(struct reg_session *s, struct err *e)
{
    int r = 0;
    while (r == 0 && s->requests && !s->stop) {
        int wait = start_due(s);
        if (s->requests && !s->stop)
            r = reg_http_turn(s, wait, attempt_ended, e);
    }
    abandon(s);
    return r;
}

int reg_do(struct reg_session *s, struct reg_request *r, struct err *e)
{
    reg_submit(s, r);
    int k = reg_run(s, e);
    if (k == 0 && err_is(&r->error)) {
        k = -r->error.code;
        if (e && !err_is(e))
            *e = r->error;
    }
    return k;
}

/* ---- open ---- */
/* A registry of this host, or one that may be insecure, speaks plain HTTP or TLS: asked for neither name nor login. */
static int find_out_scheme(struct reg_session *s, struct err *e)
{
    struct reg_request r auto_done(reg_request_done) = {0};
    reg_request_init(&r, "GET", xasprintf("%s/v2/", s->base), s->registry);
    r.any_status = r.no_auth = r.no_retry = true;
    r.text_max = 65536;
    (void)reg_do(s, &r, NULL);
    s->reached = false;
    bool refuses = r.status == 400 || (!r.status && !strstr(r.why, "connect"));
    if (err_is(&r.error) && !r.status && !refuses) {
        *e = r.error;
        return -e->code;
    }
    if (refuses) {
        free(s->base);
        s->base = reg_base(s->registry, false);
    }
    return 0;
}

/* The private authority beside the system's: what a registry redirects to may be a public host. */
static char *authorities(const char *private_pem)
{
    static const char *const bundles[] = {"/etc/ssl/certs/ca-certificates.crt",
                                          "/etc/pki/tls/certs/ca-bundle.crt"};
    auto_free char *system = NULL;
    if (!private_pem)
        return NULL;
    for (unsigned i = 0; !system && i < ARRAY_LEN(bundles); i++)
        (void)file_read(AT_FDCWD, bundles[i], 8u << 20, &system, NULL, NULL);
    return xasprintf("%s\n%s", system ? system : "", private_pem);
}

int reg_session_open(const struct img_ref *target, const struct img_transfer_options *o,
                     struct reg_session **out, struct err *e)
{
    struct reg_session *s = xcalloc(1, sizeof(*s));
    bool plain = !o->ca_pem && (o->insecure || reg_is_loopback(target->registry));
    s->registry = xstrdup(target->registry);
    s->base = reg_base(target->registry, plain);
    s->parallel = o->parallel ? o->parallel : 4;
    s->stall_seconds = o->stall_seconds ? o->stall_seconds : 30;
    s->credential = o->credential;
    s->ca = authorities(o->ca_pem);
    int r = reg_http_open(s, e);
    if (r == 0 && plain)
        r = find_out_scheme(s, e);
    if (r < 0) {
        reg_session_free(s);
        return r;
    }
    *out = s;
    return 0;
}

void reg_session_free(struct reg_session *s)
{
    if (!s)
        return;
    abandon(s);
    reg_http_close(s);
    reg_secret_free(&s->auth_header);
    strv_free(s->scopes);
    free(s->registry);
    free(s->base);
    free(s->ca);
    free(s);
}
