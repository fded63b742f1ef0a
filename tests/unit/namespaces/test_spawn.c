/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest: v2 */
/* Starts, failures, exec, terminals, and images that attack: real zones, compared with the host before. */
#include "tests/unit/namespaces/fixture.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

static unsigned open_fds(void)
{
    unsigned n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void cannot_exec(void)
{
    static const struct {
        const char *arg0;
        int code;
    } cases[] = {{"/bin/absent", ENOENT}, {"absent", ENOENT},      {"/etc/noexec", EACCES},  {"/etc", EACCES},
                 {"/bin", EACCES},        {"/etc/passwd", EACCES}, {"../bin/absent", ENOENT}};
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct zone z;
        struct err e = {0};
        fx_zone(&z, "noexec", "");
        z.args[0] = fx_dup(cases[i].arg0);
        z.args[1] = NULL;
        ok(fx_start(&z, &e) < 0 && e.kind == ERR_INVALID && e.code == cases[i].code, "%s: code %d (%s)",
           cases[i].arg0, e.code, e.text);
        ok(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "no child is left");
        fx_done(&z);
    }
}

static void refuses(void)
{
    struct zone z;
    struct err e = {0};
    char *const bad_dev[] = {(char[]){"/etc/passwd"}, NULL};
    struct nspace_mount m = {.fd = -1, .target = (char[]){"/../x"}, .size = 1 << 20};
    fx_zone(&z, "refuse", "true");
    z.process.user = (char[]){"nobody-here"};
    ok(fx_start(&z, &e) < 0 && e.kind == ERR_INVALID, "unknown user: %s", e.text);
    fx_done(&z);
    err_clear(&e);
    fx_zone(&z, "refuse", "true");
    z.setup.devices = bad_dev;
    ok(fx_start(&z, &e) < 0 && e.kind == ERR_INVALID, "not a device: %s", e.text);
    fx_done(&z);
    err_clear(&e);
    fx_zone(&z, "refuse", "true");
    z.setup.mounts = &m;
    z.setup.nmounts = 1;
    ok(fx_start(&z, &e) < 0 && e.kind == ERR_INVALID, "target with ..: %s", e.text);
    fx_done(&z);
    err_clear(&e);
    fx_zone(&z, "refuse", "true");
    z.process.cwd = (char[]){"/proc/nowhere"};
    ok(fx_start(&z, &e) < 0 && e.kind == ERR_INVALID, "cwd: %s", e.text);
    fx_done(&z);
    err_clear(&e);
    fx_zone(&z, "refuse", "true");
    *vec_add(&z.sysctls) = (struct spec_kv){(char[]){"kernel.panic"}, (char[]){"1"}};
    ok(fx_start(&z, &e) < 0 && e.kind == ERR_INVALID, "sysctl: %s", e.text);
    vec_done(&z.sysctls);
    fx_done(&z);
    err_clear(&e);
    fx_zone(&z, "refuse", "true");
    z.limits.nofile = 1u << 30;
    ok(fx_start(&z, &e) < 0 && e.kind == ERR_LIMIT, "nofile above our own: %s", e.text);
    fx_done(&z);
    fx_zone(&z, "refuse", "true");
    err_clear(&e);
    ok(nspace_spawn(fx_kit, &z.setup, &z.child, &e) == 0, "spawn without go");
    pid_t pid = z.child.pid;
    nspace_child_done(&z.child);
    nspace_child_done(&z.child);
    ok(kill(pid, 0) < 0, "done without go kills, and twice is fine");
    z.child.pid = 0;
    close(z.setup.stdio[1]);
    fx_done(&z);
}

/* A child that dies unheard is not a start: the record wins over the reset, silence is an error. */
static void dies_early(void)
{
    struct zone z;
    struct err e = {0};
    fx_zone(&z, "early", "true");
    ok(nspace_spawn(fx_kit, &z.setup, &z.child, &e) == 0, "spawn %s", e.text);
    pidfd_kill(z.child.pidfd, SIGKILL);
    usleep(50000);
    ok(nspace_go(&z.child, 3000, &e) < 0 && err_is(&e), "killed before go: %s", e.text);
    close(z.setup.stdio[1]);
    fx_done(&z);
    unsigned wrong = 0;
    for (int i = 0; i < 60; i++) {
        err_clear(&e);
        fx_zone(&z, "early", "true");
        z.process.user = (char[]){":0"};
        wrong += fx_start(&z, &e) == 0 || e.kind != ERR_INVALID;
        fx_done(&z);
    }
    is_int(wrong, 0, "a failure before go is always told");
}

