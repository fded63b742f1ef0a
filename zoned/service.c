/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs of the host that we keep running: started by a double fork (nobody's child, since they outlive us), found
 * by pid and start time, watched by pidfd. Must never wait on what they do: only on their start and end, bounded. */
#include "zoned/service.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define END_MS 2000        /* to end by itself */
#define PAUSE_MAX_S 60     /* between two starts of one that dies at once */
#define STEADY_US 60000000 /* having lived so long, the next death is a first one */
#define LOCK_FD 3          /* inherited: held as long as it lives */

static void write_pid(int dirfd)
{
    char text[64];
    uint64_t start = 0;
    (void)proc_start_time(getpid(), &start);
    int n = snprintf(text, sizeof(text), "%d %" PRIu64 "\n", (int)getpid(), start);
    (void)file_replace(dirfd, "pid", text, (size_t)n, 0600, false, NULL);
}

static _Noreturn void become(struct service *s, int dirfd, int lock)
{
    static char *const env[] = {NULL};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    write_pid(dirfd);
    int out = openat(dirfd, "log", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600),
        null = open("/dev/null", O_RDWR), held = fcntl(lock, F_DUPFD, 10);
    if (out < 0 || null < 0 || held < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 ||
        dup2(held, LOCK_FD) < 0)
        _exit(127);
    close_range(LOCK_FD + 1, ~0u, 0);
    if (s->inside && s->inside(s->arg) < 0)
        _exit(127);
    execve(s->argv[0], s->argv, env);
    _exit(127);
}

static int spawn(struct service *s, int dirfd, int lock, struct err *e)
{
    pid_t pid = fork();
    if (pid < 0)
        return err_sys(e, "fork");
    if (pid == 0) {
        if (setsid() < 0 || fork() != 0)
            _exit(0);
        become(s, dirfd, lock);
    }
    waitpid(pid, NULL, 0);
    return 0;
}

/* The pid is the process's own word, the start time says that it still is the one. -ESRCH: it has ended; -ENOENT: it
 * has not said it yet. */
static int look(struct service *s, int dirfd)
{
    auto_free char *text = NULL;
    int pid = 0;
    uint64_t want = 0, start = 0;
    if (file_read(dirfd, "pid", 128, &text, NULL, NULL) < 0 ||
        sscanf(text, "%d %" SCNu64, &pid, &want) != 2 || pid <= 1)
        return -ENOENT;
    auto_fd int fd = pidfd_open_pid(pid);
    struct pollfd ended = {.fd = fd,
                           .events = POLLIN}; /* one that nobody has reaped yet is there, but no more */
    if (fd < 0 || proc_start_time(pid, &start) < 0 || start != want || poll(&ended, 1, 0) == 1)
        return -ESRCH;
    s->pidfd = take_fd(&fd);
    s->pid = pid;
    return 0;
}

static int find(struct service *s, int dirfd, struct err *e)
{
    int r = -ENOENT;
    for (unsigned i = 0; i < 200 && r == -ENOENT; i++) {
        if ((r = look(s, dirfd)) == -ENOENT)
            usleep(5000);
    }
    return r == 0 ? 0
                  : err_set(e, ERR_INTERNAL, ESRCH, "%s: its process was not found (see %s/log)", s->name,
                            s->dir);
}

/* ---- life ---- */
static void start_later(struct service *s);

static int on_died(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
    struct service *s = arg;
    auto_free char *event = xasprintf("%s_died", s->name);
    log_warning("%s %d died; it is started again", s->name, (int)s->pid);
    s->died = sd_event_source_disable_unref(s->died);
    close_fd(&s->pidfd);
    s->pid = 0;
    err_clear(&s->problem);
    err_set(&s->problem, ERR_INTERNAL, ECHILD, "it died");
    s->deaths = clock_mono_us() - s->started_us > STEADY_US ? 1 : s->deaths + 1;
    if (s->down)
        s->down(s->arg);
    event_publish(s->d, event, NULL, NULL);
    start_later(s);
    return 0;
}

/* One that lives is adopted. The lock tells of one that has not said its pid yet; some close it later (dnsmasq). */
static int start(struct service *s, struct err *e)
{
    if (path_mkdirs(s->dir, 0700, e) < 0)
        return -EIO;
    auto_fd int dirfd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_fd int lock =
        dirfd < 0 ? -1 : openat(dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0)
        return err_sys(e, "%s/lock", s->dir);
    bool lives = s->adopted = look(s, dirfd) == 0, begins = flock(lock, LOCK_EX | LOCK_NB) < 0;
    int r = 0;
    if (!lives && !begins) {
        (void)unlinkat(dirfd, "pid", 0);
        r = s->before ? s->before(s->arg, e) : 0;
        r = r < 0 ? r : spawn(s, dirfd, lock, e);
    }
    r = r < 0 || lives ? r : find(s, dirfd, e);
    if (r < 0)
        return r;
    s->started_us = clock_mono_us();
    r = sd_event_add_io(s->d->event, &s->died, s->pidfd, EPOLLIN, on_died, s);
    if (r < 0)
        return err_sysk(e, ERR_INTERNAL, -r, "event source for %s", s->name);
    return s->up ? s->up(s->arg, e) : 0;
}

void service_start(struct service *s)
{
    s->pidfd = -1;
    err_clear(&s->problem);
    if (start(s, &s->problem) == 0)
        return;
    log_warning("%s: %s", s->name, s->problem.text);
    s->deaths += 2;
    start_later(s);
}

static int on_again(sd_event_source *source, uint64_t usec, void *arg)
{
    struct service *s = arg;
    s->again = sd_event_source_disable_unref(s->again);
    if (!service_runs(s))
        service_start(s);
    return 0;
}

/* At once after the first death, then after 1, 2, 4 … seconds. */
static void start_later(struct service *s)
{
    uint64_t pause_s = s->deaths < 2 ? 0 : s->deaths > 7 ? PAUSE_MAX_S : 1u << (s->deaths - 2);
    s->again = sd_event_source_disable_unref(s->again);
    (void)sd_event_add_time_relative(s->d->event, &s->again, CLOCK_MONOTONIC, pause_s * 1000000, 0, on_again,
                                     s);
}

bool service_adopted(const struct service *s)
{
    return s->adopted;
}

bool service_runs(const struct service *s)
{
    return s->pid > 0;
}

void service_kill(struct service *s)
{
    if (s->pid > 0)
        (void)pidfd_kill(s->pidfd, SIGKILL);
}

static bool ends_by(const struct service *s, int sig)
{
    struct pollfd p = {.fd = s->pidfd, .events = POLLIN};
    if (pidfd_kill(s->pidfd, sig) < 0)
        return true;
    (void)pidfd_kill(s->pidfd, SIGCONT); /* one that somebody stopped would take no other signal in */
    return poll(&p, 1, END_MS) == 1;
}

/* Its files go too. */
static void end_process(struct service *s)
{
    static const char *const files[] = {"pid", "lock", "log"};
    if (s->pid > 0 && !ends_by(s, SIGTERM))
        (void)ends_by(s, SIGKILL);
    auto_fd int dirfd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (unsigned i = 0; dirfd >= 0 && i < ARRAY_LEN(files); i++)
        (void)unlinkat(dirfd, files[i], 0);
    (void)rmdir(s->dir);
}

static void let_go(struct service *s, bool end)
{
    s->died = sd_event_source_disable_unref(s->died);
    s->again = sd_event_source_disable_unref(s->again);
    if (end)
        end_process(s);
    if (s->pid > 0)
        close_fd(&s->pidfd);
    s->pid = 0;
}

void service_restart(struct service *s)
{
    let_go(s, true);
    service_start(s);
}

void service_close(struct service *s, bool end)
{
    if (!s->dir)
        return;
    let_go(s, end);
    free(s->dir);
    s->dir = NULL;
    strv_free(s->argv);
    s->argv = NULL;
}

void service_end(const char *dir)
{
    struct service s = {.dir = xstrdup(dir), .pidfd = -1};
    auto_fd int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd >= 0)
        (void)look(&s, dirfd);
    service_close(&s, true);
}
