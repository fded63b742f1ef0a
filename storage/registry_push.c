/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A push: each blob that the target lacks is mounted from a repository of the same registry or uploaded (small ones whole, large
 * ones in chunks that go on after a cut), several at once; then the manifest, byte by byte as it is in the store. A blob walks
 * through its steps by the answers: ask → open (perhaps mounted) → chunks → close. Source: OCI distribution-spec 1.1. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "storage/registry.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define CHUNK (32ull << 20)
#define CHUNK_LARGEST (1ull << 30) /* that a registry may ask for */
#define MANIFEST_MAX (4u << 20)

struct push {
    const struct reg_job *job;
    const struct reg_push_plan *plan;
    struct reg_session *session;
    struct upload *uploads;
    unsigned n, next, running;
    struct err error;
};
struct upload {
    struct push *push;
    struct img_desc blob;
    int fd;
    struct reg_request request;
    struct reg_bar bar;
    char what[160];
    char *location; /* of the upload that is open */
    bool foreign;   /* it is on another host */
    bool no_mount;
    uint64_t sent, chunk;
    unsigned attempt, attempts;
};
static void start_uploads(struct push *p);
static void open_upload(struct upload *u, int64_t pause_ms);
static void send_next(struct upload *u);

static void upload_over(struct upload *u)
{
    close_fd(&u->fd);
    u->push->running--;
    start_uploads(u->push);
}

static void fail(struct upload *u, const struct err *e)
{
    if (!err_is(&u->push->error))
        u->push->error = *e;
    u->push->session->stop = true;
    upload_over(u);
}

static void fail_text(struct upload *u, const char *text)
{
    struct err e = {0};
    err_set(&e, ERR_INVALID, EPROTO, "%s: %s", u->what, text);
    fail(u, &e);
}

static struct reg_request *request(struct upload *u, const char *method, char *url,
                                   void (*done)(struct reg_request *))
{
    struct reg_request *r = &u->request;
    reg_request_done(r);
    reg_request_init(r, method, url, u->what);
    r->text_max = 65536;
    r->on_done = done;
    r->arg = u;
    return r;
}

static void done_with(struct upload *u, const char *phase)
{
    u->bar.phase = phase;
    reg_bar_set(&u->bar, u->blob.size);
    upload_over(u);
}

/* ---- bytes ---- */
static void sent(struct reg_request *r, uint64_t bytes)
{
    struct upload *u = r->arg;
    reg_bar_set(&u->bar, u->sent + r->body_sent);
}

/* Where the upload goes on: a new Location with each answer. */
static int keep_location(struct upload *u, const struct reg_request *r, struct err *e)
{
    char *to = NULL;
    bool same = false;
    if (!r->location)
        return err_set(e, ERR_INVALID, EPROTO, "%s: the registry does not say where to send it", u->what);
    int k = reg_follow(r->url, r->location, &to, &same, e);
    if (k < 0)
        return err_prefix(e, "%s", u->what);
    free(u->location);
    u->location = to;
    u->foreign |= !same;
    return 0;
}

static void chunk_size(struct upload *u, const struct reg_request *r)
{
    uint64_t least = 0;
    u->chunk = CHUNK;
    if (r->chunk_min && parse_u64(r->chunk_min, CHUNK_LARGEST, &least) == 0 && least > u->chunk)
        u->chunk = least;
}

/* What the registry has of an upload that was cut: after that byte it goes on, else from the start. */
static void resume_at(struct reg_request *r)
{
    struct upload *u = r->arg;
    struct err e = {0};
    uint64_t next = 0;
    bool known = !err_is(&r->error) && r->status == 204 && reg_upload_range(r->range, &next) == 0 &&
                 next <= u->blob.size;
    if (!known || (r->location && keep_location(u, r, &e) < 0)) {
        open_upload(u, 0);
        return;
    }
    u->attempt = next > u->sent ? 0 : u->attempt;
    u->sent = next;
    send_next(u);
}