static void users(void)
{
    static const struct {
        const char *user, *id;
    } cases[] = {{"www", "uid=33(www) gid=34(www) groups=50(extra)"},
                 {"33", "uid=33(www) gid=34(www) groups=50(extra)"},
                 {"33:50", "uid=33(www) gid=50(extra)"},
                 {"www:root", "uid=33(www) gid=0(root)"},
                 {"4711", "uid=4711 gid=0(root)"}},
      bad[] = {{"huge", ""},       {"bad", ""},  {"65536", ""}, {"4294967296", ""},
               {"-1", ""},         {"0x0", ""},  {" 0", ""},    {"+0", ""},
               {"www:absent", ""}, {"www:", ""}, {":0", ""},    {"0:99999", ""}};
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct zone z;
        struct err e = {0};
        fx_zone(&z, "users",
                "id; grep -E 'CapEff|CapPrm' /proc/self/status; grep Cap /proc/1/status; echo HOME=$HOME; "
                "echo x > /dev/stderr");
        z.process.user = fx_dup(cases[i].user);
        bool started = fx_start(&z, &e) == 0;
        auto_free char *t = started ? fx_read_all(z.out) : xstrdup(e.text);
        ok(has(t, cases[i].id) && has(t, "CapEff:\t0000000000000000") && has(t, "CapPrm:\t0000000000000000"),
           "user %s", cases[i].user);
        fx_done(&z);
    }
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        struct zone z;
        struct err e = {0};
        fx_zone(&z, "users", "id");
        z.process.user = fx_dup(bad[i].user);
        ok(fx_start(&z, &e) < 0 && e.kind == ERR_INVALID, "user \"%s\" refused: %s", bad[i].user, e.text);
        fx_done(&z);
    }
}

/* The picture of the host that no image may change. */
static void host_picture(char *buf, size_t n)
{
    struct stat a, b;
    auto_free char *mounts = NULL;
    int fd = open("/proc/self/mountinfo", O_RDONLY);
    mounts = fx_read_all(fd);
    close(fd);
    stat("/etc/passwd", &a);
    stat("/srv", &b); /* /tmp belongs to everybody: /tmp/victim is looked at by itself */
    snprintf(buf, n, "%llx %ld %ld %ld", (unsigned long long)hash64(mounts, strlen(mounts)), (long)a.st_ino,
             (long)a.st_mtim.tv_nsec, (long)b.st_nlink);
}

static void hostile_images(void)
{
    static const struct {
        const char *setup;
        bool starts;
    } cases[] = {{"rmdir dev && ln -s /dev dev", false},
                 {"rmdir proc && ln -s /proc proc", false},
                 {"rmdir sys && ln -s ../../../../sys sys", false},
                 {"rmdir run && ln -s /run run", false},
                 {"rm -r etc && ln -s /etc etc", true},
                 {"rmdir srv && ln -s /tmp/victim srv", false},
                 {"rmdir srv && ln -s ../../../../../../tmp/victim srv", false},
                 {"ln -s /proc/1/root srv/vol", false},
                 {"ln -sf /etc/passwd etc/passwd", true},
                 {"rm etc/passwd && mkfifo etc/passwd", true}};
    char before[256], after[256];
    fx_run("rm -rf /tmp/victim; mkdir -p /tmp/victim");
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct zone z;
        struct err e = {0};
        struct nspace_mount m = {.fd = -1, .target = (char[]){"/srv/vol"}, .size = 1 << 20};
        fx_run("cd %s && cp -a l/base l/evil && cd l/evil && %s", fx_dir, cases[i].setup);
        host_picture(before, sizeof(before));
        fx_zone(&z, "hostile",
                "echo owned > /srv/vol/x; [ -f /etc/passwd ] && head -c 1 /etc/passwd; ls /dev/vda "
                "/sys/block/vda/uevent_x "
                "2>/dev/null; echo end");
        z.lowers[0] = (char[]){"evil"};
        z.setup.mounts = &m;
        z.setup.nmounts = 1;
        int r = fx_start(&z, &e);
        auto_free char *t = r == 0 ? fx_read_all(z.out) : xstrdup(e.text);
        if (r == 0)
            fx_wait(&z);
        fx_done(&z);
        host_picture(after, sizeof(after));
        ok((r == 0) == cases[i].starts, "image: %s: %s", cases[i].setup, r < 0 ? e.text : "starts");
        is_str(after, before, "the host is as before");
        ok(access("/tmp/victim/x", F_OK) < 0 && access("/tmp/victim/vol", F_OK) < 0, "nothing on the host");
        fx_run("rm -rf %s/l/evil %s/hostile", fx_dir, fx_dir);
    }
    fx_run("rm -rf /tmp/victim");
}

