/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel has where it differs from what the spec says: somebody wrote to our groups, or a value did
 * not take, or a group is gone. Walks the same table as apply.c. Reads only. */
#include "cgroups/internal.h"
#include <string.h>

#define PAGE 4096ull

/* The line of a per-disk file that starts with "MAJ:MIN ", copied behind that; empty if there is none. */
static void disk_line(const char *have, const char *dev, char *out, size_t size)
{
    size_t n = strlen(dev);
    out[0] = 0;
    for (const char *p = have; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
        if (!strncmp(p, dev, n) && p[n] == ' ') {
            snprintf(out, size, "%.*s", (int)strcspn(p + n + 1, "\n"), p + n + 1);
            return;
        }
}

/* want: "MAJ:MIN VALUE" (v1) or "MAJ:MIN KEY=VALUE" (v2), one line a disk. v1 shows no line for no limit. */
static bool same_io(const char *have, const char *want)
{
    char **lines = str_split(want, "\n"), never[32];
    bool same = true;
    snprintf(never, sizeof(never), "%llu", CG_IO_NEVER);
    for (unsigned i = 0; lines && lines[i]; i++) {
        char *value = strchr(lines[i], ' '), got[256];
        if (!value)
            continue;
        *value++ = 0;
        disk_line(have, lines[i], got, sizeof(got));
        char **words = str_split(got, " ");
        bool none = str_eq(value, "0") || str_ends(value, "=max") || str_eq(value, never);
        same &= words && words[0]
                    ? strv_has(words, value) || (none && !strchr(value, '=') && str_eq(got, "0"))
                    : none;
        strv_free(words);
    }
    strv_free(lines);
    return same;
}

/* Byte sizes are cut to pages by the kernel; v1 writes "no limit" as the largest such number. */
static bool same_size(const char *have, const char *want, uint64_t page)
{
    if (str_eq(have, want))
        return true;
    bool unlimited = strtoull(have, NULL, 10) >= INT64_MAX / page * page;
    if (str_eq(want, "-1") || str_eq(want, "max"))
        return str_eq(have, "max") || unlimited;
    uint64_t w;
    return parse_u64(want, UINT64_MAX, &w) == 0 && have[0] >= '0' && have[0] <= '9' &&
           strtoull(have, NULL, 10) == w / page * page;
}

bool cg_same_set(const char *have, const char *want)
{
    uint16_t *a = NULL, *b = NULL;
    unsigned na = 0, nb = 0;
    if (!want[0] || want[0] == '\n')
        return !have[0];
    bool same = spec_parse_cpuset(have, &a, &na) == 0 && spec_parse_cpuset(want, &b, &nb) == 0 && na == nb &&
                !memcmp(a, b, na * sizeof(*a));
    free(a);
    free(b);
    return same;
}

/* "default 100" of the weights that can be given per disk */
static const char *skip_default(const char *s)
{
    return str_starts(s, "default ") ? s + 8 : s;
}

static bool same(enum cg_fmt f, uint64_t unit, const char *have, const char *want)
{
    if (f >= F_RBPS)
        return same_io(have, want);
    if (f >= F_CAP_V1 && f <= F_HUGE)
        return same_size(have, want, unit ? unit : PAGE);
    if (f == F_SET || f == F_EXCLUSIVE)
        return cg_same_set(have, want);
    return str_eq(skip_default(have), want);
}

/* An empty file limits no disk: /sys need not be asked which there are. */
static bool nothing_throttled(const struct cg_group *g, const struct cg_key *k)
{
    char have[64];
    int hier = g->h->of[k->ctrl];
    const char *file = hier < 0 ? NULL : g->h->at[hier].v2 ? k->v2 : k->v1;
    return k->v1_fmt >= F_RBPS && file && cg_group_read(g, hier, file, have, sizeof(have)) == 0;
}

void cg_drift_add(json *list, const char *key, const char *want, const char *have, const char *file)
{
    json *o = js_object();
    js_set_str(o, "key", key);
    js_set_str(o, "want", want);
    js_set_str(o, "have", have);
    js_set_str(o, "file", file);
    js_add(list, o);
}

/* Whatever its limits are: what runs in it is not counted, and not held where they are given later. */
static void add_missing(const struct cg_group *g, json *out)
{
    for (unsigned i = 0; i < g->h->n; i++) {
        if (!g->h->at[i].used || !cg_gone_in(g, (int)i))
            continue;
        auto_free char *path = xasprintf("%s/%s/%s", g->h->at[i].path, g->parent, g->name);
        cg_drift_add(out, "group", "a group", "(missing)", path);
    }
}

json *cg_drift(const struct cg_group *g, const struct cg_limits *l)
{
    json *out = js_array();
    add_missing(g, out);
    for (unsigned i = 0; i < g->h->nkeys; i++) {
        char want[CG_VALUE_MAX], have[4096];
        const char *file;
        int hier;
        if (g->h->keys[i].ctrl == CG_BLKIO && !cg_io_asked(l->io) && nothing_throttled(g, &g->h->keys[i]))
            continue;
        enum cg_val val = cg_value(g->h, &g->h->keys[i], l, want, &hier, &file);
        if (val == CG_VAL_NONE)
            continue;
        ssize_t n = cg_group_read(g, hier, file, have, sizeof(have));
        if (n < 0 && (val == CG_VAL_DEFAULT || g->h->keys[i].v1_fmt == F_MEMSW))
            continue;
        if (n < 0)
            snprintf(have, sizeof(have), "(missing)");
        while (n > 0 && have[n - 1] == '\n')
            have[--n] = 0;
        enum cg_fmt f = g->h->at[hier].v2 ? g->h->keys[i].v2_fmt : g->h->keys[i].v1_fmt;
        if (n > 0 && f == F_OOM_V1) /* beside it stands what happens there */
            snprintf(have, sizeof(have), "%llu", (unsigned long long)cg_field(have, "oom_kill_disable"));
        if (same(f, g->h->keys[i].unit, have, want) ||
            (val == CG_VAL_DEFAULT && f == F_SET && !have[0])) /* v2: the parent's */
            continue;
        cg_drift_add(out, g->h->keys[i].key, want, have, file);
    }
    return out;
}
