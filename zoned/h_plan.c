/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan: would these zones fit beside those that run, and what would everybody be sure of? Changes nothing. */
#include "base/str.h"
#include "zoned/division.h"
#include "zoned/h_spec.h"
#include "zoned/handlers.h"
#include "zoned/networks.h"
#include <errno.h>

#define SOURCES_MAX 256u /* each is reckoned with all others, and meanwhile nobody else is answered */

struct planned {
    char *text;
    const char *file;
    struct spec *spec;
};
struct plan_job {
    struct planned *at;
    struct division_ask *asks;
    unsigned n;
};

static int read_one(struct zd *d, struct plan_job *j, const json *source, char *const *edits,
                    struct problems *ps, struct err *e)
{
    unsigned i = j->n++;
    struct planned *p = &j->at[i];
    p->file = spec_source_file(source);
    int r = spec_text_of(source, edits, NULL, &p->text, ps, e);
    if (r < 0)
        return r;
    if (spec_parse(p->text, strlen(p->text), p->file, &p->spec, ps) == 0) {
        check_limits(d, p->spec, ps);
        networks_check(d, p->spec, ps);
        for (unsigned k = 0; k < i; k++)
            if (str_eq(j->at[k].spec->zone, p->spec->zone))
                problem_add(ps, ERR_INVALID, p->file, 0, "zone", "%s is the zone of %s too", p->spec->zone,
                            j->at[k].file ? j->at[k].file : "another");
    }
    spec_locate(p->text, p->file, ps);
    if (ps->len)
        return problems_to_err(ps, e, p->file);
    j->asks[i] = (struct division_ask){registry_find(d, p->spec->zone), p->spec, .planned = true};
    return 0;
}

static void job_done(struct plan_job *j)
{
    for (unsigned i = 0; i < j->n; i++) {
        free(j->at[i].text);
        spec_free(j->at[i].spec);
    }
    free(j->at);
    free(j->asks);
}

/* ---- the answer ---- */
static double worst_of(const struct division *v, const struct ledger_entry *e)
{
    for (unsigned i = 0; i < v->l.n; i++)
        if (v->l.at[i].is_pool == e->is_pool && !strcmp(v->l.at[i].name, e->name))
            return v->l.at[i].worst;
    return -1;
}

static json *row(const struct ledger_entry *e, const struct division *before, bool is_new)
{
    json *o = js_object();
    double now = worst_of(before, e);
    js_set_str(o, "name", e->name);
    js_set_str(o, "kind", e->is_pool ? "pool" : "zone");
    js_set(o, "pool", e->pool ? js_string(e->pool) : js_null());
    js_set_bool(o, "new", is_new);
    js_set(o, "now", now < 0 ? js_null() : js_real(now));
    js_set_real(o, "after", e->worst);
    js_set(o, "reserved", e->cpu->reserved > 0 ? js_real(e->cpu->reserved) : js_null());
    js_set(o, "dedicated", e->cpu->dedicated ? js_int((int64_t)e->cpu->dedicated) : js_null());
    js_set_int(o, "memory_reserved", (int64_t)e->memory);
    return o;
}

static json *answer(const struct division *before, const struct division *after, json *messages)
{
    json *o = js_object(), *list = js_array();
    for (unsigned i = 0; i < after->l.n; i++)
        js_add(list, row(&after->l.at[i], before, i >= after->first && i < after->first + after->asked));
    js_set_bool(o, "fits", true);
    js_set_int(o, "cpus", after->l.cpus);
    const struct spec_party *h = after->l.host;
    js_set(o, "host_reserved", h->cpu.reserved > 0 ? js_real(h->cpu.reserved) : js_null());
    js_set_bool(o, "host_counted", h->cpu.reserved > 0 || !after->l.host_in_root);
    js_set(o, "zones", list);
    js_set(o, "messages", messages);
    return o;
}

/* Of a zone that runs: what is the case only with its next start. */
static void remark_on_running(const struct zone *z, const struct spec *s, json *list)
{
    struct err e = {0};
    auto_free char *pool = division_pool_of(z->plan);
    if (!str_eq(pool, s->cpu.pool)) {
        auto_free char *text =
            xasprintf("cpu.pool: %s runs %s%s, and goes over at its next start: AFTER is what it has then",
                      z->name, pool ? "in pool " : "outside of pools", pool ? pool : "");
        js_add(list, js_string(text));
    }
    if (z->group && cg_cap_holds(z->group, &z->plan->spec->memory, &s->memory, &e) < 0)
        js_add(list, js_string(e.text));
}

static json *messages_of(struct zd *d, const struct plan_job *j)
{
    json *all = js_array();
    for (unsigned i = 0; i < j->n; i++) {
        const struct division_ask *ask = &j->asks[i];
        auto_js json *list = limits_remarks(d, ask->spec);
        if (ask->z && ask->z->plan)
            remark_on_running(ask->z, ask->spec, list);
        for (size_t k = 0; k < js_len(list); k++) {
            const char *text = js_str_of(js_at(list, k), "");
            auto_free char *whose = j->n > 1 ? xasprintf("%s: %s", ask->spec->zone, text) : xstrdup(text);
            js_add(all, js_string(whose));
        }
    }
    return all;
}

static int reckon(struct zd *d, struct zd_request *r, const struct plan_job *j, struct err *e)
{
    struct problems *ps = zd_problems(r), none = {0};
    struct division before, after;
    unsigned culprit;
    (void)division_make(d, NULL, 0, 0, &before, &none);
    int k = division_try(d, j->asks, j->n, &after, &culprit, ps);
    if (k == 0) {
        ledger_worst(&before.l);
        ledger_worst(&after.l);
        zd_reply_json(r, 200, answer(&before, &after, messages_of(d, j)));
    } else {
        spec_locate(j->at[culprit].text, j->at[culprit].file, ps);
        k = problems_to_err(ps, e, j->at[culprit].file);
    }
    division_done(&before);
    division_done(&after);
    problems_done(&none);
    return k;
}

int h_plan(struct zd *d, struct zd_request *r, struct err *e)
{
    const json *body = zd_body_of(r), *sources = js_get(body, "sources");
    size_t n = js_len(sources);
    if (!n)
        return err_set(e, ERR_INVALID, EINVAL, "sources: is empty: no zone is asked for");
    if (n > SOURCES_MAX)
        return err_set(e, ERR_LIMIT, E2BIG, "sources: %zu specs at once (at most %u)", n, SOURCES_MAX);
    struct plan_job j = {.at = xcalloc(n, sizeof(*j.at)), .asks = xcalloc(n, sizeof(*j.asks))};
    char **edits = js_get_strv(body, "set");
    int k = 0;
    for (size_t i = 0; i < n && k == 0; i++)
        k = read_one(d, &j, js_at(sources, i), edits, zd_problems(r), e);
    strv_free(edits);
    if (k == 0)
        k = reckon(d, r, &j, e);
    job_done(&j);
    return k;
}