static void host_folders(void)
{
    struct zone z;
    struct err e = {0};
    fx_run("mkdir -p %s/hostdir %s/rodir && echo one > %s/rodir/f && echo file > %s/afile && chmod 777 "
           "%s/hostdir",
           fx_dir, fx_dir, fx_dir, fx_dir, fx_dir);
    char path[128];
    fx_zone(&z, "folders",
            "stat -c %u /vol; echo new > /vol/made && echo rw; cat /ro/f; echo x > /ro/g && echo BAD1; cat "
            "/etc/app.conf; echo x > /etc/app.conf && echo BAD2;"
            "mount -o remount,rw,bind /ro && echo BAD3; mount -o remount,rw,bind /usr && echo BAD4; touch "
            "/usr/x && echo BAD5; mount -o remount,dev,bind /vol && echo BAD6;"
            "umount /ro && cat /ro/f && echo BAD7; mount -t tmpfs t /mnt 2>/dev/null || mount -t tmpfs t "
            "/srv && echo mounts; ls /usr/bin/env; df /scratch | tail -1; touch /rootfile && echo rootrw");
    z.setup.init = SPEC_INIT_SYSTEM; /* all capabilities of the user namespace: the hard case */
    z.security.no_new_privs = false;
    struct nspace_mount m[4] = {{.target = (char[]){"/vol"}},
                                {.target = (char[]){"/ro"}, .read_only = true},
                                {.target = (char[]){"/etc/app.conf"}, .read_only = true, .is_file = true},
                                {.fd = -1, .target = (char[]){"/scratch"}, .size = 1 << 20}};
    snprintf(path, sizeof(path), "%s/hostdir", fx_dir);
    m[0].fd = fx_mount_of(path);
    snprintf(path, sizeof(path), "%s/rodir", fx_dir);
    m[1].fd = fx_mount_of(path);
    snprintf(path, sizeof(path), "%s/afile", fx_dir);
    m[2].fd = fx_mount_of(path);
    z.setup.mounts = m;
    z.setup.nmounts = 4;
    z.setup.root.usr_fd = fx_mount_of("/usr");
    int r = fx_start(&z, &e);
    auto_free char *t = r == 0 ? fx_read_all(z.out) : xstrdup(e.text);
    ok(r == 0 && has(t, "rw\n") && has(t, "one\n") && has(t, "file\n"), "volume, read-only folder, file");
    ok(has(t, "0\nrw"), "ids on disk are the zone's");
    ok(!strstr(t, "BAD"), "root of a system zone cannot take read-only or nodev off %s",
       strstr(t, "BAD") ? strstr(t, "BAD") : "");
    ok(has(t, "/usr/bin/env") && has(t, "mounts\n") && has(t, "/scratch") && has(t, "rootrw"),
       "the host's /usr, own mounts");
    struct stat st = {0};
    snprintf(path, sizeof(path), "%s/hostdir/made", fx_dir);
    ok(stat(path, &st) == 0 && st.st_uid == 0, "the new file belongs to 0 on disk");
    for (int i = 0; i < 3; i++)
        close(m[i].fd);
    fx_done(&z);
}

