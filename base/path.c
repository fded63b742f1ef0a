/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths under a root, by openat2 alone. This room must never resolve a zone's path in any other way. */
#include "base/path.h"
#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_how(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC), .mode = mode, .resolve = resolve};
    if (!(flags & (O_CREAT | __O_TMPFILE)))
        how.mode = 0;
    int fd, tries = 0;
    do /* EAGAIN: a rename or mount raced with the walk (openat2(2)) */
        fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
    while (fd < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < 64)));
    return fd < 0 ? -errno : fd;
}

int path_open_in(int rootfd, const char *path, int flags, mode_t mode)
{
    return open_how(rootfd, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int path_open_beneath(int dirfd, const char *path, int flags, mode_t mode)
{
    return open_how(dirfd, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

int path_mkdirs_in(int rootfd, const char *path, mode_t mode, struct err *e)
{
    struct str done = {0};
    char **parts = str_split(path, "/");
    int fd = -1, r = 0;
    str_add(&done, ".");
    for (unsigned i = 0; r == 0 && i < strv_len(parts); i++) {
        auto_fd int parent = path_open_in(rootfd, done.p, O_PATH | O_DIRECTORY, 0);
        if (parent < 0)
            r = err_sysk(e, ERR_INVALID, -parent, "folder %s", done.p);
        else if (strcmp(parts[i], "..") && mkdirat(parent, parts[i], mode) < 0 && errno != EEXIST)
            r = err_sys(e, "mkdir %s/%s", done.p, parts[i]);
        str_addf(&done, "/%s", parts[i]);
    }
    if (r == 0) {
        fd = path_open_in(rootfd, done.p, O_PATH | O_DIRECTORY, 0);
        if (fd < 0)
            r = err_sysk(e, ERR_INVALID, -fd, "folder %s", path);
    }
    strv_free(parts);
    str_done(&done);
    return r < 0 ? r : fd;
}

int path_mkdirs(const char *path, mode_t mode, struct err *e)
{
    auto_free char *p = xstrdup(path);
    for (char *s = p + (*p == '/'); *s; s++) {
        if (*s != '/')
            continue;
        *s = '\0';
        if (mkdir(p, mode) < 0 && errno != EEXIST)
            return err_sys(e, "mkdir %s", p);
        *s = '/';
    }
    if (mkdir(p, mode) < 0 && errno != EEXIST)
        return err_sys(e, "mkdir %s", p);
    return 0;
}

static int open_dir_to_empty(int dirfd, const char *name)
{
    uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS;
    int fd = open_how(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, resolve);
    if (fd == -EACCES && fchmodat(dirfd, name, 0700, 0) == 0)
        fd = open_how(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, resolve);
    return fd;
}

/* One descriptor and one buffer per level, so a folder that lies deeper is first moved up into the top one, which
 * is then read again. More levels than an archive may have: the cage that unpacks one cannot rename. */
#define REMOVE_LEVELS 160

struct removal {
    const char *name;
    int top;
    unsigned moved;
    bool again;
    unsigned long *budget; /* entries that may yet be looked at; NULL: any number */
};

static int move_up(struct removal *rm, int fd, const char *name, struct err *e)
{
    char to[32];
    do {
        snprintf(to, sizeof(to), ".deep.%u", rm->moved++);
        if (renameat2(fd, name, rm->top, to, RENAME_NOREPLACE) == 0) {
            rm->again = true;
            return 0;
        }
    } while (errno == EEXIST);
    return errno == ENOENT ? 0 : err_sys(e, "delete %s/…/%s", rm->name, name);
}

static int empty_dir(struct removal *rm, int fd, unsigned depth, struct err *e);

static int remove_entry(struct removal *rm, int fd, const struct dirent *ent, unsigned depth, struct err *e)
{
    if (rm->budget && !*rm->budget)
        return -EAGAIN;
    if (rm->budget)
        --*rm->budget;
    if (ent->d_type != DT_DIR) {
        if (unlinkat(fd, ent->d_name, 0) == 0 || errno == ENOENT)
            return 0;
        if (errno != EISDIR)
            return err_sys(e, "delete %s/…/%s", rm->name, ent->d_name);
    }
    if (depth >= REMOVE_LEVELS)
        return move_up(rm, fd, ent->d_name, e);
    int sub = open_dir_to_empty(fd, ent->d_name);
    if (sub == -ENOENT)
        return 0;
    if (sub < 0)
        return err_sysk(e, sub == -EXDEV ? ERR_BUSY : ERR_INTERNAL, -sub, "delete %s/…/%s%s", rm->name,
                        ent->d_name, sub == -EXDEV ? ": something is mounted there" : "");
    int r = empty_dir(rm, sub, depth + 1, e);
    if (r == 0 && unlinkat(fd, ent->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        r = err_sys(e, "delete %s/…/%s", rm->name, ent->d_name);
    return r;
}

/* Takes fd. */
static int empty_dir(struct removal *rm, int fd, unsigned depth, struct err *e)
{
    auto_dir DIR *d = fdopendir(fd);
    int r = 0;
    if (!d) {
        close(fd);
        return err_sys(e, "delete %s", rm->name);
    }
    for (struct dirent *ent; r == 0 && (ent = readdir(d));)
        if (strcmp(ent->d_name, ".") && strcmp(ent->d_name, ".."))
            r = remove_entry(rm, fd, ent, depth, e);
    return r;
}

int path_remove_some(int dirfd, const char *name, unsigned long *budget, struct err *e)
{
    if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return err_sys(e, "delete %s", name);
    struct removal rm = {.name = name, .again = true, .budget = budget};
    for (int r = 0; rm.again;) {
        rm.again = false;
        rm.top = open_dir_to_empty(dirfd, name);
        if (rm.top == -ENOENT)
            return 0;
        if (rm.top < 0)
            return err_sysk(e, rm.top == -EXDEV ? ERR_BUSY : ERR_INTERNAL, -rm.top,
                            rm.top == -EXDEV ? "delete %s: something is mounted there" : "delete %s", name);
        if ((r = empty_dir(&rm, rm.top, 0, e)) < 0)
            return r;
    }
    if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return err_sys(e, "delete %s", name);
    return 0;
}

int path_remove_tree(int dirfd, const char *name, struct err *e)
{
    return path_remove_some(dirfd, name, NULL, e);
}

char *path_join(const char *a, const char *b)
{
    size_t n = strlen(a);
    while (n && a[n - 1] == '/')
        n--;
    while (*b == '/')
        b++;
    return xasprintf("%.*s/%s", (int)n, a, b);
}

bool path_is_component(const char *name)
{
    if (!name || !*name || strlen(name) > 255 || !strcmp(name, ".") || !strcmp(name, ".."))
        return false;
    for (const char *p = name; *p; p++)
        if (*p == '/' || (unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
    return true;
}

bool path_is_clean_absolute(const char *path)
{
    if (!path || *path != '/' || strlen(path) > 4095)
        return false;
    bool clean = true;
    char **parts = str_split(path, "/");
    for (unsigned i = 0; clean && i < strv_len(parts); i++)
        clean = path_is_component(parts[i]);
    strv_free(parts);
    return clean;
}
