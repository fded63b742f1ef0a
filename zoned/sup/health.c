/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Health checks: a program of the zone's own (entered as exec), or a connection made by a forked worker from
 * inside the zone's network namespace. The loop only sees a child end, or its deadline. One check at a time;
 * a paused zone is not checked. */
#include "zoned/sup/rt.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

void health_start(struct sup *s)
{
    const struct spec_health *h = &s->plan->spec->health;
    s->health.value = -1;
    s->health.failures = 0;
    s->health.started = clock_mono_us();
    s->health.next = h->kind == SPEC_HEALTH_NONE ? 0 : s->health.started + h->interval_ms * 1000;
}

void health_stop(struct sup *s)
{
    s->health.next = 0;
    for (unsigned i = 0; i < s->jobs.len; i++)
        if (s->jobs.at[i]->arg == &s->health)
            job_drop(s->jobs.at[i]);
    s->health.busy = false;
}

static void tell(struct sup *s, int value)
{
    if (s->health.value == value)
        return;
    s->health.value = value;
    json *x = js_object();
    js_set_bool(x, "healthy", value > 0);
    sup_event(s, "health", x, NULL, 0);
}

static void failed(struct sup *s)
{
    const struct spec_health *h = &s->plan->spec->health;
    uint64_t age = clock_mono_us() - s->health.started;
    if (s->health.value < 0 && age < h->start_period_ms * 1000)
        return; /* it may still be starting */
    if (++s->health.failures < (h->retries ? h->retries : 1))
        return;
    tell(s, 0);
    if (h->action == SPEC_HEALTH_ACTION_NONE)
        return;
    s->health_act = (int)h->action;
    s->health.next = 0;
    bool stop = s->stop_asked; /* a health action is no operator's stop: the policy goes on */
    sup_stop(s, false, s->plan->spec->process.stop_timeout_ms);
    s->stop_asked = stop;
}

static void checked(struct sup *s, bool good)
{
    s->health.busy = false;
    if (s->state != SUP_RUNNING)
        return;
    s->health.next = clock_mono_us() + s->plan->spec->health.interval_ms * 1000;
    if (good) {
        s->health.failures = 0;
        tell(s, 1);
    } else {
        failed(s);
    }
}

static void check_done(struct sup *s, struct job *j, int wait_status)
{
    checked(s, wait_status == 0 && !j->timed_out);
}

/* What it takes to enter is part of the check's time. */
static void check_begun(struct sup *s, struct job *j, const struct err *e)
{
    if (e) {
        checked(s, false);
        return;
    }
    j->done = check_done;
    j->deadline = s->health.until;
}

/* ---- http and tcp: in the worker ---- */
static int dial(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV},
                    *all = NULL;
    if (str_eq(host, "localhost"))
        host = "127.0.0.1"; /* no name look-ups: the worker sees the host's files */
    if (getaddrinfo(host, port, &hints, &all) != 0)
        return -1;
    int fd = -1;
    for (struct addrinfo *a = all; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(all);
    return fd;
}

static int check_http(const char *url)
{
    if (!str_starts(url, "http://"))
        return 1;
    const char *rest = url + 7, *path = strchr(rest, '/');
    auto_free char *authority = xstrndup(rest, path ? (size_t)(path - rest) : strlen(rest));
    char *host = authority, *port = NULL;
    if (*host == '[') {
        char *end = strchr(++host, ']');
        if (!end)
            return 1;
        port = end[1] == ':' ? end + 2 : NULL;
        *end = '\0';
    } else if ((port = strchr(host, ':'))) {
        *port++ = '\0';
    }
    auto_fd int fd = dial(host, port ? port : "80");
    char line[16];
    if (fd < 0)
        return 1;
    auto_free char *req =
        xasprintf("GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: zoned\r\nConnection: close\r\n\r\n",
                  path ? path : "/", host);
    if (fd_write_full(fd, req, strlen(req)) < 0)
        return 1;
    ssize_t n = fd_read_full(fd, line, 12); /* "HTTP/1.1 200" */
    if (n < 12 || memcmp(line, "HTTP/1.", 7) != 0)
        return 1;
    return line[9] == '2' || line[9] == '3' ? 0 : 1;
}

static _Noreturn void worker(struct sup *s)
{
    const struct spec_health *h = &s->plan->spec->health;
    if (!s->plan->host_network && setns(s->rt.pidfd, CLONE_NEWNET) < 0)
        _exit(1);
    close_range(3, ~0u, 0);
    if (h->kind == SPEC_HEALTH_HTTP)
        _exit(check_http(h->http));
    char port[8];
    snprintf(port, sizeof(port), "%u", (unsigned)h->tcp & 0xffff);
    _exit(dial("127.0.0.1", port) < 0);
}

static struct job *start_worker(struct sup *s)
{
    pid_t pid = fork();
    if (pid == 0)
        worker(s);
    int fd = pid > 0 ? pidfd_open_pid(pid) : -1;
    if (fd < 0)
        return NULL;
    return job_add(s, pid, fd, check_done, &s->health);
}

static struct job *start_exec(struct sup *s)
{
    struct nspace_exec n;
    spec_map none = {0};
    exec_setup(s, &n);
    n.args = s->plan->spec->health.exec;
    n.env = &none;
    auto_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    n.stdio[0] = n.stdio[1] = n.stdio[2] = null;
    return null < 0 ? NULL : job_enter(s, &n, true, check_begun, &s->health, NULL);
}

void health_tick(struct sup *s, uint64_t now)
{
    const struct spec_health *h = &s->plan->spec->health;
    if (!s->health.next || s->health.busy || now < s->health.next)
        return;
    s->health.busy = true;
    s->health.until = now + (h->timeout_ms ? h->timeout_ms : 1000) * 1000;
    struct job *j = h->kind == SPEC_HEALTH_EXEC ? start_exec(s) : start_worker(s);
    if (j) {
        j->deadline = s->health.until;
        return;
    }
    s->health.busy = false;
    s->health.next = now + h->interval_ms * 1000;
    failed(s);
}
