/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The context: which instance, and the sockets of this process, opened at first use. A fork inherits the
 * struct; the first use in the child drops the parent's sockets and opens its own, so that answers never mix.
 * Must never share a socket between two processes. */
#include "base/proc.h"
#include "netstack/priv.h"
#include <ctype.h>
#include <errno.h>
#include <linux/netlink.h>
#include <sys/wait.h>

int net_ctx_new(const char *instance, struct net_ctx **out, struct err *e)
{
    size_t n = strlen(instance);
    bool good = n > 0 && n < sizeof((*out)->instance);
    for (size_t i = 0; good && i < n; i++)
        good = isalnum((unsigned char)instance[i]) || (i && (instance[i] == '-' || instance[i] == '_'));
    if (!good || isdigit((unsigned char)*instance)) /* it becomes part of nft's text */
        return err_set(e, ERR_INVALID, EINVAL,
                       "instance name \"%.40s\": letters, digits, - and _, at most 31", instance);
    struct net_ctx *c = xcalloc(1, sizeof(*c));
    memcpy(c->instance, instance, n + 1);
    c->procfs = -1;
    *out = c;
    return 0;
}

/* The child that deletes links behind the caller's back; other children are never waited for. */
void net_reap(struct net_ctx *c, bool block)
{
    if (c->deleter <= 0)
        return;
    pid_t r = TEMP_FAILURE_RETRY(waitpid(c->deleter, NULL, __WALL | (block ? 0 : WNOHANG)));
    if (r != 0)
        c->deleter = 0;
}

static void drop(struct net_ctx *c)
{
    net_nl_close(take_ptr(&c->rt));
    net_nft_close(take_ptr(&c->nft));
    close_fd(&c->procfs);
}

void net_ctx_free(struct net_ctx *c)
{
    if (!c)
        return;
    if (c->owner == getpid())
        net_reap(c, true);
    drop(c);
    free(c);
}

static void own(struct net_ctx *c)
{
    if (c->owner == getpid())
        return;
    drop(c);
    c->deleter = 0; /* not this process's child */
    c->owner = getpid();
}

int net_ctx_rt(struct net_ctx *c, struct nl_sock **out, struct err *e)
{
    own(c);
    int r = c->rt ? 0 : net_nl_open(NETLINK_ROUTE, &c->rt, e);
    *out = c->rt;
    return r;
}

int net_ctx_nft(struct net_ctx *c, struct net_nft **out, struct err *e)
{
    own(c);
    int r = c->nft ? 0 : net_nft_open(&c->nft, e);
    *out = c->nft;
    return r;
}

int net_ctx_procfs(struct net_ctx *c, struct err *e)
{
    own(c);
    if (c->procfs < 0) {
        int fd = procfs_open(e);
        if (fd < 0)
            return fd;
        c->procfs = fd;
    }
    return c->procfs;
}
