/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A rig for tests of supervisors: its own namespaces, a busybox root, a fork server, and zones made from a
 * spec's text. */
#pragma once
#include "tests/unit/tap.h"
#include "zoned/sup/rt.h"
#include <sched.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

struct rig {
    char dir[64], run[128], data[128], image[128], keeper[160], parent[64], instance[64], init[4200];
    pid_t server;
    struct cg_host *cgh;
    struct stor_pool *pool;
};
struct zone_under_test {
    struct rig *rig;
    const char *name, *fault;
    char run[256];
    int conn, lock, rundir, session;
    pid_t sup;
    unsigned start_no;
};

static inline json *rig_call(struct rig *g, json *m, const int *fds, unsigned n)
{
    json *reply = NULL;
    struct err e = {0};
    unsigned none = 0;
    int s = sup_connect(g->keeper, &e);
    if (s < 0 || sup_call(s, m, fds, n, &reply, NULL, &none, 5000, &e) < 0)
        printf("# keeper: %s\n", e.text);
    close_fd(&s);
    return reply;
}

static inline json *rig_op(const char *op, const char *zone)
{
    json *m = js_object();
    js_set_str(m, "op", op);
    if (zone)
        js_set_str(m, "zone", zone);
    return m;
}

static inline void rig_image(struct rig *g)
{
    static const char *const dirs[] = {"bin", "etc", "proc", "sys", "dev", "run", "tmp", "root", "var"};
    static const char *const tools[] = {"sh",   "true", "false", "sleep", "echo", "cat", "tty",
                                        "stty", "id",   "kill",  "head",  "nc",   "seq"};
    char p[512];
    mkdir(g->image, 0755);
    chmod(g->image, 0755);
    for (unsigned i = 0; i < ARRAY_LEN(dirs); i++) {
        snprintf(p, sizeof(p), "%s/%s", g->image, dirs[i]);
        mkdir(p, 0755);
        chmod(p, 0755);
    }
    auto_free char *text = NULL;
    size_t n = 0;
    snprintf(p, sizeof(p), "%s/bin/busybox", g->image);
    if (file_read(AT_FDCWD, "/bin/busybox", 8 << 20, &text, &n, NULL) == 0)
        file_create(AT_FDCWD, p, text, n, 0755, NULL);
    chmod(p, 0755);
    for (unsigned i = 0; i < ARRAY_LEN(tools); i++) {
        snprintf(p, sizeof(p), "%s/bin/%s", g->image, tools[i]);
        (void)!symlink("busybox", p);
    }
    snprintf(p, sizeof(p), "%s/etc/passwd", g->image);
    file_create(AT_FDCWD, p, "root:x:0:0:root:/root:/bin/sh\n", 30, 0644, NULL);
    chmod(p, 0644);
}

static inline void rig_server(struct rig *g)
{
    int ready[2];
    char c;
    (void)!pipe2(ready, O_CLOEXEC);
    g->server = fork();
    if (g->server == 0) {
        close(ready[0]);
        _exit(sup_server_run(g->run, g->init, ready[1]));
    }
    close(ready[1]);
    ok(read(ready[0], &c, 1) == 1, "the fork server is ready");
    close(ready[0]);
}

