/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The console's log in CRI lines ("TIME STREAM F|P text"), rotated by size, and its reader. The writer keeps
 * nothing back: an unfinished line is written at once as P and goes on in the next record. The reader takes
 * what a zone wrote as data: it is bounded by the files' sizes and skips what is no record. Must never fail
 * or block a zone: a full disk loses lines. */
#include "zoned/sup/rt.h"
#include <stdio.h>
#include <sys/stat.h>

#define LOG_NAME "console.log"
#define READ_FILES_MAX 101u
#define READ_BLOCK (64u * 1024)

static void log_name(char buf[32], unsigned i)
{
    if (i)
        snprintf(buf, 32, LOG_NAME ".%u", i);
    else
        strcpy(buf, LOG_NAME);
}

static void open_current(struct sup_log *l)
{
    struct stat st;
    l->fd =
        openat(l->dirfd, LOG_NAME, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    l->size = l->fd >= 0 && fstat(l->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

void log_open(struct sup_log *l, int zone_dirfd, uint64_t max, unsigned files)
{
    log_close(l);
    l->max = max;
    l->files = files;
    l->dirfd = openat(zone_dirfd, ZONE_LOG_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (l->dirfd < 0 && errno == ENOENT && mkdirat(zone_dirfd, ZONE_LOG_DIR, 0700) == 0)
        l->dirfd = openat(zone_dirfd, ZONE_LOG_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (l->dirfd >= 0)
        open_current(l);
}

void log_close(struct sup_log *l)
{
    close_fd(&l->fd);
    close_fd(&l->dirfd);
}

static void rotate(struct sup_log *l)
{
    char from[32], to[32];
    for (unsigned i = l->files - 1; i-- > 0;) {
        log_name(from, i);
        log_name(to, i + 1);
        (void)renameat(l->dirfd, from, l->dirfd, to);
    }
    if (l->files == 1)
        (void)unlinkat(l->dirfd, LOG_NAME, 0);
    close_fd(&l->fd);
    open_current(l);
}

static void flush(struct sup_log *l, const char *buf, size_t n)
{
    if (l->size > 0 && l->size + n > l->max)
        rotate(l);
    if (l->fd < 0)
        return;
    ssize_t w = write(l->fd, buf, n);
    if (w > 0)
        l->size += (uint64_t)w;
}

void log_write(struct sup_log *l, const char *stream, const char *data, size_t n)
{
    char out[4096], head[64], now[32];
    size_t have = 0;
    if (l->fd < 0 || n == 0)
        return;
    clock_rfc3339(clock_real_us(), now);
    size_t hlen = (size_t)snprintf(head, sizeof(head), "%s %s F ", now, stream);
    while (n > 0) {
        const char *nl = memchr(data, '\n', n);
        size_t piece = nl ? (size_t)(nl - data) : n, room = sizeof(out) - hlen - 1;
        bool whole = nl && piece <= room;
        piece = piece > room ? room : piece;
        if (have + hlen + piece + 1 > sizeof(out)) {
            flush(l, out, have);
            have = 0;
        }
        head[hlen - 2] = whole ? 'F' : 'P';
        memcpy(out + have, head, hlen);
        memcpy(out + have + hlen, data, piece);
        have += hlen + piece;
        out[have++] = '\n';
        data += piece + whole;
        n -= piece + whole;
    }
    flush(l, out, have);
}

/* ---- reader ---- */
struct reading {
    void (*emit)(void *, const char *, const char *, const char *, size_t, bool);
    void *arg;
};

/* "TIME STREAM F text", split in place. */
static bool split_record(char *line, size_t n, const char **stream, const char **when, bool *partial,
                         const char **text, size_t *len)
{
    char *sp = memchr(line, ' ', n);
    char *sp2 = sp ? memchr(sp + 1, ' ', n - (size_t)(sp + 1 - line)) : NULL;
    size_t used = sp2 ? (size_t)(sp2 + 1 - line) : 0;
    if (!sp2 || n < used + 1 || (sp2[1] != 'F' && sp2[1] != 'P') || (n > used + 1 && sp2[2] != ' '))
        return false;
    *sp = *sp2 = '\0';
    *when = line;
    *stream = sp + 1;
    *partial = sp2[1] == 'P';
    *text = n > used + 2 ? sp2 + 3 : "";
    *len = n > used + 2 ? n - used - 2 : 0;
    return true;
}

static void one_record(const struct reading *r, char *line, size_t n)
{
    const char *stream, *when, *text;
    size_t len;
    bool partial;
    if (split_record(line, n, &stream, &when, &partial, &text, &len))
        r->emit(r->arg, stream, when, text, len, partial);
}

/* Whole records from *offset, which moves behind the last one. false: the budget is used up, and there may be more. */
static bool read_file(int fd, uint64_t *offset, size_t *budget, const struct reading *r)
{
    auto_free char *buf = xrealloc(NULL, READ_BLOCK, 1);
    size_t have = 0;
    while (*budget) {
        ssize_t n = pread(fd, buf + have, READ_BLOCK - have, (off_t)(*offset + have));
        if (n <= 0)
            return true;
        *budget -= (size_t)n < *budget ? (size_t)n : *budget;
        have += (size_t)n;
        size_t used = 0;
        char *nl;
        while ((nl = memchr(buf + used, '\n', have - used))) {
            one_record(r, buf + used, (size_t)(nl - buf) - used);
            used = (size_t)(nl - buf) + 1;
        }
        if (used == 0 && have == READ_BLOCK)
            used = have; /* no record of ours is that long */
        memmove(buf, buf + used, have - used);
        have -= used;
        *offset += used;
    }
    return false;
}

struct log_files {
    int fds[READ_FILES_MAX];
    uint64_t ids[READ_FILES_MAX];
    unsigned n; /* 0 is the newest */
};

/* Inode and time of birth: ext4 gives the number of the file that a rotation deleted to the next one at once. 0: no log. */
static uint64_t identity(int fd)
{
    struct statx st;
    if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_INO | STATX_BTIME, &st) < 0 ||
        !S_ISREG(st.stx_mode))
        return 0;
    const uint64_t id[3] = {st.stx_ino, (uint64_t)st.stx_btime.tv_sec, st.stx_btime.tv_nsec};
    return hash64(id, sizeof(id));
}

static void open_files(int dirfd, struct log_files *f)
{
    char name[32];
    f->n = 0;
    for (unsigned i = 0; i < READ_FILES_MAX; i++) {
        log_name(name, i);
        int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        uint64_t id = identity(fd);
        if (!id) {
            if (fd >= 0)
                close(fd);
            if (i == 0)
                continue; /* between two renames of a rotation there is none */
            return;
        }
        f->ids[f->n] = id;
        f->fds[f->n++] = fd;
    }
}

/* Where the cursor is; the oldest record, if its file was rotated away. */
static unsigned file_at(const struct log_files *f, struct sup_log_cursor *c)
{
    for (unsigned i = 0; c->file && i < f->n; i++)
        if (f->ids[i] == c->file)
            return i;
    c->lost = c->lost || c->file;
    c->offset = 0;
    return f->n - 1;
}

int sup_log_read(int log_dirfd, struct sup_log_cursor *c, size_t budget,
                 void (*emit)(void *arg, const char *stream, const char *time, const char *line, size_t n,
                              bool partial),
                 void *arg)
{
    struct log_files f;
    const struct reading r = {emit, arg};
    open_files(log_dirfd, &f);
    if (f.n == 0)
        return 0;
    unsigned at = file_at(&f, c);
    bool whole;
    while ((whole = read_file(f.fds[at], &c->offset, &budget, &r)) && at > 0) {
        at--;
        c->offset = 0;
    }
    c->file = f.ids[at];
    fd_close_all(f.fds, f.n);
    return !whole;
}

/* Behind the next record's end: the reader starts with a whole one. */
static uint64_t next_record(int fd, uint64_t offset)
{
    auto_free char *buf = xrealloc(NULL, READ_BLOCK, 1);
    ssize_t n = offset ? pread(fd, buf, READ_BLOCK, (off_t)offset) : 0;
    const char *nl = n > 0 ? memchr(buf, '\n', (size_t)n) : NULL;
    return nl ? offset + (uint64_t)(nl - buf) + 1 : offset;
}

bool sup_log_back(int log_dirfd, struct sup_log_cursor *c, uint64_t bytes)
{
    struct log_files f;
    struct stat st;
    *c = (struct sup_log_cursor){0};
    open_files(log_dirfd, &f);
    for (unsigned i = 0; i < f.n && !c->file; i++) {
        uint64_t size = fstat(f.fds[i], &st) == 0 ? (uint64_t)st.st_size : 0;
        if (bytes < size)
            *c = (struct sup_log_cursor){.file = f.ids[i], .offset = next_record(f.fds[i], size - bytes)};
        bytes -= bytes < size ? bytes : size;
    }
    fd_close_all(f.fds, f.n);
    return c->file != 0;
}
