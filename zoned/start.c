/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The start of a zone, from its spec to the supervisor that has it in hands. */
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "namespaces/namespaces.h"
#include "zoned/api/api.h"
#include "zoned/division.h"
#include "zoned/images.h"
#include "zoned/networks.h"
#include "zoned/op.h"
#include "zoned/statistics.h"
#include <errno.h>
#include <fcntl.h>
#include <systemd/sd-event.h>

#define START_PATIENCE_US                                                                                    \
    120000000u /* from the plan to the program: milliseconds, but for a machine that stands */

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

/* All that is wrong, as a client prints it, for the zone to bear. malloc'd. */
static char *in_words(const struct err *e, const struct problems *ps)
{
    auto_done(str_done) struct str s = {0};
    char line[600];
    for (unsigned i = 0; ps && i < ps->len; i++) {
        problem_print(&ps->at[i], line, sizeof(line));
        str_addf(&s, "%s%s", i ? "; " : "", line);
    }
    return s.len ? str_take(&s) : xstrdup(e->text);
}

void start_failed(struct zone *z, const struct err *e, const struct problems *ps)
{
    struct session_start *s = take_ptr(&z->session);
    struct zd *d = z->d;
    bool remove = z->remove && z->ephemeral;
    dhcp_withdraw(z);
    release_run_state(z);
    if (z->lock_fd >= 0 && !z->ephemeral)
        remove_run_dir(z);
    if (z->state == ZONE_READY)
        zone_set_state(z, ZONE_INSTALLED);
    if ((!s && !z->waiters.len) || z->boot == BOOT_WAITS) {
        auto_free char *why = in_words(e, ps);
        boot_refused(z, why);
    }
    session_fail(s, e);
    op_end(z, e, ps);
    boot_shutdown_step(d);
    boot_zone_changed(d); /* who waits for it */
    if (remove)
        (void)op_delete(d, z, NULL, true, NULL);
}

static const struct plan *join_target(struct zd *d, const struct spec *s)
{
    const struct zone *owner = registry_find(d, sharer_owner(s));
    return owner && zone_is_up(owner) ? owner->plan : NULL;
}

/* Whose links a plan's stack has: who shares may be shared. */
static const struct plan *stack_target(struct zd *d, const struct plan *p)
{
    for (unsigned hops = 0; p && p->join_zone && hops < 16; hops++) {
        const struct zone *owner = registry_find(d, p->join_zone);
        p = owner ? owner->plan : NULL;
    }
    return p;
}

struct cg_limits limits_of(struct zd *d, const struct spec *s)
{
    return (struct cg_limits){.cpu = &s->cpu,
                              .memory = &s->memory,
                              .io = &s->io,
                              .tasks = s->tasks,
                              .devices = s->devices,
                              .system = s->init == SPEC_INIT_SYSTEM,
                              .io_dev = cg_io_dev(d->lib_dir)};
}

void note_all(struct zone *z, json *sentences)
{
    for (size_t i = 0; i < js_len(sentences); i++)
        zone_note(z, "%s", js_str_of(js_at(sentences, i), ""));
    js_free(sentences);
}

/* Where nobody asked for the start, as at boot, those who watch are told. */
static void remark(struct zone *z, json *sentences)
{
    if (z->session || z->waiters.len) {
        note_all(z, sentences);
        return;
    }
    for (size_t i = 0; i < js_len(sentences); i++) {
        json *extra = js_object();
        js_set(extra, "reason", js_ref(js_at(sentences, i)));
        log_warning("zone %s: %s", z->name, js_str_of(js_at(sentences, i), ""));
        event_publish(z->d, "start-remark", z->name, extra);
    }
    js_free(sentences);
}

void check_limits(struct zd *d, const struct spec *s, struct problems *ps)
{
    struct cg_limits l = limits_of(d, s);
    cg_check(d->cgroups, &l, ps);
    nspace_check_limits(&s->limits, ps);
    struct err e = {0};
    if (s->cpu.pool && pool_reread(d, s->cpu.pool, &e) < 0)
        problem_add(ps, e.kind, NULL, 0, "cpu.pool", "%s", e.text);
    else if (s->cpu.pool && !pool_find(d, s->cpu.pool))
        problem_add(ps, ERR_NOT_FOUND, NULL, 0, "cpu.pool", "pool %s does not exist (zonectl pool create %s)",
                    s->cpu.pool, s->cpu.pool);
}

/* What a zone runs on stays under it: another image is the next boot's. */
static int running_root(const struct plan *running, struct stor_root_plan *out, struct err *e)
{
    auto_js json *j = stor_root_to_json(&running->root);
    return stor_root_from_json(j, out, e);
}

