/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is at the other end, and what may he do: peer credentials and groups to a role; the listening socket.
 * Sources: unix(7) SO_PEERCRED, socket(7) SO_PEERGROUPS. */
#include "zoned/http/impl.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define OVERFLOW_ID 65534u /* default of /proc/sys/kernel/overflowuid: an id that has no name here */
#define GROUP_LINES_MAX 100000u

const char *zd_role_name(enum zd_role role)
{
    static const char *const names[] = {"nobody", "zoned-viewer", "zoned-operator", "zoned-admin"};
    return names[role];
}

void zd_groups_refresh(struct zd_groups *g)
{
    struct stat st = {0};
    (void)stat("/etc/group", &st);
    if (st.st_mtim.tv_sec == g->read.tv_sec && st.st_mtim.tv_nsec == g->read.tv_nsec)
        return;
    g->read = st.st_mtim;
    for (int i = ROLE_NONE; i <= ROLE_ADMIN; i++)
        g->gid[i] = (gid_t)-1;
    auto_file FILE *f = fopen("/etc/group", "re");
    if (!f)
        return;
    struct group *gr;
    for (unsigned n = 0; n < GROUP_LINES_MAX && (gr = fgetgrent(f)); n++)
        for (int i = ROLE_VIEWER; i <= ROLE_ADMIN; i++)
            if (str_eq(gr->gr_name, zd_role_name((enum zd_role)i)) && gr->gr_gid != 0)
                g->gid[i] = gr->gr_gid;
}

/* A process that is root in a namespace of its own can never be one of ours (R9). Its uid tells already, this
 * is the second wall; a peer that has ended cannot be asked and is refused too. */
static bool same_userns(pid_t pid)
{
    char path[48];
    struct stat theirs, ours;
    snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
    return pid > 0 && stat(path, &theirs) == 0 && stat("/proc/self/ns/user", &ours) == 0 &&
           theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev;
}

static enum zd_role role_of_gid(const struct zd_groups *g, gid_t gid)
{
    for (int i = ROLE_ADMIN; i > ROLE_NONE; i--)
        if (gid != (gid_t)-1 && g->gid[i] == gid)
            return (enum zd_role)i;
    return ROLE_NONE;
}

static enum zd_role role_by_groups(int fd, const struct zd_groups *g, gid_t primary)
{
    enum zd_role best = role_of_gid(g, primary);
    gid_t few[64], *gids = few;
    auto_free gid_t *many = NULL;
    socklen_t len = sizeof(few);
    int r = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, gids, &len);
    if (r < 0 && errno == ERANGE) {
        gids = many = calloc(1, len);
        r = many ? getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, gids, &len) : -1;
    }
    for (size_t i = 0; r == 0 && i < len / sizeof(gid_t); i++) {
        enum zd_role role = role_of_gid(g, gids[i]);
        best = role > best ? role : best;
    }
    return best;
}

void zd_peer_of(int fd, const struct zd_groups *g, struct zd_peer *p)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    *p = (struct zd_peer){.uid = OVERFLOW_ID, .gid = OVERFLOW_ID};
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
        return;
    p->uid = cred.uid;
    p->gid = cred.gid;
    p->pid = cred.pid;
    if (cred.uid == OVERFLOW_ID || cred.uid == (uid_t)-1)
        return;
    p->role = cred.uid == 0 ? ROLE_ADMIN : role_by_groups(fd, g, cred.gid);
    if (p->role != ROLE_NONE && !same_userns(cred.pid)) {
        p->role = ROLE_NONE;
        p->foreign = true;
    }
}

int zd_socket_open(const char *path, const struct zd_groups *g, struct err *e)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    struct stat st;
    if (strlen(path) >= sizeof(sa.sun_path))
        return err_set(e, ERR_INVALID, ENAMETOOLONG, "the path of the socket is longer than %zu bytes: %s",
                       sizeof(sa.sun_path) - 1, path);
    strcpy(sa.sun_path, path);
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        (void)unlink(path);
    auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(e, "cannot make a socket");
    mode_t before = umask(0177); /* nobody gets in before it is whole */
    int r = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
    int code = errno;
    umask(before);
    errno = code;
    if (r < 0)
        return err_sys(e, "cannot listen at %s", path);
    gid_t admin = g->gid[ROLE_ADMIN];
    if ((admin != (gid_t)-1 && lchown(path, 0, admin) < 0) || chmod(path, 0666) < 0)
        return err_sys(e, "cannot set the permissions of %s", path);
    if (listen(fd, SOMAXCONN) < 0)
        return err_sys(e, "cannot listen at %s", path);
    return take_fd(&fd);
}
