/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Order: which zones the boot of the host starts, after whom, and in which order all stop at shutdown. Whom it starts is decided
 * once a boot, by `autoboot` alone, and kept in RUN/boot: a zoned that is started again in the same boot goes on with those that
 * still wait, and starts nothing else. A dependency is ready when it runs, or when it is healthy if it has a check. Whoever does
 * not start, or has to wait for what is not well, is told: error, event, log, doctor. */
#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/str.h"
#include "zoned/networks.h"
#include "zoned/ops.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <unistd.h>

#define RECORD "boot"

static bool ready(const struct zone *z)
{
    if (!z || z->state != ZONE_RUNNING)
        return false;
    return !z->spec || z->spec->health.kind == SPEC_HEALTH_NONE || z->healthy == 1;
}

/* Whose network a zone has is one of those that it depends on. */
static bool needs(const struct zone *z, const char *name)
{
    return z->spec && (strv_has(z->spec->depends, name) || str_eq(sharer_owner(z->spec), name));
}

static char **needed(const struct zone *z)
{
    char **list = z->spec ? strv_copy(z->spec->depends) : NULL;
    if (sharer_owner(z->spec))
        strv_add(&list, sharer_owner(z->spec));
    return list;
}

static bool at_rest(const struct zone *z)
{
    return z->state == ZONE_CONFIGURED || z->state == ZONE_INSTALLED || z->state == ZONE_FAILED ||
           z->state == ZONE_INCOMPLETE;
}

/* It will run, as far as can be known, or runs. */
static bool comes(const struct zone *z)
{
    return z && (z->boot == BOOT_WAITS || z->op == OP_START || z->op == OP_RESTART || !at_rest(z));
}

static const char *unwell(const struct zone *z)
{
    if (z->state == ZONE_PAUSED)
        return "paused";
    return z->state == ZONE_RUNNING && !ready(z) && z->healthy == 0 ? "unhealthy" : NULL;
}

/* ---- telling ---- */
static void tell(struct zone *z, const char *event, const char *why)
{
    json *extra = js_object();
    js_set_str(extra, "reason", why);
    z->d->boot_unsaved = true;
    zone_set_error(z, why);
    event_publish(z->d, event, z->name, extra);
}

void boot_refused(struct zone *z, const char *why)
{
    if (z->boot == BOOT_WAITS)
        z->boot = BOOT_REFUSED;
    log_warning("zone %s does not start: %s", z->name, why);
    tell(z, "start-refused", why);
}

json *boot_doctor(struct zd *d)
{
    unsigned n;
    json *list = js_array();
    auto_free struct zone **all = registry_sorted(d, &n);
    for (unsigned i = 0; i < n; i++) {
        const struct zone *z = all[i];
        bool told = z->boot == BOOT_REFUSED || (z->boot == BOOT_WAITS && z->error);
        if (z->spec && (!told || !z->spec->autoboot))
            continue;
        auto_free char *text = xasprintf("zone %s is %s: %s", z->name, state_name(z->state),
                                         z->error ? z->error : "not started");
        js_add(list, js_string(text));
    }
    return list;
}

/* ---- RUN/boot: which boot of the host this is, and what it has to start yet ---- */
static void save(struct zd *d)
{
    auto_js json *o = js_object();
    auto_free char *id = proc_boot_id();
    d->boot_unsaved = false;
    json *zones = js_object();
    for (unsigned i = 0; i < d->table_size; i++)
        for (const struct zone *z = d->table[i]; z; z = z->next) {
            if (z->boot == BOOT_NOT)
                continue;
            json *one = js_object();
            js_set_int(one, "start_no", (int64_t)z->boot_start_no);
            js_set_bool(one, "refused", z->boot == BOOT_REFUSED);
            js_set_str(one, "error", z->error);
            js_set(zones, z->name, one);
        }
    js_set_str(o, "boot", id);
    js_set(o, "zones", zones);
    auto_free char *text = js_dump(o, false);
    struct err e = {0};
    if (file_replace(d->run_fd, RECORD, text, strlen(text), 0600, false, &e) < 0)
        log_error("%s/" RECORD ": %s", d->run_dir, e.text);
}