static void read_only_root(void)
{
    struct zone z;
    struct err e = {0};
    fx_zone(
        &z, "rofs",
        "touch /x && echo BAD; touch /tmp/y && echo BAD; touch /dev/shm/y && echo shm; cat /run/zone/name");
    z.security.read_only_root = true;
    ok(fx_start(&z, &e) == 0, "read-only root starts %s", e.text);
    auto_free char *t = fx_read_all(z.out);
    ok(!strstr(t, "BAD") && has(t, "shm\nrofs\n"), "read-only root");
    fx_done(&z);
}

static char *exec_in(struct zone *z, char *const *args, const char *user, int *status, struct err *e)
{
    int p[2];
    struct nspace_child c = {-1, -1, -1, -1, -1, false};
    if (pipe2(p, O_CLOEXEC) < 0)
        return xstrdup("pipe");
    struct nspace_exec x = {.args = args,
                            .stdio = {z->setup.stdio[0], p[1], p[1]},
                            .user = user,
                            .cgroup_fd = -1,
                            .init = z->setup.init,
                            .security = &z->security,
                            .limits = &z->limits,
                            .uid_base = UID_BASE};
    int r = fx_enter(z->child.pidfd, &x, &c, e);
    if (r == 0)
        r = nspace_go(&c, 5000, e);
    close(p[1]);
    char *t = fx_read_all(p[0]);
    close(p[0]);
    *status = -1;
    if (r == 0) {
        waitpid(c.pid, status, 0);
        *status = exit_status_of(*status);
    }
    c.pid = 0;
    nspace_child_done(&c);
    return t;
}

static void enters(void)
{
    struct zone z;
    struct err e = {0};
    int st;
    fx_zone(&z, "enter", "sleep 60");
    if (!ok(fx_start(&z, &e) == 0, "zone %s", e.text))
        return;
    char *const args[] = {
        (char[]){"sh"}, (char[]){"-c"},
        (char[]){
            "for n in user mnt pid net ipc uts cgroup time; do [ $(readlink /proc/self/ns/$n) = $(readlink "
            "/proc/1/ns/$n) ] || echo DIFFERS $n; done; hostname; grep -E 'CapEff|Seccomp:|NoNew' "
            "/proc/self/status; "
            "ls /proc/self/fd | tr '\\n' ' '; echo; cut -d. -f1 /proc/uptime; cat /proc/self/sessionid "
            "/proc/self/loginuid; ls "
            "-l /proc/$$/exe; exit 5"},
        NULL};
    auto_free char *t = exec_in(&z, args, NULL, &st, &e);
    is_int(st, 5, "exec's status %s", e.text);
    ok(!strstr(t, "DIFFERS") && has(t, "testzone\n"), "all namespaces are the zone's");
    ok(has(t, "CapEff:\t00000000800405fb") && has(t, "NoNewPrivs:\t1") && has(t, "Seccomp:\t2"),
       "same profile as PID 1");
    ok(has(t, "\n0 1 2 3 \n"), "no descriptors but 0-2");
    char *const id[] = {(char[]){"id"}, NULL}, *const no[] = {(char[]){"absent"}, NULL},
                *const dir[] = {(char[]){"/etc"}, NULL};
    auto_free char *u = exec_in(&z, id, "www", &st, &e);
    ok(has(u, "uid=33(www) gid=34(www) groups=50(extra)"), "exec as www");
    free(exec_in(&z, no, NULL, &st, &e));
    ok(e.kind == ERR_INVALID && e.code == ENOENT, "127: %s", e.text);
    err_clear(&e);
    free(exec_in(&z, dir, NULL, &st, &e));
    ok(e.kind == ERR_INVALID && e.code == EACCES, "126: %s", e.text);
    err_clear(&e);
    pidfd_kill(z.child.pidfd, SIGTERM); /* sh -c sleep: the shell has become sleep */
    is_int(fx_wait(&z), 128 + SIGTERM, "SIGTERM is passed on, status 143");
    struct nspace_exec x = {
        .args = id, .stdio = {0, 1, 2}, .cgroup_fd = -1, .security = &z.security, .limits = &z.limits};
    struct nspace_child c;
    ok(fx_enter(z.child.pidfd, &x, &c, &e) < 0, "a zone that ended: %s", e.text);
    fx_done(&z);
}

