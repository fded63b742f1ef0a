/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who was killed when a group ran out of memory: the kernel says so in its log alone ("oom-kill:…,
 * oom_memcg=/PARENT/NAME,…" and, behind it, "Killed process PID (NAME) … anon-rss:…"). Reads /dev/kmsg from its
 * begin to its end, without waiting; some milliseconds, but only after an OOM. A log that may not be read, or that has
 * moved on, leaves the victim unknown. The log holds what zones' users wrote: nothing of it is trusted but as text. */
#include "cgroups/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define RECORDS_MAX 100000u

static uint64_t kilobytes(const char *text, const char *key)
{
    const char *p = strstr(text, key);
    return p ? strtoull(p + strlen(key), NULL, 10) * 1024 : 0;
}

/* "…,task_memcg=…,task=NAME,pid=N,uid=N": NAME may hold anything, so from behind. */
static bool take_kill(const char *text, const char *group, struct cg_victim *v)
{
    const char *at = strstr(text, "oom_memcg=");
    size_t n = strlen(group);
    size_t len = at ? strcspn(at, ",\n") : 0;
    if (!str_starts(text, "oom-kill:") || !at || len < n || strncmp(at + len - n, group, n))
        return false;
    const char *task = strstr(at, ",task="), *pid = NULL;
    for (const char *p = task; p && (p = strstr(p + 1, ",pid="));)
        pid = p;
    if (!task || !pid)
        return false;
    task += strlen(",task=");
    snprintf(v->name, sizeof(v->name), "%.*s", (int)(pid - task), task);
    v->pid = (pid_t)strtol(pid + strlen(",pid="), NULL, 10);
    v->rss = 0;
    return true;
}

static void take_sizes(const char *text, struct cg_victim *v)
{
    const char *at = strstr(text, "Killed process ");
    if (v->pid && at && strtol(at + strlen("Killed process "), NULL, 10) == v->pid)
        v->rss = kilobytes(at, "anon-rss:") + kilobytes(at, "file-rss:") + kilobytes(at, "shmem-rss:");
}

bool cg_oom_victim(const struct cg_group *g, uint64_t since_us, struct cg_victim *out)
{
    char path[CG_PATH_MAX], group[CG_PATH_MAX + 1], record[2048];
    struct cg_victim v = {0};
    auto_fd int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || cg_path(path, g->parent, g->name, NULL) < 0)
        return false;
    snprintf(group, sizeof(group), "/%s", path);
    for (unsigned i = 0; i < RECORDS_MAX; i++) {
        ssize_t n = read(fd, record, sizeof(record) - 1);
        if (n < 0 && errno == EPIPE) /* overwritten while we read: the next one is there */
            continue;
        if (n <= 0)
            break;
        record[n] = 0;
        /* "6,339,5140900,-;text": priority, number, µs since boot */
        const char *number = strchr(record, ','), *time = number ? strchr(number + 1, ',') : NULL;
        const char *text = strchr(record, ';');
        if (!time || !text || strtoull(time + 1, NULL, 10) < since_us)
            continue;
        if (!take_kill(text + 1, group, &v))
            take_sizes(text + 1, &v);
    }
    if (!v.pid)
        return false;
    *out = v;
    return true;
}