/* A pause, then: how far did it come? */
static void cut(struct upload *u, struct reg_request *r)
{
    int64_t pause = r->retry_ms;
    struct err e = r->error;
    bool final = r->status >= 400 && r->status < 500 && r->status != 404 && r->status != 416;
    if (pause < 0 && !final && r->status && u->attempt + 1 < 5)
        pause = 250; /* the upload was forgotten: a new one */
    if (pause < 0) {
        fail(u, &e);
        return;
    }
    u->attempt++;
    u->attempts++;
    if (!u->location || u->blob.size <= CHUNK || r->status) {
        open_upload(u, pause);
        return;
    }
    r = request(u, "GET", xstrdup(u->location), resume_at);
    r->foreign = u->foreign;
    r->any_status = true;
    r->not_before_us = clock_mono_us() + (uint64_t)pause * 1000;
    reg_submit(u->push->session, r);
}

static void closed(struct reg_request *r)
{
    struct upload *u = r->arg;
    if (err_is(&r->error))
        cut(u, r);
    else if (r->digest && strcmp(r->digest, u->blob.digest) != 0)
        fail_text(u, "the registry has stored it under another digest");
    else
        done_with(u, "upload");
}

static void chunk_arrived(struct reg_request *r)
{
    struct upload *u = r->arg;
    struct err e = {0};
    if (err_is(&r->error)) {
        cut(u, r);
    } else if (keep_location(u, r, &e) < 0) {
        fail(u, &e);
    } else {
        u->sent += r->body_size;
        u->attempt = 0;
        send_next(u);
    }
}

static void send_next(struct upload *u)
{
    uint64_t left = u->blob.size - u->sent;
    bool whole = u->blob.size <= CHUNK, last = whole || !left;
    struct reg_request *r =
        last ? request(u, "PUT", reg_url_add_query(u->location, "digest", u->blob.digest), closed)
             : request(u, "PATCH", xstrdup(u->location), chunk_arrived);
    r->foreign = u->foreign;
    r->no_retry = true;
    r->attempt = u->attempt;
    r->attempts = u->attempts;
    r->on_moved = sent;
    if (left) {
        r->body_fd = u->fd;
        r->body_from = u->sent;
        r->body_size = whole || left < u->chunk ? left : u->chunk;
        reg_request_header(r, "Content-Type: application/octet-stream");
        if (!last)
            reg_request_header(r, "Content-Range: %llu-%llu", (unsigned long long)u->sent,
                               (unsigned long long)(u->sent + r->body_size - 1));
    }
    reg_submit(u->push->session, r);
}

/* ---- before the bytes ---- */
static void opened(struct reg_request *r)
{
    struct upload *u = r->arg;
    struct err e = {0};
    bool mounting = u->push->plan->mount_from && !u->no_mount;
    u->no_mount = true; /* once is enough */
    if (!err_is(&r->error) && r->status == 201 && mounting) {
        done_with(u, "mounted");
    } else if (mounting && (err_is(&r->error) || r->status != 202)) {
        open_upload(u, 0); /* it may not read the other repository */
    } else if (err_is(&r->error)) {
        fail(u, &r->error);
    } else if (r->status != 202) {
        fail_text(u, "the registry does not open an upload");
    } else if (keep_location(u, r, &e) < 0) {
        fail(u, &e);
    } else {
        chunk_size(u, r);
        u->bar.phase = "upload";
        send_next(u);
    }
}

static void open_upload(struct upload *u, int64_t pause_ms)
{
    struct push *p = u->push;
    bool mounting = p->plan->mount_from && !u->no_mount;
    auto_free char *plain = reg_url(p->session->base, p->plan->target->repository, "blobs", "uploads/");
    auto_free char *with = reg_url_add_query(plain, "mount", u->blob.digest);
    struct reg_request *r = request(
        u, "POST", mounting ? reg_url_add_query(with, "from", p->plan->mount_from) : xstrdup(plain), opened);
    u->sent = 0;
    u->foreign = false;
    r->not_before_us = pause_ms > 0 ? clock_mono_us() + (uint64_t)pause_ms * 1000 : 0;
    reg_submit(p->session, r);
}

