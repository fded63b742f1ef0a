/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a zone changed: its upper folder against the layers below, as overlayfs reads them (overlayfs.rst): a 0:0
 * character device hides a name, a folder with user.overlay.opaque=y hides all that the layers have in it. Reads as
 * data and follows nothing (R1). */
#include "base/auto.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "base/vec.h"
#include "storage/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

struct differ {
    void (*add)(void *arg, char kind, const char *path);
    void *arg;
    VEC(int) lowers;  /* O_PATH, uppermost first */
    VEC(bool) opaque; /* per folder that the walk is in: the layers do not show through */
};

static bool is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static bool is_opaque(int fd)
{
    char value[2];
    return fgetxattr(fd, "user.overlay.opaque", value, sizeof(value)) == 1 && value[0] == 'y';
}

/* Does this layer end the search for path below it: by a whiteout, a file or an opaque folder on the way? */
static bool hides_below(int layer, const char *path)
{
    auto_free char *part = xstrdup(path);
    for (char *slash; (slash = strrchr(part, '/'));) {
        struct stat st;
        *slash = '\0';
        auto_fd int fd = path_open_beneath(layer, part, O_PATH | O_NOFOLLOW, 0);
        if (fd < 0 || fstat(fd, &st) < 0)
            continue;
        auto_fd int dir =
            S_ISDIR(st.st_mode) ? path_open_beneath(layer, part, O_RDONLY | O_DIRECTORY, 0) : -1;
        if (dir < 0 || is_opaque(dir))
            return true;
    }
    return false;
}

/* What the layers together show at path. */
static bool lower_stat(const struct differ *d, const char *path, struct stat *st)
{
    for (unsigned i = 0; i < d->lowers.len; i++) {
        auto_fd int fd = path_open_beneath(d->lowers.at[i], path, O_PATH | O_NOFOLLOW, 0);
        if (fd >= 0 && fstat(fd, st) == 0)
            return !is_whiteout(st);
        if (i + 1 < d->lowers.len && hides_below(d->lowers.at[i], path))
            return false;
    }
    return false;
}

/* Names that the layers have in this folder and the zone has not: gone with the folder that was there before. */
static void add_hidden(struct differ *d, int upper, const char *path)
{
    char **told = NULL;
    for (unsigned i = 0; i < d->lowers.len; i++) {
        auto_dir DIR *dir = fdopendir(path_open_beneath(d->lowers.at[i], path, O_RDONLY | O_DIRECTORY, 0));
        for (struct dirent *ent; dir && (ent = readdir(dir));) {
            struct stat st;
            if (!strcmp(ent->d_name, ".") || !strcmp(ent->d_name, "..") ||
                fstatat(upper, ent->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
                continue;
            auto_free char *sub = xasprintf("/%s/%s", path, ent->d_name);
            if ((i && strv_has(told, sub)) || !lower_stat(d, sub + 1, &st))
                continue;
            d->add(d->arg, 'D', sub);
            if (d->lowers.len > 1)
                strv_add(&told, sub);
        }
    }
    strv_free(told);
}

static int compare(void *arg, const struct stor_entry *ent)
{
    struct differ *d = arg;
    struct stat low;
    const struct stat *st = ent->st;
    auto_free char *path = xasprintf("/%s", ent->path);
    bool was = lower_stat(d, ent->path, &low), dir = S_ISDIR(st->st_mode);
    if (is_whiteout(st)) {
        if (was)
            d->add(d->arg, 'D', path);
        return 0;
    }
    auto_fd int fd =
        dir ? openat(ent->dirfd, ent->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    bool covers = dir && ((d->opaque.len && d->opaque.at[d->opaque.len - 1]) || (fd >= 0 && is_opaque(fd)));
    bool same_dir = was && dir && S_ISDIR(low.st_mode);
    if (!same_dir || covers || st->st_mode != low.st_mode || st->st_uid != low.st_uid ||
        st->st_gid != low.st_gid)
        d->add(d->arg, was ? 'C' : 'A', path);
    if (same_dir && covers && fd >= 0)
        add_hidden(d, fd, ent->path);
    if (dir)
        *vec_add(&d->opaque) = covers;
    return dir;
}

static int leave(void *arg, const struct stor_entry *ent)
{
    struct differ *d = arg;
    d->opaque.len--;
    return 0;
}

static int open_lowers(const struct stor_pool *p, const struct stor_root_plan *root, struct differ *d,
                       struct err *e)
{
    unsigned n = root->lower_dir ? 1 : strv_len(root->lowers);
    for (unsigned i = 0; i < n; i++) {
        int fd = root->lower_dir ? open(root->lower_dir, O_PATH | O_DIRECTORY | O_CLOEXEC)
                                 : openat(p->layers_fd, root->lowers[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
            return err_sys(e, "layer %s", root->lower_dir ? root->lower_dir : root->lowers[i]);
        *vec_add(&d->lowers) = fd;
    }
    return 0;
}

int stor_zone_diff(const struct stor_pool *p, const char *zone, const struct stor_root_plan *root,
                   void (*add)(void *arg, char kind, const char *path), void *arg, struct err *e)
{
    auto_free char *upper_path = xasprintf("%s/upper", zone);
    auto_fd int upper = path_open_beneath(p->zones_fd, upper_path, O_RDONLY | O_DIRECTORY, 0);
    if (upper < 0)
        return err_sysk(e, ERR_NOT_FOUND, -upper, "data of zone %s", zone);
    struct differ d = {.add = add, .arg = arg};
    struct stor_visitor v = {compare, leave, &d};
    int r = open_lowers(p, root, &d, e);
    int w = r < 0 ? 0 : stor_walk(upper, &v);
    if (w < 0)
        r = err_sysk(e, w == -ESTALE ? ERR_CONFLICT : ERR_INTERNAL, -w,
                     w == -ESTALE ? "zone %s moved a folder while it was read: try again"
                                  : "changes of zone %s",
                     zone);
    for (unsigned i = 0; i < d.lowers.len; i++)
        close(d.lowers.at[i]);
    vec_done(&d.lowers);
    vec_done(&d.opaque);
    return r;
}
