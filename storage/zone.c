/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone's own folder: upper and work of its overlay, log, history, lease. Ids on disk are the zone's. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Renamed away first: the name is free at once and a kill leaves only tmp/, which is cleared at the next
 * start. */
static int move_away(struct stor_pool *p, const char *zone, char away[96], struct err *e)
{
    snprintf(away, 96, "%s.%" PRIx64, zone, clock_boot_us());
    if (renameat(p->zones_fd, zone, p->tmp_fd, away) < 0)
        return errno == ENOENT ? 0 : err_sys(e, "delete the data of zone %s", zone);
    return 1;
}

int stor_zone_delete(struct stor_pool *p, const char *zone, struct err *e)
{
    char away[96];
    int r = move_away(p, zone, away, e);
    return r > 0 ? path_remove_tree(p->tmp_fd, away, e) : r;
}

int stor_zone_discard(struct stor_pool *p, const char *zone, struct err *e)
{
    char away[96];
    int r = move_away(p, zone, away, e);
    return r > 0 ? 0 : r;
}

int stor_zone_rename(struct stor_pool *p, const char *from, const char *to, struct err *e)
{
    if (renameat2(p->zones_fd, from, p->zones_fd, to, RENAME_NOREPLACE) < 0 && errno != ENOENT)
        return err_sys(e, "rename the data of zone %s", from);
    return 0;
}

