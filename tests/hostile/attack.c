/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What root of a zone would try. Each prints one line: "held", or "won" and what. */
#include "tests/hostile/hostile.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static int won(const char *what, const char *more)
{
    printf("won %s %s\n", what, more);
    return 1;
}
static int held(void)
{
    printf("held\n");
    return 0;
}

/* Types into the terminal of whoever attached it. */
static int tiocsti(int argc, char **argv)
{
    char c = '#';
    if (ioctl(0, TIOCSTI, &c) == 0)
        return won("TIOCSTI", "");
    return errno == EPERM ? held() : won("nothing, but", strerror(errno));
}

/* May this handle be written (the link of a running program, of a mapped file)? Nothing is changed: the byte that is
 * written is the one that was there. */
static bool can_write(const char *path)
{
    char c;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    bool yes = fd >= 0 && pread(fd, &c, 1, 0) == 1 && pwrite(fd, &c, 1, 0) == 1;
    if (fd >= 0)
        close(fd);
    return yes;
}

/* Does the link lead to something that the zone does not have at that name? */
static bool outside(const char *link)
{
    char to[4096];
    struct stat there, here;
    ssize_t n = readlink(link, to, sizeof(to) - 1);
    if (n <= 0 || to[0] != '/' || stat(link, &there) < 0)
        return false;
    to[n] = '\0';
    if (!S_ISDIR(there.st_mode) && !S_ISREG(there.st_mode) && !S_ISBLK(there.st_mode))
        return false;
    if (!strncmp(to, "/memfd:", 7))
        return can_write(link);
    return stat(to, &here) < 0 || here.st_dev != there.st_dev || here.st_ino != there.st_ino;
}

static bool look_at(const char *pid, char *what)
{
    static const char *const links[] = {"exe", "cwd", "root"};
    char path[512];
    for (int i = 0; i < 3; i++) {
        snprintf(what, 512, "/proc/%s/%s", pid, links[i]);
        if (outside(what))
            return true;
    }
    snprintf(path, sizeof(path), "/proc/%s/fd", pid);
    DIR *d = opendir(path);
    bool found = false;
    for (struct dirent *e; !found && d && (e = readdir(d));) {
        snprintf(what, 512, "/proc/%.20s/fd/%.20s", pid, e->d_name);
        found = e->d_name[0] != '.' && outside(what);
    }
    if (d)
        closedir(d);
    return found;
}

/* handles SECONDS: looks at every process of the zone, as fast as it goes, for a handle to the outside: programs, folders,
 * descriptors, also of those that are just entering. */
static int handles(int argc, char **argv)
{
    time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 0);
    char what[512], to[512] = "";
    unsigned rounds = 0;
    do {
        DIR *d = opendir("/proc");
        for (struct dirent *e; d && (e = readdir(d));)
            if (strspn(e->d_name, "0123456789") == strlen(e->d_name) && look_at(e->d_name, what)) {
                (void)!readlink(what, to, sizeof(to) - 1);
                return won(what, to);
            }
        if (d)
            closedir(d);
        rounds++;
    } while (time(NULL) < end);
    fprintf(stderr, "# %u rounds\n", rounds);
    return held();
}

/* ptrace SECONDS: takes hold of whatever enters, before it is the zone's; a process of the zone's own program is no prize,
 * one that still runs another program is. */
static int ptraces(int argc, char **argv)
{
    time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 1);
    unsigned tried = 0;
    for (pid_t pid = 2; time(NULL) < end; pid = pid > 30000 ? 2 : pid + 1) {
        char path[64], to[256] = "";
        if (pid == getpid() || ptrace(PTRACE_SEIZE, pid, 0, 0) < 0) {
            tried += errno == EPERM;
            continue;
        }
        snprintf(path, sizeof(path), "/proc/%d/exe", pid);
        (void)!readlink(path, to, sizeof(to) - 1);
        ptrace(PTRACE_INTERRUPT, pid, 0, 0);
        ptrace(PTRACE_DETACH, pid, 0, 0);
        if (strstr(to, "zone-sup") || strstr(to, "zoned"))
            return won("a process that enters", to);
    }
    fprintf(stderr, "# refused %u times\n", tried);
    return held();
}

/* writes PATH…: opens for writing what only the host may write; nothing is written. */
static int writes(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        int fd = open(argv[i], O_WRONLY | O_CLOEXEC);
        if (fd >= 0)
            return won("writing", argv[i]);
    }
    return held();
}

/* exe PATH: writes to the program behind a link, e.g. /proc/1/exe; also by mapping, and through a descriptor of it. */
static int exe(int argc, char **argv)
{
    char path[64];
    int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (can_write(argv[1]))
        return won("writing", argv[1]);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (fd >= 0 &&
        (can_write(path) || mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED))
        return won("writing by a descriptor of", argv[1]);
    return held();
}

/* swap A B SECONDS: exchanges two names. */
static int swap(int argc, char **argv)
{
    time_t end = time(NULL) + atoi(argv[3]);
    while (time(NULL) < end)
        for (int i = 0; i < 1000; i++)
            if (renameat2(AT_FDCWD, argv[1], AT_FDCWD, argv[2], RENAME_EXCHANGE) < 0 && errno != ENOENT)
                return won("nothing, but", strerror(errno));
    return held();
}

/* A device node that is made and opens. */
static int devices(int argc, char **argv)
{
    if (mknod("/tmp/attack-node", S_IFCHR | 0600, makedev(1, 3)) == 0) {
        bool opens = open("/tmp/attack-node", O_RDONLY) >= 0;
        unlink("/tmp/attack-node");
        if (opens)
            return won("a device node", "");
    }
    return held();
}

/* mounts: take off what masks, make writable what is read-only, mount what reaches the host. */
static int mounts(int argc, char **argv)
{
    static const char *const masks[] = {"/proc/kcore", "/proc/kmsg", "/sys/firmware", "/sys/kernel/security"};
    for (unsigned i = 0; i < sizeof(masks) / sizeof(*masks); i++)
        if (umount2(masks[i], MNT_DETACH) == 0)
            return won("unmasking", masks[i]);
    if (mount(NULL, "/usr", NULL, MS_REMOUNT | MS_BIND, NULL) == 0)
        return won("remounting", "/usr");
    if (mount("x", "/tmp", "tmpfs", 0, NULL) == 0)
        return won("mounting", "/tmp");
    return held();
}

/* vsock: the hypervisor's side of the machine. */
static int families(int argc, char **argv)
{
    if (socket(AF_VSOCK, SOCK_STREAM, 0) >= 0 || socket(AF_ALG, SOCK_SEQPACKET, 0) >= 0)
        return won("a socket", "");
    return held();
}

const struct attack attacks[] = {
    {"tiocsti", tiocsti}, {"handles", handles}, {"ptrace", ptraces}, {"writes", writes},     {"exe", exe},
    {"swap", swap},       {"devices", devices}, {"mounts", mounts},  {"families", families}, {NULL, NULL}};
