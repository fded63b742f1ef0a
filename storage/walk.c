/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A walk through a tree that a zone made and may be changing: as data, following nothing, with few descriptors at any
 * depth (a zone may nest folders by the ten thousand). Where the folder above was closed the way up is "..", and it
 * must be the one that we came from: a folder that was moved meanwhile ends the walk, so it never leaves the tree. */
#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "storage/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define KEEP_OPEN 64 /* levels: what happens in usual trees meanwhile ends no walk */

struct level {
    int fd; /* -1: closed, since far below it something is open */
    dev_t dev;
    ino_t ino;
    struct str names; /* NUL-separated; `at` is the next one to visit */
    size_t at, path_len;
    size_t name; /* where the one is that was visited last */
};

struct walk {
    const struct stor_visitor *v;
    struct str path;
    VEC(struct level) levels;
};

static struct level *last(struct walk *w)
{
    return &w->levels.at[w->levels.len - 1];
}

static int read_names(int fd, struct str *names)
{
    auto_dir DIR *d = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!d)
        return -errno;
    for (struct dirent *ent; (ent = readdir(d));)
        if (strcmp(ent->d_name, ".") && strcmp(ent->d_name, ".."))
            str_addn(names, ent->d_name, strlen(ent->d_name) + 1);
    return 0;
}

/* Takes fd in any case. */
static int push(struct walk *w, int fd)
{
    struct level l = {.fd = fd, .path_len = w->path.len};
    struct stat st;
    int r = fstat(fd, &st) < 0 ? -errno : read_names(fd, &l.names);
    if (r < 0) {
        str_done(&l.names);
        close(fd);
        return r;
    }
    if (w->levels.len > KEEP_OPEN)
        close_fd(&last(w)->fd);
    l.dev = st.st_dev;
    l.ino = st.st_ino;
    *vec_add(&w->levels) = l;
    return 0;
}

static void cut_path(struct walk *w, size_t len)
{
    w->path.len = len;
    if (w->path.p)
        w->path.p[len] = '\0';
}

static int reopen_above(struct level *above, int below)
{
    struct stat st;
    above->fd = openat(below, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (above->fd < 0)
        return errno == ENOENT ? -ESTALE : -errno;
    return fstat(above->fd, &st) < 0 || st.st_ino != above->ino || st.st_dev != above->dev ? -ESTALE : 0;
}

/* Back in the folder above, where leave is called. */
static int pop(struct walk *w)
{
    struct level gone = *last(w);
    w->levels.len--;
    int r = w->levels.len && last(w)->fd < 0 ? reopen_above(last(w), gone.fd) : 0;
    str_done(&gone.names);
    close_fd(&gone.fd);
    if (r < 0 || !w->levels.len)
        return r;
    struct stor_entry ent = {last(w)->fd, last(w)->names.p + last(w)->name, w->path.p, NULL};
    r = w->v->leave ? w->v->leave(w->v->arg, &ent) : 0;
    cut_path(w, last(w)->path_len);
    return r;
}

/* What vanished meanwhile is skipped. */
static int visit(struct walk *w, const char *name)
{
    struct stat st;
    int dirfd = last(w)->fd;
    size_t above = w->path.len;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    auto_fd int fd =
        S_ISDIR(st.st_mode) ? openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (S_ISDIR(st.st_mode) && fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
    str_addf(&w->path, "%s%s", above ? "/" : "", name);
    struct stor_entry ent = {dirfd, name, w->path.p, &st};
    int r = w->v->enter(w->v->arg, &ent);
    if (r > 0 && fd >= 0)
        return push(w, take_fd(&fd));
    cut_path(w, above);
    return r < 0 ? r : 0;
}

int stor_walk(int dirfd, const struct stor_visitor *v)
{
    struct walk w = {.v = v};
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 ? -errno : push(&w, fd);
    while (r == 0 && w.levels.len) {
        struct level *l = last(&w);
        if (l->at >= l->names.len) {
            r = pop(&w);
            continue;
        }
        l->name = l->at;
        l->at += strlen(l->names.p + l->name) + 1;
        r = visit(&w, l->names.p + l->name);
    }
    for (unsigned i = 0; i < w.levels.len; i++) {
        str_done(&w.levels.at[i].names);
        close_fd(&w.levels.at[i].fd);
    }
    vec_done(&w.levels);
    str_done(&w.path);
    return r;
}
