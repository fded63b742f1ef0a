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
    for (unsigned i = 0; i < n; i++) {
        if (!volume_is_used(all[i], volume))
            continue;
        used = true;
        if (!str_eq(all[i]->name, zone))
            spec_want(list, "volumes", "another zone's volume", xasprintf("%s, of %s", volume, all[i]->name));
    }
    auto_fd int fd = used ? -1 : stor_volume_open(d->pool, volume, NULL);
    if (fd >= 0)
        spec_want(list, NULL, "volume with data", xasprintf("%s exists already", volume));
}

/* ---- firewall rules that name labels ---- */
static bool names_label(const struct spec_rule_side *side, const char *label)
{
    return side->kind == SPEC_SIDE_LABEL && str_eq(side->name, label);
}

static void want_label(json *list, const struct zd *d, const struct spec_kv *kv)
{
    auto_free char *label = xasprintf("%s=%s", kv->key, kv->value);
    for (unsigned i = 0; i < d->networks.len; i++) {
        const struct spec_network *net = d->networks.at[i].spec;
        for (char **r = net->rules; r && *r; r++) {
            struct spec_rule rule;
            if (spec_rule_parse(*r, &rule) ||
                !(names_label(&rule.from, label) || names_label(&rule.to, label)))
                continue;
            spec_want(list, "network", "a rule's label", xasprintf("%s, on %s: %s", label, net->network, *r));
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
    for (unsigned i = 0; i < s->labels.len; i++)
        want_label(list, d, &s->labels.at[i]);
    return list;
}

/* ---- what was allowed ---- */
static bool had(const json *before, const json *w)
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
        if (word && !strv_has(allow, word) && !had(before, w))
            js_add(list, js_ref(w));
    }
    return list;
}
