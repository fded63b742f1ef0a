/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Partitions (cgroup-v2.rst, cpuset.cpus.partition): CPUs that are taken away from everybody else. Since 6.7 a
 * group at any depth can be one ("remote") while every ancestor names its CPUs in cpuset.cpus.exclusive. The
 * kernel takes the write of "root" whatever comes of it and says so in the file alone: here it is read back. And
 * it forgets a remote partition's CPUs when an ancestor stops naming them: on 6.12 they are lost to the whole
 * machine, its root group too. So nobody shrinks that set but cg_partition_name, which ends such partitions first,
 * and a partition's own set is changed only while it is a plain member. */
#include "base/cpus.h"
#include "cgroups/internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define FILE_NAME "cpuset.cpus.partition"

/* The file is in every group but the root. */
bool cg_can_exclude(const struct cg_host *h)
{
    int hier = h->of[CG_CPUSET];
    int fd = hier >= 0 && h->at[hier].v2 ? fcntl(h->at[hier].fd, F_DUPFD_CLOEXEC, 3) : -1;
    auto_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir)
        rewinddir(dir);
    for (struct dirent *de; dir && (de = readdir(dir));) {
        char path[CG_PATH_MAX];
        if (de->d_type == DT_DIR && de->d_name[0] != '.' &&
            cg_path(path, de->d_name, NULL, "cpuset.cpus.exclusive") == 0 &&
            faccessat(h->at[hier].fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            return true;
    }
    return false;
}

bool cg_is_partition_file(const char *file)
{
    return str_eq(file, FILE_NAME);
}

int cg_partition_write(int fd, const char *path, const char *state)
{
    char now[256];
    int r = cg_write_at(fd, path, state);
    ssize_t n = r < 0 ? r : cg_read_at(fd, path, now, sizeof(now));
    return n < 0 ? (int)n : strstr(now, "invalid") ? -EADDRINUSE : 0;
}

static bool within(const char *list, const char *in)
{
    for (unsigned cpu = 0; cpu < CPU_NUMBERS; cpu++)
        if (cpu_in_set(list, cpu) && !cpu_in_set(in, cpu))
            return false;
    return true;
}

/* One group below the parent, if it is a partition with CPUs that the parent will no longer name. */
static int end_one(int fd, const char *parent, const char *name, const char *cpus)
{
    char path[CG_PATH_MAX], state[256], has[4096];
    if (cg_path(path, parent, name, "cpuset.cpus.exclusive") < 0 ||
        cg_read_at(fd, path, has, sizeof(has)) < 0 || within(has, cpus))
        return 0;
    int r = cg_path(path, parent, name, FILE_NAME);
    if (r < 0 || cg_read_at(fd, path, state, sizeof(state)) < 0 || !strncmp(state, "member", 6))
        return r;
    r = cg_write_at(fd, path, "member");
    return r == -ENOENT || r == -ENODEV ? 0 : r;
}

int cg_partition_name(const struct cg_host *h, const char *parent, const char *cpus, struct err *e)
{
    int at = h->at[h->of[CG_CPUSET]].fd, r = 0;
    int fd = openat(at, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    auto_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    for (struct dirent *de; dir && (de = readdir(dir));) {
        if (de->d_type != DT_DIR || de->d_name[0] == '.')
            continue;
        if ((r = end_one(at, parent, cg_name_of_folder(de->d_name), cpus)) < 0)
            return err_sysk(e, ERR_INTERNAL, -r, "cannot end the partition of %s/%s", parent, de->d_name);
    }
    char path[CG_PATH_MAX];
    r = cg_path(path, parent, NULL, "cpuset.cpus.exclusive");
    if (r == 0)
        r = cg_write_at(at, path, *cpus ? cpus : "\n");
    return r < 0 ? err_sysk(e, ERR_INTERNAL, -r, "cannot write \"%s\" to cpuset.cpus.exclusive of %s", cpus,
                            parent)
                 : 0;
}
