/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who speaks: the kernel's word on the peer, turned into a role (R9). A peer from another user namespace
 * shows as the overflow id and is nobody here. */
#include "base/auto.h"
#include "base/mem.h"
#include "zoned/server_priv.h"
#include <grp.h>
#include <sys/socket.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif
#define OVERFLOW_ID 65534u
#define GROUPS_MAX 4096u

static const struct {
    const char *group;
    enum zd_role role;
} roles[] = {{"zoned-admin", ROLE_ADMIN}, {"zoned-operator", ROLE_OPERATOR}, {"zoned-viewer", ROLE_VIEWER}};

static bool in_group(gid_t want, gid_t primary, const gid_t *groups, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (groups[i] == want)
            return true;
    return primary == want;
}

enum zd_role zd_peer_role(int fd, uid_t *uid, pid_t *pid)
{
    struct ucred c = {0};
    socklen_t len = sizeof(c);
    *uid = OVERFLOW_ID;
    *pid = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &len) < 0)
        return ROLE_NONE;
    *uid = c.uid;
    *pid = c.pid;
    if (c.uid == 0)
        return ROLE_ADMIN;
    if (c.uid == OVERFLOW_ID || c.uid == (uid_t)-1)
        return ROLE_NONE;
    auto_free gid_t *groups = xcalloc(GROUPS_MAX, sizeof(*groups));
    socklen_t size = GROUPS_MAX * sizeof(*groups);
    unsigned n =
        getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0 ? 0 : (unsigned)(size / sizeof(*groups));
    for (unsigned i = 0; i < ARRAY_LEN(roles); i++) {
        struct group *g = getgrnam(roles[i].group);
        if (g && in_group(g->gr_gid, c.gid, groups, n))
            return roles[i].role;
    }
    return ROLE_NONE;
}
