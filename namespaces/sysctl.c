/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sysctls of the zone's own namespaces: the profile's and the spec's. Written by the child through a
 * descriptor of its own proc (R2), with the zone's credentials, so that none can reach the host's. Before
 * kernel 6.10 kernel.* and fs.mqueue.* belong to the host's root and are refused there. */
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "namespaces/inner.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 16

int nspace_check_sysctl(const char *key, struct err *e)
{
    static const char *const families[] = {"net.", "kernel.msg", "kernel.shm", "fs.mqueue."};
    bool good = key && (!strcmp(key, "kernel.sem"));
    for (unsigned i = 0; key && !good && i < ARRAY_LEN(families); i++)
        good = str_starts(key, families[i]);
    for (const char *p = key; good && *p; p++)
        good = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
               *p == '_' || *p == '-' || (*p == '.' && p[1] && p[1] != '.') || *p == '/';
    if (!good || strchr(key, '/'))
        return err_set(
            e, ERR_INVALID, EINVAL,
            "sysctl %.80s is not a zone's own (net.*, kernel.msg*, kernel.sem, kernel.shm*, fs.mqueue.*)",
            key ? key : "");
    return 0;
}

static int put(int sysfd, const char *path, const char *value, struct err *e)
{
    auto_fd int fd = openat(sysfd, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || write(fd, value, strlen(value)) < 0)
        return err_sys(e, "sysctl %s=%.60s", path, value);
    return 0;
}

/* Absent files are no error here: a kernel without IPv6, or without a limit of that name. */
static void put_default(int sysfd, const char *path, const char *value)
{
    (void)put(sysfd, path, value, NULL);
}

/* Links that were put in before the go byte; those that come later inherit `default`. */
static void quiet_links(int sysfd)
{
    char path[64];
    for (unsigned i = 0; i < LINKS_MAX; i++) {
        char is = 0;
        snprintf(path, sizeof(path), "net/ipv6/conf/eth%u/accept_ra", i);
        auto_fd int fd = openat(sysfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd >= 0 && read(fd, &is, 1) == 1 &&
            is == '2') /* one that configures itself from a LAN's router */
            continue;
        if (put(sysfd, path, "0", NULL) < 0)
            return;
    }
}

/* Counts in the zone's own user namespace; without CAP_SYS_RESOURCE there the zone cannot raise them again.
 */
static void user_limits(int sysfd, enum spec_init init)
{
    const char *nested = init == SPEC_INIT_APP ? "16" : "256";
    put_default(sysfd, "user/max_user_namespaces", nested);
    put_default(sysfd, "user/max_mnt_namespaces", nested);
    put_default(sysfd, "user/max_net_namespaces", nested);
    put_default(sysfd, "user/max_pid_namespaces", nested);
    put_default(sysfd, "user/max_inotify_instances", "1024");
    put_default(sysfd, "user/max_inotify_watches", "131072");
}

static bool own_net(const struct nspace_setup *s)
{
    return !s->host_network && s->join_pidfd < 0;
}

void nspace_sysctls_default(int sysfd, const struct nspace_setup *s)
{
    if (own_net(s)) {
        put_default(sysfd, "net/ipv4/ip_unprivileged_port_start", "0");
        put_default(sysfd, "net/ipv4/ping_group_range", "0 65535");
        put_default(sysfd, "net/ipv6/conf/default/accept_ra", "0");
    }
    if (s->join_pidfd < 0)
        user_limits(sysfd, s->init);
}

int nspace_sysctls_write(int sysfd, const struct nspace_setup *s, struct err *e)
{
    if (own_net(s))
        quiet_links(sysfd);
    for (unsigned i = 0; s->sysctls && i < s->sysctls->len; i++) {
        const struct spec_kv *kv = &s->sysctls->at[i];
        int r = nspace_check_sysctl(kv->key, e);
        if (r < 0)
            return r;
        if (!own_net(s) && str_starts(kv->key, "net."))
            return err_set(e, ERR_INVALID, EINVAL, "sysctl %s: the zone has no network of its own", kv->key);
        auto_free char *path = xstrdup(kv->key);
        for (char *c = path; *c; c++)
            *c = *c == '.' ? '/' : *c;
        r = put(sysfd, path, kv->value, e);
        if (r < 0)
            return r;
    }
    return 0;
}