int stor_zone_clone(struct stor_pool *p, const char *src, const char *dst, struct err *e)
{
    char staged[96];
    snprintf(staged, sizeof(staged), "clone-%s.%" PRIx64, dst, clock_boot_us());
    auto_fd int from = path_open_beneath(p->zones_fd, src, O_RDONLY | O_DIRECTORY, 0);
    if (from < 0)
        return err_sysk(e, ERR_NOT_FOUND, -from, "data of zone %s", src);
    auto_fd int upper = openat(from, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (mkdirat(p->staging_fd, staged, 0700) < 0)
        return err_sys(e, "clone of %s", src);
    auto_fd int to = openat(p->staging_fd, staged, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = 0;
    if (mkdirat(to, "upper", 0755) < 0 || mkdirat(to, "work", 0700) < 0 || mkdirat(to, "log", 0700) < 0)
        r = err_sys(e, "clone of %s", src);
    auto_fd int new_upper = r < 0 ? -1 : openat(to, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r == 0)
        r = stor_copy_tree(upper, new_upper, src, e);
    if (r == 0)
        r = stor_zone_root_copy(from, to, e);
    if (r == 0 && renameat2(p->staging_fd, staged, p->zones_fd, dst, RENAME_NOREPLACE) < 0)
        r = err_sys(e, "clone to %s", dst);
    if (r < 0)
        (void)path_remove_tree(p->staging_fd, staged, NULL);
    return r;
}

int stor_zone_fd(const struct stor_pool *p, const char *zone, struct err *e)
{
    int fd = openat(p->zones_fd, zone, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? err_sys(e, "data of zone %s", zone) : fd;
}

static int list_names(int fd, char ***names, struct err *e)
{
    auto_dir DIR *d = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    char **v = NULL;
    if (!d)
        return err_sys(e, "data folder");
    for (struct dirent *ent; (ent = readdir(d));)
        if (ent->d_name[0] != '.')
            strv_add(&v, ent->d_name);
    *names = v;
    return 0;
}

int stor_zone_list(const struct stor_pool *p, char ***names, struct err *e)
{
    return list_names(p->zones_fd, names, e);
}

int stor_zone_usage(const struct stor_pool *p, const char *zone, uint64_t *bytes, struct err *e)
{
    int r = stor_tree_usage(p->zones_fd, zone, bytes);
    return r < 0 ? err_sysk(e, ERR_NOT_FOUND, -r, "data of zone %s", zone) : 0;
}

bool stor_zone_has(const struct stor_pool *p, const char *zone, const char *path)
{
    auto_free char *full = xasprintf("%s/upper/%s", zone, path);
    auto_fd int fd = path_open_beneath(p->zones_fd, full, O_PATH | O_NOFOLLOW, 0);
    return fd >= 0;
}

/* ---- descriptors for the rootfs step ---- */
/* The folder itself, so that its name, which may hold what overlay options mean something by, is none of them. */
static int open_lower_dir(const char *dir, struct stor_root_fds *out, struct err *e)
{
    strv_add(&out->lowers, ".");
    out->layers_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return out->layers_fd < 0 ? err_sys(e, "%s", dir) : 0;
}

int stor_root_open(const struct stor_pool *p, const char *zone, const struct stor_root_plan *rp,
                   struct stor_root_fds *out, struct err *e)
{
    struct stor_root_fds f = {.layers_fd = -1, .zone_fd = -1, .usr_fd = -1};
    int r = 0;
    if (rp->lower_dir)
        r = open_lower_dir(rp->lower_dir, &f, e);
    else {
        f.lowers = strv_copy(rp->lowers);
        f.layers_fd = fcntl(p->layers_fd, F_DUPFD_CLOEXEC, 3);
    }
    if (r == 0 && (f.zone_fd = stor_zone_fd(p, zone, e)) < 0)
        r = f.zone_fd;
    if (r == 0 && rp->host_usr && (f.usr_fd = open("/usr", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
        r = err_sys(e, "/usr");
    if (r < 0) {
        stor_root_fds_done(&f);
        return r;
    }
    *out = f;
    return 0;
}

void stor_root_fds_done(struct stor_root_fds *f)
{
    close_fd(&f->layers_fd);
    close_fd(&f->zone_fd);
    close_fd(&f->usr_fd);
    strv_free(f->lowers);
    f->lowers = NULL;
}

/* ---- volumes ---- */
int stor_volume_create(struct stor_pool *p, const char *name, struct err *e)
{
    if (mkdirat(p->volumes_fd, name, 0755) < 0)
        return errno == EEXIST ? err_set(e, ERR_CONFLICT, EEXIST, "volume %s exists already", name)
                               : err_sys(e, "volume %s", name);
    stor_volume_mark(p, name);
    return fchmodat(p->volumes_fd, name, 0755, 0) < 0 ? err_sys(e, "volume %s", name) : 0;
}

int stor_volume_discard(struct stor_pool *p, const char *name, struct err *e)
{
    char away[96];
    snprintf(away, sizeof(away), "vol-%s.%" PRIx64, name, clock_boot_us());
    if (renameat(p->volumes_fd, name, p->tmp_fd, away) < 0)
        return errno == ENOENT ? 0 : err_sys(e, "delete volume %s", name);
    return 0;
}

int stor_volume_open(const struct stor_pool *p, const char *name, struct err *e)
{
    int fd = openat(p->volumes_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    if (errno != ENOENT)
        return err_sys(e, "volume %s", name);
    err_set(e, ERR_NOT_FOUND, ENOENT, "volume %s does not exist", name);
    return err_hint(e, "zonectl volume create %s", name);
}

int stor_volume_list(const struct stor_pool *p, char ***names, struct err *e)
{
    return list_names(p->volumes_fd, names, e);
}

int stor_volume_usage(const struct stor_pool *p, const char *name, uint64_t *bytes, struct err *e)
{
    int r = stor_tree_usage(p->volumes_fd, name, bytes);
    return r < 0 ? err_sysk(e, ERR_NOT_FOUND, -r, "volume %s", name) : 0;
}

int stor_bind_open(const struct stor_pool *p, const char *path, bool *is_file, struct err *e)
{
    static const char *const never[] = {"/", "/proc", "/sys", "/dev", "/run/zoned", NULL};
    struct stat st;
    auto_free char *real = realpath(path, NULL);
    if (!real)
        return err_sys(e, "bind %s", path);
    for (unsigned i = 0; never[i]; i++)
        if (stor_path_below(never[i], real) || (i && stor_path_below(real, never[i])))
            return err_set(e, ERR_DENIED, EPERM, "bind %s: %s is never given to a zone", path, never[i]);
    if (stor_not_ours(p, real, ERR_DENIED, e) < 0)
        return err_prefix(e, "bind %s", path);
    auto_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = path_open_beneath(root, real + 1, O_PATH, 0); /* no link may have come in since */
    if (fd < 0)
        return err_sysk(e, ERR_CONFLICT, -fd, "bind %s", path);
    if (fstat(fd, &st) < 0 || !(S_ISDIR(st.st_mode) || S_ISREG(st.st_mode) || S_ISSOCK(st.st_mode))) {
        close(fd);
        return err_set(e, ERR_INVALID, EINVAL, "bind %s is no folder, file or socket", path);
    }
    *is_file = !S_ISDIR(st.st_mode);
    return fd;
}
