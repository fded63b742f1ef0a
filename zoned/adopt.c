/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ran before we came, and zones whose supervisor died. A held lock means a living supervisor: connect to
 * it. A free lock means that we decide: a populated group gets a new supervisor that adopts, anything else
 * one that undoes. */
#include "zoned/adopt.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "zoned/images.h"
#include "zoned/networks.h"
#include "zoned/ops.h"
#include "zoned/zoned.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

#define DYING_TRIES 200u
#define DYING_WAIT_US 2000u
#define ANSWER_MS 2000

static int load_plan(struct zone *z, int dir, struct err *e)
{
    auto_free char *text = NULL;
    size_t n;
    int r = file_read(dir, PLAN_FILE, 4u << 20, &text, &n, e);
    auto_js json *j = r < 0 ? NULL : js_parse(text, n, e);
    struct plan *p = NULL;
    if (r == 0)
        r = j ? plan_from_json(j, &p, e) : -EINVAL;
    if (r < 0)
        return err_prefix(e, "%s/zones/%s/" PLAN_FILE, z->d->run_dir, z->name), r;
    plan_free(z->plan);
    z->plan = p;
    z->remove = p->remove;
    z->start_no = p->start_no;
    if (z->range < 0)
        z->range = ranges_claim(z->d->ranges, p->uid_base);
    return 0;
}

static void reclaim_tables(struct zone *z)
{
    struct problems ps = {0};
    struct zd *d = z->d;
    z->judged = true;
    if (!z->claims) {
        (void)ports_claim(d, z, z->plan->spec, false, &ps);
        (void)aliases_claim(d, z, z->plan->spec, &ps);
        problems_done(&ps);
    }
    for (unsigned i = 0; i < z->plan->links.len; i++) {
        struct net_entry *n = network_find(d, z->plan->links.at[i].network.name);
        if (n)
            n->up = true;
    }
    if (!z->group)
        (void)cg_open(d->cgroups, z->plan->cgroup_parent, z->plan->cgroup_name, &z->group, NULL);
}

/* A one-off run: its lease was only in memory; the plan's links say it again. */
static void lease_from_plan(struct zone *z)
{
    if (z->lease.nlinks || !z->plan->links.len)
        return;
    unsigned n = z->plan->spec->network.len, k = 0;
    z->lease.links = xcalloc(n + 1, sizeof(*z->lease.links));
    z->lease.nlinks = n;
    for (unsigned i = 0; i < n && k < z->plan->links.len; i++) {
        const char *link = z->plan->spec->network.at[i].link;
        const struct net_link_plan *l = &z->plan->links.at[k];
        if (strcmp(link, l->network.name))
            continue;
        k++;
        snprintf(z->lease.links[i].network, sizeof(z->lease.links[i].network), "%s", link);
        z->lease.links[i].addr4 = l->addr4;
        z->lease.links[i].addr6 = l->addr6;
        lease_claim(z->d, &z->lease.links[i]);
    }
}

static enum zone_state state_from(const char *s)
{
    static const struct {
        const char *name;
        enum zone_state state;
    } map[] = {{"running", ZONE_RUNNING},  {"paused", ZONE_PAUSED},          {"starting", ZONE_READY},
               {"restarting", ZONE_READY}, {"stopping", ZONE_SHUTTING_DOWN}, {"stopped", ZONE_DOWN}};
    for (unsigned i = 0; i < ARRAY_LEN(map); i++)
        if (str_eq(s, map[i].name))
            return map[i].state;
    return ZONE_READY;
}

static void status_known(struct zone *z, const json *reply, const struct err *e, void *arg)
{
    if (err_is(e) || !reply)
        return;
    const char *state = js_get_str(reply, "state", "");
    z->pid = (pid_t)js_get_int(reply, "pid", 0);
    z->started_us = (uint64_t)js_get_int(reply, "started_us", 0);
    z->restarts = (uint64_t)js_get_int(reply, "restarts", 0);
    z->healthy = js_type_of(js_get(reply, "healthy")) == JS_BOOL ? js_get_bool(reply, "healthy", false) : -1;
    z->state = state_from(state);
    if (z->state == ZONE_RUNNING)
        op_running(z);
    if (z->state == ZONE_DOWN)
        op_stopped(z, reply);
}

