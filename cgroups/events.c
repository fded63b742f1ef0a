/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Out of memory, as a descriptor to poll. v2: memory.events itself. v1: an eventfd that is tied to
 * memory.oom_control by cgroup.event_control (deprecated since 6.12, works in 6.18; cgroup-v1/memory.rst 10).
 * Undo: closing the descriptor. */
#include "cgroups/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

static int oom_v1(const struct cg_group *g, int hier, struct err *e)
{
    char path[CG_PATH_MAX], line[64];
    cg_path(path, g->parent, g->name, "memory.oom_control");
    close_fd(&g->oom->control_fd);
    g->oom->control_fd = openat(g->h->at[hier].fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    auto_fd int efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (g->oom->control_fd < 0 || efd < 0)
        return err_sys(e, "out-of-memory notice of %s", g->name);
    snprintf(line, sizeof(line), "%d %d", efd, g->oom->control_fd);
    int r = cg_group_write(g, hier, "cgroup.event_control", line);
    if (r < 0)
        return err_sysk(e, ERR_UNSUPPORTED, EOPNOTSUPP, "out-of-memory notice of %s (%s)", g->name,
                        strerror(-r));
    return take_fd(&efd);
}

/* Events at the limit: tasks killed, or an allocation that could find nothing. */
static uint64_t oom_count_v2(int fd)
{
    char buf[512];
    ssize_t n = pread(fd, buf, sizeof(buf) - 1, 0);
    if (n < 0)
        return 0;
    buf[n] = 0;
    uint64_t oom = cg_field(buf, "oom"), kills = cg_field(buf, "oom_kill");
    return (oom == UINT64_MAX ? 0 : oom) + (kills == UINT64_MAX ? 0 : kills);
}

int cg_oom_fd(const struct cg_group *g, short *poll_events, struct err *e)
{
    int hier = g->h->of[CG_MEMORY];
    if (hier < 0 || !g->in[hier])
        return err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, "no memory controller: no out-of-memory notice");
    if (!g->h->at[hier].v2) {
        int r = oom_v1(g, hier, e);
        if (r >= 0)
            *poll_events = POLLIN;
        return r;
    }
    char path[CG_PATH_MAX];
    cg_path(path, g->parent, g->name, "memory.events");
    int fd = openat(g->h->at[hier].fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return err_sys(e, "out-of-memory notice of %s", g->name);
    g->oom->seen = oom_count_v2(fd); /* kernfs tells a poller only of changes after a read */
    *poll_events = POLLPRI;
    return fd;
}

/* v1 wakes the eventfd also when the group is removed: then its file is gone too (ENODEV). */
int cg_oom_read(const struct cg_group *g, int oom_fd)
{
    int hier = g->h->of[CG_MEMORY];
    if (hier >= 0 && g->h->at[hier].v2) {
        uint64_t now = oom_count_v2(oom_fd);
        bool more = now > g->oom->seen;
        g->oom->seen = now;
        return more;
    }
    uint64_t count = 0;
    char buf[256];
    if (read(oom_fd, &count, sizeof(count)) != (ssize_t)sizeof(count))
        return errno == EAGAIN ? 0 : -errno;
    return count > 0 && pread(g->oom->control_fd, buf, sizeof(buf), 0) > 0;
}