static bool is_up(const struct zone *z)
{
    return z->state == ZONE_RUNNING || z->state == ZONE_PAUSED;
}

static bool any_up(const struct zd *d)
{
    for (unsigned i = 0; i < d->table_size; i++)
        for (const struct zone *z = d->table[i]; z; z = z->next)
            if (is_up(z))
                return true;
    return false;
}

/* The zones of this boot; NULL: it is another. Where there is no record and zones run, an older zoned of this boot kept none. */
static json *load(struct zd *d)
{
    auto_free char *text = NULL, *id = proc_boot_id();
    size_t len;
    int r = file_read(d->run_fd, RECORD, 16u << 20, &text, &len, NULL);
    if (r < 0)
        return r == -ENOENT && any_up(d) ? js_object() : NULL;
    auto_js json *o = js_parse(text, len, NULL);
    json *zones = o ? js_get(o, "zones") : NULL;
    return zones && str_eq(js_get_str(o, "boot", NULL), id) ? js_ref(zones) : NULL;
}

/* What ran when the power failed may still be cleared away. */
static bool wanted(const struct zone *z)
{
    bool remembers = z->spec && z->spec->restart.policy == SPEC_RESTART_UNLESS_STOPPED;
    return z->spec && z->spec->autoboot && !z->ephemeral && !is_up(z) && !(remembers && z->operator_stop);
}

static void go_on(struct zone *z, const json *was)
{
    if (!was || !at_rest(z) || z->start_no != (uint64_t)js_get_int(was, "start_no", -1))
        return;
    z->boot = js_get_bool(was, "refused", false) ? BOOT_REFUSED : BOOT_WAITS;
    if (js_get_str(was, "error", NULL))
        zone_set_error(z, js_get_str(was, "error", NULL));
}

/* ---- starting ---- */
/* What became of those that were started, or are not wanted any more. */
static bool settle(struct zone *z)
{
    enum zone_boot was = z->boot;
    bool started = z->start_no != z->boot_start_no;
    if (was != BOOT_WAITS)
        return false;
    if (z->spec && !z->spec->autoboot)
        z->boot = BOOT_NOT;
    else if (started && z->state == ZONE_FAILED)
        z->boot = BOOT_REFUSED;
    else if (is_up(z) || (started && z->state == ZONE_INSTALLED))
        z->boot = BOOT_NOT;
    if (z->boot == was)
        return false;
    z->boot_start_no = z->start_no;
    z->d->boot_unsaved |= z->boot == BOOT_REFUSED; /* of one that started the number says so */
    return true;
}

void boot_started(struct zone *z)
{
    if (z->boot != BOOT_REFUSED)
        return;
    z->boot = BOOT_NOT;
    save(z->d);
}

static bool start(struct zone *z)
{
    struct err e = {0};
    if (z->state == ZONE_FAILED) /* before this boot */
        zone_set_state(z, ZONE_INSTALLED);
    if (op_start(z->d, z, NULL, NULL, &e) < 0)
        boot_refused(z, e.text);
    return z->boot != BOOT_WAITS;
}

/* Starts it, gives it up, or lets it wait; true: it waits no longer. */
static bool look_at(struct zone *z)
{
    bool all = true;
    auto_free char *why = NULL, *bad = NULL;
    char **list = needed(z);
    for (char **n = list; n && *n && !bad; n++) {
        const struct zone *o = registry_find(z->d, *n);
        all = all && ready(o);
        if (!comes(o))
            bad = xasprintf("zone %s, which it depends on, %s", *n, o ? "does not run" : "is not there");
        else if (!why && unwell(o))
            why = xasprintf("autoboot: it waits for zone %s, which is %s", *n, unwell(o));
    }
    strv_free(list);
    if (bad)
        boot_refused(z, bad);
    else if (all)
        return start(z);
    else if (why && !str_eq(z->error, why)) {
        log_warning("zone %s waits: %s", z->name, why);
        tell(z, "start-waits", why);
    }
    return bad != NULL;
}

static bool waits(const struct zone *z)
{
    return z->boot == BOOT_WAITS && z->op == OP_NONE && at_rest(z);
}

