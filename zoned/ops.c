/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operations that change a zone: create, start, stop, restart, delete. One at a time per zone; the same
 * one asked twice is joined, another is refused as busy. Each is a chain of small steps driven by events;
 * nothing here waits.
 *
 *   start: reload spec -> (worker: prepare the image) -> lease, network, plan -> run folder -> fork server ->
 * "running" stop:  ask the supervisor -> "stopped" -> bookkeeping -> installed (or start again, or delete)
 *
 * The undo of everything that a start makes in the kernel is zone-sup's; here only the run folder and our
 * tables. */
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "specs/image_ref.h"
#include "zoned/api/api.h"
#include "zoned/division.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>

#define STOP_GRACE_MS 20000 /* for the undo, beyond the zone's own time to stop */

void zone_note(struct zone *z, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (!z->messages)
        z->messages = js_array();
    js_add(z->messages, js_string(text));
}

/* ---- the answer to everybody who waits for the operation ---- */
static void answer_one(struct zone *z, struct zd_request *r, const struct err *e, const struct problems *ps)
{
    if (err_is(e)) {
        zd_reply_error(r, e, ps);
        return;
    }
    json *o = zone_to_json(z->d, z, true);
    js_set(o, "messages", z->messages ? js_ref(z->messages) : js_array());
    zd_reply_json(r, 200, o);
}

static void op_end(struct zone *z, const struct err *e, const struct problems *ps)
{
    z->op = OP_NONE;
    z->deadline = sd_event_source_disable_unref(z->deadline);
    struct waiter *at = z->waiters.at;
    unsigned n = z->waiters.len;
    memset(&z->waiters, 0, sizeof(z->waiters));
    for (unsigned i = 0; i < n; i++)
        answer_one(z, at[i].r, e, ps);
    free(at);
    js_free(z->messages);
    z->messages = NULL;
}

static int op_begin(struct zone *z, enum op_kind kind, struct zd_request *r, struct err *e)
{
    static const char *const names[] = {"none", "start", "stop", "restart", "delete", "create", "copy"};
    bool joins = z->op == kind || (z->op == OP_RESTART && kind == OP_START);
    if (z->op != OP_NONE && !joins) {
        err_set(e, ERR_BUSY, EBUSY, "zone %s: a %s is under way", z->name, names[z->op]);
        return err_hint(e, "try again when it is done: zonectl wait %s", z->name);
    }
    if (r)
        *vec_add(&z->waiters) = (struct waiter){.r = r};
    if (z->op != OP_NONE)
        return 1;
    z->op = kind;
    return 0;
}

int op_hold(struct zone *z, enum op_kind kind, bool shared, struct err *e)
{
    int k = shared && z->op == OP_COPY && z->holders ? 0 : op_begin(z, kind, NULL, e);
    if (k > 0)
        k = err_set(e, ERR_BUSY, EBUSY, "zone %s: a copy is under way", z->name);
    if (k == 0)
        z->holders += shared;
    return k;
}

void op_unhold(struct zone *z)
{
    if (z->holders)
        z->holders--;
    if (!z->holders && (z->op == OP_COPY || z->op == OP_CREATE))
        op_end(z, NULL, NULL);
}

/* A session that could not be handed over ends with one frame that says why. */
static void session_fail(struct session_start *s, const struct err *e)
{
    if (!s)
        return;
    if (s->fd >= 0) {
        auto_js json *o = js_object();
        js_set_int(o, "exit_status", 125);
        js_set(o, "error", js_from_err(e, NULL));
        auto_free char *text = js_dump(o, false);
        (void)api_frame_send(s->fd, API_EXIT, text, (uint32_t)strlen(text));
        close_fd(&s->fd);
    } else if (s->request) {
        zd_reply_error(s->request, e, NULL);
    }
    free(s);
}

/* ---- start ---- */
/* The others get back what it had. */
static void leave_division(struct zone *z)
{
    bool had = z->plan != NULL;
    firewall_leave(z);
    z->drifted = false;
    cg_close(z->group);
    z->group = NULL;
    sample_drop(z);
    plan_free(z->plan);
    z->plan = NULL;
    if (had)
        division_left(z->d);
}

static void release_run_state(struct zone *z)
{
    struct zd *d = z->d;
    sup_detach_zone(z);
    leave_division(z);
    ports_release(d, z);
    aliases_release(d, z);
    ranges_release(d->ranges, z->range);
    z->range = -1;
    z->pid = 0;
    z->healthy = -1;
    z->restarts = 0;
    z->pending = false;
}

