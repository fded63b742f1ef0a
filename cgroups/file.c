/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small files of a group: one open, one read or write, relative to a hierarchy's folder. May assume that
 * PARENT and NAME are single components (cg_check_names). Must never follow a symlink or create a file. */
#include "base/clock.h"
#include "base/path.h"
#include "cgroups/internal.h"
#include <errno.h>
#include <poll.h>
#include <string.h>

/* v1 has a file `tasks` in every group, so a zone of that name needs another folder. It is the only file of
 * the kernel's whose name a zone may have (the others hold a dot or an underscore). */
#define TASKS_FOLDER "tasks.zone"

int cg_path(char buf[CG_PATH_MAX], const char *parent, const char *name, const char *file)
{
    if (name && str_eq(name, "tasks"))
        name = TASKS_FOLDER;
    int n = snprintf(buf, CG_PATH_MAX, "%s%s%s%s%s", parent, name ? "/" : "", name ? name : "",
                     file ? "/" : "", file ? file : "");
    return n < 0 || n >= CG_PATH_MAX ? -ENAMETOOLONG : 0;
}

const char *cg_name_of_folder(const char *folder)
{
    return str_eq(folder, TASKS_FOLDER) ? "tasks" : folder;
}

int cg_write_at(int dirfd, const char *path, const char *text)
{
    auto_fd int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    size_t n = strlen(text);
    ssize_t w;
    do
        w = write(fd, text, n);
    while (w < 0 && errno == EINTR);
    return w < 0 ? -errno : (size_t)w == n ? 0 : -EIO;
}

/* NUL-terminated; what does not fit is cut off. Returns the length or -errno. */
ssize_t cg_read_at(int dirfd, const char *path, char *buf, size_t size)
{
    auto_fd int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    size_t len = 0;
    while (len < size - 1) {
        ssize_t r = read(fd, buf + len, size - 1 - len);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return -errno;
        if (r == 0)
            break;
        len += (size_t)r;
    }
    buf[len] = 0;
    return (ssize_t)len;
}

int cg_group_write(const struct cg_group *g, int hier, const char *file, const char *text)
{
    char path[CG_PATH_MAX];
    int r = cg_path(path, g->parent, g->name, file);
    return r < 0 ? r : cg_write_at(g->h->at[hier].fd, path, text);
}

ssize_t cg_group_read(const struct cg_group *g, int hier, const char *file, char *buf, size_t size)
{
    char path[CG_PATH_MAX];
    int r = cg_path(path, g->parent, g->name, file);
    return r < 0 ? r : cg_read_at(g->h->at[hier].fd, path, buf, size);
}

uint64_t cg_field(const char *text, const char *key)
{
    size_t n = strlen(key);
    for (const char *p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
        if (!strncmp(p, key, n) && p[n] == ' ')
            return strtoull(p + n + 1, NULL, 10);
    return UINT64_MAX;
}

/* "PARENT" or "PARENT/POOL" */
static bool is_parent(const char *parent)
{
    const char *slash = parent ? strchr(parent, '/') : NULL;
    if (!slash)
        return path_is_component(parent);
    auto_free char *top = xstrndup(parent, (size_t)(slash - parent));
    return path_is_component(top) && path_is_component(slash + 1);
}

int cg_check_names(const char *parent, const char *name, struct err *e)
{
    if (!is_parent(parent) || (name && !path_is_component(name)))
        return err_set(e, ERR_INVALID, EINVAL, "\"%s/%s\" is no name of a control group", parent,
                       name ? name : "");
    return 0;
}

/* kernfs wakes a poller with POLLPRI|POLLERR once for each change after the last read of that descriptor, so
 * read first, then wait. cgroup_file_notify holds a second notice back until 10 ms after the one before (and a
 * tick more: 14 ms seen on 6.18), which is the whole life of a short zone: so the first polls are short ones. A group that is gone (ENODEV, ENOENT) counts as reached: nobody is left in it. */
int cg_wait_event(int dirfd, const char *path, const char *key, uint64_t want, uint64_t deadline_us)
{
    auto_fd int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT || errno == ENODEV ? 0 : -errno;
    for (uint64_t most = 1;; most = most < 16 ? most * 2 : 60000) {
        char buf[512];
        ssize_t n = pread(fd, buf, sizeof(buf) - 1, 0);
        if (n < 0)
            return errno == ENODEV ? 0 : -errno;
        buf[n] = 0;
        if (cg_field(buf, key) == want)
            return 0;
        uint64_t now = clock_mono_us();
        if (now >= deadline_us)
            return -ETIMEDOUT;
        struct pollfd p = {.fd = fd, .events = POLLPRI};
        uint64_t ms = (deadline_us - now + 999) / 1000;
        if (poll(&p, 1, (int)(ms > most ? most : ms)) < 0 && errno != EINTR)
            return -errno;
    }
}
