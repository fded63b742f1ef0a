/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Enter a network namespace to open a socket there, and come back. A socket belongs for ever to the namespace
 * in which it was opened, so nothing else needs the stay. May assume: a process without threads. Must never
 * return to the caller from a namespace that is not its own. Source: setns(2). */
#include "netstack/priv.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>

int net_ns_own(struct err *e)
{
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? err_sys(e, "own network namespace") : fd;
}

int net_ns_enter(int ns, struct err *e)
{
    return setns(ns, CLONE_NEWNET) < 0 ? err_sys(e, "enter the zone's network namespace") : 0;
}

void net_ns_return(int own)
{
    if (setns(own, CLONE_NEWNET) < 0) {
        perror("netstack: return to the own network namespace");
        abort();
    }
}
