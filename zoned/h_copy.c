/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handlers that read and write a zone's files: cp and diff. cp of a zone that runs is its supervisor's work; of one at rest
 * a worker's, which visits the root while the zone is held (no start, no delete). Nothing here touches the zone's
 * files in the loop. */
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "zoned/handlers.h"
#include "zoned/images.h"
#include "zoned/ops.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct archive_job {
    struct zd *d;
    struct zd_request *r;
    int64_t asked; /* of the supervisor */
    int fd;
    bool get;
    /* of a visit */
    char zone[SPEC_NAME_MAX + 1];
    char *path;
    int range;
    uint32_t uid_base;
};

static void job_done(struct archive_job *a, const struct err *e)
{
    if (err_is(e)) {
        zd_reply_error(a->r, e, NULL);
        close(a->fd);
    } else if (a->get) {
        lseek(a->fd, 0, SEEK_SET);
        zd_reply_fd(a->r, "application/x-tar", a->fd);
    } else {
        zd_reply_json(a->r, 200, js_object());
        close(a->fd);
    }
    free(a->path);
    free(a);
}

/* ---- a zone that runs ---- */
static void archive_answered(struct zone *z, const json *reply, const struct err *e, void *arg)
{
    job_done(arg, e);
}

/* What copies is a process in the zone, which may stop it: nobody else would ever end it. */
static void on_gone(struct zd_request *r, void *arg)
{
    const struct archive_job *a = arg;
    struct zone *z = registry_find(a->d, a->zone);
    json *m = js_object();
    struct err e = {0};
    js_set_str(m, "op", "cancel");
    js_set_int(m, "request", a->asked);
    if (z && sup_request(z, m, NULL, 0, NULL, NULL, &e) < 0)
        log_warning("a copy that nobody waits for goes on: %s", e.text);
    else if (!z)
        js_free(m);
}

static int ask_supervisor(struct zone *z, struct archive_job *a, struct err *e)
{
    json *m = js_object();
    js_set_str(m, "op", "archive");
    js_set_str(m, "direction", a->get ? "get" : "put");
    js_set_str(m, "path", a->path);
    int r = sup_request_long(z, m, &a->fd, 1, archive_answered, a, e);
    if (r == 0) {
        a->asked = z->d->next_id;
        zd_on_gone(a->r, on_gone, a);
    }
    return r;
}

/* ---- a zone at rest ---- */
static json *visit_work(struct zd *d, void *arg)
{
    struct archive_job *a = arg;
    struct zone *z = registry_find(d, a->zone); /* the fork's copy */
    struct err e = {0};
    struct stor_root_plan root = {0};
    json *o = js_object();
    struct sup_visit v = {.pool = d->pool,
                          .zone = a->zone,
                          .path = a->path,
                          .spec = z->spec,
                          .root = &root,
                          .uid_base = a->uid_base,
                          .data_fd = a->fd,
                          .put = !a->get};
    if (zone_root(d, z, &root, &e) < 0 || sup_visit(&v, &e) < 0)
        js_set(o, "error", js_from_err(&e, NULL));
    return o;
}

static void visit_done(struct zd *d, json *result, void *arg)
{
    struct archive_job *a = arg;
    struct zone *z = registry_find(d, a->zone);
    struct err e = {0};
    if (js_get(result, "error"))
        js_to_err(js_get(result, "error"), &e, NULL);
    ranges_release(d->ranges, a->range);
    if (z)
        op_unhold(z);
    job_done(a, &e);
}

static bool below(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    return !strncmp(path, dir, n) && (!path[n] || path[n] == '/');
}

