/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The last part of every way into a zone, the same for its first process and for exec: terminal, limits,
 * user, capabilities, filter. May assume a process in all of the zone's namespaces, with the zone's root as
 * "/", uid 0 of the zone and a full capability set in its user namespace. The order matters: each line gives
 * away something that the next ones must not have, or still need. */
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "namespaces/inner.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Raw, since libc's setters may signal threads and check nothing that we need. */
static int become(uid_t uid, gid_t gid, const gid_t *groups, unsigned n)
{
    return syscall(SYS_setgroups, n, groups) < 0 || syscall(SYS_setresgid, gid, gid, gid) < 0 ||
                   syscall(SYS_setresuid, uid, uid, uid) < 0
               ? -errno
               : 0;
}

static int take_stdio(const int stdio[3], bool terminal, struct err *e)
{
    int high[3];
    for (int i = 0; i < 3; i++) /* away from 0–2 first, so that none is overwritten before it is used */
        if ((high[i] = fcntl(stdio[i], F_DUPFD_CLOEXEC, 3)) < 0)
            return err_sys(e, "standard stream %d", i);
    for (int i = 0; i < 3; i++) {
        if (dup2(high[i], i) < 0)
            return err_sys(e, "standard stream %d", i);
        close(high[i]);
    }
    if (terminal && ioctl(0, TIOCSCTTY, 0) < 0)
        return err_sys(e, "controlling terminal");
    return 0;
}

/* The kernel's own call: glibc's keeps off signals 32 and 33, its own, so that a caller's "ignored" would stay in the zone. */
static void reset_signals(void)
{
    const struct {
        void (*handler)(int);
        unsigned long flags, restorer, mask;
    } by_default = {.handler = SIG_DFL};
    sigset_t none;
    for (int s = 1; s < NSIG; s++)
        (void)syscall(SYS_rt_sigaction, s, &by_default, NULL, NSIG / 8);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* After the change of user: a folder that the user cannot enter is an error, and so is one outside the root (R4).
 * Links of /proc are not followed: our own descriptors are still open here. */
static int enter_cwd(const char *cwd, struct err *e)
{
    char now[4096];
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
    auto_fd int fd = (int)syscall(SYS_openat2, AT_FDCWD, cwd && *cwd ? cwd : "/", &how, sizeof(how));
    if (fd < 0 && errno == ELOOP)
        return err_set(e, ERR_DENIED, ELOOP, "working folder %s is behind a link of /proc, or too many links",
                       cwd);
    if (fd < 0 || fchdir(fd) < 0)
        return err_sysk(e, ERR_INVALID, errno == ENOENT ? ENOTDIR : errno, "working folder %s", cwd);
    if (!getcwd(now, sizeof(now)) || now[0] != '/')
        return err_set(e, ERR_DENIED, EXDEV, "working folder %s is outside the zone", cwd);
    return 0;
}

/* The streams of a program that is not root must be its own to reopen (/dev/stderr), as with Docker. */
static void own_stdio(const struct nspace_user *u)
{
    struct stat st;
    for (int i = 0; u->uid != 0 && i < 3; i++)
        if (fstat(i, &st) == 0 && (S_ISFIFO(st.st_mode) || isatty(i)))
            (void)!fchown(i, u->uid,
                          (gid_t)-1); /* EPERM for streams of another owner: they stay as they are */
}

void nspace_ready_done(struct nspace_ready *r)
{
    nspace_user_done(&r->user);
    free(r->shell);
    strv_free(r->env);
    memset(r, 0, sizeof(*r));
}

int nspace_finish_prepare(const struct nspace_final *f, struct nspace_ready *out, struct err *e)
{
    int r = take_stdio(f->stdio, f->terminal, e);
    if (r == 0)
        r = nspace_limits_set(f->limits, e);
    umask(022);
    reset_signals();
    if (r == 0 && chdir("/") < 0)
        r = err_sys(e, "the zone's root");
    if (r == 0)
        r = nspace_user_find(AT_FDCWD, f->user, &out->user, e);
    if (r < 0)
        return r;
    own_stdio(&out->user);
    out->env = nspace_env_build(f, &out->user);
    out->shell = xstrdup(out->user.shell && out->user.shell[0] == '/' ? out->user.shell : "/bin/sh");
    if (f->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_sys(e, "no_new_privs");
    return nspace_caps_drop_bounding(f->caps, e); /* what exec may regain; the present set is untouched */
}

int nspace_finish_drop(const struct nspace_final *f, const struct nspace_ready *ready, struct err *e)
{
    const struct nspace_user *u = &ready->user;
    /* Without no_new_privs a filter needs CAP_SYS_ADMIN, so it must come before the capabilities go. */
    bool early = !f->no_new_privs && !(u->uid == 0 && (f->caps & (1ull << CAP_SYS_ADMIN)));
    int r = early ? nspace_filter_load(f->filter, e) : 0;
    if (r == 0 && (r = become(u->uid, u->gid, u->groups, u->ngroups)) < 0)
        r = err_sysk(e, ERR_INTERNAL, -r, "become user %u of the zone", u->uid);
    if (r == 0)
        r = nspace_caps_set(u->uid == 0 ? f->caps : 0, e);
    if (r == 0)
        r = enter_cwd(f->cwd, e);
    if (r == 0 && !early)
        r = nspace_filter_load(f->filter, e);
    return r;
}

static bool is_exec_error(int code)
{
    return code == EACCES || code == ENOEXEC || code == EPERM || code == ENOTDIR || code == EISDIR ||
           code == ELOOP;
}

int nspace_exec_search(char *const *args, char *const *env)
{
    const char *path = NULL;
    char full[4096];
    for (char *const *p = env; p && *p; p++)
        if (!strncmp(*p, "PATH=", 5))
            path = *p + 5;
    if (strchr(args[0], '/') || !path) {
        execve(args[0], args, env);
        return errno;
    }
    int worst = ENOENT;
    for (const char *p = path; p; p = strchr(p, ':') ? strchr(p, ':') + 1 : NULL) {
        int n = (int)strcspn(p, ":");
        if (n == 0 || n + strlen(args[0]) + 2 > sizeof(full)) /* an empty entry would be the working folder */
            continue;
        memcpy(full, p, (size_t)n);
        full[n] = '/';
        strcpy(full + n + 1, args[0]);
        execve(full, args, env);
        if (is_exec_error(errno) && errno != ENOTDIR)
            worst = EACCES;
        else if (errno != ENOENT && errno != ENOTDIR)
            return errno;
    }
    return worst;
}
