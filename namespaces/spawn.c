/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parent's half of a start: clocks, clone, id maps, idmapped mounts. The caller is a supervisor,
 * single-threaded, with the host's root. It must never run anything of the zone, nor keep a trace in its own
 * namespaces: what it unshares for the child (time, and mounts for locking) it leaves again before it
 * returns. Undo: killing the child ends everything. Sources: clone3(2), time_namespaces(7). */
#include "base/fd.h"
#include "namespaces/inner.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static int write_offsets(struct err *e)
{
    struct timespec mono, boot;
    char text[128];
    clock_gettime(CLOCK_MONOTONIC, &mono);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    int n = snprintf(text, sizeof(text), "monotonic -%lld 0\nboottime -%lld 0\n", (long long)mono.tv_sec,
                     (long long)boot.tv_sec);
    auto_fd int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, (size_t)n) < 0)
        return err_sys(e, "clock offsets of the zone");
    return 0;
}

/* The zone's uptime starts at 0: children are born into a new time namespace until clock_end. The offsets can
 * be written only while nobody is in it, so CLONE_NEWTIME at clone3 comes too late. */
static int clock_begin(int *old, struct err *e)
{
    auto_fd int fd = open("/proc/self/ns/time", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || unshare(CLONE_NEWTIME) < 0)
        return err_sys(e, "time namespace");
    *old = take_fd(&fd);
    return write_offsets(e);
}

static void clock_end(int *old)
{
    if (*old >= 0)
        (void)setns(*old, CLONE_NEWTIME);
    close_fd(old);
}

static uint64_t clone_flags(const struct nspace_setup *s, bool locked)
{
    uint64_t f = CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC;
    if (!locked)
        f |= CLONE_NEWNS;
    if (s->join_pidfd < 0)
        f |= CLONE_NEWUSER | (s->host_network ? 0 : CLONE_NEWNET);
    return f;
}

static void child_entry(void *arg)
{
    struct nspace_inner *in = arg;
    if (in->job)
        nspace_visit_main(in);
    nspace_child_main(in);
}

static pid_t clone_child(struct nspace_inner *in, uint64_t flags, int join_pidfd, int cgroup_fd, int *pidfd,
                         struct err *e)
{
    if (join_pidfd >= 0) {
        struct nspace_birth b = {join_pidfd, CLONE_NEWUSER | CLONE_NEWNET, flags, cgroup_fd, child_entry, in};
        return nspace_birth(&b, pidfd, e);
    }
    struct clone_args a = {
        .flags = flags | CLONE_PIDFD, .exit_signal = SIGCHLD, .pidfd = (uint64_t)(uintptr_t)pidfd};
    if (cgroup_fd >= 0) {
        a.flags |= CLONE_INTO_CGROUP;
        a.cgroup = (uint64_t)cgroup_fd;
    }
    pid_t pid = (pid_t)syscall(SYS_clone3, &a, sizeof(a));
    if (pid == 0)
        child_entry(in);
    if (pid < 0) {
        err_sys(e, "new namespaces");
        return errno == ENOSPC || errno == EUSERS ? err_hint(e, "see sysctl user.max_*_namespaces")
                                                  : -e->code;
    }
    return pid;
}

static bool needs_lock(const struct nspace_inner *in)
{
    bool host = in->root->usr_fd >= 0;
    for (unsigned i = 0; i < in->nmounts; i++)
        host |= in->mounts[i].fd >= 0;
    return host;
}

static int idmap_root(const struct nspace_root *root, int userns, struct err *e)
{
    int r = root->layers_fd < 0 ? 0 : nspace_idmap_mount(root->layers_fd, userns, true, true, e);
    if (r == 0 && nspace_idmap_mount(root->zone_fd, userns, false, true, e) < 0)
        r = err_prefix(e, "the zone's folder");
    return r;
}

/* In the order in which the child takes them (tree.c, nspace_tree_attach). */
static int stage_host_folders(struct nspace_lock *l, const struct nspace_inner *in, int userns, struct err *e)
{
    const struct nspace_root *root = in->root;
    int r = 0;
    if (root->usr_fd >= 0)
        r = nspace_idmap_mount(root->usr_fd, userns, true, true, e);
    if (r == 0 && root->usr_fd >= 0 && root->no_suid)
        r = nspace_nosuid_mount(root->usr_fd, e);
    if (r == 0 && root->usr_fd >= 0)
        r = nspace_lock_add(l, root->usr_fd, false, e);
    for (unsigned i = 0; r == 0 && i < in->nmounts; i++) {
        const struct nspace_mount *m = &in->mounts[i];
        if (m->fd < 0)
            continue;
        r = m->keep_ids ? nspace_plain_mount(m->fd, m->read_only, e)
                        : nspace_idmap_mount(m->fd, userns, m->read_only, true, e);
        if (r == 0)
            r = nspace_lock_add(l, m->fd, m->is_file, e);
        if (r < 0)
            return err_prefix(e, "mount %s", m->target);
    }
    return r;
}

struct birth_place {
    const struct nspace_setup *s; /* NULL: visit */
    uint32_t uid_base;
    uint64_t flags;
    int join_pidfd, cgroup_fd;
};

static int signal_child(struct nspace_child *c, char what, struct err *e)
{
    return send(c->sync_fd, &what, 1, MSG_NOSIGNAL) < 0 ? err_sys(e, "the new process ended at once") : 0;
}

