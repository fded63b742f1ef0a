/* SPDX-License-Identifier: GPL-2.0-or-later */
/* firewalld ends each of its chains with a reject and has none for such as us: bridges that it shall leave alone are members of
 * its zone "trusted", which is asked for over the system bus, again after each reload and restart of its. That zone lets in all
 * that comes to the host too, so our own table guards the host from these bridges: from before it is asked, for as long as it is
 * there, but for bridges that an operator has put in another of its zones. Nothing here waits: where there is no bus or no
 * firewalld, nothing happens. Must never start firewalld, nor take a bridge from a zone that an operator has put it in.
 * Undo: a bridge leaves when its network goes. Source: firewalld.dbus(5). */
#include "base/log.h"
#include "base/str.h"
#include "zoned/networks.h"
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#define NAME "org.fedoraproject.FirewallD1"
#define PATH "/org/fedoraproject/FirewallD1"
#define ZONE "trusted"

struct member {
    char *bridge;
    enum { UNKNOWN, ASKED, TRUSTED, REFUSED } state;
};

struct firewalld {
    struct zd *d;
    sd_bus *bus;
    bool there;                 /* it has its name on the bus */
    VEC(struct member) members; /* that shall be in the zone */
};

struct question {
    struct firewalld *f;
    char *bridge;
};

static void question_free(void *arg)
{
    struct question *q = arg;
    free(q->bridge);
    free(q);
}

static struct member *find(struct firewalld *f, const char *bridge)
{
    for (unsigned i = 0; i < f->members.len; i++)
        if (str_eq(f->members.at[i].bridge, bridge))
            return &f->members.at[i];
    return NULL;
}

static bool says(const sd_bus_error *error, const char *const *words, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (error->message && str_starts(error->message, words[i]))
            return true;
    return false;
}

/* Nobody knows what became of the question; it is asked again when firewalld comes, or at the next occasion. */
static bool is_lost(const sd_bus_error *error)
{
    return sd_bus_error_has_names(error, SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                                  SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_DISCONNECTED);
}

/* The tables go with the last network, and these bridges with it. */
static bool guard(struct firewalld *f)
{
    struct err e = {0};
    char **bridges = NULL;
    for (unsigned i = 0; f->there && i < f->members.len; i++)
        if (f->members.at[i].state != REFUSED)
            strv_add(&bridges, f->members.at[i].bridge);
    bool stands = net_tables_current(f->d->net) && net_guard_set(f->d->net, bridges, &e) == 0;
    if (err_is(&e))
        log_warning("the host is not guarded from zones whose bridges firewalld trusts: %s", e.text);
    strv_free(bridges);
    return stands;
}

static void settle(struct firewalld *f, struct member *member, bool trusts)
{
    bool guarded = member->state != REFUSED;
    member->state = trusts ? TRUSTED : REFUSED;
    if (guarded != trusts)
        (void)guard(f);
}

static int on_trusted(sd_bus_message *m, void *arg, sd_bus_error *unused)
{
    static const char *const already[] = {"ZONE_ALREADY_SET", "ALREADY_ENABLED"}, *const own_choice[] = {
                                                                                      "ZONE_CONFLICT",
                                                                                      "UNKNOWN_INTERFACE"};
    const struct question *q = arg;
    const sd_bus_error *error = sd_bus_message_get_error(m);
    struct member *member = find(q->f, q->bridge);
    bool trusts = !error || says(error, already, ARRAY_LEN(already));
    if (!member)
        return 0;
    if (!trusts && is_lost(error)) {
        if (member->state == ASKED)
            member->state = UNKNOWN;
        return 0;
    }
    if (!trusts && !says(error, own_choice, ARRAY_LEN(own_choice)))
        log_warning("firewalld does not let zones pass: %s", error->message ? error->message : error->name);
    settle(q->f, member, trusts);
    return 0;
}

static int on_left(sd_bus_message *m, void *arg, sd_bus_error *unused)
{
    static const char *const gone[] = {"UNKNOWN_INTERFACE", "NOT_ENABLED", "ZONE_CONFLICT"};
    const sd_bus_error *error = sd_bus_message_get_error(m);
    if (error && !is_lost(error) && !says(error, gone, ARRAY_LEN(gone)))
        log_warning("firewalld keeps a bridge: %s", error->message ? error->message : error->name);
    return 0;
}

static int ask(struct firewalld *f, const char *method, const char *bridge, sd_bus_message_handler_t answer)
{
    sd_bus_message *m = NULL;
    sd_bus_slot *slot = NULL;
    struct question *q = xcalloc(1, sizeof(*q));
    *q = (struct question){f, xstrdup(bridge)};
    int r = sd_bus_message_new_method_call(f->bus, &m, NAME, PATH, NAME ".zone", method);
    r = r < 0 ? r : sd_bus_message_set_auto_start(m, false);
    r = r < 0 ? r : sd_bus_message_append(m, "ss", ZONE, bridge);
    r = r < 0 ? r : sd_bus_call_async(f->bus, &slot, m, answer, q, 0);
    sd_bus_message_unref(m);
    if (r < 0) {
        question_free(q);
        log_warning("firewalld cannot be asked: %s", strerror(-r));
        return r;
    }
    (void)sd_bus_slot_set_destroy_callback(slot, question_free);
    (void)sd_bus_slot_set_floating(slot, true);
    sd_bus_slot_unref(slot);
    return 0;
}