int plan_on(struct zd *d, struct zone *z, const struct spec *spec, const struct plan *running,
            const struct stor_root_plan *root, struct plan **out, struct problems *ps, struct err *e)
{
    check_limits(d, spec, ps);
    networks_check(d, spec, ps);
    struct plan_inputs in = {.instance = d->instance,
                             .run_dir = d->run_dir,
                             .data_dir = d->lib_dir,
                             .own_dirs = d->closed_folders,
                             .keeper_socket = d->keeper_socket,
                             .cgroup_parent = d->cgroup_parent,
                             .spec = spec,
                             .lease = &z->lease,
                             .networks = d->networks.at,
                             .nnetworks = d->networks.len,
                             .root = root,
                             .host_resolv = d->facts.host_resolv,
                             .start_no = running ? running->start_no : z->start_no + 1,
                             .running = running,
                             .missing = running ? z->missing : 0,
                             .remove = z->remove,
                             .part = lxcfs_there(d),
                             .names = names_there(d),
                             .join = join_target(d, spec)};
    in.stack = stack_target(d, in.join);
    struct plan *p = NULL;
    int r = plan_build(&in, &p, ps, e);
    if (r == 0 && running && running->divided && division_asks_same(running->spec, p->spec))
        division_keep(running, p);
    else if (r == 0 && !ps->len)
        (void)division_plan(d, z, p, ps);
    if (r == 0 && ps->len)
        r = problems_to_err(ps, e, z->name);
    if (r < 0)
        plan_free(p);
    else
        *out = p;
    return r;
}

int op_plan(struct zd *d, struct zone *z, const struct spec *spec, const struct plan *running,
            struct plan **out, struct problems *ps, struct err *e)
{
    struct stor_root_plan root = {0};
    if (running) /* the others ask for their root */
        closed_folders_refresh(d, spec);
    int r = running ? running_root(running, &root, e) : zone_root(d, z, &root, e);
    if (r < 0)
        return r;
    zone_know_image(z, root.config);
    r = plan_on(d, z, spec, running, &root, out, ps, e);
    stor_root_done(&root);
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
    other->shared = true;
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
        r = op_plan(d, z, z->spec, NULL, &p, ps, e);
    if (r != 0)
        return r;
    z->plan = p;
    struct pool_entry *pool = pool_find(d, z->spec->cpu.pool);
    if (pool && (r = pool_ensure_up(d, pool, e)) < 0)
        return r;
    if ((r = drift_heal_shared(d, pool, e)) < 0 || (r = division_apply(d, z, e)) < 0)
        return r;
    remark(z, plan_remarks(d, p));
    remark(z, depends_remarks(d, z->spec));
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
    r = r == 0 ? write_plan(z, e) : r;
    if (r == 0)
        dhcp_publish(z); /* its client may ask at once */
    return r;
}

/* As of a stop: whoever waits is told, and the start goes on if its supervisor does. */
static int on_start_deadline(sd_event_source *s, uint64_t usec, void *arg)
{
    struct zone *z = arg;
    struct err e = {0};
    (void)sup_silent(z, ": it has not said in two minutes that the zone runs", &e);
    op_end(z, &e, NULL);
    return 0;
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
    z->deadline = sd_event_source_disable_unref(z->deadline);
    (void)sd_event_add_time_relative(z->d->event, &z->deadline, CLOCK_MONOTONIC, START_PATIENCE_US, 0,
                                     on_start_deadline, z);
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
    int r = op_may_start(z->d, &e);
    r = r < 0 ? r : prepare_start(z, &ps, &e);
    store_locate(z->d, z, &ps);
    if (r < 0)
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

int begin_start(struct zd *d, struct zone *z, struct err *e)
{
    int r = zone_root_check(d, z, e);
    if (r < 0)
        return r;
    if (!zone_root_ready(d, z))
        return zone_root_prepare(z, root_prepared, NULL, e);
    continue_start(z);
    return 0;
}

int op_may_start(const struct zd *d, struct err *e)
{
    if (!d->shutting_down)
        return 0;
    err_set(e, ERR_BUSY, ESHUTDOWN, "zoned is shutting down: no zone starts any more");
    return err_hint(e, "start it when zoned is there again");
}

int op_start(struct zd *d, struct zone *z, struct zd_request *r, struct session_start *s, struct err *e)
{
    if (op_may_start(d, e) < 0)
        return -ESHUTDOWN;
    if (z->op == OP_NONE) {
        enum verb_answer v = state_allows(z->state, VERB_START, z->name, e);
        if (v == VERB_REFUSED)
            return -EBUSY;
        if (v == VERB_ALREADY) {
            zone_note(z, "zone %s is already %s", z->name, state_name(z->state));
            if (r)
                *vec_add(&z->waiters) = r;
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
    z->missing = 0; /* its links are new ones */
    boot_started(z);
    if (!z->group && z->plan)
        (void)cg_open(z->d->cgroups, z->plan->cgroup_parent, z->plan->cgroup_name, &z->group, &e);
    zone_set_state(z, ZONE_RUNNING);
    sample_stale(z); /* a restart makes new links under the same names */
    names_publish(z);
    sharers_follow(z);
    if (z->op == OP_START || z->op == OP_RESTART)
        op_end(z, NULL, NULL);
    boot_shutdown_step(z->d); /* it was let finish its start, no more */
}
