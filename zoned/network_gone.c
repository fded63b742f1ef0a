/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Networks without a file that zones run on: somebody removed it, while zoned was away or serves. What was taken from it last
 * counts meanwhile; an older zoned kept nothing of it, then at least it is told. Must never make or change a network. */
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "zoned/networks.h"
#include "zoned/zoned.h"
#include <fcntl.h>

bool network_runs(const struct zd *d, const char *name)
{
    bool run = false;
    for (unsigned i = 0; i < d->table_size && !run; i++)
        for (const struct zone *z = d->table[i]; z && !run; z = z->next)
            run = z->plan && zone_is_on(z, name);
    return run;
}

char **networks_gone(struct zd *d)
{
    char **gone = NULL, **seen = NULL;
    for (unsigned i = 0; i < d->table_size; i++)
        for (const struct zone *z = d->table[i]; z; z = z->next)
            for (unsigned k = 0; z->plan && k < z->plan->links.len; k++) {
                const char *name = z->plan->links.at[k].network.name;
                if (strv_has(seen, name))
                    continue;
                strv_add(&seen, name);
                auto_free char *path = network_path(d, name);
                if (!file_exists(AT_FDCWD, path))
                    strv_add(&gone, name);
            }
    strv_free(seen);
    return gone;
}

char *network_gone_text(struct zd *d, const char *name)
{
    auto_free char *path = network_path(d, name);
    return network_find(d, name)
               ? xasprintf("%s is missing: what was taken from it last counts while zones run on the "
                           "network (zonectl network set %s --policy allow or deny writes it again)",
                           path, name)
               : xasprintf("%s is missing, and what it said was not kept: the rules and policy of the "
                           "network, on which zones run, are not in force (put it back, or stop them)",
                           path);
}

json *network_refused(const char *name, const char *why)
{
    json *o = js_object();
    js_set_str(o, "name", name);
    js_set_str(o, "error", why);
    return o;
}

void networks_gone_add(struct zd *d, json *broken)
{
    char **gone = networks_gone(d);
    for (char **name = gone; name && *name; name++)
        if (!network_find(d, *name)) {
            auto_free char *text = network_gone_text(d, *name);
            js_add(broken, network_refused(*name, text));
        }
    strv_free(gone);
}

/* What it denied may be open: said loudly. */
void networks_gone_tell(struct zd *d)
{
    char **gone = networks_gone(d);
    for (char **name = gone; name && *name; name++) {
        auto_free char *text = network_gone_text(d, *name);
        if (!network_find(d, *name))
            log_error("network %s: %s", *name, text);
        json *extra = js_object();
        js_set_str(extra, "network", *name);
        js_set_str(extra, "reason", text);
        event_publish(d, "network-file-missing", NULL, extra);
    }
    strv_free(gone);
}