/* It was in the midst of a step or an undo when we came, and answers now. */
static void status_late(struct zone *z, const json *reply, const struct err *e, void *arg)
{
    struct zd *d = z->d;
    char name[sizeof(z->name)];
    memcpy(name, z->name, sizeof(name));
    if (err_is(e))
        return;
    status_known(z, reply, e, arg);
    if (registry_find(d, name) != z)
        return;
    event_publish(d, state_name(z->state), name, NULL);
    parents_look_at(z); /* what was looked at of all others before we came to it */
    sharers_follow(z);
    waits_check(d, z);
    boot_zone_changed(d);
}

/* Connects to a living supervisor; its status is waited for, so that the first client sees the truth. One that is busy is
 * no lost one: its answer comes later. */
static int connect_living(struct zone *z, struct err *e)
{
    auto_free char *path = xasprintf("%s/zones/%s/%s", z->d->run_dir, z->name, PLAN_SOCKET);
    int fd = sup_connect(path, e);
    if (fd < 0)
        return fd;
    json *m = js_object(), *reply = NULL;
    js_set_str(m, "op", "status");
    js_set_int(m, "id", ++z->d->next_id);
    unsigned none = 0;
    int r = sup_call(fd, m, NULL, 0, &reply, NULL, &none, ANSWER_MS, e);
    bool late = r == -ETIMEDOUT;
    if (r < 0 && !late) {
        close(fd);
        return r;
    }
    err_clear(e);
    r = sup_attach_zone(z->d, z, fd, e);
    if (r == 0 && late) {
        log_warning("zone %s: its supervisor is busy and answers later", z->name);
        if (z->state != ZONE_RUNNING && z->state != ZONE_PAUSED)
            z->state = ZONE_READY;
        *vec_add(&z->replies) = (struct sup_reply){.id = z->d->next_id, .done = status_late};
    } else if (r == 0) {
        status_known(z, reply, NULL, NULL);
    }
    js_free(reply);
    return r;
}

static bool populated(struct zone *z)
{
    return z->group && cg_populated(z->group) == 1;
}

static int take_over(struct zone *z, int dir, struct err *e)
{
    struct err why = {0};
    if (populated(z) && !file_exists(dir, PLAN_JOURNAL)) {
        err_set(&why, ERR_NOT_FOUND, ENOENT, "%s/zones/%s/" PLAN_JOURNAL " is not there", z->d->run_dir,
                z->name);
        (void)orphan_kept(z, &why, NULL);
    }
    const char *op = populated(z) && file_exists(dir, PLAN_JOURNAL) ? "adopt" : "recover";
    log_info("zone %s: %s", z->name, op);
    if (z->state != ZONE_RUNNING && z->state != ZONE_PAUSED)
        z->state = !strcmp(op, "adopt") ? ZONE_RUNNING : ZONE_SHUTTING_DOWN;
    return keeper_start(z->d, z, op, dir, NULL, e);
}

