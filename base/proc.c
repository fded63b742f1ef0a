/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes and the private /proc. */
#include "base/proc.h"
#include "base/auto.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

/* PIDFD_GET_INFO, first published size (64 bytes); exit information since 6.15. Source: linux/pidfd.h. */
struct pidfd_info_v0 {
    uint64_t mask, cgroupid;
    uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    int32_t exit_code;
};
#define PIDFD_INFO_EXIT_BIT (1ull << 3)
#define PIDFD_GET_INFO_V0 _IOWR(0xFF, 11, struct pidfd_info_v0)

int pidfd_open_pid(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    return fd < 0 ? -errno : fd;
}

int pidfd_kill(int pidfd, int sig)
{
    return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

int pidfd_exit_status(int pidfd, int *wait_status)
{
    struct pidfd_info_v0 info = {.mask = PIDFD_INFO_EXIT_BIT};
    if (ioctl(pidfd, PIDFD_GET_INFO_V0, &info) < 0)
        return errno == ENOTTY || errno == EINVAL ? -EOPNOTSUPP : -errno;
    if (!(info.mask & PIDFD_INFO_EXIT_BIT))
        return 0;
    *wait_status = info.exit_code;
    return 1;
}

int exit_status_of(int wait_status)
{
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

int proc_start_time(pid_t pid, uint64_t *ticks)
{
    char path[64];
    auto_free char *text = NULL;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    int r = file_read(AT_FDCWD, path, 4096, &text, NULL, NULL);
    if (r < 0)
        return r;
    char *p = strrchr(text, ')'); /* the name may hold spaces and brackets */
    if (!p)
        return -EINVAL;
    char *save = NULL, *word = strtok_r(p + 1, " ", &save);
    for (int field = 3; word && field < 22; field++)
        word = strtok_r(NULL, " ", &save);
    if (!word)
        return -EINVAL;
    *ticks = strtoull(word, NULL, 10);
    return 0;
}

char *proc_boot_id(void)
{
    char *text = NULL;
    if (file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, NULL, NULL) < 0)
        return xstrdup("");
    text[strcspn(text, "\n")] = '\0';
    return text;
}

static int is_procfs(int fd)
{
    struct statfs sf;
    if (fstatfs(fd, &sf) < 0)
        return -errno;
    return sf.f_type == PROC_SUPER_MAGIC ? 0 : -EXDEV;
}

int procfs_open(struct err *e)
{
    auto_fd int fs = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC);
    if (fs >= 0 && syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0) {
        int fd = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
                              MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        if (fd >= 0)
            return fd;
    }
    int fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, "/proc");
    if (is_procfs(fd) < 0) {
        close(fd);
        return err_set(e, ERR_UNSUPPORTED, EXDEV, "/proc is not a proc filesystem");
    }
    return fd;
}

static int procfs_open_file(int procfs, const char *path, int flags, struct err *e)
{
    int fd = path_open_beneath(procfs, path, flags, 0);
    if (fd == -ELOOP && !strncmp(path, "self/", 5)) { /* /proc/self is a link by design */
        char own[300];
        snprintf(own, sizeof(own), "%d/%s", (int)getpid(), path + 5);
        fd = path_open_beneath(procfs, own, flags, 0);
    }
    if (fd < 0)
        return err_sysk(e, ERR_INTERNAL, -fd, "/proc/%s", path);
    if (is_procfs(fd) < 0) {
        close(fd);
        return err_set(e, ERR_DENIED, EXDEV, "/proc/%s is covered by another filesystem", path);
    }
    return fd;
}

int procfs_write(int procfs, const char *path, const char *text, struct err *e)
{
    auto_fd int fd = procfs_open_file(procfs, path, O_WRONLY, e);
    if (fd < 0)
        return fd;
    if (write(fd, text, strlen(text)) < 0)
        return err_sys(e, "write \"%.60s\" to /proc/%s", text, path);
    return 0;
}

int procfs_read(int procfs, const char *path, size_t max, char **text, struct err *e)
{
    auto_fd int fd = procfs_open_file(procfs, path, O_RDONLY, e);
    if (fd < 0)
        return fd;
    auto_free char *buf = calloc(1, max + 1);
    if (!buf)
        return err_set(e, ERR_LIMIT, ENOMEM, "/proc/%s", path);
    ssize_t n = fd_read_full(fd, buf, max);
    if (n < 0)
        return err_sysk(e, ERR_INTERNAL, (int)-n, "read /proc/%s", path);
    *text = take_ptr(&buf);
    return 0;
}

void proc_fix_stdio(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", fd ? O_WRONLY : O_RDONLY);
}
