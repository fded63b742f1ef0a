/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What became of a zone's starts: one JSON line each in its data folder, the last one counts. Appended by
 * whoever holds the zone's lock; cut to its second half when it grows. Must never fail a start: callers may
 * ignore the result. */
#include "zoned/sup/rt.h"
#include <sys/stat.h>

#define HISTORY_MAX (64u * 1024)

static int open_history(int zone_dirfd, int flags)
{
    return openat(zone_dirfd, ZONE_HISTORY, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
}

/* The last bytes of the file into buf; returns their count. */
static ssize_t read_tail(int fd, char *buf, size_t size)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return -EINVAL;
    off_t from = st.st_size > (off_t)size ? st.st_size - (off_t)size : 0;
    if (lseek(fd, from, SEEK_SET) < 0)
        return -errno;
    return fd_read_full(fd, buf, size);
}

int sup_history_last(int zone_dirfd, json **out)
{
    *out = NULL;
    auto_fd int fd = open_history(zone_dirfd, O_RDONLY);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    char buf[4096];
    ssize_t n = read_tail(fd, buf, sizeof(buf));
    if (n < 0)
        return (int)n;
    size_t end = (size_t)n;
    while (end > 0) {
        while (end > 0 && buf[end - 1] == '\n')
            end--;
        size_t begin = end;
        while (begin > 0 && buf[begin - 1] != '\n')
            begin--;
        json *j = end > begin ? js_parse(buf + begin, end - begin, NULL) : NULL;
        if (j && js_type_of(j) == JS_OBJECT) {
            *out = j;
            return 0;
        }
        js_free(j); /* torn: the one before it */
        end = begin;
    }
    return 0;
}

/* Keeps the newer half, from a line's beginning. */
static void cut(int zone_dirfd)
{
    auto_fd int fd = open_history(zone_dirfd, O_RDONLY);
    if (fd < 0)
        return;
    auto_free char *buf = xrealloc(NULL, HISTORY_MAX / 2, 1);
    ssize_t n = read_tail(fd, buf, HISTORY_MAX / 2);
    char *nl = n > 0 ? memchr(buf, '\n', (size_t)n) : NULL;
    if (nl)
        (void)file_replace(zone_dirfd, ZONE_HISTORY, nl + 1, (size_t)(buf + n - nl - 1), 0600, false, NULL);
}

int sup_history_append(int zone_dirfd, const json *record, struct err *e)
{
    auto_fd int fd = open_history(zone_dirfd, O_WRONLY | O_CREAT | O_APPEND);
    if (fd < 0)
        return err_sys(e, "history");
    struct str line = {0};
    auto_free char *text = js_dump(record, false);
    str_addf(&line, "%s\n", text);
    int r = fd_write_full(fd, line.p, line.len);
    str_done(&line);
    if (r < 0)
        return err_sysk(e, ERR_INTERNAL, -r, "history");
    struct stat st;
    if (fstat(fd, &st) == 0 && st.st_size > (off_t)HISTORY_MAX)
        cut(zone_dirfd);
    return 0;
}
