/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A real zone for the tests: own mount and network namespace, a root of busybox in a temporary folder (ids on
 * disk 0), start, output, status. Every descriptor that a zone could reach is counted by the callers. */
#pragma once
#include "base/auto.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "namespaces/namespaces.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define UID_BASE 700000000u
static char fx_dir[64], fx_init[4096];
static struct nspace_kit *fx_kit;

/* What a test made stays reachable, so that the leak checker sees only the code's own. */
static const char *fx_keep(const char *s)
{
    static const char *kept[4096];
    static unsigned n;
    return kept[n++ % ARRAY_LEN(kept)] = s;
}
#define fx_dup(s) ((char *)fx_keep(xstrdup(s)))

struct zone {
    struct spec_process process;
    struct spec_security security;
    struct spec_limits limits;
    spec_map sysctls;
    struct nspace_setup setup;
    struct nspace_child child;
    char *args[4], *lowers[2];
    int out; /* read end of its stdout and stderr, or the pty master */
};

__attribute__((unused)) static void fx_run(const char *fmt, ...)
{
    char cmd[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(cmd, sizeof(cmd), fmt, ap);
    va_end(ap);
    if (system(cmd) != 0)
        printf("# failed: %s\n", cmd);
}

/* false: skipped, the plan is printed. */
static bool fx_begin(const char *argv0)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct err e = {0};
    if (geteuid() != 0 || access("/bin/busybox", X_OK) < 0) {
        ok(!getenv("CI"), "needs root and busybox-static # SKIP");
        return false;
    }
    if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        ok(!getenv("CI"), "needs mount and network namespaces # SKIP");
        return false;
    }
    auto_free char *self = realpath(argv0, NULL);
    snprintf(fx_init, sizeof(fx_init), "%s/../../../bin/zone-init", self ? dirname(self) : ".");
    strcpy(fx_dir, "/var/tmp/nspace-XXXXXX");
    if (!mkdtemp(fx_dir) || nspace_kit_new(fx_init, &fx_kit, &e) < 0) {
        ok(false, "kit: %s", e.text);
        return false;
    }
    fx_run(
        "cd %s && mkdir -p l/base && cd l/base && mkdir -p bin dev proc sys etc tmp run sbin root usr srv && "
        "cp /bin/busybox bin/ && ln -s busybox bin/sh && bin/busybox --install -s bin; chmod 1777 tmp; "
        "for f in bin/*; do [ -h $f ] && ln -sf busybox $f; done; rm -f bin/init sbin/init; true",
        fx_dir);
    fx_run("cd %s/l/base && printf 'root:x:0:0:root:/root:/bin/sh\\nwww:x:33:34::/srv:/bin/sh\\nbad:x: "
           "5:0::/:/bin/sh\\n"
           "huge:x:99999999999:0::/:\\n' > etc/passwd && printf "
           "'root:x:0:\\nwww:x:34:\\nextra:x:50:www,other\\n' > etc/group && "
           "printf 'data' > etc/noexec && chown -R 0:0 .",
           fx_dir);
    return true;
}

static void fx_end(void)
{
    nspace_kit_free(fx_kit);
    fx_run("rm -rf %s", fx_dir);
}

static int fx_mount_of(const char *path)
{
    struct err e = {0};
    auto_fd int fd = open(path, O_PATH | O_CLOEXEC);
    int m = nspace_clone_mount(fd, &e);
    if (m < 0)
        printf("# %s: %s\n", path, e.text);
    return m;
}

