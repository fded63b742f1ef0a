/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "zoned/look_later.h"
#include "base/log.h"
#include "base/mem.h"
#include <string.h>
#include <systemd/sd-event.h>

struct later {
    struct zd *d;
    struct later **at;
    sd_event_source *timer;
    void (*look)(struct zd *d);
};

#define TRY_US 1000000u
#define TRY_MAX_US 60000000u

uint64_t look_pause(uint64_t was_us)
{
    return !was_us ? TRY_US : was_us * 2 < TRY_MAX_US ? was_us * 2 : TRY_MAX_US;
}

void look_never(struct later **at)
{
    if (*at)
        sd_event_source_disable_unref((*at)->timer);
    free(*at);
    *at = NULL;
}

static int on_time(sd_event_source *s, uint64_t usec, void *arg)
{
    const struct later l = *(struct later *)arg;
    look_never(l.at);
    l.look(l.d);
    return 0;
}

void look_later(struct zd *d, struct later **at, uint64_t pause_us, void (*look)(struct zd *d))
{
    if (*at)
        return;
    struct later *l = xcalloc(1, sizeof(*l));
    *l = (struct later){.d = d, .at = at, .look = look};
    *at = l;
    int r = sd_event_add_time_relative(d->event, &l->timer, CLOCK_MONOTONIC, pause_us, 0, on_time, l);
    if (r < 0) {
        log_error("a timer: %s", strerror(-r));
        look_never(at);
    }
}
