/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths under a root, by openat2 alone. This room must never resolve a zone's path in any other way. */
#include "base/path.h"
#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <linux/openat2.h>
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

/* Empties the folder by name, depth first. A tree deeper than the descriptor limit is not ours to make. */
static int empty_dir(int dirfd, const char *name, unsigned depth, struct err *e)
{
    if (depth > 4096)
        return err_set(e, ERR_LIMIT, ELOOP, "%s: folders nested too deep", name);
    int fd = open_dir_to_empty(dirfd, name);
    if (fd == -ENOENT)
        return 0;
    if (fd < 0)
        return err_sysk(e, fd == -EXDEV ? ERR_BUSY : ERR_INTERNAL, -fd,
                        fd == -EXDEV ? "delete %s: something is mounted there" : "delete %s", name);
    auto_dir DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return err_sys(e, "delete %s", name);
    }
    for (struct dirent *ent; (ent = readdir(d));) {
        if (!strcmp(ent->d_name, ".") || !strcmp(ent->d_name, ".."))
            continue;
        int r = 0;
        if (ent->d_type == DT_DIR || unlinkat(fd, ent->d_name, 0) < 0) {
            if (ent->d_type != DT_DIR && errno != EISDIR && errno != EPERM && errno != ENOENT)
                return err_sys(e, "delete %s/%s", name, ent->d_name);
            r = path_remove_tree(fd, ent->d_name, e);
        }
        if (r < 0)
            return r;
    }
    return 0;
}

int path_remove_tree(int dirfd, const char *name, struct err *e)
{
    if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return err_sys(e, "delete %s", name);
    static __thread unsigned depth;
    depth++;
    int r = empty_dir(dirfd, name, depth, e);
    depth--;
    if (r < 0)
        return r;
    if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return err_sys(e, "delete %s", name);
    return 0;
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
