/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fork server and keeper: everything slow is done once (libraries, seccomp programs, sealed zone-init,
 * groups), then a start is a fork. It keeps duplicates of descriptors per zone, and as child subreaper it
 * inherits and reaps the PID 1 of a supervisor that died, so that the exit status is known on every kernel.
 * It survives zoned and refuses garbage; it must never do anything that can block on a zone. */
#include "base/log.h"
#include "zoned/sup/kept.h"
#include "zoned/sup/rt.h"
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS_MAX 256u
#define SPARE_DELAY_MS 20

struct server {
    struct nspace_kit *kit;
    struct cg_host *cgh;
    int listen_fd, signal_fd, base_fd; /* base_fd: the highest descriptor of the preloaded things */
    pid_t spare;                       /* a supervisor forked beforehand, 0 = none */
    int spare_fd;                      /* where it waits for its zone */
    bool quit;
    VEC(int) clients;
    struct keepers kept;
    VEC(pid_t) supervisors;
};

/* ---- operations ---- */
struct call {
    const json *m;
    int *fds; /* taken ones become -1 */
    unsigned nfds;
    json *reply;
    int *rfds;
    unsigned nrfds;
};

static int check_zone(const struct call *c, const char **zone, struct err *e)
{
    *zone = js_get_str(c->m, "zone", "");
    return spec_check_name("zone", *zone, e);
}

static int op_hello(struct server *v, struct call *c, struct err *e)
{
    js_set_int(c->reply, "protocol", SUP_PROTOCOL);
    js_set_str(c->reply, "version", ZONED_VERSION);
    js_set_int(c->reply, "pid", getpid());
    return 0;
}

static int op_keep(struct server *v, struct call *c, struct err *e)
{
    const char *zone;
    json *names = js_get(c->m, "names");
    int r = check_zone(c, &zone, e);
    if (r < 0)
        return r;
    if (js_len(names) != c->nfds || js_type_of(names) != JS_ARRAY)
        return err_set(e, ERR_INVALID, EPROTO, "keep: names and descriptors differ");
    kept_put(&v->kept, zone, (pid_t)js_get_int(c->m, "pid", 0), names, c->fds);
    return 0;
}

static int op_kept(struct server *v, struct call *c, struct err *e)
{
    const char *zone;
    int r = check_zone(c, &zone, e);
    if (r < 0)
        return r;
    struct keeper *k = kept_find(&v->kept, zone);
    js_set(c->reply, "names", k ? js_ref(k->names) : js_array());
    if (k && k->ended)
        js_set_int(c->reply, "wait_status", k->wait_status);
    if (k) {
        c->rfds = k->fds;
        c->nrfds = k->n;
    }
    return 0;
}

static int op_drop(struct server *v, struct call *c, struct err *e)
{
    const char *zone;
    int r = check_zone(c, &zone, e);
    if (r == 0)
        kept_drop(&v->kept, zone);
    return r;
}

static int op_quit(struct server *v, struct call *c, struct err *e)
{
    v->quit = true;
    return 0;
}

/* Closes what is the server's own, so that a supervisor holds nothing of another zone. Own descriptors were
 * received after the preloaded ones, so they lie above them. */
static void close_others(const struct server *v, int *own, unsigned n)
{
    unsigned next = (unsigned)v->base_fd + 1;
    for (;;) {
        int best = -1;
        for (unsigned i = 0; i < n; i++)
            if (own[i] >= (int)next && (best < 0 || own[i] < best))
                best = own[i];
        if (best < 0)
            break;
        if ((unsigned)best > next)
            close_range(next, (unsigned)best - 1, 0);
        next = (unsigned)best + 1;
    }
    close_range(next, ~0u, 0);
}

/* ---- supervisors: forked before they are asked for, because a fork costs 0.4 ms ---- */
static enum sup_mode mode_of(const json *m)
{
    const char *op = js_get_str(m, "op", "");
    return str_eq(op, "adopt") ? SUP_MODE_ADOPT : str_eq(op, "recover") ? SUP_MODE_RECOVER : SUP_MODE_START;
}

/* Waits for its zone; the server's end is its end. */
static _Noreturn void in_spare(struct server *v, int sock)
{
    json *m = NULL;
    int fds[FD_MSG_MAX_FDS];
    unsigned n = ARRAY_LEN(fds);
    int own[1 + NSPACE_PART_FILES] = {sock};
    unsigned nown = 1, npart;
    const int *part = nspace_kit_part_fds(v->kit, &npart);
    for (unsigned i = 0; i < npart; i++)
        own[nown++] = part[i];
    close_others(v, own, nown);
    (void)setsid();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (sup_recv(sock, -1, &m, fds, &n, NULL) <= 0 || n < 3)
        _exit(0);
    close(sock);
    sup_main(v->kit, v->cgh, mode_of(m), m, fds[0], fds[1], fds[2], n > 3 ? fds[3] : -1);
}

