/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a zone has, as its own processes see it, in lines that a review can read: one fact a line, no number that
 * another host or another start would change. tests/golden holds what it must be. */
#include "tests/hostile/hostile.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

extern char **environ;

static char *slurp(const char *path)
{
    static char buf[262144];
    int fd = open(path, O_RDONLY);
    ssize_t n = 0, got;
    while (fd >= 0 && n < (ssize_t)sizeof(buf) - 1 &&
           (got = read(fd, buf + n, sizeof(buf) - 1 - (size_t)n)) > 0)
        n += got;
    if (fd >= 0)
        close(fd);
    buf[n] = '\0';
    return fd < 0 ? NULL : buf;
}

/* The value after "key:" of a status file, or "". */
static const char *value(const char *text, const char *key)
{
    static char out[256];
    size_t n = strlen(key);
    out[0] = '\0';
    for (const char *p = text; p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
        if (!strncmp(p, key, n) && p[n] == ':') {
            p += n + 1;
            p += strspn(p, "\t ");
            snprintf(out, sizeof(out), "%.*s", (int)strcspn(p, "\n"), p);
            return out;
        }
    return out;
}

static void capabilities(const char *status)
{
    unsigned long long bounding = strtoull(value(status, "CapBnd"), NULL, 16);
    static const char *const same[] = {"CapPrm", "CapEff"}, *const none[] = {"CapInh", "CapAmb"};
    for (int c = 0; c < 64; c++) {
        char *name = bounding & (1ull << c) ? cap_to_name(c) : NULL;
        if (name)
            printf("capability %s\n", name);
        cap_free(name);
    }
    for (int i = 0; i < 2; i++) {
        unsigned long long v = strtoull(value(status, same[i]), NULL, 16);
        printf("%s %s\n", same[i], v == bounding ? "as bounding" : "differs");
        printf("%s %s\n", none[i], strtoull(value(status, none[i]), NULL, 16) ? "not empty" : "empty");
    }
}

static void maps(const char *which)
{
    unsigned inside = 1, outside = 0, count = 0;
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/%s", which);
    const char *t = slurp(path);
    int n = t ? sscanf(t, "%u %u %u", &inside, &outside, &count) : 0;
    printf("%s %u to %s, %u ids, %s\n", which, inside, outside >= 65536 ? "its own" : "the host's", count,
           n == 3 && strchr(t, '\n') && !strchr(t, '\n')[1] ? "one range" : "more ranges");
}

static void identity(void)
{
    static const char *const fields[] = {
        "NoNewPrivs", "Seccomp", "Seccomp_filters", "Groups", "SigBlk", "SigIgn", "Uid", "Gid"};
    char *status = strdup(slurp("/proc/self/status"));
    maps("uid_map");
    maps("gid_map");
    for (unsigned i = 0; i < sizeof(fields) / sizeof(*fields); i++)
        printf("%s %s\n", fields[i], value(status, fields[i]));
    capabilities(status);
    free(status);
    mode_t m = umask(0);
    char cwd[256];
    printf("umask %03o\n", m);
    umask(m);
    printf("cwd %s\n", getcwd(cwd, sizeof(cwd)));
    printf("oom_score_adj %s", slurp("/proc/self/oom_score_adj"));
    char *t = slurp("/proc/self/setgroups");
    printf("setgroups %s", t ? t : "?\n");
    for (int fd = 0; fd < 65536; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            printf("descriptor %d\n", fd);
    for (char **e = environ; *e; e++)
        printf("environment %s\n", *e);
}

static void limits(void)
{
    static const struct {
        const char *name;
        int which;
    } l[] = {{"nofile", RLIMIT_NOFILE}, {"memlock", RLIMIT_MEMLOCK}, {"core", RLIMIT_CORE}};
    for (unsigned i = 0; i < sizeof(l) / sizeof(*l); i++) {
        struct rlimit r;
        getrlimit((__rlimit_resource_t)l[i].which, &r);
        printf("limit %s %llu:%llu\n", l[i].name, (unsigned long long)r.rlim_cur,
               (unsigned long long)r.rlim_max);
    }
    static const char *const sysctls[] = {"net/ipv4/ip_unprivileged_port_start",
                                          "net/ipv4/ping_group_range",
                                          "net/ipv6/conf/default/accept_ra",
                                          "user/max_user_namespaces",
                                          "user/max_mnt_namespaces",
                                          "user/max_net_namespaces",
                                          "user/max_pid_namespaces",
                                          "user/max_inotify_instances",
                                          "user/max_inotify_watches"};
    for (unsigned i = 0; i < sizeof(sysctls) / sizeof(*sysctls); i++) {
        char path[128];
        snprintf(path, sizeof(path), "/proc/sys/%s", sysctls[i]);
        const char *t = slurp(path);
        printf("sysctl %s %s", sysctls[i], t ? t : "?\n");
    }
}

/* Of a filesystem's own options those that are the profile's. */
static void super_options(char *o)
{
    static const char *const keep[] = {"rw",        "ro",     "size=", "mode=",     "ptmxmode=",     "max=",
                                       "userxattr", "index=", "xino=", "metacopy=", "redirect_dir=", NULL};
    for (char *save = NULL, *p = strtok_r(o, ",", &save); p; p = strtok_r(NULL, ",", &save))
        for (const char *const *k = keep; *k; k++)
            if (strchr(*k, '=') ? !strncmp(p, *k, strlen(*k)) : !strcmp(p, *k))
                printf(" %s", p);
}

static void one_mount(char *line, int *cgroup_rw, int *cgroup)
{
    char root[1024], at[1024], flags[256], type[64], options[4096];
    char *dash = strstr(line, " - ");
    if (!dash || sscanf(line, "%*s %*s %*s %1023s %1023s %255s", root, at, flags) != 3 ||
        sscanf(dash + 3, "%63s %*s %4095s", type, options) != 2)
        return (void)printf("mount %s\n", line);
    if (!strncmp(at, "/sys/fs/cgroup", 14)) {
        *cgroup += 1;
        *cgroup_rw += strncmp(flags, "ro", 2) != 0;
        return;
    }
    char *idmapped = strstr(flags, ",idmapped"), *atime = strstr(flags, ",relatime");
    if (atime && idmapped) /* as on the host's filesystem */
        memmove(atime, atime + 9, strlen(atime + 9) + 1);
    if (idmapped || !strcmp(type, "fuse.lxcfs")) {
        printf("mount %s %s %s\n", at, idmapped ? "of the host" : type, flags);
    } else if (!strcmp(type, "tmpfs") && (!strcmp(root, "/null") || !strcmp(root, "/shm"))) {
        printf("masked %s %s\n", at,
               root[1] == 'n'            ? "by null"
               : strncmp(flags, "ro", 2) ? "WRITABLE"
                                         : "empty");
    } else if (!strcmp(type, "proc") && strcmp(root, "/")) {
        printf("%s %s\n", strncmp(flags, "ro", 2) ? "writable" : "read-only", at);
    } else {
        printf("mount %s %s %s ;", at, type, flags);
        super_options(options);
        printf("\n");
    }
}

static void mounts(void)
{
    char *t = strdup(slurp("/proc/self/mountinfo")), *save = NULL;
    int rw = 0, n = 0;
    for (char *l = strtok_r(t, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
        one_mount(l, &rw, &n);
    printf("cgroup view %s\n", !n ? "none" : rw ? "writable" : "read-only");
    free(t);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void devices(const char *dir)
{
    struct dirent **list;
    int n = scandir(dir, &list, NULL, by_name);
    for (int i = 0; i < n; i++) {
        char path[512], to[512] = "";
        struct stat st;
        snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name);
        bool dots = !strcmp(list[i]->d_name, ".") || !strcmp(list[i]->d_name, "..");
        free(list[i]);
        if (dots || lstat(path, &st) < 0 || (!strncmp(path, "/dev/pts/", 9) && strcmp(path, "/dev/pts/ptmx")))
            continue;
        if (S_ISLNK(st.st_mode)) {
            (void)!readlink(path, to, sizeof(to) - 1);
            printf("link %s to %s\n", path, to);
        } else if (S_ISDIR(st.st_mode)) {
            printf("folder %s %04o owner %u:%u\n", path, st.st_mode & 07777, st.st_uid, st.st_gid);
            devices(path);
        } else {
            printf("device %s %s %u:%u %04o owner %u:%u\n", path, S_ISCHR(st.st_mode) ? "char" : "other",
                   major(st.st_rdev), minor(st.st_rdev), st.st_mode & 07777, st.st_uid, st.st_gid);
        }
    }
    if (n >= 0)
        free(list);
}

/* A cover is the null device, which may be written. */
static bool may_write(const char *path)
{
    struct stat st;
    return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0 && stat(path, &st) == 0 && !S_ISCHR(st.st_mode);
}

static void writable(const char *dir, int depth)
{
    struct dirent **list;
    if (faccessat(AT_FDCWD, dir, W_OK, AT_EACCESS) == 0)
        printf("writable %s\n", dir);
    if (depth > 0 && !strcmp(dir, "/proc/sys/net") && may_write("/proc/sys/net/ipv4/ip_forward"))
        return (void)printf("writable /proc/sys/net/**\n");
    int n = depth > 24 || !strcmp(dir, "/sys/fs/cgroup") ? -1 : scandir(dir, &list, NULL, by_name);
    for (int i = 0; i < n; i++) {
        char path[1024];
        const char *name = list[i]->d_name;
        snprintf(path, sizeof(path), "%s/%s", dir, name);
        bool skip = !strcmp(name, ".") || !strcmp(name, "..") ||
                    (!strcmp(dir, "/proc") && (strspn(name, "0123456789") == strlen(name) ||
                                               !strcmp(name, "self") || !strcmp(name, "thread-self")));
        bool folder = list[i]->d_type == DT_DIR, file = list[i]->d_type == DT_REG;
        free(list[i]);
        if (!skip && folder)
            writable(path, depth + 1);
        else if (!skip && file && may_write(path))
            printf("writable %s\n", path);
    }
    if (n >= 0)
        free(list);
}

int profile_main(int argc, char **argv)
{
    identity();
    limits();
    mounts();
    devices("/dev");
    writable("/proc", 0);
    writable("/sys", 0);
    profile_calls();
    return 0;
}
