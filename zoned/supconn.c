/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection per running zone: requests with ids, answers, events. Never blocks on a supervisor. */
#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/str.h"
#include "zoned/ops.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

static void fail_replies(struct zone *z)
{
    struct err gone = {0};
    err_set(&gone, ERR_INTERNAL, EPIPE, "the supervisor of zone %s went away", z->name);
    while (z->replies.len) {
        struct sup_reply r = z->replies.at[z->replies.len - 1];
        z->replies.len--;
        sd_event_source_disable_unref(r.deadline);
        r.done(z, NULL, &gone, r.arg);
    }
}

void sup_detach_zone(struct zone *z)
{
    z->sup_io = sd_event_source_unref(z->sup_io);
    close_fd(&z->sup_fd);
    close_fd(&z->pidfd);
    fail_replies(z);
}

static void take_reply(struct zone *z, const json *m)
{
    int64_t id = js_get_int(m, "id", -1);
    for (unsigned i = 0; i < z->replies.len; i++) {
        if (z->replies.at[i].id != id)
            continue;
        struct sup_reply r = z->replies.at[i];
        vec_remove(&z->replies, i);
        sd_event_source_disable_unref(r.deadline);
        struct err e = {0};
        if (js_get(m, "error"))
            js_to_err(js_get(m, "error"), &e, NULL);
        r.done(z, m, &e, r.arg);
        return;
    }
}

static void take_status(struct zone *z, const json *m)
{
    if (js_get(m, "pid"))
        z->pid = (pid_t)js_get_int(m, "pid", 0);
    if (js_get(m, "started_us"))
        z->started_us = (uint64_t)js_get_int(m, "started_us", 0);
    if (js_type_of(js_get(m, "exit_status")) == JS_INT)
        z->exit_status = (int)js_get_int(m, "exit_status", -1);
    if (js_type_of(js_get(m, "healthy")) == JS_BOOL)
        z->healthy = js_get_bool(m, "healthy", false);
    z->oom = js_get_bool(m, "oom", z->oom);
    z->restarts = (uint64_t)js_get_int(m, "restarts", (int64_t)z->restarts);
}

/* What an event says beside the status, for those who watch. */
static json *extras(const json *m)
{
    static const char *const keys[] = {"action", "cap", "process", "host_pid", "rss", "used", "percent"};
    json *o = js_object();
    for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
        if (js_get(m, keys[i]))
            js_set(o, keys[i], js_ref(js_get(m, keys[i])));
    return o;
}

static void take_event(struct zone *z, const json *m)
{
    const char *ev = js_get_str(m, "event", "");
    log_debug("zone %s: %s", z->name, ev);
    take_status(z, m);
    if (!strcmp(ev, "running")) {
        op_running(z);
        return;
    }
    if (!strcmp(ev, "stopped")) {
        op_stopped(z, m);
        return;
    }
    if (!strcmp(ev, "paused"))
        zone_set_state(z, ZONE_PAUSED);
    else if (!strcmp(ev, "resumed"))
        zone_set_state(z, ZONE_RUNNING);
    else if (!strcmp(ev, "restarting")) {
        zone_set_state(z, ZONE_READY);
        sharers_lose(z);
    } else if (!strcmp(ev, "stopping"))
        zone_set_state(z, ZONE_SHUTTING_DOWN);
    else if (!strcmp(ev, "oom"))
        z->oom = true;
    else if (!strcmp(ev, "exited"))
        z->pid = 0;
    if (strcmp(ev, "paused") && strcmp(ev, "resumed"))
        event_publish(z->d, ev, z->name, extras(m));
    waits_check(z->d, z);
    boot_zone_changed(z->d);
}

static int on_message(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
    struct zone *z = arg;
    for (int i = 0; i < 64 && z->sup_fd == fd; i++) {
        json *m = NULL;
        int fds[4];
        unsigned nfds = 4;
        int r = sup_recv(fd, 0, &m, fds, &nfds, NULL);
        if (r == -EAGAIN)
            return 0;
        if (r <= 0) {
            if (r == -EINVAL || r == -EMSGSIZE) {
                log_warning("zone %s: a malformed message from its supervisor", z->name);
                continue;
            }
            sup_detach_zone(z);
            op_lost(z);
            return 0;
        }
        fd_close_all(fds, nfds);
        char name[sizeof(z->name)];
        memcpy(name, z->name, sizeof(name));
        struct zd *d = z->d;
        if (js_get(m, "event"))
            take_event(z, m);
        else
            take_reply(z, m);
        js_free(m);
        if (registry_find(d, name) != z) /* it was deleted by what it told */
            return 0;
    }
    return 0;
}

int sup_attach_zone(struct zd *d, struct zone *z, int fd, struct err *e)
{
    sup_detach_zone(z);
    z->sup_fd = fd;
    fd_nonblock(fd, true); /* who is stopped reads nothing, and all others wait for us */
    int r = sd_event_add_io(d->event, &z->sup_io, fd, EPOLLIN, on_message, z);
    if (r < 0) {
        close_fd(&z->sup_fd);
        return err_sysk(e, ERR_INTERNAL, -r, "event source for zone %s", z->name);
    }
    return 0;
}

int sup_silent(const struct zone *z, const char *then, struct err *e)
{
    err_set(e, ERR_BUSY, ETIMEDOUT, "zone %s: its supervisor does not answer%s", z->name, then);
    return err_hint(e, "look whether it is stopped: ps -o pid,stat,wchan -C sup:%.11s", z->name);
}

static int on_deadline(sd_event_source *s, uint64_t usec, void *arg)
{
    struct zone *z = arg;
    for (unsigned i = 0; i < z->replies.len; i++) {
        struct sup_reply r = z->replies.at[i];
        struct err e = {0};
        if (r.deadline != s)
            continue;
        vec_remove(&z->replies, i);
        sd_event_source_disable_unref(s);
        (void)sup_silent(z, "; it may do yet what it was asked", &e);
        r.done(z, NULL, &e, r.arg);
        break;
    }
    return 0;
}

int sup_request(struct zone *z, json *message, const int *fds, unsigned nfds,
                void (*done)(struct zone *, const json *, const struct err *, void *), void *arg,
                struct err *e)
{
    int r = sup_request_long(z, message, fds, nfds, done, arg, e);
    if (r == 0 && done)
        (void)sd_event_add_time_relative(z->d->event, &z->replies.at[z->replies.len - 1].deadline,
                                         CLOCK_MONOTONIC, SUP_PATIENCE_US, 0, on_deadline, z);
    return r;
}

int sup_request_long(struct zone *z, json *message, const int *fds, unsigned nfds,
                     void (*done)(struct zone *, const json *, const struct err *, void *), void *arg,
                     struct err *e)
{
    if (z->sup_fd < 0) {
        js_free(message);
        return err_set(e, ERR_CONFLICT, ENOTCONN, "zone %s has no supervisor", z->name);
    }
    int64_t id = ++z->d->next_id;
    js_set_int(message, "id", id);
    int r = sup_send(z->sup_fd, message, fds, nfds, e);
    js_free(message);
    if (r == -EAGAIN) {
        err_clear(e);
        return sup_silent(z, "", e);
    }
    if (r < 0)
        return r;
    if (done)
        *vec_add(&z->replies) = (struct sup_reply){.id = id, .done = done, .arg = arg};
    return 0;
}