static inline bool rig_up(struct rig *g)
{
    struct err e = {0};
    char p[256];
    memset(g, 0, sizeof(*g));
    umask(022);
    if (geteuid() != 0 || unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return false;
    snprintf(g->dir, sizeof(g->dir), "/var/tmp/sup-rig-XXXXXX");
    if (!mkdtemp(g->dir))
        return false;
    snprintf(g->run, sizeof(g->run), "%s/run", g->dir);
    snprintf(g->data, sizeof(g->data), "%s/data", g->dir);
    snprintf(g->image, sizeof(g->image), "%s/image", g->dir);
    snprintf(g->keeper, sizeof(g->keeper), "%s/%s", g->run, KEEPER_SOCKET);
    snprintf(g->instance, sizeof(g->instance), "zoned-%x", (unsigned)getpid());
    snprintf(g->parent, sizeof(g->parent), "zoned-test-%d", getpid());
    const char *init = getenv("ZONE_INIT");
    ssize_t n = readlink("/proc/self/exe", g->init, sizeof(g->init) - 64);
    for (int i = 0; i < 5 && n > 0 && strrchr(g->init, '/'); i++)
        *strrchr(g->init, '/') = '\0';
    strcat(g->init, "/bin/zone-init");
    if (init)
        snprintf(g->init, sizeof(g->init), "%s", init);
    if (access(g->init, X_OK) < 0)
        return printf("# no %s\n", g->init), false;
    mkdir(g->run, 0700);
    if (mount("zoned-run", g->run, "tmpfs", 0, "mode=0700") < 0) /* as /run is */
        return false;
    mkdir(g->data, 0700);
    snprintf(p, sizeof(p), "%s/zones", g->run);
    mkdir(p, 0700);
    rig_image(g);
    if (stor_pool_open(g->data, &g->pool, &e) < 0 || cg_detect("/proc/self/mountinfo", &g->cgh, &e) < 0 ||
        cg_parent_ensure(g->cgh, g->parent, &e) < 0) {
        printf("# %s\n", e.text);
        return false;
    }
    rig_server(g);
    return true;
}

static inline void rig_down(struct rig *g)
{
    struct err e = {0};
    js_free(rig_call(g, rig_op("quit", NULL), NULL, 0));
    waitpid(g->server, NULL, 0);
    ok(cg_parent_remove(g->cgh, g->parent, &e) == 0, "the groups' parent is empty %s", e.text);
    stor_pool_free(g->pool);
    cg_host_free(g->cgh);
    (void)umount2(g->run, MNT_DETACH);
    int t = open("/var/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (path_remove_tree(t, g->dir + 9, &e) < 0)
        printf("# %s\n", e.text);
    close(t);
}

/* What must be the same before and after: mounts, links, groups. */
static inline char *rig_picture(struct rig *g)
{
    struct str s = {0};
    char **names = NULL;
    auto_free char *mounts = NULL;
    auto_free char *links = NULL;
    file_read(AT_FDCWD, "/proc/self/mountinfo", 1 << 20, &mounts, NULL, NULL);
    str_add(&s, mounts ? mounts : "?");
    FILE *f = fopen("/proc/net/dev", "re");
    char line[512];
    while (f && fgets(line, sizeof(line), f))
        if (strchr(line, ':'))
            str_addf(&s, "link %.*s\n", (int)strcspn(line, ":"), line);
    if (f)
        fclose(f);
    cg_list(g->cgh, g->parent, &names, NULL);
    auto_free char *all = strv_join(names, " ");
    strv_free(names);
    str_addf(&s, "groups %s\n", all);
    return str_take(&s);
}

static inline struct plan *zone_plan(struct zone_under_test *z, const char *spec_text)
{
    struct rig *g = z->rig;
    struct problems ps = {0};
    struct plan *p = xcalloc(1, sizeof(*p));
    auto_free char *text =
        xasprintf("{\"zone\":\"%s\",\"image\":\"dir:%s\",\"network\":[{\"link\":\"none\"}],%s}", z->name,
                  g->image, spec_text);
    if (spec_parse(text, strlen(text), "test", &p->spec, &ps) < 0)
        printf("# spec: %s: %s\n", ps.len ? ps.at[0].key : "?", ps.len ? ps.at[0].message : "?");
    p->format = PLAN_FORMAT;
    p->instance = xstrdup(g->instance);
    p->zone = xstrdup(z->name);
    p->start_no = ++z->start_no;
    p->run_dir = xstrdup(z->run);
    p->data_dir = xstrdup(g->data);
    p->keeper_socket = xstrdup(g->keeper);
    p->cgroup_parent = xstrdup(g->parent);
    p->cgroup_name = xstrdup(z->name);
    p->uid_base = 0x70000000u;
    p->root.image = xasprintf("dir:%s", g->image);
    p->root.lower_dir = xstrdup(g->image);
    strv_add(&p->root.lowers, "image");
    struct stor_file *f = vec_add(&p->files);
    *f = (struct stor_file){xstrdup("etc/hostname"), xasprintf("%s\n", z->name), 0644};
    p->log_size = 1 << 20;
    p->log_files = 3;
    p->fault = xstrdup(z->fault);
    return p;
}

static inline void zone_open(struct zone_under_test *z)
{
    snprintf(z->run, sizeof(z->run), "%s/zones/%s", z->rig->run, z->name);
    mkdir(z->run, 0700);
    (void)stor_zone_create(z->rig->pool, z->name, NULL);
    z->rundir = open(z->run, O_PATH | O_DIRECTORY | O_CLOEXEC);
    z->conn = z->session = -1;
}

static inline int zone_lock(struct zone_under_test *z)
{
    for (int i = 0; i < 500; i++) { /* a supervisor that says goodbye still holds it for a moment */
        int fd = openat(z->rundir, PLAN_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return fd;
        close(fd);
        usleep(10000);
    }
    return -1;
}

/* op: start, adopt, recover. */
static inline bool zone_send(struct zone_under_test *z, const char *op, bool session, bool with_stdin)
{
    int pair[2], stream[2] = {-1, -1};
    auto_fd int lock = zone_lock(z);
    (void)!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
    if (session)
        (void)!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream);
    json *m = rig_op(op, z->name);
    js_set_bool(m, "session", session);
    js_set_bool(m, "session_stdin", with_stdin);
    js_set_int(m, "rows", 33);
    js_set_int(m, "cols", 99);
    auto_js json *reply = rig_call(z->rig, m, (int[]){lock, z->rundir, pair[1], stream[1]}, session ? 4 : 3);
    close(pair[1]);
    close_fd(&stream[1]);
    close_fd(&z->conn);
    close_fd(&z->session);
    z->conn = pair[0];
    z->session = stream[0];
    z->sup = (pid_t)js_get_int(reply, "pid", -1);
    return z->sup > 0;
}

static inline bool zone_start(struct zone_under_test *z, const char *spec_text, bool session, bool with_stdin)
{
    struct plan *p = zone_plan(z, spec_text);
    auto_js json *j = plan_to_json(p);
    auto_free char *text = js_dump(j, false);
    plan_free(p);
    file_replace(z->rundir, PLAN_FILE, text, strlen(text), 0600, false, NULL);
    return zone_send(z, "start", session, with_stdin);
}

/* The next message that is this event (or the reply to this id, event NULL); NULL after 10 s or at the end.
 */
static inline json *zone_wait(struct zone_under_test *z, const char *event, int64_t id)
{
    for (;;) {
        json *m = NULL;
        int fds[4];
        unsigned n = 4;
        if (sup_recv(z->conn, 10000, &m, fds, &n, NULL) != 1)
            return NULL;
        fd_close_all(fds, n);
        if (getenv("RIG_DEBUG")) {
            auto_free char *t = js_dump(m, false);
            printf("# %s\n", t);
        }
        if (event ? str_eq(js_get_str(m, "event", ""), event) : js_get_int(m, "id", -1) == id)
            return m;
        js_free(m);
    }
}

static inline json *zone_ask(struct zone_under_test *z, json *m, const int *fds, unsigned n)
{
    static int64_t id = 100;
    js_set_int(m, "id", ++id);
    sup_send(z->conn, m, fds, n, NULL);
    js_free(m);
    return zone_wait(z, NULL, id);
}

static inline void zone_bye(struct zone_under_test *z)
{
    auto_js json *m = rig_op("bye", NULL);
    sup_send(z->conn, m, NULL, 0, NULL);
    close_fd(&z->conn);
}

/* All output of a session until its last frame; returns the exit status or -1. */
static inline int stream_read(int fd, struct str *out)
{
    unsigned char head[API_FRAME_HEAD];
    enum api_frame_type type;
    uint32_t n;
    struct pollfd p = {fd, POLLIN, 0};
    while (poll(&p, 1, 10000) == 1 && fd_read_full(fd, head, sizeof(head)) == sizeof(head) &&
           api_frame_parse(head, &type, &n) == 0) {
        auto_free char *buf = xcalloc(1, n + 1);
        fd_read_full(fd, buf, n);
        if (type == API_EXIT) {
            auto_js json *j = js_parse(buf, n, NULL);
            return (int)js_get_int(j, "exit_status", -1);
        }
        str_addn(out, buf, n);
    }
    return -1;
}