/* A zone `name` that would run `script` by sh; the caller may change z->setup before fx_start. */
static void fx_zone(struct zone *z, const char *name, const char *script)
{
    char path[128];
    struct err e = {0};
    memset(z, 0, sizeof(*z));
    fx_run("mkdir -p %s/%s/upper %s/%s/work && chmod 755 %s/%s/upper", fx_dir, name, fx_dir, name, fx_dir,
           name);
    z->args[0] = fx_dup("/bin/sh");
    z->args[1] = fx_dup("-c");
    z->args[2] = fx_dup(script);
    z->lowers[0] = fx_dup("base");
    z->process.args = z->args;
    z->security.no_new_privs = true;
    z->child = (struct nspace_child){-1, -1, -1, -1, -1, false};
    z->limits = (struct spec_limits){SPEC_UNSET, SPEC_UNSET, SPEC_UNSET};
    struct nspace_setup *s = &z->setup;
    *s = (struct nspace_setup){.zone = fx_dup(name),
                               .hostname = "testzone",
                               .process = &z->process,
                               .security = &z->security,
                               .limits = &z->limits,
                               .sysctls = &z->sysctls,
                               .shm = 64u << 20,
                               .uid_base = UID_BASE,
                               .join_pidfd = -1,
                               .cgroup_fd = -1,
                               .status_fd = -1};
    snprintf(path, sizeof(path), "%s/l", fx_dir);
    s->root = (struct nspace_root){.layers_fd = fx_mount_of(path), .lowers = z->lowers, .usr_fd = -1};
    snprintf(path, sizeof(path), "%s/%s", fx_dir, name);
    s->root.zone_fd = fx_mount_of(path);
    s->devpts_fd = nspace_devpts_new(UID_BASE, &e);
    s->cgroup_view_v1 = access("/sys/fs/cgroup/memory", F_OK) == 0;
    int p[2];
    if (pipe2(p, O_CLOEXEC) < 0)
        abort();
    z->out = p[0];
    s->stdio[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    s->stdio[1] = p[1];
    s->stdio[2] = p[1];
}

static int fx_start(struct zone *z, struct err *e)
{
    z->child = (struct nspace_child){-1, -1, -1, -1, -1, false};
    int r = nspace_spawn(fx_kit, &z->setup, &z->child, e);
    if (r == 0)
        r = nspace_go(&z->child, 10000, e);
    close(z->setup.stdio[1]);
    return r;
}

/* nspace_enter_begin and its end, for who may wait. */
static inline int fx_enter(int init_pidfd, const struct nspace_exec *x, struct nspace_child *c, struct err *e)
{
    struct nspace_entry n;
    int r = nspace_enter_begin(fx_kit, init_pidfd, x, &n, e);
    if (r < 0)
        return r;
    waitpid(n.worker.pid, NULL, 0);
    return nspace_enter_end(&n, c, e);
}

static char *fx_read_all(int fd)
{
    struct str s = {0};
    char buf[4096];
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 10000) <= 0)
            break;
        ssize_t n = read(fd, buf, sizeof(buf));
        if (n <= 0)
            break;
        str_addn(&s, buf, (size_t)n);
    }
    return str_take(&s);
}

static int fx_wait(struct zone *z)
{
    int st = 0;
    waitpid(z->child.pid, &st, 0);
    z->child.pid = 0;
    nspace_child_done(&z->child);
    return exit_status_of(st);
}

static void fx_done(struct zone *z)
{
    if (z->child.pid > 0 && z->child.pidfd >= 0) {
        pidfd_kill(z->child.pidfd, SIGKILL);
        fx_wait(z);
    }
    nspace_child_done(&z->child);
    close(z->out);
    close(z->setup.stdio[0]);
    close(z->setup.devpts_fd);
    close(z->setup.root.layers_fd);
    close(z->setup.root.zone_fd);
    if (z->setup.root.usr_fd >= 0)
        close(z->setup.root.usr_fd);
}

/* Runs a script in a fresh zone and gives its output; *status -1 where it did not start. */
__attribute__((unused)) static char *fx_output(const char *name, const char *script, int *status)
{
    struct zone z;
    struct err e = {0};
    fx_zone(&z, name, script);
    char *text;
    if (fx_start(&z, &e) < 0) {
        *status = -1;
        text = xstrdup(e.text);
    } else {
        text = fx_read_all(z.out);
        *status = fx_wait(&z);
    }
    fx_done(&z);
    return text;
}

static bool has(const char *text, const char *part)
{
    bool found = strstr(text, part);
    if (!found)
        printf("#   no \"%s\" in:\n#   %.600s\n", part, text);
    return found;
}
