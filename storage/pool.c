/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The data folder: layers, zones, volumes, staging, tmp. Checked at the door, cleared of what dead workers
 * left. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define FORMAT_TEXT "zoned-data 1\n"

/* Host users must never reach a zone's own setuid file: the pool lies below a 0700 folder of root. */
static int check_owner(const char *dir, int fd, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys(e, "%s", dir);
    if (st.st_uid == geteuid() && !(st.st_mode & 077))
        return 0;
    err_set(e, ERR_DENIED, EPERM, "data folder %s must belong to root with mode 0700", dir);
    return err_hint(e, "chown root %s; chmod 0700 %s", dir, dir);
}

static int check_format(int fd, const char *dir, struct err *e)
{
    auto_free char *text = NULL;
    struct err re = {0};
    int r = file_read(fd, "format", 64, &text, NULL, &re);
    if (r == -ENOENT)
        return file_replace(fd, "format", FORMAT_TEXT, strlen(FORMAT_TEXT), 0600, true, e);
    if (r < 0)
        return err_set(e, re.kind, re.code, "%s", re.text);
    if (strcmp(text, FORMAT_TEXT))
        return err_set(e, ERR_UNSUPPORTED, EINVAL,
                       "data folder %s has a format that this version does not know", dir);
    return 0;
}

static int open_sub(int fd, const char *name, int *out, struct err *e)
{
    if (mkdirat(fd, name, 0700) < 0 && errno != EEXIST)
        return err_sys(e, "data folder %s", name);
    *out = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return *out < 0 ? err_sys(e, "data folder %s", name) : 0;
}

/* Goes on after a failure; the first one is told. budget as path_remove_some. */
static int clear(int fd, unsigned long *budget, struct err *e)
{
    auto_dir DIR *d = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    int first = 0;
    for (struct dirent *ent; d && (ent = readdir(d));) {
        if (!strcmp(ent->d_name, ".") || !strcmp(ent->d_name, ".."))
            continue;
        int r = path_remove_some(fd, ent->d_name, budget, e);
        if (r == -EAGAIN)
            return r;
        first = first ? first : r;
    }
    return first;
}

int stor_pool_open(const char *dir, struct stor_pool **out, struct err *e)
{
    struct stor_pool *p = xcalloc(1, sizeof(*p));
    p->dir = xstrdup(dir);
    p->fd = p->layers_fd = p->zones_fd = p->volumes_fd = p->staging_fd = p->tmp_fd = -1;
    int r = path_mkdirs(dir, 0700, e);
    if (r == 0) {
        free(p->dir);
        p->dir = realpath(dir, NULL); /* others compare canonical paths with it */
        p->fd = p->dir ? open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        r = p->fd < 0 ? err_sys(e, "%s", dir) : check_owner(dir, p->fd, e);
    }
    r = r < 0 ? r : check_format(p->fd, dir, e);
    r = r < 0 ? r : open_sub(p->fd, "layers", &p->layers_fd, e);
    r = r < 0 ? r : open_sub(p->fd, "zones", &p->zones_fd, e);
    r = r < 0 ? r : open_sub(p->fd, "volumes", &p->volumes_fd, e);
    r = r < 0 ? r : open_sub(p->fd, "staging", &p->staging_fd, e);
    r = r < 0 ? r : open_sub(p->fd, "tmp", &p->tmp_fd, e);
    if (r < 0) {
        stor_pool_free(p);
        return r;
    }
    (void)fchmod(p->layers_fd, 0755); /* seen from inside a zone, below the 0700 pool */
    *out = p;
    return 0;
}

bool stor_path_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    return !strcmp(dir, "/") || (!strncmp(path, dir, n) && (!path[n] || path[n] == '/'));
}

int stor_not_ours(const struct stor_pool *p, const char *real, enum err_kind kind, struct err *e)
{
    if (stor_path_below(real, p->dir) || stor_path_below(p->dir, real))
        return err_set(e, kind, EPERM, "overlaps the data folder of zoned");
    for (char **n = p->never; n && *n; n++)
        if (stor_path_below(real, *n) || stor_path_below(*n, real))
            return err_set(e, kind, EPERM, "overlaps %s, where a zoned keeps its own", *n);
    return 0;
}

int stor_trash_empty(struct stor_pool *p, unsigned long most, struct err *e)
{
    return clear(p->tmp_fd, most ? &most : NULL, e);
}

/* Only the daemon that owns the pool calls this, before it forks workers. */
void stor_pool_clear(struct stor_pool *p)
{
    img_recover(p);
    (void)clear(p->staging_fd, NULL, NULL);
    (void)clear(p->tmp_fd, NULL, NULL);
}

int stor_work_make(struct stor_pool *p, const char *name, struct err *e)
{
    if (mkdirat(p->staging_fd, name, 0700) < 0 && errno != EEXIST)
        return err_sys(e, "staging/%s", name);
    auto_fd int fd = openat(p->staging_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 || fchmodat(p->staging_fd, name, 01777, 0) < 0 ? err_sys(e, "staging/%s", name)
                                                                 : take_fd(&fd);
}

int stor_work_discard(struct stor_pool *p, const char *name)
{
    auto_free char *away = xasprintf("%s.%" PRIx64, name, clock_boot_us());
    return renameat(p->staging_fd, name, p->tmp_fd, away) == 0;
}

void stor_pool_free(struct stor_pool *p)
{
    if (!p)
        return;
    close_fd(&p->fd);
    close_fd(&p->layers_fd);
    close_fd(&p->zones_fd);
    close_fd(&p->volumes_fd);
    close_fd(&p->staging_fd);
    close_fd(&p->tmp_fd);
    strv_free(p->never);
    free(p->dir);
    free(p);
}

void stor_pool_never(struct stor_pool *p, char *const *folders)
{
    strv_free(p->never);
    p->never = NULL;
    for (char *const *f = folders; f && *f; f++) {
        char *real = realpath(*f, NULL);
        strv_take(&p->never, real ? real : xstrdup(*f));
    }
}

int stor_pool_fd(const struct stor_pool *p)
{
    return p->fd;
}

static void df_rows(json *list, int fd, const char *what)
{
    auto_dir DIR *d = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (struct dirent *ent; d && (ent = readdir(d));) {
        uint64_t bytes = 0;
        if (ent->d_name[0] == '.' || stor_tree_usage(fd, ent->d_name, &bytes) < 0)
            continue;
        json *o = js_object();
        js_set_str(o, "what", what);
        js_set_str(o, "name", ent->d_name);
        js_set_int(o, "bytes", (int64_t)bytes);
        js_set_bool(o, "shared", !strcmp(what, "layers"));
        js_add(list, o);
    }
}

int stor_df(const struct stor_pool *p, json **out, struct err *e)
{
    json *list = js_array();
    auto_fd int images = openat(p->fd, "images", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (images >= 0)
        df_rows(list, images, "images");
    df_rows(list, p->layers_fd, "layers");
    df_rows(list, p->zones_fd, "zones");
    df_rows(list, p->volumes_fd, "volumes");
    *out = list;
    return 0;
}