/* What the child waits for first; the rest is done while it mounts. */
static int map_and_mount(const struct nspace_inner *in, const struct birth_place *p, struct nspace_lock *l,
                         struct nspace_child *c, struct err *e)
{
    int r = p->join_pidfd < 0 ? nspace_map_write(c->pid, p->uid_base, e) : 0;
    if (r == 0 && (c->userns_fd = nspace_open_ns(c->pid, "user", e)) < 0)
        r = c->userns_fd;
    if (r == 0)
        r = idmap_root(in->root, c->userns_fd, e);
    if (r == 0)
        r = stage_host_folders(l, in, c->userns_fd, e);
    return r == 0 ? signal_child(c, NSPACE_MAPPED, e) : r;
}

static int meanwhile(const struct nspace_inner *in, const struct birth_place *p, struct nspace_child *c,
                     struct err *e)
{
    int r = 0;
    if (p->s && (r = nspace_dev_fill(in->dev_fd, p->uid_base, p->s->devices, p->s->terminal, e)) == 0)
        r = signal_child(c, NSPACE_DEV, e);
    if (r == 0 && (p->flags & CLONE_NEWNET || p->join_pidfd >= 0) &&
        (c->netns_fd = nspace_open_ns(c->pid, "net", e)) < 0)
        r = c->netns_fd;
    return r;
}

/* in->sync is set here. Everything that this process unshares it leaves again. */
static int give_birth(struct nspace_inner *in, const struct birth_place *p, struct nspace_child *out,
                      struct err *e)
{
    struct nspace_child c = {-1, -1, -1, -1, -1, false};
    struct nspace_lock lock = {-1, -1, 0};
    int sync[2], clock = -1;
    int r = nspace_sync_pair(sync, e);
    if (r < 0)
        return r;
    in->sync = sync[1];
    c.sync_fd = sync[0];
    if (p->s)
        r = clock_begin(&clock, e);
    if (r == 0 && in->locked)
        r = nspace_lock_begin(&lock, e);
    if (r == 0)
        r = c.pid = clone_child(in, p->flags, p->join_pidfd, p->cgroup_fd, &c.pidfd, e);
    close(sync[1]);
    if (r > 0)
        r = map_and_mount(in, p, &lock, &c, e);
    clock_end(&clock);
    nspace_lock_end(&lock);
    if (r == 0)
        r = meanwhile(in, p, &c, e);
    if (r < 0) {
        r = nspace_sync_reason(c.sync_fd, r, e);
        nspace_child_done(&c);
        return r;
    }
    *out = c;
    return 0;
}

static int check_setup(const struct nspace_kit *k, const struct nspace_setup *s, struct err *e)
{
    if (s->init == SPEC_INIT_APP && (!s->process->args || !s->process->args[0] || !*s->process->args[0]))
        return err_set(e, ERR_INVALID, EINVAL, "process.args: the zone has no command to run");
    if (s->init == SPEC_INIT_APP && k->init_fd < 0)
        return err_set(e, ERR_INTERNAL, ENOENT, "zone-init was not loaded");
    if (s->root.zone_fd < 0)
        return err_set(e, ERR_INTERNAL, EINVAL, "the zone has no root");
    return 0;
}

int nspace_spawn(const struct nspace_kit *k, const struct nspace_setup *s, struct nspace_child *c,
                 struct err *e)
{
    struct nspace_inner in = {
        .kit = k, .s = s, .root = &s->root, .mounts = s->mounts, .nmounts = s->nmounts, .dev_fd = -1};
    bool owned = false;
    in.locked = needs_lock(&in);
    struct birth_place p = {s, s->uid_base, clone_flags(s, in.locked), s->join_pidfd, s->cgroup_fd};
    int r = check_setup(k, s, e);
    if (r == 0)
        r = nspace_caps_wanted(s->init, s->security, k->bounding, &in.caps, e);
    if (r == 0)
        r = nspace_filter_for(k, s->init, s->security, in.caps, &in.filter, &owned, e);
    if (r == 0 && (in.dev_fd = nspace_dev_new(s->uid_base, e)) < 0)
        r = in.dev_fd;
    nspace_own_pipes(s->stdio, s->uid_base);
    in.has_part = r == 0 && s->part && nspace_part_clone(k, in.part);
    if (r == 0)
        r = give_birth(&in, &p, c, e);
    if (in.has_part)
        fd_close_all(in.part, NSPACE_PART_FILES);
    close_fd(&in.dev_fd);
    if (owned)
        free(in.filter.filter);
    return r;
}

int nspace_visit(const struct nspace_kit *k, const struct nspace_visit *v, struct nspace_child *c,
                 struct err *e)
{
    struct nspace_inner in = {.kit = k,
                              .root = v->root,
                              .mounts = v->mounts,
                              .nmounts = v->nmounts,
                              .dev_fd = -1,
                              .filter = k->filters[SPEC_INIT_APP],
                              .caps = nspace_caps_default(SPEC_INIT_APP) & k->bounding,
                              .job = v->job,
                              .job_arg = v->job_arg,
                              .job_fd = v->job_fd};
    in.locked = needs_lock(&in);
    uint64_t flags =
        CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWPID | (in.locked ? 0 : CLONE_NEWNS);
    struct birth_place p = {NULL, v->uid_base, flags, -1, -1};
    return give_birth(&in, &p, c, e);
}
