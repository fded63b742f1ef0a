/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/file.h"
#include "base/auto.h"
#include "base/fd.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>

static int read_bounded(int fd, size_t max, char **text, size_t *len, const char *path, struct err *e)
{
    size_t cap = 4096, got = 0;
    auto_free char *buf = xcalloc(cap + 1, 1);
    for (;;) {
        if (got == cap) {
            cap *= 2;
            buf = xrealloc(buf, cap + 1, 1);
        }
        ssize_t r = read(fd, buf + got, cap - got);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return err_sys(e, "read %s", path);
        if (!r)
            break;
        got += (size_t)r;
        if (got > max)
            return err_set(e, ERR_INVALID, EFBIG, "%s is larger than %zu bytes", path, max);
    }
    buf[got] = '\0';
    if (len)
        *len = got;
    *text = take_ptr(&buf);
    return 0;
}

int file_read(int dirfd, const char *path, size_t max, char **text, size_t *len, struct err *e)
{
    struct stat st;
    auto_fd int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return err_sys(e, "%s", path);
    if (fstat(fd, &st) < 0)
        return err_sys(e, "%s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_INVALID, EINVAL, "%s is not a regular file", path);
    return read_bounded(fd, max, text, len, path, e);
}

int file_write(int dirfd, const char *path, const char *text, struct err *e)
{
    auto_fd int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_sys(e, "%s", path);
    ssize_t r;
    do
        r = write(fd, text, strlen(text));
    while (r < 0 && errno == EINTR);
    return r < 0 ? err_sys(e, "write \"%.60s\" to %s", text, path) : 0;
}

static int write_new(int dirfd, const char *path, const void *data, size_t n, mode_t mode, bool sync,
                     struct err *e)
{
    auto_fd int fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return err_sys(e, "create %s", path);
    int r = fd_write_full(fd, data, n);
    if (r == 0 && sync && fsync(fd) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlinkat(dirfd, path, 0);
        return err_sysk(e, r == -ENOSPC || r == -EDQUOT ? ERR_LIMIT : ERR_INTERNAL, -r, "write %s", path);
    }
    return 0;
}

int file_create(int dirfd, const char *path, const void *data, size_t n, mode_t mode, struct err *e)
{
    return write_new(dirfd, path, data, n, mode, false, e);
}

static int sync_parent(int dirfd, const char *path)
{
    auto_free char *copy = xstrdup(path);
    auto_fd int fd = openat(dirfd, dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : file_fsync_dir(fd);
}

int file_replace(int dirfd, const char *path, const void *data, size_t n, mode_t mode, bool sync,
                 struct err *e)
{
    auto_free char *tmp = xasprintf("%s.new", path);
    if (unlinkat(dirfd, tmp, 0) < 0 && errno != ENOENT)
        return err_sys(e, "%s", tmp);
    int r = write_new(dirfd, tmp, data, n, mode, sync, e);
    if (r < 0)
        return r;
    if (renameat(dirfd, tmp, dirfd, path) < 0) {
        r = err_sys(e, "rename %s", tmp);
        (void)unlinkat(dirfd, tmp, 0);
        return r;
    }
    if (sync && (r = sync_parent(dirfd, path)) < 0)
        return err_sysk(e, ERR_INTERNAL, -r, "sync the folder of %s", path);
    return 0;
}

int file_fsync_dir(int dirfd)
{
    return fsync(dirfd) < 0 ? -errno : 0;
}

bool file_exists(int dirfd, const char *path)
{
    struct stat st;
    return fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}