/* Of those that wait, a way has who waits for nobody that waits without one. */
static bool find_way(struct zone *z)
{
    char **list = needed(z);
    bool way = true;
    for (char **n = list; n && *n; n++) {
        const struct zone *o = registry_find(z->d, *n);
        way = way && o && (!waits(o) || o->boot_way);
    }
    strv_free(list);
    return z->boot_way = way;
}

static void refuse_circles(struct zone **all, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        all[i]->boot_way = false;
    for (bool found = true; found;) {
        found = false;
        for (unsigned i = 0; i < n; i++)
            found |= waits(all[i]) && !all[i]->boot_way && find_way(all[i]);
    }
    for (unsigned i = 0; i < n; i++)
        if (waits(all[i]) && !all[i]->boot_way)
            boot_refused(all[i], "it depends on zones that wait for each other");
}

static void look_at_all(struct zd *d)
{
    unsigned n;
    auto_free struct zone **all = registry_sorted(d, &n);
    for (bool again = true; again;) { /* who waits for one that is refused is refused */
        again = false;
        for (unsigned i = 0; i < n; i++)
            again |= settle(all[i]) | (waits(all[i]) && look_at(all[i]));
    }
    refuse_circles(all, n);
}

/* held: some wait for others, and are not being started. */
static bool settle_all(struct zd *d, bool *held)
{
    bool booting = *held = false;
    for (unsigned i = 0; i < d->table_size; i++)
        for (struct zone *z = d->table[i]; z; z = z->next) {
            (void)settle(z);
            booting |= z->boot == BOOT_WAITS;
            *held |= waits(z);
        }
    return booting;
}

void boot_zone_changed(struct zd *d)
{
    bool held;
    if (!d->booting || d->in_boot || d->shutting_down)
        return;
    d->in_boot = true;
    d->booting = settle_all(d, &held);
    if (held) {
        look_at_all(d);
        d->booting = settle_all(d, &held);
    }
    d->in_boot = false;
    if (d->boot_unsaved || !d->booting)
        save(d);
}

void boot_autostart(struct zd *d)
{
    auto_js json *was = load(d);
    for (unsigned i = 0; i < d->table_size; i++)
        for (struct zone *z = d->table[i]; z; z = z->next) {
            z->boot_start_no = z->start_no;
            if (was)
                go_on(z, js_get(was, z->name));
            else if (wanted(z))
                z->boot = BOOT_WAITS;
        }
    d->booting = d->boot_unsaved = true;
    boot_zone_changed(d);
}

static bool alive(const struct zone *z)
{
    return z->state == ZONE_RUNNING || z->state == ZONE_PAUSED || z->state == ZONE_READY ||
           z->state == ZONE_SHUTTING_DOWN;
}

static bool needed_by_living(struct zd *d, struct zone **all, unsigned n, const struct zone *z)
{
    for (unsigned i = 0; i < n; i++)
        if (all[i] != z && alive(all[i]) && needs(all[i], z->name) && !needs(z, all[i]->name))
            return true;
    return false;
}

/* Called after every stop while shutting down: the next ones whose dependants are gone. */
void boot_shutdown_step(struct zd *d)
{
    if (!d->shutting_down)
        return;
    unsigned n, left = 0;
    auto_free struct zone **all = registry_sorted(d, &n);
    for (unsigned i = 0; i < n; i++) {
        if (!alive(all[i]))
            continue;
        left++;
        struct err e = {0};
        if (all[i]->op == OP_STOP || needed_by_living(d, all, n, all[i]))
            continue;
        if (op_stop(d, all[i], NULL, all[i]->spec ? all[i]->spec->process.stop_timeout_ms : 10000, false,
                    OP_STOP, &e) < 0)
            log_warning("shutdown: %s", e.text);
        all[i]->operator_stop = false;
    }
    if (left || !d->shutdown_request)
        return;
    networks_down(d);
    (void)unlinkat(d->run_fd, RECORD, 0); /* the next start is a boot again */
    struct zd_request *r = take_ptr(&d->shutdown_request);
    zd_reply_json(r, 200, js_object());
    zd_exit_soon(d);
}
