/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of ours in a running zone (etc/hosts, etc/resolv.conf) follow an update: rewritten in place by a process that has
 * entered the zone, because their mounts and owners are the zone's. A file that does not say what we wrote is the zone's own
 * by now and is left alone. Must never follow a link or wait for a fifo. */
#include "base/file.h"
#include "base/log.h"
#include "zoned/sup/rt.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#define TEXT_MAX (1u << 16)
#define DEADLINE_US 10000000u /* the zone's root may stop it */
#define AWAIT_US 1000000u

struct refresh {
    const struct plan *from, *to;
};

static const struct stor_file *same_path(const struct plan *p, const char *path)
{
    for (unsigned i = 0; i < p->files.len; i++)
        if (!strcmp(p->files.at[i].path, path))
            return &p->files.at[i];
    return NULL;
}

static bool refresh_one(const struct stor_file *old, const struct stor_file *new)
{
    auto_free char *path = xasprintf("/%s", old->path), *is = xcalloc(1, TEXT_MAX);
    size_t want = strlen(old->text), n = strlen(new->text);
    struct stat st;
    auto_fd int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || want >= TEXT_MAX ||
        (size_t)st.st_size != want || pread(fd, is, want, 0) != (ssize_t)want || memcmp(is, old->text, want))
        return true;
    /* a reader between the two sees the end of the old text behind the new, never less than the new */
    return pwrite(fd, new->text, n, 0) == (ssize_t)n && ftruncate(fd, (off_t)n) == 0;
}

static int refresh_job(int job_fd, void *arg)
{
    const struct refresh *x = arg;
    bool good = true;
    for (unsigned i = 0; i < x->from->files.len; i++) {
        const struct stor_file *old = &x->from->files.at[i], *new = same_path(x->to, old->path);
        if (new &&strcmp(old->text, new->text))
            good &= refresh_one(old, new);
    }
    return !good;
}

static bool differ(const struct plan *a, const struct plan *b)
{
    for (unsigned i = 0; i < a->files.len; i++) {
        const struct stor_file *f = same_path(b, a->files.at[i].path);
        if (f && strcmp(f->text, a->files.at[i].text))
            return true;
    }
    return false;
}

static void refreshed(struct sup *s, struct job *j, int wait_status)
{
    if (wait_status != 0)
        log_warning("zone %s: its etc/hosts and etc/resolv.conf were not rewritten", s->zone);
}

static void begun(struct sup *s, struct job *j, const struct err *e)
{
    if (e) {
        log_warning("zone %s: %s", s->zone, e->text);
        return;
    }
    j->done = refreshed;
    j->deadline = clock_mono_us() + DEADLINE_US;
}

/* The zone's root may have stopped him: what does not end in time is ended, so that it is waited for once. */
static bool await_one(struct sup *s, uint64_t until)
{
    for (unsigned i = 0; i < s->jobs.len; i++) {
        struct job *j = s->jobs.at[i];
        if (j->done != refreshed && j->begun != begun)
            continue;
        uint64_t now = clock_mono_us();
        struct pollfd p[2] = {{j->pidfd, POLLIN, 0}, {j->child.sync_fd, POLLIN, 0}};
        if (now < until && poll(p, 2, (int)((until - now) / 1000)) != 0) {
            jobs_look(s);
            return true;
        }
        log_warning("zone %s: its etc/hosts and etc/resolv.conf were not rewritten", s->zone);
        job_drop(j);
        return true;
    }
    return false;
}

void refresh_await(struct sup *s)
{
    uint64_t until = clock_mono_us() + AWAIT_US;
    while (await_one(s, until))
        ;
}

void refresh_files(struct sup *s, const struct plan *from, const struct plan *to)
{
    struct refresh x = {from, to};
    struct nspace_exec n;
    struct err e = {0};
    if (s->rt.pidfd < 0 || !differ(from, to))
        return;
    refresh_await(s); /* or this one would meet the text before the last, and leave it alone */
    auto_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    exec_setup(s, &n);
    n.ntask_fds = 0; /* in the groups of a paused zone it would be frozen, in a busy one wait its turn */
    n.cgroup_fd = -1;
    n.job = refresh_job;
    n.job_arg = &x;
    n.stdio[0] = n.stdio[1] = n.stdio[2] = n.job_fd = null;
    if (!job_enter(s, &n, false, begun, NULL, &e))
        log_warning("zone %s: %s", s->zone, e.text);
}