/* What a start covers with filesystems of its own: a copy there would not be seen, or is not there. */
static int check_place(const struct spec *s, const char *path, struct err *e)
{
    static const char *const own[] = {"/proc", "/sys", "/dev"};
    const char *covered = NULL;
    for (unsigned i = 0; i < ARRAY_LEN(own); i++)
        if (below(path, own[i]))
            covered = own[i];
    if (below(path, "/run") && (s->init == SPEC_INIT_SYSTEM || str_eq(s->image, "host")))
        covered = "/run";
    for (unsigned i = 0; i < s->filesystems.len; i++)
        if (below(path, s->filesystems.at[i].target)) /* the last one that covers it counts */
            covered = s->filesystems.at[i].kind == SPEC_MOUNT_TMPFS ? s->filesystems.at[i].target : NULL;
    if (!covered)
        return 0;
    err_set(e, ERR_CONFLICT, ENOENT, "%s is there only while the zone runs", covered);
    return err_hint(e, "zonectl start %s", s->zone);
}

static int visit(struct zd *d, struct zone *z, struct archive_job *a, struct err *e)
{
    if (!z->spec)
        return err_set(e, ERR_INVALID, EINVAL, "the spec of zone %s cannot be read", z->name);
    int k = check_place(z->spec, a->path, e);
    if (k == 0)
        k = op_hold(z, OP_COPY, false, e);
    if (k < 0)
        return k;
    k = a->range = ranges_take(d->ranges, &a->uid_base, e);
    if (k >= 0)
        k = worker_run(d, visit_work, a, visit_done, e);
    if (k < 0) {
        ranges_release(d->ranges, a->range);
        op_unhold(z);
    }
    return k;
}

static int archive(struct zd *d, struct zd_request *r, bool get, struct err *e)
{
    struct zone *z;
    const char *path = zd_query(r, "path");
    int k = get ? registry_get(d, zd_param(r, 0), &z, e) : zone_to_change(d, r, &z, e);
    if (k < 0)
        return k;
    if (!path_is_clean_absolute(path))
        return err_set(e, ERR_INVALID, EINVAL, "path: must be absolute in the zone, without . and ..");
    if (state_allows(z->state, VERB_COPY, z->name, e) == VERB_REFUSED)
        return -EBUSY;
    int fd = get ? openat(d->tmp_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)
                 : fcntl(zd_body_fd(r), F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return err_sys(e, "temporary file");
    struct archive_job *a = xcalloc(1, sizeof(*a));
    *a = (struct archive_job){.d = d, .r = r, .fd = fd, .get = get, .path = xstrdup(path), .range = -1};
    memcpy(a->zone, z->name, sizeof(a->zone));
    bool alive = z->state == ZONE_RUNNING || z->state == ZONE_PAUSED;
    k = alive ? ask_supervisor(z, a, e) : visit(d, z, a, e);
    if (k < 0) {
        close(fd);
        free(a->path);
        free(a);
    }
    return k < 0 ? k : 0;
}

int h_get_archive(struct zd *d, struct zd_request *r, struct err *e)
{
    return archive(d, r, true, e);
}

int h_put_archive(struct zd *d, struct zd_request *r, struct err *e)
{
    return archive(d, r, false, e);
}

/* ---- diff ---- */
static void add_diff(void *arg, char kind, const char *path)
{
    char k[2] = {kind, 0};
    json *o = js_object();
    js_set_str(o, "kind", k);
    js_set_str(o, "path", path);
    js_add(arg, o);
}

static json *make_diff(struct zd *d, const char *name, struct err *e)
{
    const struct zone *z = registry_find(d, name);
    struct stor_root_plan root = {0};
    json *list = js_array();
    if (!zone_root_ready(d, z)) /* it has never run and changed nothing */
        return list;
    int k = zone_root(d, z, &root, e);
    if (k == 0)
        k = stor_zone_diff(d->pool, name, &root, add_diff, list, e);
    stor_root_done(&root);
    if (k == 0)
        return list;
    js_free(list);
    return NULL;
}

int h_zone_diff(struct zd *d, struct zd_request *r, struct err *e)
{
    struct zone *z;
    int k = registry_get(d, zd_param(r, 0), &z, e);
    if (k == 0 && !z->spec)
        k = err_set(e, ERR_INVALID, EINVAL, "the spec of zone %s cannot be read", z->name);
    return k < 0 ? k : worker_answer(d, r, z->name, make_diff, e);
}