/* A terminal gives its output line by line: reads on until the last of it is there, at most 10 s between two. */
static void read_until(int fd, char *buf, size_t size, const char *last)
{
    size_t n = 0;
    struct pollfd p = {fd, POLLIN, 0};
    do {
        ssize_t got = poll(&p, 1, 10000) > 0 ? read(fd, buf + n, size - 1 - n) : -1;
        n += got > 0 ? (size_t)got : 0;
        buf[n] = '\0';
        if (got <= 0)
            break;
    } while (n < size - 1 && !strstr(buf, last));
}

static void terminals(void)
{
    struct zone z;
    struct err e = {0};
    int master, slave;
    fx_zone(&z, "term",
            "tty; [ -t 0 ] && echo isatty; ls -l /dev/console | cut -c1; echo $TERM; echo go > /dev/tty; "
            "stty -a < /dev/console >/dev/null && echo console; ls /dev/pts; sleep 30");
    ok(nspace_pty_new(z.setup.devpts_fd, UID_BASE, &master, &slave, &e) == 0, "pty %s", e.text);
    close(z.setup.stdio[1]);
    z.setup.stdio[0] = z.setup.stdio[1] = z.setup.stdio[2] = slave;
    z.setup.terminal = true;
    int r = fx_start(&z, &e);
    ok(r == 0, "starts %s", e.text);
    char buf[4096] = "";
    read_until(master, buf, sizeof(buf), "console\r");
    ok(has(buf, "/dev/pts/0") && has(buf, "isatty") && has(buf, "\nc") && has(buf, "xterm") &&
           has(buf, "\ngo") && has(buf, "console\r"),
       "terminal");
    int m2 = -1, s2 = -1;
    ok(nspace_pty_new(z.setup.devpts_fd, UID_BASE, &m2, &s2, &e) == 0, "a second pty while it runs %s",
       e.text);
    char *const args[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){"tty; echo x > /dev/tty"}, NULL};
    struct nspace_exec x = {.args = args,
                            .stdio = {s2, s2, s2},
                            .terminal = true,
                            .cgroup_fd = -1,
                            .security = &z.security,
                            .limits = &z.limits};
    struct nspace_child c;
    r = fx_enter(z.child.pidfd, &x, &c, &e) < 0 ? -1 : nspace_go(&c, 5000, &e);
    ok(r == 0, "exec with a terminal %s", e.text);
    int st;
    waitpid(c.pid, &st, 0);
    read_until(m2, buf, sizeof(buf), "\nx");
    ok(has(buf, "/dev/pts/1\r\nx"), "its own terminal");
    nspace_child_done(&c);
    ok(write(master, "\003", 1) == 1, "^C");
    is_int(fx_wait(&z), 130, "^C reaches the foreground program");
    close(m2);
    close(s2);
    close(master);
    fx_done(&z);
}

static int list_root(int fd, void *arg)
{
    dprintf(fd, "%d %d %d ", (int)geteuid(), access("/etc/passwd", R_OK), access("/proc/self", F_OK));
    int f = open("/from-visit", O_CREAT | O_WRONLY, 0644);
    dprintf(fd, "%d %s", f >= 0, (const char *)arg);
    return 9;
}

static void visits(void)
{
    struct zone z;
    struct err e = {0};
    struct nspace_child c;
    int p[2], st;
    fx_zone(&z, "visit", "");
    ok(pipe2(p, O_CLOEXEC) == 0, "pipe");
    struct nspace_visit v = {.root = &z.setup.root,
                             .uid_base = UID_BASE,
                             .job = list_root,
                             .job_arg = (char[]){"arg"},
                             .job_fd = p[1]};
    int r = nspace_visit(fx_kit, &v, &c, &e);
    if (r == 0)
        r = nspace_go(&c, 5000, &e);
    close(p[1]);
    ok(r == 0, "visit %s", e.text);
    auto_free char *t = fx_read_all(p[0]);
    ok(has(t, "0 0 -1 1 arg"), "root of the zone, no /proc, may write");
    waitpid(c.pid, &st, 0);
    is_int(exit_status_of(st), 9, "job's status");
    nspace_child_done(&c);
    close(p[0]);
    close(z.setup.stdio[1]);
    fx_done(&z);
}

