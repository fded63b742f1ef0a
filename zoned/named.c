/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who names a zone by its name: rules of networks, `depends` and shared networks of other zones. Such a zone gets no other name;
 * one that goes, or that is named and is not there, is remarked on, for a later zone of that name would be meant. */
#include "base/str.h"
#include "zoned/networks.h"
#include "zoned/ops.h"
#include "zoned/zoned.h"
#include <errno.h>

/* Rules and specs know a zone by its name: under another one a deny would be passed by, an allow be nobody's. */
int zone_check_unnamed(struct zd *d, const struct zone *z, struct err *e)
{
    unsigned n;
    char **rules = firewall_naming(d, SPEC_SIDE_ZONE, z->name);
    auto_free struct zone **all = registry_sorted(d, &n);
    if (rules) {
        err_set(e, ERR_BUSY, EBUSY, "zone %s is in use: rules of network %s name it", z->name, rules[0]);
        err_hint(e,
                 "zonectl network set %s with a --rule for each of its rules without that zone, rename it, "
                 "and set them with the new name",
                 rules[0]);
    }
    for (unsigned i = 0; i < n && !rules; i++) {
        const struct spec *s = all[i]->spec;
        const char *key = s && strv_has(s->depends, z->name) ? "depends"
                          : str_eq(sharer_owner(s), z->name) ? "network"
                                                             : NULL;
        if (!key)
            continue;
        err_set(e, ERR_BUSY, EBUSY, "zone %s is in use: %s of zone %s names it", z->name, key, all[i]->name);
        return err_hint(e, "zonectl set %s %s= first, and to the new name after it", all[i]->name, key);
    }
    int r = rules ? -EBUSY : 0;
    strv_free(rules);
    return r;
}

static void add(json *list, char *sentence)
{
    js_add(list, js_string(sentence));
    free(sentence);
}

static void add_rules(struct zd *d, const char *zone, json *list)
{
    for (unsigned i = 0; i < d->networks.len; i++) {
        const struct net_entry *n = d->networks.at[i];
        char **rules = firewall_rules_naming(n->spec, SPEC_SIDE_ZONE, zone);
        unsigned more = strv_len(rules) - 1;
        auto_free char *others = rules && more ? xasprintf(" (and %u more)", more) : xstrdup("");
        if (rules)
            add(list,
                xasprintf("network %s: its rule \"%s\"%s stays, and is about the next zone of the name %s "
                          "(zonectl network set %s with a --rule for each that shall stay)",
                          n->net.name, rules[0], others, zone, n->net.name));
        strv_free(rules);
    }
}

/* The list without one, as set takes it. */
static char *others(char *const *list, const char *without)
{
    char *text = NULL;
    for (; *list; list++) {
        if (!strcmp(*list, without))
            continue;
        char *longer = xasprintf("%s%s%s", text ? text : "[", text ? ", " : "", *list);
        free(text);
        text = longer;
    }
    char *whole = text ? xasprintf("%s]", text) : xstrdup("");
    free(text);
    return whole;
}

json *zone_gone_remarks(struct zd *d, const struct zone *z)
{
    unsigned n;
    json *list = js_array();
    auto_free struct zone **all = registry_sorted(d, &n);
    add_rules(d, z->name, list);
    for (unsigned i = 0; i < n; i++) {
        if (all[i] == z || !all[i]->spec || !strv_has(all[i]->spec->depends, z->name))
            continue;
        auto_free char *rest = others(all[i]->spec->depends, z->name);
        add(list, xasprintf("depends: zone %s depends on it still: without it the host's boot starts none "
                            "of both (zonectl set %s 'depends=%s')",
                            all[i]->name, all[i]->name, rest));
    }
    return list;
}

json *depends_remarks(struct zd *d, const struct spec *s)
{
    json *list = js_array();
    for (char **n = s->depends; n && *n; n++)
        if (!registry_find(d, *n))
            add(list,
                xasprintf("depends: zone %s does not exist: until it does, the host's boot does not start "
                          "zone %s",
                          *n, s->zone));
    return list;
}
