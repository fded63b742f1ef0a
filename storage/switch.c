/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone changes what it is made of (its package), and can go back. The new self is made whole in next.tmp and becomes next by a
 * rename: from then on the change goes forward only, also after a kill: each piece moves by a rename that is done once, the old
 * ones into aside. At the end aside is previous. Going back is the same with previous as next. Pieces: upper (its own changes),
 * root (its layers), package and spec (texts of the daemon's). Volumes, log and lease are no pieces: they stay. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOTE_MAX (2u << 20)

static const char *const pieces[] = {"upper", "root", "package", "spec"};

static int open_zone(const struct stor_pool *p, const char *zone, struct err *e)
{
    int fd = openat(p->zones_fd, zone, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? err_sys(e, "data of zone %s", zone) : fd;
}

static bool there(int dir, const char *name)
{
    return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int stor_zone_note_put(const struct stor_pool *p, const char *zone, const char *name, const char *text,
                       struct err *e)
{
    auto_fd int dir = open_zone(p, zone, e);
    return dir < 0 ? dir : file_replace(dir, name, text, strlen(text), 0600, true, e);
}

int stor_zone_note_get(const struct stor_pool *p, const char *zone, const char *name, char **text)
{
    size_t n;
    auto_fd int dir = open_zone(p, zone, NULL);
    return dir < 0 ? dir : file_read(dir, name, NOTE_MAX, text, &n, NULL);
}

/* Away at once; the daemon's tidying deletes it. */
static int discard(const struct stor_pool *p, int dir, const char *name)
{
    char away[96];
    snprintf(away, sizeof(away), "%s.%" PRIx64, name, clock_boot_us());
    return renameat(dir, name, p->tmp_fd, away) < 0 && errno != ENOENT ? -errno : 0;
}

int stor_zone_stage(const struct stor_pool *p, const char *zone, const struct stor_root_plan *root,
                    const char *package, const char *spec, struct err *e)
{
    auto_fd int dir = open_zone(p, zone, e);
    if (dir < 0)
        return dir;
    if (there(dir, "next"))
        return err_set(e, ERR_BUSY, EBUSY, "zone %s has a change under way", zone);
    if (discard(p, dir, "next.tmp") < 0 || mkdirat(dir, "next.tmp", 0700) < 0)
        return err_sys(e, "data of zone %s", zone);
    auto_fd int next = openat(dir, "next.tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0 || mkdirat(next, "upper", 0755) < 0 || fchmodat(next, "upper", 0755, 0) < 0)
        return err_sys(e, "data of zone %s", zone);
    auto_js json *j = stor_root_to_json(root);
    auto_free char *text = js_dump(j, false);
    int r = file_replace(next, "root", text, strlen(text), 0600, true, e);
    r = r < 0 ? r : file_replace(next, "package", package, strlen(package), 0600, true, e);
    r = r < 0 ? r : file_replace(next, "spec", spec, strlen(spec), 0600, true, e);
    if (r == 0 && (renameat2(dir, "next.tmp", dir, "next", RENAME_NOREPLACE) < 0 || fsync(dir) < 0))
        r = err_sys(e, "data of zone %s", zone);
    return r;
}

int stor_zone_stage_back(const struct stor_pool *p, const char *zone, struct err *e)
{
    auto_fd int dir = open_zone(p, zone, e);
    if (dir < 0)
        return dir;
    if (!there(dir, "previous"))
        return err_set(e, ERR_NOT_FOUND, ENOENT, "zone %s has nothing to go back to", zone);
    if (renameat2(dir, "previous", dir, "next", RENAME_NOREPLACE) < 0 || fsync(dir) < 0)
        return err_sys(e, "data of zone %s", zone);
    return 0;
}

void stor_zone_unstage(const struct stor_pool *p, const char *zone)
{
    auto_fd int dir = open_zone(p, zone, NULL);
    if (dir >= 0)
        (void)discard(p, dir, "next.tmp");
}

bool stor_zone_staged(const struct stor_pool *p, const char *zone)
{
    auto_free char *path = xasprintf("%s/next", zone);
    return faccessat(p->zones_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool stor_zone_has_previous(const struct stor_pool *p, const char *zone)
{
    auto_free char *path = xasprintf("%s/previous/spec", zone);
    return faccessat(p->zones_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Once each, at whatever moment the one before was cut off: what is still in next has not come yet. */
static int move_piece(int dir, int next, int aside, const char *piece)
{
    if (!there(next, piece))
        return 0;
    if (renameat(dir, piece, aside, piece) < 0 && errno != ENOENT)
        return -errno;
    return renameat(next, piece, dir, piece) < 0 ? -errno : 0;
}

/* Where none is left in next, aside may be previous already: a new one would take its place. */
static int move_pieces(int dir)
{
    bool any = false;
    auto_fd int next = openat(dir, "next", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0)
        return -errno;
    for (unsigned i = 0; i < ARRAY_LEN(pieces); i++)
        any = any || there(next, pieces[i]);
    if (!any)
        return 0;
    if (mkdirat(dir, "aside", 0700) < 0 && errno != EEXIST)
        return -errno;
    auto_fd int aside = openat(dir, "aside", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int r = aside < 0 ? -errno : 0;
    for (unsigned i = 0; r == 0 && i < ARRAY_LEN(pieces); i++)
        r = move_piece(dir, next, aside, pieces[i]);
    return r == 0 && (fsync(aside) < 0 || fsync(dir) < 0) ? -errno : r;
}

int stor_zone_switch(const struct stor_pool *p, const char *zone, char **spec, struct err *e)
{
    auto_fd int dir = open_zone(p, zone, e);
    if (dir < 0)
        return dir;
    int r = move_pieces(dir);
    if (r < 0)
        return err_sysk(e, ERR_INTERNAL, -r, "data of zone %s", zone);
    size_t n;
    return file_read(dir, "spec", NOTE_MAX, spec, &n, e);
}

int stor_zone_switched(const struct stor_pool *p, const char *zone, struct err *e)
{
    auto_fd int dir = open_zone(p, zone, e);
    if (dir < 0)
        return dir;
    int r = there(dir, "aside") ? discard(p, dir, "previous") : 0;
    if (r == 0 && renameat(dir, "aside", dir, "previous") < 0 && errno != ENOENT)
        r = -errno;
    if (r == 0)
        r = discard(p, dir, "next");
    if (r == 0 && fsync(dir) < 0)
        r = -errno;
    return r < 0 ? err_sysk(e, ERR_INTERNAL, -r, "data of zone %s", zone) : 0;
}