static void asked(struct reg_request *r)
{
    struct upload *u = r->arg;
    if (err_is(&r->error))
        fail(u, &r->error);
    else if (r->status < 300)
        done_with(u, "exists");
    else
        open_upload(u, 0);
}

static void start_upload(struct push *p, struct upload *u)
{
    struct err e = {0};
    p->running++;
    u->fd = img_blob_open(p->job->store, &u->blob, &e);
    if (u->fd < 0) {
        fail(u, &e);
        return;
    }
    reg_bar_start(&u->bar, p->job, "upload", &u->blob, 0);
    struct reg_request *r = request(
        u, "HEAD", reg_url(p->session->base, p->plan->target->repository, "blobs", u->blob.digest), asked);
    r->any_status = true;
    reg_submit(p->session, r);
}

static void start_uploads(struct push *p)
{
    while (!err_is(&p->error) && p->next < p->n && p->running < p->session->parallel)
        start_upload(p, &p->uploads[p->next++]);
}

static int push_blobs(struct push *p, const char *what, struct err *e)
{
    unsigned n;
    auto_free struct img_desc *blobs = reg_blobs(p->plan->image, &n);
    p->uploads = xcalloc(n, sizeof(*p->uploads));
    for (p->n = 0; p->n < n; p->n++) {
        struct upload *u = &p->uploads[p->n];
        *u = (struct upload){.push = p, .blob = blobs[p->n], .fd = -1, .request.body_fd = -1};
        snprintf(u->what, sizeof(u->what), "%.100s: %.24s", what, u->blob.digest);
    }
    start_uploads(p);
    int r = reg_run(p->session, e);
    for (unsigned k = 0; k < n; k++) {
        reg_request_done(&p->uploads[k].request);
        free(p->uploads[k].location);
        close_fd(&p->uploads[k].fd);
    }
    free(p->uploads);
    if (r == 0 && err_is(&p->error)) {
        *e = p->error;
        r = -e->code;
    }
    return r;
}

static int push_manifest(struct push *p, const char *what, struct err *e)
{
    const struct img_ref *to = p->plan->target;
    const struct img_desc *m = &p->plan->image->manifest;
    struct reg_request r auto_done(reg_request_done) = {0};
    auto_free char *text = NULL;
    int k = img_blob_read(p->job->store, m, MANIFEST_MAX, &text, e);
    if (k < 0)
        return k;
    reg_request_init(
        &r, "PUT", reg_url(p->session->base, to->repository, "manifests", to->digest ? to->digest : to->tag),
        what);
    reg_request_header(&r, "Content-Type: %s", m->media_type);
    r.body = text;
    r.body_size = m->size;
    r.text_max = 65536;
    k = reg_do(p->session, &r, e);
    if (k == 0 && r.digest && str_starts(m->digest, "sha256:") && strcmp(r.digest, m->digest) != 0)
        k = err_set(e, ERR_INVALID, EPROTO, "%s: the registry has stored another manifest than it was sent",
                    what);
    return k;
}

int reg_push(const struct reg_job *j, const struct reg_push_plan *plan, struct err *e)
{
    struct push p = {.job = j, .plan = plan};
    auto_free char *what = img_ref_print(plan->target);
    int r = reg_session_open(plan->target, j->options, &p.session, e);
    if (r < 0)
        return r;
    strv_take(&p.session->scopes, xasprintf("repository:%s:pull,push", plan->target->repository));
    if (plan->mount_from)
        strv_take(&p.session->scopes, xasprintf("repository:%s:pull", plan->mount_from));
    r = push_blobs(&p, what, e);
    if (r == 0)
        r = push_manifest(&p, what, e);
    reg_session_free(p.session);
    return r;
}