static void ask_for_all(struct firewalld *f)
{
    if (!guard(f) || !f->there)
        return;
    for (unsigned i = 0; i < f->members.len; i++) {
        struct member *member = &f->members.at[i];
        if (member->state == UNKNOWN && ask(f, "addInterface", member->bridge, on_trusted) == 0)
            member->state = ASKED;
    }
}

static void forget(struct firewalld *f)
{
    for (unsigned i = 0; i < f->members.len; i++)
        f->members.at[i].state = UNKNOWN;
}

/* What it knew of us is forgotten. */
static int on_reload(sd_bus_message *m, void *arg, sd_bus_error *unused)
{
    forget(arg);
    ask_for_all(arg);
    return 0;
}

static int on_owner(sd_bus_message *m, void *arg, sd_bus_error *unused)
{
    struct firewalld *f = arg;
    const char *owner = NULL;
    if (sd_bus_message_is_signal(m, NULL, "NameOwnerChanged"))
        (void)sd_bus_message_read(m, "sss", NULL, NULL, &owner);
    else if (!sd_bus_message_get_error(m))
        (void)sd_bus_message_read(m, "s", &owner);
    f->there = owner && *owner;
    return on_reload(m, f, unused);
}

/* An operator puts a bridge in a zone, ours or another: (zone, interface). */
static int on_zone(sd_bus_message *m, void *arg, sd_bus_error *unused)
{
    const char *zone, *bridge;
    struct member *member = sd_bus_message_read(m, "ss", &zone, &bridge) > 0 ? find(arg, bridge) : NULL;
    if (member)
        settle(arg, member, str_eq(zone, ZONE));
    return 0;
}

static int follow(struct firewalld *f)
{
    static const char *const moves[] = {"InterfaceAdded", "ZoneOfInterfaceChanged"};
    int r = sd_bus_match_signal_async(f->bus, NULL, NAME, PATH, NAME, "Reloaded", on_reload, NULL, f);
    for (unsigned i = 0; r >= 0 && i < ARRAY_LEN(moves); i++)
        r = sd_bus_match_signal_async(f->bus, NULL, NAME, PATH, NAME ".zone", moves[i], on_zone, NULL, f);
    r = r < 0
            ? r
            : sd_bus_add_match_async(f->bus, NULL,
                                     "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',"
                                     "arg0='" NAME "'",
                                     on_owner, NULL, f);
    return r < 0 ? r
                 : sd_bus_call_method_async(f->bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                            "org.freedesktop.DBus", "GetNameOwner", on_owner, f, "s", NAME);
}

static int connect_bus(struct zd *d, struct firewalld *f)
{
    if (f->bus && sd_bus_is_open(f->bus) > 0)
        return 0;
    f->bus = sd_bus_close_unref(f->bus);
    f->there = false;
    forget(f);
    int r = sd_bus_open_system(&f->bus);
    /* at our end the bridges of networks that go leave the zone after the loop */
    r = r < 0 ? r : sd_bus_set_close_on_exit(f->bus, false);
    r = r < 0 ? r : sd_bus_attach_event(f->bus, d->event, SD_EVENT_PRIORITY_NORMAL);
    r = r < 0 ? r : follow(f);
    if (r < 0) {
        log_debug("firewalld cannot be asked: no system bus: %s", strerror(-r));
        f->bus = sd_bus_close_unref(f->bus);
    }
    return r < 0 ? r : 0;
}

/* Members become exactly these bridges; those that go leave the zone. */
static void keep_only(struct firewalld *f, char *const *bridges)
{
    for (unsigned i = f->members.len; i-- > 0;) {
        char *bridge = f->members.at[i].bridge;
        if (strv_has(bridges, bridge))
            continue;
        if (f->there)
            (void)ask(f, "removeInterface", bridge, on_left);
        vec_remove(&f->members, i);
        free(bridge);
    }
    for (; bridges && *bridges; bridges++)
        if (!find(f, *bridges))
            *vec_add(&f->members) = (struct member){.bridge = xstrdup(*bridges)};
}

void firewalld_trust(struct zd *d, char *const *bridges)
{
    if (!d->firewalld) {
        d->firewalld = xcalloc(1, sizeof(*d->firewalld));
        d->firewalld->d = d;
    }
    struct firewalld *f = d->firewalld;
    if (connect_bus(d, f) < 0)
        return;
    keep_only(f, bridges);
    if (f->there)
        ask_for_all(f); /* the guard also after others took our tables away */
}

/* A bus that is not ready has nothing of ours to send, and could keep us for its own patience. */
void firewalld_close(struct zd *d)
{
    struct firewalld *f = take_ptr(&d->firewalld);
    if (!f)
        return;
    if (f->bus && sd_bus_is_ready(f->bus) > 0)
        (void)sd_bus_flush(f->bus);
    sd_bus_close_unref(f->bus);
    for (unsigned i = 0; i < f->members.len; i++)
        free(f->members.at[i].bridge);
    vec_done(&f->members);
    free(f);
}
