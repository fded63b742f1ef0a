/* SPDX-License-Identifier: GPL-2.0-or-later */
/* firewalld ends each of its chains with a reject and has none for such as us: bridges that it shall leave alone are members of
 * its zone "trusted", which is asked for over the system bus, again after each reload and restart of its. Nothing here waits:
 * where there is no bus or no firewalld, nothing happens. Must never start firewalld, nor take a bridge from a zone that an
 * operator has put it in. Undo: a bridge leaves when its network goes. Source: firewalld.dbus(5). */
#include "base/log.h"
#include "base/str.h"
#include "zoned/networks.h"
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#define NAME "org.fedoraproject.FirewallD1"
#define PATH "/org/fedoraproject/FirewallD1"
#define ZONE "trusted"

struct firewalld {
    sd_bus *bus;
    char **bridges; /* that are, or shall be, in the zone; strv */
};

/* Not there, there already, or somebody's own choice: all is well. */
static bool is_fine(const sd_bus_error *error)
{
    return sd_bus_error_has_names(error, SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
           (error->message &&
            (str_starts(error->message, "ZONE_ALREADY_SET") ||
             str_starts(error->message, "ALREADY_ENABLED") || str_starts(error->message, "ZONE_CONFLICT") ||
             str_starts(error->message, "UNKNOWN_INTERFACE") || str_starts(error->message, "NOT_ENABLED")));
}

static int on_answer(sd_bus_message *m, void *arg, sd_bus_error *unused)
{
    const sd_bus_error *error = sd_bus_message_get_error(m);
    if (error && !is_fine(error))
        log_warning("firewalld does not let zones pass: %s", error->message ? error->message : error->name);
    return 0;
}

static void ask(struct firewalld *f, const char *method, const char *bridge)
{
    sd_bus_message *m = NULL;
    int r = sd_bus_message_new_method_call(f->bus, &m, NAME, PATH, NAME ".zone", method);
    r = r < 0 ? r : sd_bus_message_set_auto_start(m, false);
    r = r < 0 ? r : sd_bus_message_append(m, "ss", ZONE, bridge);
    r = r < 0 ? r : sd_bus_call_async(f->bus, NULL, m, on_answer, f, 0);
    sd_bus_message_unref(m);
    if (r < 0)
        log_warning("firewalld cannot be asked: %s", strerror(-r));
}

static int on_come(sd_bus_message *m, void *arg, sd_bus_error *unused)
{
    struct firewalld *f = arg;
    for (char **b = f->bridges; b && *b; b++)
        ask(f, "addInterface", *b);
    return 0;
}

static int connect_bus(struct zd *d, struct firewalld *f)
{
    if (f->bus && sd_bus_is_open(f->bus) > 0)
        return 0;
    f->bus = sd_bus_close_unref(f->bus);
    int r = sd_bus_open_system(&f->bus);
    r = r < 0 ? r : sd_bus_attach_event(f->bus, d->event, SD_EVENT_PRIORITY_NORMAL);
    r = r < 0 ? r : sd_bus_match_signal_async(f->bus, NULL, NAME, PATH, NAME, "Reloaded", on_come, NULL, f);
    r = r < 0
            ? r
            : sd_bus_add_match_async(f->bus, NULL,
                                     "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',"
                                     "arg0='" NAME "'",
                                     on_come, NULL, f);
    if (r < 0)
        f->bus = sd_bus_close_unref(f->bus);
    return r;
}

void firewalld_trust(struct zd *d, char *const *bridges)
{
    if (!d->firewalld)
        d->firewalld = xcalloc(1, sizeof(*d->firewalld));
    struct firewalld *f = d->firewalld;
    char **before = f->bridges;
    f->bridges = strv_copy(bridges);
    if (connect_bus(d, f) == 0) {
        for (char **b = before; b && *b; b++)
            if (!strv_has(f->bridges, *b))
                ask(f, "removeInterface", *b);
        on_come(NULL, f, NULL);
    }
    strv_free(before);
}

void firewalld_close(struct zd *d)
{
    struct firewalld *f = take_ptr(&d->firewalld);
    if (!f)
        return;
    sd_bus_flush_close_unref(f->bus);
    strv_free(f->bridges);
    free(f);
}
