/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GET /v1/zones/{name}/logs: the log in pieces, each read when the one before it was sent. A client that does not read costs
 * nothing, however much the zone writes; what is rotated away before it was read is told as missing. A follower ends with
 * the zone: when it has stopped (a restart by policy is none), and when it is deleted. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "zoned/handlers.h"
#include "zoned/logs.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>

#define PIECE 65536u
#define PIECES 8u /* read at once where nothing of it is wanted; then others are served */

struct log_job {
    struct zd *d;
    struct zd_stream *stream;
    sd_event_source *io, *again;
    int dir, inotify;
    char zone[SPEC_NAME_MAX + 1];
    struct sup_log_cursor cursor;
    char since[32];
    uint64_t tail, lines, skip;
    uint64_t back; /* the last lines are looked for in so many bytes */
    struct sup_log_cursor from;
    bool all; /* and that is all there is */
    bool counting, counted, follow, timestamps, over;
    struct str text;
};

static void count_line(void *arg, const char *stream, const char *time, const char *line, size_t n,
                       bool partial)
{
    struct log_job *j = arg;
    j->lines += !partial && strcmp(time, j->since) >= 0;
}

static void add_line(void *arg, const char *stream, const char *time, const char *line, size_t n,
                     bool partial)
{
    struct log_job *j = arg;
    if (strcmp(time, j->since) < 0)
        return;
    if (j->skip) {
        j->skip -= !partial;
        return;
    }
    if (j->timestamps)
        str_addf(&j->text, "%s ", time);
    str_addn(&j->text, line, n);
    if (!partial)
        str_add(&j->text, "\n");
}

/* The last lines are in the last bytes; in how many of them is found by looking at ever more. true: found. */
static bool count_piece(struct log_job *j)
{
    if (!j->back || (!j->all && j->lines < j->tail && j->counted)) {
        j->back = j->back ? j->back * 4 : PIECE;
        j->all = !sup_log_back(j->dir, &j->from, j->back);
        j->cursor = j->from;
        j->lines = 0;
    }
    j->counted = !sup_log_read(j->dir, &j->cursor, PIECE, count_line, j);
    if (!j->counted || (j->lines < j->tail && !j->all))
        return false;
    j->counting = false;
    j->skip = j->lines > j->tail ? j->lines - j->tail : 0;
    j->cursor = j->from;
    return true;
}

/* 1: there is more; 0: all so far was read. */
static int read_piece(struct log_job *j)
{
    if (j->counting && !count_piece(j))
        return 1;
    int more = sup_log_read(j->dir, &j->cursor, PIECE, add_line, j);
    if (j->cursor.lost)
        str_add(&j->text, "[zoned: lines are missing here: they were rotated away before they were read]\n");
    j->cursor.lost = false;
    return more;
}

static int on_again(sd_event_source *s, void *arg)
{
    struct log_job *j = arg;
    zd_stream_more(j->stream);
    return 0;
}

static void fill(void *arg)
{
    struct log_job *j = arg;
    int more = j->dir >= 0;
    for (unsigned i = 0; more && !j->text.len && i < PIECES; i++)
        more = read_piece(j);
    if (j->text.len) {
        zd_stream_begin(j->stream, j->text.p, j->text.len);
        j->text.len = 0;
    } else if (more) {
        if (!j->again)
            (void)sd_event_add_defer(j->d->event, &j->again, on_again, j);
        (void)sd_event_source_set_enabled(j->again, SD_EVENT_ONESHOT);
    } else if (!j->follow || j->over) {
        zd_stream_end(j->stream);
    }
}

static int on_log_grew(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
    struct log_job *j = arg;
    char drain[4096];
    while (read(fd, drain, sizeof(drain)) > 0)
        ;
    zd_stream_more(j->stream);
    return 0;
}

