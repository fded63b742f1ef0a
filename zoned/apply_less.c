/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a spec has that another lacks, of those things that one zone has at the cost of others. */
#include "base/str.h"
#include "zoned/apply.h"

static bool same_port(const struct spec_port *a, const struct spec_port *b)
{
    return a->host_first == b->host_first && a->host_last == b->host_last && a->proto == b->proto &&
           str_eq(a->host_ip, b->host_ip);
}

static bool has_port(const struct spec *s, const struct spec_port *p)
{
    for (unsigned i = 0; i < s->network.len; i++)
        for (unsigned k = 0; k < s->network.at[i].ports.len; k++)
            if (same_port(&s->network.at[i].ports.at[k], p))
                return true;
    return false;
}

static bool has_alias(const struct spec *s, const char *network, const char *alias)
{
    for (unsigned i = 0; i < s->network.len; i++)
        if (str_eq(s->network.at[i].link, network) && strv_has(s->network.at[i].aliases, alias))
            return true;
    return false;
}

/* An address goes with its link: a zone cannot have neither. */
static bool has_addresses(const struct spec *s, const struct spec_link *l)
{
    bool has = true;
    for (char **a = l->address; a && *a && has; a++) {
        has = false;
        for (unsigned i = 0; i < s->network.len; i++)
            has = has || (str_eq(s->network.at[i].link, l->link) && strv_has(s->network.at[i].address, *a));
    }
    return has;
}

static bool lessen_link(struct spec_link *l, const struct spec *has)
{
    bool less = false;
    for (unsigned k = l->ports.len; k-- > 0;) {
        if (has_port(has, &l->ports.at[k]))
            continue;
        free(l->ports.at[k].host_ip);
        vec_remove(&l->ports, k);
        less = true;
    }
    for (unsigned k = strv_len(l->aliases); k-- > 0;) {
        auto_free char *alias = xstrdup(l->aliases[k]);
        if (has_alias(has, l->link, alias))
            continue;
        strv_remove(l->aliases, alias);
        k = k < strv_len(l->aliases) ? k : strv_len(l->aliases);
        less = true;
    }
    return less;
}

static uint64_t bytes(uint64_t reserved)
{
    return reserved == SPEC_UNSET ? 0 : reserved;
}

bool spec_lessen(struct spec *s, const struct spec *has)
{
    bool less = false;
    for (unsigned i = s->network.len; i-- > 0;) {
        less |= lessen_link(&s->network.at[i], has);
        if (has_addresses(has, &s->network.at[i]))
            continue;
        spec_drop_link(s, i);
        less = true;
    }
    if (s->cpu.reserved > 0 && s->cpu.reserved > has->cpu.reserved) {
        s->cpu.reserved = has->cpu.reserved;
        less = true;
    }
    if (s->cpu.dedicated > has->cpu.dedicated) {
        s->cpu.dedicated = has->cpu.dedicated;
        less = true;
    }
    if (bytes(s->memory.reserved) > bytes(has->memory.reserved)) {
        s->memory.reserved = has->memory.reserved;
        less = true;
    }
    return less;
}

const struct spec *apply_has(const struct apply_item *it)
{
    const struct zone *z = registry_find(it->job->d, it->spec->zone);
    if (!it->old || !z)
        return NULL;
    return zone_is_up(z) ? z->plan->spec : z->plan ? NULL : z->spec;
}

bool apply_is_late(const struct apply_item *it)
{
    return !it->old || it->takes;
}

struct spec *apply_less(const struct apply_item *it)
{
    const struct spec *has = apply_has(it);
    if (!has || !it->takes || !it->gives || it->job->takers < 2)
        return NULL;
    struct spec *less = spec_copy(it->spec);
    (void)spec_lessen(less, has);
    return less;
}
