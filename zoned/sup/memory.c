/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that runs out: a warning at `warn` of the cap, a notice at the cap itself with who was killed, and the end of
 * the whole zone where `oom: zone` asks for it and the kernel does not do it (v1). Used is what cannot be dropped at
 * once (without idle page cache), else every zone that reads files would be warned of. Neither v1's thresholds nor
 * PSI know that figure, so a zone with `warn`, and no other, is looked at once a second (20 µs). */
#include "zoned/sup/rt.h"

#define LOOK_US 1000000u
#define TELL_US 30000u /* the kernel writes its log after it woke us */
#define RELIEF 5u      /* per cent below warn until the next warning */
#define CLOCKS_APART_US 10000000u

static bool warns(const struct sup *s)
{
    const struct spec_memory *m = &s->plan->spec->memory;
    return m->warn_percent && m->cap != SPEC_UNSET && s->rt.cg;
}

void memory_start(struct sup *s)
{
    s->warn_next = warns(s) ? clock_mono_us() : 0;
    s->warned = s->warned && s->warn_next;
}

static void look(struct sup *s)
{
    const struct spec_memory *m = &s->plan->spec->memory;
    uint64_t used;
    if (!warns(s) || cg_memory_used(s->rt.cg, &used) < 0)
        return;
    uint64_t percent = m->cap ? used * 100 / m->cap : 0;
    bool over = percent >= m->warn_percent;
    if (over == s->warned || (!over && percent + RELIEF > m->warn_percent))
        return;
    s->warned = over;
    json *x = js_object();
    js_set_int(x, "used", (int64_t)used);
    js_set_int(x, "cap", (int64_t)m->cap);
    js_set_int(x, "percent", (int64_t)percent);
    sup_event(s, over ? "memory_warning" : "memory_relieved", x, NULL, 0);
}

void memory_tick(struct sup *s, uint64_t now)
{
    if (s->oom_tell && now >= s->oom_tell)
        memory_tell_oom(s);
    if (!s->warn_next || now < s->warn_next || s->state != SUP_RUNNING)
        return;
    s->warn_next = now + LOOK_US;
    look(s);
}

void memory_tell_oom(struct sup *s)
{
    struct cg_victim v;
    const struct spec_memory *m = &s->plan->spec->memory;
    if (!s->oom_tell)
        return;
    s->oom_tell = 0;
    json *x = js_object();
    js_set_str(x, "action", m->oom == SPEC_OOM_ZONE ? "zone" : "process");
    js_set(x, "cap", m->cap == SPEC_UNSET ? js_null() : js_int((int64_t)m->cap));
    /* the log counts by another clock than ours, which runs nearly the same */
    uint64_t since = s->up_since > CLOCKS_APART_US ? s->up_since - CLOCKS_APART_US : 0;
    if (s->rt.cg && cg_oom_victim(s->rt.cg, since, &v)) {
        js_set_str(x, "process", v.name);
        js_set_int(x, "host_pid", v.pid);
        js_set_int(x, "rss", (int64_t)v.rss);
    }
    sup_event(s, "oom", x, NULL, 0);
}

/* The notice came. */
void memory_oom(struct sup *s)
{
    s->oom = true;
    if (!s->oom_tell)
        s->oom_tell = clock_mono_us() + TELL_US;
    /* on v2 the kernel does it (memory.oom.group) */
    if (s->plan->spec->memory.oom == SPEC_OOM_ZONE && cg_layout_of(s->cgh) != CG_V2)
        sup_kill(s);
}
