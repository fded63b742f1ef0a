/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a package takes of this host, as things stand: what its spec says, and what that means among the zones, volumes and rules
 * that are here. Pure. What an operator has allowed a former version stays allowed, and no more than that. */
#include "base/mem.h"
#include "base/str.h"
#include "zoned/images.h"
#include "zoned/networks.h"
#include "zoned/package.h"

/* ---- volumes ---- */
/* Another zone's data is as good as a folder of the host. */
static void want_volume(json *list, struct zd *d, const char *zone, const char *volume)
{
    unsigned n;
    auto_free struct zone **all = registry_sorted(d, &n);
    bool used = false;
    const char *unknown = NULL; /* its file cannot be read: it may use any volume */
    for (unsigned i = 0; i < n; i++) {
        if (!all[i]->spec && !str_eq(all[i]->name, zone))
            unknown = all[i]->name;
        if (!volume_is_used(all[i], volume))
            continue;
        used = true;
        if (!str_eq(all[i]->name, zone))
            spec_want(list, "volumes", "another zone's volume", xasprintf("%s, of %s", volume, all[i]->name));
    }
    auto_fd int fd = used ? -1 : stor_volume_open(d->pool, volume, NULL);
    if (fd >= 0 && unknown)
        spec_want(list, "volumes", "perhaps another zone's volume",
                  xasprintf("%s, %s's file cannot be read", volume, unknown));
    else if (fd >= 0)
        spec_want(list, NULL, "volume with data", xasprintf("%s exists already", volume));
}

/* ---- firewall rules that name its labels, or itself ---- */
static bool names(const struct spec_rule_side *side, enum spec_side_kind kind, const char *name)
{
    return side->kind == kind && str_eq(side->name, name);
}

static void want_rules(json *list, const struct zd *d, enum spec_side_kind kind, const char *what,
                       const char *name)
{
    for (unsigned i = 0; i < d->networks.len; i++) {
        const struct spec_network *net = d->networks.at[i]->spec;
        for (char **r = net->rules; r && *r; r++) {
            struct spec_rule rule;
            if (spec_rule_parse(*r, &rule) || !(names(&rule.from, kind, name) || names(&rule.to, kind, name)))
                continue;
            spec_want(list, "network", what, xasprintf("%s, on %s: %s", name, net->network, *r));
            break;
        }
    }
}

json *install_wants(struct zd *d, const char *zone, const struct spec *s)
{
    json *list = spec_wants(s);
    for (unsigned i = 0; i < s->filesystems.len; i++)
        if (s->filesystems.at[i].kind == SPEC_MOUNT_VOLUME)
            want_volume(list, d, zone, s->filesystems.at[i].source);
    for (unsigned i = 0; i < s->labels.len; i++) {
        const struct spec_kv *kv = &s->labels.at[i];
        auto_free char *label = xasprintf("%s=%s", kv->key, kv->value);
        want_rules(list, d, SPEC_SIDE_LABEL, "a rule's label", label);
    }
    want_rules(list, d, SPEC_SIDE_ZONE, "a rule's zone", zone);
    return list;
}

/* ---- what was allowed ---- */
bool install_had(const json *before, const json *w)
{
    for (size_t i = 0; i < js_len(before); i++) {
        const json *b = js_at(before, i);
        if (str_eq(js_get_str(b, "what", NULL), js_get_str(w, "what", NULL)) &&
            str_eq(js_get_str(b, "value", NULL), js_get_str(w, "value", NULL)))
            return true;
    }
    return false;
}

json *install_denied(const json *wants, char *const *allow, const json *before)
{
    json *list = js_array();
    for (size_t i = 0; i < js_len(wants); i++) {
        json *w = js_at(wants, i);
        const char *word = js_get_str(w, "allow", NULL);
        if (word && !strv_has(allow, word) && !install_had(before, w))
            js_add(list, js_ref(w));
    }
    return list;
}