static int spare_make(struct server *v, struct err *e)
{
    int pair[2];
    if (v->spare)
        return 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "socketpair");
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]); /* else it would never see the server's end */
        in_spare(v, pair[1]);
    }
    int r = pid < 0 ? err_sys(e, "fork") : 0;
    close(pair[1]);
    if (r < 0) {
        close(pair[0]);
        return r;
    }
    v->spare = pid;
    v->spare_fd = pair[0];
    *vec_add(&v->supervisors) = pid;
    return 0;
}

static void spare_forget(struct server *v)
{
    v->spare = 0;
    close_fd(&v->spare_fd);
}

/* The files of the lxcfs mount: the kit's, so that every supervisor forked from now on has them. */
static int op_part(struct server *v, struct call *c, struct err *e)
{
    if (c->nfds != NSPACE_PART_FILES)
        return err_set(e, ERR_INVALID, EPROTO, "part: %u descriptors are wanted", NSPACE_PART_FILES);
    (void)nspace_kit_part(v->kit, c->fds);
    spare_forget(v); /* it has the former ones */
    return 0;
}

static int supervise(struct server *v, struct call *c, struct err *e)
{
    const char *zone;
    int r = check_zone(c, &zone, e);
    if (r < 0)
        return r;
    if (c->nfds < 3 || c->nfds > 4)
        return err_set(e, ERR_INVALID, EPROTO, "start: needs lock, run folder and connection");
    /* twice: the first spare may have been killed while it waited */
    for (int try = 0; try < 2; try++) {
        pid_t pid;
        if ((r = spare_make(v, e)) < 0)
            return r;
        pid = v->spare;
        r = sup_send(v->spare_fd, c->m, c->fds, c->nfds, NULL);
        spare_forget(v);
        if (r == 0) {
            js_set_int(c->reply, "pid", pid);
            return 0;
        }
    }
    return err_set(e, ERR_INTERNAL, -r, "no supervisor takes zone %s", zone);
}

static const struct {
    const char *name;
    int (*fn)(struct server *v, struct call *c, struct err *e);
} operations[] = {
    {"hello", op_hello},    {"start", supervise}, {"adopt", supervise},
    {"recover", supervise}, {"keep", op_keep},    {"kept", op_kept},
    {"drop", op_drop},      {"part", op_part},    {"quit", op_quit},
};

/* ---- sockets ---- */
static void dispatch(struct server *v, int sock, const json *m, int *fds, unsigned nfds)
{
    auto_js json *reply = js_object();
    struct call c = {.m = m, .fds = fds, .nfds = nfds, .reply = reply};
    struct err e = {0};
    const char *op = js_get_str(m, "op", "");
    int r = -ENOENT;
    js_set_bool(reply, "ok", true);
    for (unsigned i = 0; i < ARRAY_LEN(operations); i++)
        if (str_eq(operations[i].name, op))
            r = operations[i].fn(v, &c, &e);
    if (r < 0) {
        err_set(&e, ERR_USAGE, -r, "operation %.40s is not known", op);
        js_del(reply, "ok");
        js_set(reply, "error", js_from_err(&e, NULL));
    }
    /* a client that does not read its reply must not block us */
    fd_nonblock(sock, true);
    (void)sup_send(sock, reply, c.rfds, c.nrfds, NULL);
}

/* false: the connection is over. */
static bool read_client(struct server *v, int sock)
{
    auto_js json *m = NULL;
    int fds[FD_MSG_MAX_FDS];
    unsigned nfds = ARRAY_LEN(fds);
    int r = sup_recv(sock, 0, &m, fds, &nfds, NULL);
    if (r == -EAGAIN)
        return true;
    if (r <= 0)
        return false;
    dispatch(v, sock, m, fds, nfds);
    fd_close_all(fds, nfds);
    return true;
}

static void accept_client(struct server *v)
{
    struct ucred c = {0};
    socklen_t n = sizeof(c);
    int fd = accept4(v->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (v->clients.len >= CLIENTS_MAX || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n) < 0 || c.uid != 0) {
        close(fd);
        return;
    }
    *vec_add(&v->clients) = fd;
}

static bool is_supervisor(const struct server *v, pid_t pid)
{
    for (unsigned i = 0; i < v->supervisors.len; i++)
        if (v->supervisors.at[i] == pid)
            return true;
    return false;
}

/* A supervisor that was killed between spawn and go leaves a child that waits for a word which never comes,
 * and that holds copies of its descriptors, the lock among them. It came to us as an orphan and still runs
 * our program: nothing of the zone has begun in it. */
static void kill_unborn(const struct server *v)
{
    char path[64];
    struct stat ours, theirs;
    auto_free char *list = NULL;
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    if (stat("/proc/self/exe", &ours) < 0 || file_read(AT_FDCWD, path, 1u << 20, &list, NULL, NULL) < 0)
        return;
    for (char *save = NULL, *w = strtok_r(list, " \n", &save); w; w = strtok_r(NULL, " \n", &save)) {
        pid_t pid = (pid_t)strtol(w, NULL, 10);
        snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
        if (pid > 1 && !is_supervisor(v, pid) && stat(path, &theirs) == 0 && ours.st_dev == theirs.st_dev &&
            ours.st_ino == theirs.st_ino)
            (void)kill(pid, SIGKILL); /* our child: its pid cannot be another's before we wait for it */
    }
}