static void joins(void)
{
    struct zone a, b;
    struct err e = {0};
    fx_zone(&a, "joina", "sleep 60");
    ok(fx_start(&a, &e) == 0, "first zone %s", e.text);
    fx_zone(&b, "joinb",
            "readlink /proc/self/ns/user; readlink /proc/self/ns/net; readlink /proc/self/ns/pid; hostname; "
            "cat /run/zone/name");
    b.setup.join_pidfd = a.child.pidfd;
    ok(fx_start(&b, &e) == 0, "second zone joins %s", e.text);
    auto_free char *t = fx_read_all(b.out);
    char path[64], want[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)a.child.pid);
    want[readlink(path, want, sizeof(want) - 1) > 0 ? 17 : 0] = '\0';
    ok(has(t, "net:[") && strstr(t, "user:[") && !strncmp(strstr(t, "net:["), want, 15),
       "same network namespace");
    ok(has(t, "joinb\n"), "its own name");
    fx_done(&b);
    struct zone h;
    fx_zone(&h, "hostnet",
            "readlink /proc/self/ns/net; cat /proc/mounts | grep ' /sys '; echo x > /sys/kernel/mm/ksm/run "
            "&& echo BAD; mkdir /sys/fs/cgroup/q && echo BAD; ls /sys/class/net");
    h.setup.host_network = true;
    ok(fx_start(&h, &e) == 0, "host network %s", e.text);
    auto_free char *u = fx_read_all(h.out);
    want[readlink("/proc/self/ns/net", want, sizeof(want) - 1) > 0 ? 16 : 0] = '\0';
    ok(has(u, want) && has(u, " /sys sysfs ro,") && !strstr(u, "BAD"), "the host's network, /sys read-only");
    fx_done(&h);
    fx_done(&a);
}

static void system_init(void)
{
    struct zone z;
    struct err e = {0};
    fx_zone(&z, "system",
            "echo $$; grep -E 'NoNew|CapEff|Seccomp:' /proc/self/status; mkdir /sys/fs/cgroup/own && echo "
            "cg; grep cgroup /proc/mounts; grep ' /run ' /proc/mounts; mount -t tmpfs x /srv && echo mnt; "
            "sysctl -w net.ipv4.ip_forward=0 && echo net; hostname other && hostname; cat /proc/1/comm");
    z.setup.init = SPEC_INIT_SYSTEM;
    z.security.no_new_privs = false;
    ok(fx_start(&z, &e) == 0, "system zone %s", e.text);
    auto_free char *t = fx_read_all(z.out);
    ok(has(t, "1\nNoNewPrivs:\t0\n") || has(t, "1\nCap"), "the image's own init is PID 1");
    ok(has(t, "NoNewPrivs:\t0") && has(t, "Seccomp:\t2") && has(t, "/sys/fs/cgroup cgroup2 rw,") &&
           has(t, " /run tmpfs rw,"),
       "system profile");
    ok(has(t, "mnt\n") && has(t, "net\n") && has(t, "other\n"),
       "may mount, set net sysctls and its host name");
    fx_done(&z);
}

static void status_byte(void)
{
    struct zone z;
    struct err e = {0};
    int p[2];
    unsigned char byte = 0;
    fx_zone(&z, "status", "(sleep 0.05; exit 3) & (true) & sleep 0.1; exit 42");
    ok(pipe2(p, O_CLOEXEC) == 0, "pipe");
    z.setup.status_fd = p[1];
    ok(fx_start(&z, &e) == 0, "starts %s", e.text);
    close(p[1]);
    is_int(fx_wait(&z), 42, "status");
    ok(read(p[0], &byte, 1) == 1 && byte == 42, "status byte");
    close(p[0]);
    fx_done(&z);
}

int main(int argc, char **argv)
{
    if (!fx_begin(argv[0]))
        return done_testing();
    unsigned fds = open_fds();

    cannot_exec();
    refuses();
    dies_early();
    users();
    hostile_images();
    host_folders();
    read_only_root();
    enters();
    visits();
    joins();
    system_init();
    status_byte();
    is_int(open_fds(), fds, "no descriptor leaks");
    terminals();
    fx_end();
    return done_testing();
}
