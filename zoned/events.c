/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happened, for those who watch: the last 256 events and live streams of one JSON object a line. */
#include "base/clock.h"
#include "zoned/zoned.h"
#include <stdio.h>

#define EVENTS_KEPT 256

struct follower {
    struct event_hub *hub;
    struct zd_stream *stream;
    struct follower *next;
};
struct event_hub {
    char *kept[EVENTS_KEPT];
    unsigned count;
    struct follower *followers;
};

struct event_hub *event_hub_new(void)
{
    return xcalloc(1, sizeof(struct event_hub));
}

void event_hub_free(struct event_hub *h)
{
    if (!h)
        return;
    for (unsigned i = 0; i < EVENTS_KEPT; i++)
        free(h->kept[i]);
    free(h);
}

static void closed(void *arg)
{
    struct follower *f = arg;
    for (struct follower **p = &f->hub->followers; *p; p = &(*p)->next)
        if (*p == f) {
            *p = f->next;
            break;
        }
    free(f);
}

static void send_line(struct follower *f, const char *text)
{
    zd_stream_write(f->stream, text, strlen(text));
}

void event_publish(struct zd *d, const char *event, const char *zone, json *extra)
{
    char when[32];
    clock_rfc3339(clock_real_us(), when);
    auto_js json *o = js_object();
    js_set_str(o, "time", when);
    js_set_str(o, "event", event);
    if (zone)
        js_set_str(o, "zone", zone);
    for (void *it = extra ? js_iter(extra) : NULL; it; it = js_next(extra, it))
        js_set(o, js_iter_key(it), js_ref(js_iter_value(it)));
    js_free(extra);
    struct event_hub *h = d->events;
    auto_free char *text = js_dump(o, false);
    char **slot = &h->kept[h->count++ % EVENTS_KEPT];
    free(*slot);
    *slot = xasprintf("%s\n", text);
    for (struct follower *f = h->followers, *next; f; f = next) {
        next = f->next;
        send_line(f, *slot);
    }
}

void event_of(struct zd *d, const char *event, const char *what, const char *name)
{
    json *extra = js_object();
    js_set_str(extra, what, name);
    event_publish(d, event, NULL, extra);
}

/* What was kept comes first, with follow too: who looks again and follows misses nothing in between. */
void event_follow(struct zd *d, struct zd_request *r, bool follow)
{
    struct event_hub *h = d->events;
    struct follower *f = xcalloc(1, sizeof(*f));
    f->hub = h;
    f->next = h->followers;
    h->followers = f;
    f->stream = zd_reply_stream(r, "application/x-ndjson", closed, f);
    unsigned first = h->count > EVENTS_KEPT ? h->count - EVENTS_KEPT : 0;
    for (unsigned i = first; i < h->count; i++)
        send_line(f, h->kept[i % EVENTS_KEPT]);
    if (!follow)
        zd_stream_end(f->stream);
}