static bool forget_supervisor(struct server *v, pid_t pid)
{
    for (unsigned i = 0; i < v->supervisors.len; i++)
        if (v->supervisors.at[i] == pid) {
            vec_remove(&v->supervisors, i);
            return true;
        }
    return false;
}

static void reap(struct server *v)
{
    struct signalfd_siginfo si;
    while (read(v->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
        ;
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == v->spare)
            spare_forget(v);
        if (!forget_supervisor(v, pid))
            kept_ended(&v->kept, pid, status);
        else if (WIFSIGNALED(status))
            kill_unborn(v);
    }
}

static void serve(struct server *v)
{
    VEC(struct pollfd) polls = {0};
    while (!v->quit) {
        polls.len = 0;
        *vec_add(&polls) = (struct pollfd){v->listen_fd, POLLIN, 0};
        *vec_add(&polls) = (struct pollfd){v->signal_fd, POLLIN, 0};
        for (unsigned i = 0; i < v->clients.len; i++)
            *vec_add(&polls) = (struct pollfd){v->clients.at[i], POLLIN, 0};
        int n = poll(polls.at, polls.len, v->spare ? -1 : SPARE_DELAY_MS);
        if (n == 0) /* quiet: nobody waits for this fork */
            (void)spare_make(v, NULL);
        if (n <= 0)
            continue;
        if (polls.at[1].revents)
            reap(v);
        /* in the order of their arrival: a zone's "keep" comes before its "drop" */
        for (unsigned i = 2, at = 0; i < polls.len; i++) {
            if (polls.at[i].revents && !read_client(v, polls.at[i].fd)) {
                close(polls.at[i].fd);
                vec_remove(&v->clients, at);
                continue;
            }
            at++;
        }
        if (polls.at[0].revents)
            accept_client(v);
    }
    vec_done(&polls);
}

static void harden(void)
{
    struct rlimit core, files;
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (getrlimit(RLIMIT_CORE, &core) == 0) { /* the hard one stays: zones are given theirs below it */
        core.rlim_cur = 0;
        (void)setrlimit(RLIMIT_CORE, &core);
    }
    /* one descriptor table for all zones' kept ones */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
}

#define LOCK_TRIES 200u /* of 10 ms: one that was told to quit has answered, and is about to end */

static int lock_soon(int fd)
{
    struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    for (unsigned i = 0; fcntl(fd, F_SETLK, &fl) < 0; i++) {
        if ((errno != EAGAIN && errno != EACCES && errno != EINTR) || i >= LOCK_TRIES)
            return -errno;
        (void)poll(NULL, 0, 10);
    }
    return 0;
}

/* The lock of the server itself: two on one folder would each keep half of the zones. */
static int lock_dir(int dirfd, struct err *e)
{
    int fd = openat(dirfd, "keeper.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(e, "keeper.lock");
    if (lock_soon(fd) < 0) { /* a record lock: forked supervisors do not hold it */
        close(fd);
        return err_set(e, ERR_CONFLICT, EEXIST, "a fork server runs in this folder already");
    }
    return fd;
}

static int prepare(struct server *v, const char *run_dir, const char *init_path, struct err *e)
{
    sigset_t set;
    int dirfd = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0)
        return err_sys(e, "%s", run_dir);
    int r = lock_dir(dirfd, e);
    if (r < 0 || (r = nspace_kit_new(init_path, &v->kit, e)) < 0 ||
        (r = cg_detect("/proc/self/mountinfo", &v->cgh, e)) < 0)
        return r;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    v->base_fd = fcntl(dirfd, F_DUPFD_CLOEXEC, 3); /* all below is taken, so this tells how far they reach */
    if (v->base_fd < 0)
        return err_sys(e, "dup");
    v->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (v->signal_fd < 0)
        return err_sys(e, "signalfd");
    v->listen_fd = sup_listen_at(dirfd, KEEPER_SOCKET, e);
    return v->listen_fd < 0 ? v->listen_fd : 0;
}

int sup_server_run(const char *run_dir, const char *init_path, int ready_fd)
{
    struct server v = {.listen_fd = -1, .signal_fd = -1, .spare_fd = -1};
    struct err e = {0};
    proc_fix_stdio();
    harden();
    if (ready_fd >= 0)
        fd_cloexec(ready_fd, true);
    if (prepare(&v, run_dir, init_path, &e) < 0) {
        log_error("fork server: %s", e.text);
        return err_exit_status(e.kind);
    }
    if (ready_fd >= 0) {
        (void)!write(ready_fd, "1", 1);
        /* taken, not closed: what came into this hole below base_fd later would stay open in every supervisor */
        (void)dup3(STDIN_FILENO, ready_fd, O_CLOEXEC);
    }
    serve(&v);
    return 0;
}

int sup_server_main(const char *run_dir, const char *init_path)
{
    return sup_server_run(run_dir, init_path, -1);
}
