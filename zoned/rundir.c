/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone's run folder: its lock and plan for the supervisor, and what is swept away when nobody waits. */
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "zoned/op.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>

int make_run_dir(struct zone *z, struct err *e)
{
    struct zd *d = z->d;
    auto_free char *dir = xasprintf("zones/%s", z->name),
                   *lock = xasprintf("zones/%s/%s", z->name, PLAN_LOCK);
    if (mkdirat(d->run_fd, dir, 0700) < 0 && errno != EEXIST)
        return err_sys(e, "run folder of zone %s", z->name);
    z->lock_fd = openat(d->run_fd, lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (z->lock_fd >= 0 && flock(z->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    err_sysk(e, ERR_BUSY, errno, "run folder of zone %s", z->name);
    close_fd(&z->lock_fd); /* not ours: whoever holds it needs what is in there */
    return err_hint(e, "a supervisor of the zone is alive: restart zoned to adopt it");
}

int write_plan(struct zone *z, struct err *e)
{
    auto_js json *j = plan_to_json(z->plan);
    auto_free char *text = js_dump(j, false), *path = xasprintf("zones/%s/%s", z->name, PLAN_FILE),
                   *journal = xasprintf("zones/%s/%s", z->name, PLAN_JOURNAL);
    (void)unlinkat(z->d->run_fd, path, 0);
    (void)unlinkat(z->d->run_fd, journal, 0);
    return file_create(z->d->run_fd, path, text, strlen(text), 0600, e);
}

void remove_run_dir(struct zone *z)
{
    auto_fd int zones = openat(z->d->run_fd, "zones", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct err e = {0};
    if (zones >= 0 && path_remove_tree(zones, z->name, &e) < 0)
        log_warning("zone %s: %s", z->name, e.text);
    close_fd(&z->lock_fd);
}

/* Of a one-off zone's run folder the spec stays. The supervisor still has its lock for a moment: the next start gets another. */
void drop_lock(struct zone *z)
{
    auto_free char *lock = xasprintf("zones/%s/%s", z->name, PLAN_LOCK);
    (void)unlinkat(z->d->run_fd, lock, 0);
    close_fd(&z->lock_fd);
}

static int tidy(sd_event_source *s, void *arg)
{
    struct zd *d = arg;
    stor_zone_prepare(d->pool);
    trash_empty(d, NULL, 0, NULL);
    auto_fd int tmp = openat(d->run_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    (void)path_remove_tree(tmp, "gone", NULL);
    return 0;
}

void op_tidy_soon(struct zd *d)
{
    if (!d->tidy && sd_event_add_defer(d->event, &d->tidy, tidy, d) >= 0)
        (void)sd_event_source_set_priority(d->tidy, SD_EVENT_PRIORITY_IDLE);
    (void)sd_event_source_set_enabled(d->tidy, SD_EVENT_ONESHOT);
}

/* A one-off zone's folders: renamed now, so that the name is free, deleted when nobody waits. */
void discard_folders(struct zone *z)
{
    struct zd *d = z->d;
    auto_free char *from = xasprintf("zones/%s", z->name),
                   *to = xasprintf("gone/%s.%" PRIu64, z->name, clock_boot_us());
    (void)mkdirat(d->run_fd, "gone", 0700);
    if (renameat(d->run_fd, from, d->run_fd, to) < 0)
        remove_run_dir(z);
    close_fd(&z->lock_fd);
    (void)stor_zone_discard(d->pool, z->name, NULL);
    op_tidy_soon(d);
}