static void closed(void *arg)
{
    struct log_job *j = arg;
    for (unsigned i = 0; i < j->d->logs.len; i++)
        if (j->d->logs.at[i] == j) {
            vec_remove(&j->d->logs, i);
            break;
        }
    sd_event_source_disable_unref(j->io);
    sd_event_source_disable_unref(j->again);
    close_fd(&j->dir);
    close_fd(&j->inotify);
    str_done(&j->text);
    free(j);
}

/* ---- the zone's end ---- */
static bool at_rest(const struct zone *z)
{
    return z->state == ZONE_INSTALLED || z->state == ZONE_CONFIGURED || z->state == ZONE_FAILED;
}

void logs_gone(struct zd *d, const char *zone)
{
    for (unsigned i = 0; i < d->logs.len; i++) {
        struct log_job *j = d->logs.at[i];
        if (strcmp(j->zone, zone))
            continue;
        j->over = true;
        zd_stream_more(j->stream);
    }
}

void logs_check(struct zd *d, const struct zone *z)
{
    if (at_rest(z))
        logs_gone(d, z->name);
}

void logs_rename(struct zd *d, const char *from, const char *to)
{
    for (unsigned i = 0; i < d->logs.len; i++) {
        struct log_job *j = d->logs.at[i];
        if (!strcmp(j->zone, from))
            snprintf(j->zone, sizeof(j->zone), "%s", to);
    }
}

/* ---- the request ---- */
static int watch_log(struct log_job *j, struct err *e)
{
    char self[64];
    snprintf(self, sizeof(self), "/proc/self/fd/%d", j->dir);
    j->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (j->inotify < 0 || inotify_add_watch(j->inotify, self, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0 ||
        sd_event_add_io(j->d->event, &j->io, j->inotify, EPOLLIN, on_log_grew, j) < 0)
        return err_sys(e, "watching the log");
    return 0;
}

static int open_log(struct log_job *j, const struct zone *z, struct err *e)
{
    auto_fd int zone = stor_zone_fd(j->d->pool, z->name, e);
    if (zone < 0)
        return zone;
    j->over = at_rest(z);
    if (j->follow && !j->over) /* it starts, and has written nothing yet */
        (void)mkdirat(zone, ZONE_LOG_DIR, 0700);
    j->dir = openat(zone, ZONE_LOG_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return j->dir >= 0 && j->follow && !j->over ? watch_log(j, e) : 0;
}

static int read_query(struct log_job *j, const struct zd_request *r, struct err *e)
{
    uint64_t since = 0;
    const char *t = zd_query(r, "tail"), *s = zd_query(r, "since");
    j->counting = t != NULL;
    j->follow = zd_query_flag(r, "follow", false);
    j->timestamps = zd_query_flag(r, "timestamps", false);
    if (t && parse_u64(t, 1000000000, &j->tail) < 0)
        return err_set(e, ERR_INVALID, EINVAL, "tail=%s is no number of lines", t);
    if (s && parse_u64(s, UINT64_MAX / 2, &since) < 0)
        return err_set(e, ERR_INVALID, EINVAL, "since=%s is no time in microseconds", s);
    if (since)
        clock_rfc3339(since, j->since);
    return 0;
}

int h_zone_logs(struct zd *d, struct zd_request *r, struct err *e)
{
    struct zone *z;
    int k = registry_get(d, zd_param(r, 0), &z, e);
    if (k < 0)
        return k;
    struct log_job *j = xcalloc(1, sizeof(*j));
    *j = (struct log_job){.d = d, .dir = -1, .inotify = -1};
    snprintf(j->zone, sizeof(j->zone), "%s", z->name);
    k = read_query(j, r, e);
    k = k < 0 ? k : open_log(j, z, e);
    if (k < 0) {
        closed(j);
        return k;
    }
    *vec_add(&d->logs) = j;
    j->stream = zd_reply_stream(r, "text/plain; charset=utf-8", closed, j);
    zd_stream_pull(j->stream, fill);
    return 0;
}
