/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is a peer: children with other ids, groups and namespaces connect, the parent looks at them. */
#include "tests/unit/tap.h"
#include "tests/unit/zoned/http/test_server.h"
#include "zoned/http/impl.h"
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const struct zd_groups groups = {.gid = {(gid_t)-1, 5001, 5002, 5003}};

/* What the server sees of a child that went this way. */
static struct zd_peer seen(const char *path, int listener, uid_t uid, gid_t gid, unsigned ngroups,
                           const gid_t *list, bool own_namespace)
{
    struct zd_peer p = {.role = ROLE_ADMIN};
    pid_t pid = fork();
    if (pid == 0) {
        if (setgroups(ngroups, list) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0 ||
            (own_namespace && unshare(CLONE_NEWUSER) < 0) || dial(path) < 0)
            _exit(1);
        pause();
    }
    struct pollfd wait = {.fd = listener, .events = POLLIN};
    if (poll(&wait, 1, 3000) > 0) {
        auto_fd int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        zd_peer_of(fd, &groups, &p);
    } else
        ok(false, "the child connects");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return p;
}

int main(void)
{
    char dir[] = "/tmp/zdpeer-XXXXXX", path[64];
    struct err e = {0};
    if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
        return 1;
    snprintf(path, sizeof(path), "%s/s", dir);
    auto_fd int l = zd_socket_open(path, &groups, &e);
    if (!ok(l >= 0, "a socket %s", e.text))
        return done_testing();
    const gid_t viewer[] = {7, 5001}, both[] = {5001, 5002}, admin[] = {5003}, other[] = {8};
    static gid_t many[300];
    for (unsigned i = 0; i < ARRAY_LEN(many); i++)
        many[i] = 10000 + i;
    many[299] = 50020;
    many[298] = 5002;
    struct zd_peer p = seen(path, l, 0, 0, 0, NULL, false);
    ok(p.role == ROLE_ADMIN && p.uid == 0 && !p.foreign, "root");
    p = seen(path, l, 0, 0, 0, NULL, true);
    ok(p.role == ROLE_NONE && p.foreign, "root in another user namespace is nobody");
    p = seen(path, l, 1234, 1234, 2, viewer, false);
    is_int(p.role, ROLE_VIEWER, "a viewer");
    p = seen(path, l, 1234, 1234, 2, viewer, true);
    ok(p.role == ROLE_NONE && p.foreign, "in another user namespace: nobody");
    p = seen(path, l, 1234, 1234, 2, both, false);
    is_int(p.role, ROLE_OPERATOR, "the best of two groups counts");
    p = seen(path, l, 1234, 1234, 1, admin, false);
    is_int(p.role, ROLE_ADMIN, "an admin");
    p = seen(path, l, 1234, 5003, 1, other, false);
    is_int(p.role, ROLE_ADMIN, "by the primary group");
    p = seen(path, l, 1234, 1234, ARRAY_LEN(many), many, false);
    is_int(p.role, ROLE_OPERATOR, "among 300 groups");
    p = seen(path, l, 1234, 1234, 1, other, false);
    is_int(p.role, ROLE_NONE, "a stranger");
    p = seen(path, l, 65534, 5003, 1, admin, false);
    is_int(p.role, ROLE_NONE, "the id that stands for unknown ones, whatever its groups");
    unlink(path);
    rmdir(dir);
    return done_testing();
}