static void remove_run_dir(struct zone *z)
{
    auto_fd int zones = openat(z->d->run_fd, "zones", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct err e = {0};
    if (zones >= 0 && path_remove_tree(zones, z->name, &e) < 0)
        log_warning("zone %s: %s", z->name, e.text);
    close_fd(&z->lock_fd);
}

/* Of a one-off zone's run folder the spec stays. The supervisor still has its lock for a moment: the next start gets another. */
static void drop_lock(struct zone *z)
{
    auto_free char *lock = xasprintf("zones/%s/%s", z->name, PLAN_LOCK);
    (void)unlinkat(z->d->run_fd, lock, 0);
    close_fd(&z->lock_fd);
}

static int tidy(sd_event_source *s, void *arg)
{
    struct zd *d = arg;
    stor_zone_prepare(d->pool);
    trash_empty(d, NULL, 0);
    auto_fd int tmp = openat(d->run_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    (void)path_remove_tree(tmp, "gone", NULL);
    return 0;
}

void op_tidy_soon(struct zd *d)
{
    if (!d->tidy && sd_event_add_defer(d->event, &d->tidy, tidy, d) >= 0)
        (void)sd_event_source_set_priority(d->tidy, SD_EVENT_PRIORITY_IDLE);
    (void)sd_event_source_set_enabled(d->tidy, SD_EVENT_ONESHOT);
}

/* A one-off zone's folders: renamed now, so that the name is free, deleted when nobody waits. */
static void discard_folders(struct zone *z)
{
    struct zd *d = z->d;
    auto_free char *from = xasprintf("zones/%s", z->name),
                   *to = xasprintf("gone/%s.%" PRIu64, z->name, clock_boot_us());
    (void)mkdirat(d->run_fd, "gone", 0700);
    if (renameat(d->run_fd, from, d->run_fd, to) < 0)
        remove_run_dir(z);
    close_fd(&z->lock_fd);
    (void)stor_zone_discard(d->pool, z->name, NULL);
    op_tidy_soon(d);
}

static void start_failed(struct zone *z, const struct err *e, const struct problems *ps)
{
    struct session_start *s = take_ptr(&z->session);
    struct zd *d = z->d;
    bool remove = z->remove && z->ephemeral;
    release_run_state(z);
    if (z->lock_fd >= 0 && !z->ephemeral)
        remove_run_dir(z);
    if (z->state == ZONE_READY)
        zone_set_state(z, ZONE_INSTALLED);
    if (!s && !z->waiters.len) { /* autoboot: nobody else is told */
        log_warning("zone %s does not start: %s", z->name, e->text);
        zone_set_error(z, e->text);
        z->boot_start_no = UINT64_MAX; /* once a boot */
    }
    session_fail(s, e);
    op_end(z, e, ps);
    boot_shutdown_step(d);
    if (remove)
        (void)op_delete(d, z, NULL, true, NULL);
}

static int make_run_dir(struct zone *z, struct err *e)
{
    struct zd *d = z->d;
    auto_free char *dir = xasprintf("zones/%s", z->name),
                   *lock = xasprintf("zones/%s/%s", z->name, PLAN_LOCK);
    if (mkdirat(d->run_fd, dir, 0700) < 0 && errno != EEXIST)
        return err_sys(e, "run folder of zone %s", z->name);
    z->lock_fd = openat(d->run_fd, lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (z->lock_fd >= 0 && flock(z->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    err_sysk(e, ERR_BUSY, errno, "run folder of zone %s", z->name);
    close_fd(&z->lock_fd); /* not ours: whoever holds it needs what is in there */
    return err_hint(e, "a supervisor of the zone is alive: restart zoned to adopt it");
}

static int write_plan(struct zone *z, struct err *e)
{
    auto_js json *j = plan_to_json(z->plan);
    auto_free char *text = js_dump(j, false), *path = xasprintf("zones/%s/%s", z->name, PLAN_FILE),
                   *journal = xasprintf("zones/%s/%s", z->name, PLAN_JOURNAL);
    (void)unlinkat(z->d->run_fd, path, 0);
    (void)unlinkat(z->d->run_fd, journal, 0);
    return file_create(z->d->run_fd, path, text, strlen(text), 0600, e);
}

static int join_target(struct zd *d, const struct spec *s, char **run_dir)
{
    for (unsigned i = 0; i < s->network.len; i++) {
        if (!str_starts(s->network.at[i].link, "zone:"))
            continue;
        struct zone *other = registry_find(d, s->network.at[i].link + 5);
        if (other && other->state == ZONE_RUNNING)
            *run_dir = xasprintf("%s/zones/%s", d->run_dir, other->name);
    }
    return 0;
}

void check_limits(struct zd *d, const struct spec *s, struct problems *ps)
{
    struct cg_limits l = {.cpu = &s->cpu,
                          .memory = &s->memory,
                          .io = &s->io,
                          .tasks = s->tasks,
                          .devices = s->devices,
                          .system = s->init == SPEC_INIT_SYSTEM,
                          .io_dev = cg_io_dev(d->lib_dir)};
    cg_check(d->cgroups, &l, ps);
    if (s->cpu.pool && !pool_find(d, s->cpu.pool))
        problem_add(ps, ERR_NOT_FOUND, NULL, 0, "cpu.pool", "pool %s does not exist (zonectl pool create %s)",
                    s->cpu.pool, s->cpu.pool);
}

int op_plan(struct zd *d, struct zone *z, const struct plan *running, struct plan **out, struct problems *ps,
            struct err *e)
{
    struct stor_root_plan root = {0};
    auto_free char *join = NULL;
    check_limits(d, z->spec, ps);
    networks_check(d, z->spec, ps);
    join_target(d, z->spec, &join);
    int r = zone_root(d, z, &root, e);
    if (r < 0)
        return r;
    struct plan_inputs in = {.instance = d->instance,
                             .run_dir = d->run_dir,
                             .data_dir = d->lib_dir,
                             .keeper_socket = d->keeper_socket,
                             .cgroup_parent = d->cgroup_parent,
                             .spec = z->spec,
                             .lease = &z->lease,
                             .networks = d->networks.at,
                             .nnetworks = d->networks.len,
                             .root = &root,
                             .host_resolv = d->facts.host_resolv,
                             .start_no = running ? running->start_no : z->start_no + 1,
                             .running = running,
                             .remove = z->remove,
                             .part = lxcfs_there(d),
                             .names = names_there(d),
                             .join_run_dir = join};
    struct plan *p = NULL;
    zone_know_image(z, root.config);
    r = plan_build(&in, &p, ps, e);
    stor_root_done(&root);
    if (r == 0 && !ps->len)
        (void)division_plan(d, z, p, ps);
    if (r == 0 && ps->len)
        r = problems_to_err(ps, e, z->name);
    if (r < 0)
        plan_free(p);
    else
        *out = p;
    return r;
}

/* A spec that was put into the folder by hand has no data yet. */
static int install(struct zone *z, struct err *e)
{
    struct err ce = {0};
    int r = stor_zone_create(z->d->pool, z->name, &ce);
    if (r < 0 && r != -EEXIST)
        return err_set(e, ce.kind, ce.code, "%s", ce.text);
    zone_set_state(z, ZONE_INSTALLED);
    return 0;
}

/* With the network of another zone go its ids, and they stay taken until both have stopped. */
static int take_range(struct zone *z, struct plan *p, struct err *e)
{
    struct zone *other = p->join_zone ? registry_find(z->d, p->join_zone) : NULL;
    if (!p->join_zone)
        return ranges_take(z->d->ranges, &p->uid_base, e);
    if (!other || !other->plan)
        return err_set(e, ERR_CONFLICT, ESRCH, "zone %s does not run", p->join_zone);
    p->uid_base = other->plan->uid_base;
    int r = ranges_claim(z->d->ranges, p->uid_base);
    return r < 0 ? err_set(e, ERR_LIMIT, -r, "zone %s shares its network with too many", p->join_zone) : r;
}

/* Everything up to the hand-over; leaves run folder and tables to start_failed. */
static int prepare_start(struct zone *z, struct problems *ps, struct err *e)
{
    struct zd *d = z->d;
    struct plan *p = NULL;
    int r = z->state == ZONE_CONFIGURED ? install(z, e) : 0;
    if (r == 0)
        r = lease_make(d, z, e);
    if (r == 0)
        r = networks_needed(d, z->spec, e);
    if (r == 0)
        r = op_plan(d, z, NULL, &p, ps, e);
    if (r != 0)
        return r;
    z->plan = p;
    struct pool_entry *pool = pool_find(d, z->spec->cpu.pool);
    if (pool && (r = pool_ensure_up(d, pool, e)) < 0)
        return r;
    if ((r = division_apply(d, z, e)) < 0)
        return r;
    json *remarks = plan_remarks(d, p);
    for (size_t i = 0; i < js_len(remarks); i++)
        zone_note(z, "%s", js_str_of(js_at(remarks, i), ""));
    js_free(remarks);
    if (ports_claim(d, z, z->spec, true, ps) < 0 || aliases_claim(d, z, z->spec, ps) < 0)
        return problems_to_err(ps, e, z->name);
    r = firewall_join(z, e);
    if (r < 0)
        return r;
    r = take_range(z, p, e);
    if (r < 0)
        return r;
    z->range = r;
    r = lease_save(d, z, e);
    if (r == 0)
        r = make_run_dir(z, e);
    return r == 0 ? write_plan(z, e) : r;
}

static void hand_over(struct zone *z)
{
    struct err e = {0};
    auto_free char *dir = xasprintf("zones/%s", z->name);
    auto_fd int run = openat(z->d->run_fd, dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct session_start *s = take_ptr(&z->session);
    z->start_no++;
    zone_set_state(z, ZONE_READY);
    int r = run < 0 ? err_sys(&e, "%s", dir) : keeper_start(z->d, z, "start", run, s, &e);
    if (r < 0) {
        z->session = s;
        start_failed(z, &e, NULL);
        return;
    }
    if (s)
        close_fd(&s->fd);
    free(s);
}

static void session_upgraded(void *arg, int fd)
{
    struct zone *z = arg;
    if (fd < 0) {
        struct err e = {0};
        err_set(&e, ERR_INTERNAL, ECANCELED, "the client went away");
        z->session->request = NULL;
        start_failed(z, &e, NULL);
        return;
    }
    z->session->fd = fd;
    z->session->request = NULL;
    hand_over(z);
}

static void continue_start(struct zone *z)
{
    struct err e = {0};
    struct problems ps = {0};
    if (prepare_start(z, &ps, &e) < 0)
        start_failed(z, &e, &ps);
    else if (z->session && z->session->request)
        zd_reply_upgrade(z->session->request, session_upgraded, z);
    else
        hand_over(z);
    problems_done(&ps);
}

static void root_prepared(struct zone *z, const struct err *e, void *arg)
{
    if (err_is(e))
        start_failed(z, e, NULL);
    else
        continue_start(z);
}

static int begin_start(struct zd *d, struct zone *z, struct err *e)
{
    int r = zone_root_check(d, z, e);
    if (r < 0)
        return r;
    if (!zone_root_ready(d, z))
        return zone_root_prepare(z, root_prepared, NULL, e);
    continue_start(z);
    return 0;
}

int op_start(struct zd *d, struct zone *z, struct zd_request *r, struct session_start *s, struct err *e)
{
    if (z->op == OP_NONE) {
        enum verb_answer v = state_allows(z->state, VERB_START, z->name, e);
        if (v == VERB_REFUSED)
            return -EBUSY;
        if (v == VERB_ALREADY) {
            zone_note(z, "zone %s is already %s", z->name, state_name(z->state));
            if (r)
                *vec_add(&z->waiters) = (struct waiter){.r = r};
            op_end(z, NULL, NULL);
            return 0;
        }
    }
    int k = op_begin(z, OP_START, r, e);
    if (k != 0)
        return k < 0 ? k : 0;
    struct problems ps = {0};
    struct err se = {0};
    z->session = s;
    z->operator_stop = false;
    k = store_reload(d, z, &ps, &se);
    if (k == 0)
        k = begin_start(d, z, &se);
    if (k < 0)
        start_failed(z, &se, &ps);
    problems_done(&ps);
    return 0;
}

void op_running(struct zone *z)
{
    struct err e = {0};
    zone_set_error(z, NULL);
    if (!z->group && z->plan)
        (void)cg_open(z->d->cgroups, z->plan->cgroup_parent, z->plan->cgroup_name, &z->group, &e);
    zone_set_state(z, ZONE_RUNNING);
    names_publish(z);
    if (z->op == OP_START || z->op == OP_RESTART)
        op_end(z, NULL, NULL);
    boot_shutdown_step(z->d); /* it was let finish its start, no more */
}

/* ---- stop ---- */
static int on_stop_deadline(sd_event_source *s, uint64_t usec, void *arg)
{
    struct zone *z = arg;
    struct err e = {0};
    err_set(&e, ERR_BUSY, ETIMEDOUT, "zone %s does not come down", z->name);
    err_hint(&e, "zonectl holders %s names what blocks it", z->name);
    op_end(z, &e, NULL);
    return 0;
}

static int ask_to_stop(struct zone *z, uint64_t timeout_ms, bool force, struct err *e)
{
    json *m = js_object();
    js_set_str(m, "op", "stop");
    js_set_int(m, "timeout_ms", (int64_t)timeout_ms);
    js_set_bool(m, "force", force);
    int r = sup_request(z, m, NULL, 0, NULL, NULL, e);
    if (r < 0)
        return r;
    if (z->state != ZONE_READY)
        zone_set_state(z, ZONE_SHUTTING_DOWN);
    z->deadline = sd_event_source_disable_unref(z->deadline);
    (void)sd_event_add_time_relative(z->d->event, &z->deadline, CLOCK_MONOTONIC,
                                     (timeout_ms + STOP_GRACE_MS) * 1000, 0, on_stop_deadline, z);
    return 0;
}

int op_stop(struct zd *d, struct zone *z, struct zd_request *r, uint64_t timeout_ms, bool force,
            enum op_kind kind, struct err *e)
{
    enum verb_answer v = state_allows(z->state, kind == OP_RESTART ? VERB_RESTART : VERB_STOP, z->name, e);
    if (v == VERB_REFUSED)
        return -EBUSY;
    if (kind == OP_STOP && z->op == OP_START && force) /* halt cuts a start short */
        return ask_to_stop(z, 0, true, e) < 0 ? -EBUSY
                                              : (zd_reply_json(r, 202, zone_to_json(d, z, false)), 0);
    int k = op_begin(z, kind, r, e);
    if (k < 0)
        return k;
    if (k > 0)
        return force ? ask_to_stop(z, 0, true, NULL), 0 : 0;
    if (v == VERB_ALREADY) {
        zone_note(z, "zone %s is already down (%s)", z->name, state_name(z->state));
        op_end(z, NULL, NULL);
        return 0;
    }
    if (kind == OP_RESTART && z->state != ZONE_RUNNING && z->state != ZONE_PAUSED) {
        struct waiter *w = &z->waiters.at[0];
        struct zd_request *request = w->r;
        z->waiters.len = 0;
        z->op = OP_NONE;
        return op_start(d, z, request, NULL, e);
    }
    z->operator_stop = kind != OP_RESTART;
    k = ask_to_stop(z, timeout_ms, force, e);
    if (k < 0) {
        struct err copy = *e;
        op_end(z, &copy, NULL);
    }
    return 0;
}

static void record_operator_stop(struct zone *z)
{
    if (!z->operator_stop || z->ephemeral)
        return;
    auto_fd int dir = stor_zone_fd(z->d->pool, z->name, NULL);
    json *last = NULL;
    if (dir >= 0 && sup_history_last(dir, &last) == 0 && last) {
        js_set_bool(last, "operator", true);
        (void)sup_history_append(dir, last, NULL);
    }
    js_free(last);
}

static void say_bye(struct zone *z)
{
    json *m = js_object();
    js_set_str(m, "op", "bye");
    (void)sup_request(z, m, NULL, 0, NULL, NULL, NULL);
}

/* What a teardown could not take away, and who holds it. */
static void tell_leftover(struct zone *z, const json *leftover, struct err *e)
{
    for (size_t i = 0; i < js_len(leftover); i++) {
        const json *o = js_at(leftover, i);
        const char *step = js_get_str(o, "step", "?"), *why = js_get_str(o, "message", "?");
        log_error("zone %s: teardown of %s: %s", z->name, step, why);
        zone_note(z, "teardown of %s was not complete: %s", step, why);
        err_set(e, ERR_BUSY, EBUSY, "teardown of %s was not complete: %s", step, why);
    }
}

/* The zone left the kernel: our tables follow, then the supervisor may go, then whoever waits is told. */
void op_stopped(struct zone *z, const json *event)
{
    struct zd *d = z->d; /* the zone may be gone at the end */
    struct err e = {0}, left = {0};
    bool failed = js_get(event, "error") != NULL;
    if (failed)
        js_to_err(js_get(event, "error"), &e, NULL);
    tell_leftover(z, js_get(event, "leftover"), &left);
    log_debug("zone %s stopped%s%s", z->name, failed ? ": " : "", e.text);
    enum op_kind op = z->op;
    bool remove = z->remove && z->ephemeral && op != OP_RESTART;
    record_operator_stop(z);
    names_withdraw(z);
    if (z->state != ZONE_DOWN)
        zone_set_state(z, ZONE_DOWN);
    if (remove) {
        z->op = OP_NONE;
        discard_folders(z);
        mounts_drop_own(d, z);
        say_bye(z);
        struct waiter *at = z->waiters.at;
        unsigned n = z->waiters.len;
        memset(&z->waiters, 0, sizeof(z->waiters));
        for (unsigned i = 0; i < n; i++)
            answer_one(z, at[i].r, failed ? &e : NULL, NULL);
        free(at);
        zone_set_state(z, ZONE_INSTALLED);
        leave_division(z);
        event_publish(z->d, "deleted", z->name, NULL);
        registry_remove(d, z);
        boot_shutdown_step(d);
        return;
    }
    if (!z->ephemeral)
        remove_run_dir(z);
    else
        drop_lock(z);
    say_bye(z);
    release_run_state(z);
    zone_set_error(z, failed ? e.text : err_is(&left) ? left.text : NULL);
    zone_set_state(z, failed && op != OP_STOP && op != OP_DELETE ? ZONE_FAILED : ZONE_INSTALLED);
    if (op == OP_DELETE) {
        z->op = OP_NONE;
        (void)op_delete(z->d, z, NULL, false, &e);
    } else if (op == OP_RESTART) {
        z->op = OP_START;
        struct problems ps = {0};
        struct err se = {0};
        if (store_reload(z->d, z, &ps, &se) < 0 || begin_start(z->d, z, &se) < 0)
            start_failed(z, &se, &ps);
        problems_done(&ps);
    } else {
        op_end(z, failed && op == OP_START ? &e : NULL, NULL);
    }
    boot_shutdown_step(d);
}

static void stopped_untold(struct zone *z)
{
    auto_fd int dir = stor_zone_fd(z->d->pool, z->name, NULL);
    json *last auto_of(js_free) = NULL;
    if (dir >= 0)
        (void)sup_history_last(dir, &last);
    z->exit_status = (int)js_get_int(last, "exit_status", z->exit_status);
    z->oom = js_get_bool(last, "oom", z->oom);
    auto_js json *event = js_object();
    if (js_get_bool(last, "failed", false)) {
        struct err e = {0};
        err_set(&e, ERR_INTERNAL, ECANCELED, "%s", js_get_str(last, "error", "the start failed"));
        js_set(event, "error", js_from_err(&e, NULL));
    }
    op_stopped(z, event);
}

/* The supervisor died without "stopped": another one takes over, or undoes. */
void op_lost(struct zone *z)
{
    struct err e = {0};
    log_warning("zone %s: its supervisor went away", z->name);
    close_fd(&z->lock_fd);
    int r = adopt_reclaim(z->d, z, &e);
    if (r == -ENOENT) /* it had undone all and taken its plan away, but not told us */
        stopped_untold(z);
    else if (r < 0)
        log_error("zone %s: %s", z->name, e.text);
}

/* ---- create and delete ---- */
/* A client that can pull is told what: the detail of the key image begins with the reference. */
static int check_image(struct zd *d, const char *image, struct problems *ps, struct err *e)
{
    struct err own = {0};
    struct img_ref ref auto_done(img_ref_done) = {0};
    int r = stor_image_check(d->pool, image, &own);
    if (r < 0 && own.kind == ERR_NOT_FOUND && img_ref_parse(image, &ref, NULL) == 0) {
        auto_free char *name = img_ref_print(&ref);
        problem_add(ps, ERR_NOT_FOUND, NULL, 0, "image", "%s is not in the store", name);
    }
    if (r < 0 && e)
        *e = own;
    return r;
}

int op_create(struct zd *d, const char *name, const char *text, bool ephemeral, struct zone **out,
              struct problems *ps, struct err *e)
{
    if (registry_find(d, name)) {
        err_set(e, ERR_CONFLICT, EEXIST, "zone %s exists already", name);
        return err_hint(e, "zonectl delete %s first, or zonectl set to change it", name);
    }
    struct spec *s = NULL;
    auto_free char *file = xasprintf("%s/zones/%s.yaml", d->etc_dir, name);
    auto_free bool *new_volumes = NULL;
    int r = spec_parse(text, strlen(text), file, &s, ps);
    if (r < 0)
        return problems_to_err(ps, e, "the spec");
    struct zone *z = registry_add(d, name);
    z->state = ZONE_CONFIGURED;
    z->ephemeral = ephemeral;
    z->spec = s;
    check_limits(d, s, ps);
    networks_check(d, s, ps);
    r = ps->len ? problems_to_err(ps, e, name) : check_image(d, s->image, ps, e);
    if (r == 0)
        r = build_zone_check(d, z, e);
    if (r == 0)
        r = mounts_check(d, s, e);
    if (r == 0)
        r = lease_make(d, z, e);
    if (r == 0)
        r = stor_zone_create(d->pool, name, e);
    bool made = r == 0;
    if (!ephemeral) /* a one-off zone's end does it: not beside its start */
        op_tidy_soon(d);
    if (r == 0 && ephemeral) {
        auto_free char *dir = xasprintf("zones/%s", name);
        if (mkdirat(d->run_fd, dir, 0700) < 0 && errno != EEXIST)
            r = err_sys(e, "run folder of zone %s", name);
    }
    if (r == 0)
        r = lease_save(d, z, e);
    if (r == 0)
        r = mounts_make_volumes(d, z, &new_volumes, e);
    if (r == 0 && ephemeral)
        r = mounts_own(d, z, new_volumes, e);
    if (r == 0)
        r = store_write_text(d, z, text, e);
    if (r < 0) {
        mounts_drop_volumes(d, s, new_volumes);
        if (made)
            (void)stor_zone_delete(d->pool, name, NULL);
        if (ephemeral)
            remove_run_dir(z);
        registry_remove(d, z);
        return r;
    }
    z->new_volumes = take_ptr(&new_volumes);
    zone_set_state(z, ZONE_INSTALLED);
    event_publish(d, "created", name, NULL);
    *out = z;
    return 0;
}

static const char *user_of(struct zd *d, const struct zone *z)
{
    auto_free char *link = xasprintf("zone:%s", z->name);
    for (unsigned i = 0; i < d->table_size; i++)
        for (struct zone *o = d->table[i]; o; o = o->next)
            for (unsigned k = 0; o->plan && k < o->spec->network.len; k++)
                if (str_eq(o->spec->network.at[k].link, link))
                    return o->name;
    return NULL;
}

int op_delete(struct zd *d, struct zone *z, struct zd_request *r, bool force, struct err *e)
{
    struct err own = {0};
    e = e ? e : &own;
    bool alive = z->state == ZONE_RUNNING || z->state == ZONE_PAUSED || z->state == ZONE_READY ||
                 z->state == ZONE_SHUTTING_DOWN;
    if (z->op != OP_NONE && !(force && alive && z->op == OP_DELETE)) {
        err_set(e, ERR_BUSY, EBUSY, "zone %s: another operation is under way", z->name);
        return err_hint(e, "try again when it is done");
    }
    if (alive && !force) {
        state_allows(z->state, VERB_DELETE, z->name, e);
        return -EBUSY;
    }
    const char *user = user_of(d, z);
    if (user)
        return err_set(e, ERR_BUSY, EBUSY, "zone %s shares its network: stop %s first", user, user);
    if (alive) {
        int k = op_begin(z, OP_DELETE, r, e);
        return k != 0 ? (k < 0 ? k : 0) : ask_to_stop(z, 0, true, e);
    }
    int k = store_delete(d, z, e);
    if (k == 0)
        k = stor_zone_discard(d->pool, z->name, e);
    VEC(struct zd_request *) told = {0};
    struct waiter *at = z->waiters.at;
    unsigned n = z->waiters.len;
    memset(&z->waiters, 0, sizeof(z->waiters));
    for (unsigned i = 0; i < n; i++)
        k < 0 ? zd_reply_error(at[i].r, e, NULL) : (void)(*vec_add(&told) = at[i].r);
    free(at);
    if (k < 0)
        return k;
    if (r)
        *vec_add(&told) = r;
    if (z->ephemeral) {
        remove_run_dir(z);
        mounts_drop_own(d, z);
    }
    event_publish(d, "deleted", z->name, NULL);
    registry_remove(d, z);
    trash_empty(d, told.at, told.len);
    vec_done(&told);
    return 0;
}