static int open_folder(struct zone *z, struct err *e)
{
    auto_free char *name = xasprintf("zones/%s", z->name);
    auto_fd int dir = openat(z->d->run_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = dir < 0 ? err_sys(e, "run folder of zone %s", z->name) : load_plan(z, dir, e);
    return r < 0 ? r : take_fd(&dir);
}

/* Its run folder with the plan loaded. One without a plan that can be read is believed only if nothing of the zone lives. */
static int open_run_dir(struct zone *z, struct err *e)
{
    struct err why = {0};
    int dir = open_folder(z, &why);
    if (dir < 0 && orphan_kept(z, &why, NULL) == 0)
        dir = open_folder(z, NULL);
    if (dir >= 0)
        return dir;
    int r = orphan_end(z, &why, e);
    if (r == -ENOENT)
        err_set(e, why.kind, ENOENT, "zone %s: %s", z->name, why.text);
    return r < 0 ? r : open_folder(z, e);
}

/* 1: its supervisor lives and answers; 0: the lock is ours. A supervisor that holds the lock and cannot be reached is ended:
 * the zone is taken over from it. */
static int lock_or_connect(struct zone *z, int lock, struct err *e)
{
    bool ended = false;
    for (unsigned i = 0; flock(lock, LOCK_EX | LOCK_NB) < 0; i++) {
        err_clear(e);
        int r = connect_living(z, e);
        if (r == 0)
            return 1;
        if (i > DYING_TRIES && ended)
            return r;
        if (i > DYING_TRIES) { /* before, it may be dying: its socket is closed, its lock not yet */
            log_warning("zone %s: %s", z->name, e ? e->text : "its supervisor cannot be reached");
            orphan_end_supervisor(z);
            ended = true;
            i = 0;
        }
        usleep(DYING_WAIT_US);
    }
    err_clear(e);
    return 0;
}

/* Without a lock nobody knows of whom its supervisor is: ended, before another one begins. */
static int open_lock(struct zone *z, struct err *e)
{
    auto_free char *lock = xasprintf("zones/%s/%s", z->name, PLAN_LOCK);
    int fd = openat(z->d->run_fd, lock, O_RDWR | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        orphan_end_supervisor(z);
        fd = openat(z->d->run_fd, lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    }
    return fd < 0 ? err_sys(e, "%s", lock) : fd;
}

int adopt_reclaim(struct zone *z, struct err *e)
{
    auto_fd int dir = open_run_dir(z, e);
    if (dir < 0)
        return dir;
    reclaim_tables(z);
    lease_from_plan(z);
    auto_fd int fd = open_lock(z, e);
    int r = fd < 0 ? fd : lock_or_connect(z, fd, e);
    if (r != 0)
        return r < 0 ? r : 0;
    close_fd(&z->lock_fd);
    z->lock_fd = take_fd(&fd);
    return take_over(z, dir, e);
}

static void leftover_dir(struct zd *d, const char *name, const struct err *e)
{
    log_warning("run folder of %s: %s; removed", name, e->text);
    auto_fd int zones = openat(d->run_fd, "zones", O_PATH | O_DIRECTORY | O_CLOEXEC);
    (void)path_remove_tree(zones, name, NULL);
}

static void adopt_one(struct zd *d, const char *name)
{
    struct err e = {0};
    struct zone *z = registry_find(d, name);
    bool known = z != NULL;
    if (!known) {
        z = registry_add(d, name);
        z->ephemeral = true;
        z->state = ZONE_INSTALLED;
        struct problems ps = {0};
        (void)store_reload(d, z, &ps, NULL);
        problems_done(&ps);
    }
    int r = adopt_reclaim(z, &e);
    if (r == 0) {
        if (!z->spec && z->plan)
            z->spec = spec_copy(z->plan->spec);
        zone_judge(z);
        return;
    }
    if (r == -ENOENT) /* killed before the plan was written: nothing is in the kernel */
        leftover_dir(d, name, &e);
    else
        log_error("%s", e.text);
    if (r == -EOWNERDEAD && known) {
        z->state = ZONE_FAILED;
        zone_set_error(z, e.text);
    }
    if (!known) {
        (void)stor_zone_delete(d->pool, name, NULL);
        registry_remove(d, z);
    }
}

static bool never_used(struct zd *d, const char *name)
{
    uint64_t upper = 0;
    auto_fd int dir = stor_zone_fd(d->pool, name, NULL);
    auto_fd int up = dir < 0 ? -1 : openat(dir, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_dir DIR *list = up < 0 ? NULL : fdopendir(fcntl(up, F_DUPFD_CLOEXEC, 3));
    for (struct dirent *ent; list && (ent = readdir(list));)
        upper += strcmp(ent->d_name, ".") && strcmp(ent->d_name, "..");
    return list && !upper && !file_exists(dir, ZONE_HISTORY);
}

/* A create that was killed before it wrote the spec leaves an empty folder. One that holds anything is never
 * touched: its spec may only have been moved away. */
static void drop_half_created(struct zd *d)
{
    char **names = NULL;
    (void)stor_zone_list(d->pool, &names, NULL);
    for (unsigned i = 0; i < strv_len(names); i++) {
        if (registry_find(d, names[i]))
            continue;
        if (never_used(d, names[i]))
            (void)stor_zone_delete(d->pool, names[i], NULL);
        else
            log_warning("data of %s has no spec: left alone", names[i]);
    }
    strv_free(names);
}

int adopt_all(struct zd *d, struct err *e)
{
    int fd = openat(d->run_fd, "zones", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    char **names = NULL;
    if (!dir)
        return err_sys(e, "%s/zones", d->run_dir);
    for (struct dirent *ent; (ent = readdir(dir));)
        if (spec_check_name("zone", ent->d_name, NULL) == 0)
            strv_add(&names, ent->d_name);
    orphan_groups(d, &names);
    for (unsigned i = 0; names && names[i]; i++)
        adopt_one(d, names[i]);
    strv_free(names);
    networks_adopted(d);
    names_adopt(d);
    dhcp_adopt(d);
    sharers_adopt(d);
    drop_half_created(d);
    return 0;
}
