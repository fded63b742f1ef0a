/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The zone's first process from clone to exec, in one fixed order. Two signals from the parent: "mapped" (ids
 * are there: the root is built while the parent prepares groups and links) and "go". Any failure is one
 * record and the end of the process, which takes all its namespaces and mounts with it: there is nothing else
 * to undo. Not dumpable from the first change of ids on (commit_creds), so nothing of the zone could look at
 * it. */
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "namespaces/inner.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INIT_ERR_FD 3
#define INIT_STATUS_FD 4
#define STRICT (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* uid 0 of the zone, no groups; its capabilities in the new user namespace are complete since clone. */
static int become_root(struct err *e)
{
    if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, 0, 0, 0) < 0 ||
        syscall(SYS_setresuid, 0, 0, 0) < 0)
        return err_sys(e, "become the zone's root");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_sys(e, "not dumpable");
    return 0;
}

static int own_session(struct err *e)
{
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
        return err_sys(e, "session keyring");
    if (setsid() < 0 && errno != EPERM) /* EPERM: leads a group already */
        return err_sys(e, "session");
    return 0;
}

static int own_mounts(struct err *e)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_sys(e, "private mounts");
    return 0;
}

/* The zone's proc; as a descriptor it is also our private one (R2). */
static int open_proc(struct nspace_tree *t, struct err *e)
{
    t->proc = nspace_fs("proc", NULL, STRICT, e);
    if (t->proc < 0 && e->code == EPERM)
        return err_hint(e,
                        "the host's /proc must be visible in full to zoned (not inside another container)");
    if (t->proc < 0)
        return t->proc;
    t->proc_sys = openat(t->proc, "sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return t->proc_sys < 0 ? err_sys(e, "/proc/sys") : 0;
}

static int names(const struct nspace_setup *s, struct err *e)
{
    const char *h = s->hostname && *s->hostname ? s->hostname : s->zone;
    return sethostname(h, strlen(h)) < 0 ? err_sys(e, "host name %s", h) : 0;
}

/* Before the change of ids: /proc/self files of a process that is not dumpable belong to the host's root. */
static void reset_oom(const struct nspace_tree *t)
{
    auto_fd int fd = openat(t->proc, "self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0)
        (void)!write(fd, "0", 1);
}

/* What needs no ids, while the parent writes the maps. */
static int begin(struct nspace_tree *t, struct err *e)
{
    int r = own_session(e);
    if (r == 0)
        r = own_mounts(e);
    if (r == 0)
        r = open_proc(t, e);
    if (r == 0)
        reset_oom(t);
    return r;
}

/* What needs neither groups nor links, while the parent prepares those. */
/* Images name working folders that are not there, and expect them to be made. Inside the root already, with the zone's own rights;
 * what cannot be made is told when it is entered. */
static void make_folder(const char *dir)
{
    auto_free char *path = xstrdup(dir && *dir == '/' ? dir : "/");
    umask(022);
    if (access(path, F_OK) == 0)
        return;
    for (char *p = path + 1; (p = strchr(p, '/')); *p++ = '/') {
        *p = '\0';
        (void)mkdir(path, 0755);
    }
    (void)mkdir(path, 0755);
}

static int prepare(const struct nspace_inner *in, const struct nspace_final *f, struct nspace_tree *t,
                   struct nspace_ready *ready, struct err *e)
{
    int r = become_root(e);
    if (r == 0)
        r = nspace_tree_build(in, t, e);
    if (r == 0)
        r = names(in->s, e);
    if (r < 0)
        return r;
    nspace_sysctls_default(t->proc_sys, in->s);
    make_folder(f->cwd);
    return nspace_finish_prepare(f, ready, e);
}

static int after_go(const struct nspace_inner *in, const struct nspace_tree *t, struct err *e)
{
    if (unshare(CLONE_NEWCGROUP) < 0) /* only now: its root is the group that the process was put into */
        return err_sys(e, "cgroup namespace");
    int r = nspace_tree_cgroup(in, t, e);
    return r == 0 ? nspace_sysctls_write(t->proc_sys, in->s, e) : r;
}

static struct nspace_final final_of(const struct nspace_inner *in)
{
    const struct nspace_setup *s = in->s;
    return (struct nspace_final){.init = s->init,
                                 .caps = in->caps,
                                 .filter = &in->filter,
                                 .no_new_privs = s->security->no_new_privs,
                                 .terminal = s->terminal,
                                 .limits = s->limits,
                                 .user = s->init == SPEC_INIT_SYSTEM ? NULL : s->process->user,
                                 .cwd = s->process->cwd,
                                 .hostname = s->hostname,
                                 .env = &s->process->env,
                                 .extra_env = s->extra_env,
                                 .stdio = {s->stdio[0], s->stdio[1], s->stdio[2]}};
}

/* zone-init [ERRFD] [STATUSFD|-] -- ARGS; everything but 0–2 and these two is closed at exec. */
static int exec_zone_init(struct nspace_inner *in, char **env, struct err *e)
{
    int init = fcntl(in->kit->init_fd, F_DUPFD_CLOEXEC, 16), sync = fcntl(in->sync, F_DUPFD_CLOEXEC, 16);
    int status = in->s->status_fd >= 0 ? fcntl(in->s->status_fd, F_DUPFD_CLOEXEC, 16) : -1;
    if (init < 0 || sync < 0 || (in->s->status_fd >= 0 && status < 0))
        return err_sys(e, "descriptors of zone-init");
    in->sync = sync; /* an error from here on goes there: 3 and 4 may be anything's numbers */
    if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0 || dup2(sync, INIT_ERR_FD) < 0 ||
        (status >= 0 && dup2(status, INIT_STATUS_FD) < 0))
        return err_sys(e, "descriptors of zone-init");
    int r = nspace_limits_last(in->s->limits, e);
    if (r < 0)
        return r;
    char **argv = NULL;
    strv_add(&argv, "zone-init");
    strv_add(&argv, "3");
    strv_add(&argv, status >= 0 ? "4" : "-");
    strv_add(&argv, "--");
    for (char **p = in->s->process->args; p && *p; p++)
        strv_add(&argv, *p);
    syscall(SYS_execveat, init, "", argv, env, AT_EMPTY_PATH);
    return err_sysk(e, ERR_INTERNAL, errno, "start zone-init");
}

static int exec_image_init(const struct nspace_inner *in, char **env, struct err *e)
{
    static char usual_init[] = "/sbin/init";
    static char *const usual[] = {usual_init, NULL};
    char *const *args = in->s->process->args && in->s->process->args[0] ? in->s->process->args : usual;
    if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
        return err_sys(e, "close descriptors");
    int r = nspace_limits_last(in->s->limits, e);
    if (r < 0)
        return r;
    int code = nspace_exec_search(args, env);
    return err_sysk(e, ERR_INVALID, code == ENOENT ? ENOENT : EACCES, "start %s of the image", args[0]);
}

void nspace_child_main(struct nspace_inner *in)
{
    struct err e = {0};
    struct nspace_tree t = {-1, -1, -1, -1, -1};
    struct nspace_final f = final_of(in);
    struct nspace_ready ready = {0};
    int r = nspace_groups_join(in->s->task_fds, in->s->ntask_fds, &e);
    if (r == 0 &&
        !in->locked) /* lock.c: the mount namespace is copied only when the host's folders are in place */
        r = begin(&t, &e);
    if (r == 0 && nspace_sync_wait(in->sync, NSPACE_MAPPED) < 0)
        _exit(127);
    if (r == 0 && in->locked)
        r = unshare(CLONE_NEWNS) < 0 ? err_sys(&e, "mount namespace") : begin(&t, &e);
    if (r < 0 || prepare(in, &f, &t, &ready, &e) < 0)
        nspace_sync_fail(in->sync, &e);
    if (nspace_sync_wait(in->sync, NSPACE_GO) < 0)
        _exit(127);
    r = after_go(in, &t, &e);
    if (r == 0)
        r = nspace_finish_drop(&f, &ready, &e);
    if (r == 0 && in->s->init == SPEC_INIT_APP)
        exec_zone_init(in, ready.env, &e);
    else if (r == 0)
        exec_image_init(in, ready.env, &e);
    nspace_sync_fail(in->sync, &e);
}

static int visit_root(const struct nspace_inner *in, const int *staged, struct err *e)
{
    int root = -1, r = become_root(e);
    if (r == 0)
        r = nspace_root_stage(in->root, "visit", &root, e);
    if (r == 0)
        r = nspace_tree_attach(in, root, staged, e);
    return r == 0 ? nspace_root_pivot(root, e) : r;
}

/* A zone that does not run: its root, our function, nothing started. */
void nspace_visit_main(struct nspace_inner *in)
{
    struct err e = {0};
    int *staged = NULL;
    unsigned nstaged = 0;
    if (nspace_sync_wait(in->sync, NSPACE_MAPPED) < 0)
        _exit(127);
    int r = own_session(&e);
    if (r == 0 && in->locked && unshare(CLONE_NEWNS) < 0)
        r = err_sys(&e, "mount namespace");
    if (r == 0)
        r = own_mounts(&e);
    if (r == 0)
        r = nspace_tree_take(in, &staged, &nstaged, &e);
    if (r == 0)
        r = visit_root(in, staged, &e);
    if (r == 0)
        r = nspace_caps_drop_bounding(in->caps, &e);
    if (r == 0)
        r = nspace_caps_set(in->caps, &e);
    /* after the change of ids, which clears it */
    if (r == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0))
        r = err_sys(&e, "no_new_privs");
    if (r == 0)
        r = nspace_filter_load(&in->filter, &e);
    if (r < 0)
        nspace_sync_fail(in->sync, &e);
    if (nspace_sync_wait(in->sync, NSPACE_GO) < 0)
        _exit(127);
    _exit(nspace_job_run(in->job, in->job_fd, in->job_arg, &in->sync, &e));
}
