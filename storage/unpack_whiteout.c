/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a layer takes away: aufs' names in archives become what overlay reads on disk, a 0:0 character device or an opaque
 * folder. They concern what lies below the layer, never what it brings itself. Sources: image-spec 1.1 layer.md, overlayfs.rst. */
#include "base/auto.h"
#include "storage/unpack.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define PREFIX ".wh."
#define META ".wh..wh."
#define OPAQUE ".wh..wh..opq"

bool unpack_is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

int unpack_make_opaque(int dir, const char *base, const char *path, struct err *e)
{
    auto_fd int fd = openat(dir, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fsetxattr(fd, OVERLAY_OPAQUE, "y", 1, 0) < 0)
        return err_sys(e, "archive member %.200s", path);
    return 0;
}

static int hide(int dir, const char *name, const char *path, struct err *e)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return S_ISDIR(st.st_mode) ? unpack_make_opaque(dir, name, path, e) : 0;
    if (errno != ENOENT || mknodat(dir, name, S_IFCHR, makedev(0, 0)) < 0)
        return err_sys(e, "archive member %.200s", path);
    return 0;
}

int unpack_whiteout(struct unpacker *u, int dir, const char *base, const char *path, struct err *e)
{
    if (strncmp(base, PREFIX, strlen(PREFIX)) != 0)
        return 0;
    const char *hidden = base + strlen(PREFIX);
    int r = 0;
    if (!strcmp(base, OPAQUE))
        r = unpack_make_opaque(dir, ".", path, e);
    else if (!*hidden || !strcmp(hidden, ".") || !strcmp(hidden, ".."))
        return unpack_refuse(e, path, "takes away its own folder or the one above");
    else if (strncmp(base, META, strlen(META)) != 0) /* aufs' own files mean nothing here */
        r = hide(dir, hidden, path, e);
    return r < 0 ? r : 1;
}
