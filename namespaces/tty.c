/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Terminals: a devpts instance per zone and ptys in it, made from outside. A zone may mount over what lies in
 * its /dev/pts, which is the same mount as ours: opening the multiplexer must never cross a mount. Source:
 * devpts(5). */
#include "namespaces/inner.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define GROUP_TTY 5
#define PTYS_MAX "1024" /* the host's kernel.pty.max is for all zones together */

int nspace_devpts_new(uint32_t uid_base, struct err *e)
{
    char gid[16];
    snprintf(gid, sizeof(gid), "%u", uid_base + GROUP_TTY);
    const char *options[] = {"mode", "0620", "ptmxmode", "0666", "gid", gid, "max", PTYS_MAX, NULL};
    int fd = nspace_fs("devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, e);
    if (fd >= 0) /* looks better in the zone than nobody; nothing depends on it */
        (void)!fchownat(fd, "", uid_base, uid_base, AT_EMPTY_PATH);
    return fd;
}

static int open_ptmx(int devpts_fd)
{
    struct open_how how = {.flags = O_RDWR | O_NOCTTY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV};
    struct stat st;
    int fd = (int)syscall(SYS_openat2, devpts_fd, "ptmx", &how, sizeof(how));
    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2))) {
        close(fd);
        errno = EXDEV;
        return -1;
    }
    return fd;
}

int nspace_pty_new(int devpts_fd, uint32_t uid_base, int *master, int *slave, struct err *e)
{
    int unlock = 0;
    auto_fd int m = open_ptmx(devpts_fd);
    if (m < 0 || ioctl(m, TIOCSPTLCK, &unlock) < 0)
        return err_sys(e, "new terminal");
    auto_fd int s = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (s < 0 || fchown(s, uid_base, uid_base + GROUP_TTY) < 0)
        return err_sys(e, "new terminal");
    *master = take_fd(&m);
    *slave = take_fd(&s);
    return 0;
}
