/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's part and pools: the same machinery as a zone's spec over smaller tables; and the cpu section alone,
 * as a plan carries it. Text only: what the host can do is cgroups' to check. */
#include "base/mem.h"
#include "specs/edit.h"
#include <errno.h>
#include <string.h>

static const struct spec_table *table_of(enum spec_party_kind kind)
{
    return kind == SPEC_PARTY_HOST ? &spec_table_host : &spec_table_pool;
}

/* No file, or an empty one, means the defaults: for the host's part that is enough. */
static int read_party(enum spec_party_kind kind, struct spec_load *l, const struct spec_node *root,
                      struct spec_party **out)
{
    const struct spec_node empty = {.kind = SPEC_MAP};
    unsigned before = l->bad;
    if (!root || spec_node_null(root))
        root = &empty;
    if (root->kind != SPEC_MAP) {
        spec_bad(l, root->line, NULL, "is not a mapping (wanted: keys with values)");
        return -EINVAL;
    }
    struct spec_party *p = xcalloc(1, sizeof(*p));
    p->cpu.cap = p->cpu.burst = p->cpu.reserved = -1;
    spec_read_map(l, table_of(kind), p, root, NULL);
    if (kind == SPEC_PARTY_HOST)
        p->cpu.cap = p->cpu.burst = -1;
    p->memory.cap = p->memory.soft = p->memory.swap = p->memory.hugepages = SPEC_UNSET;
    if (kind == SPEC_PARTY_POOL) {
        struct spec_where w = {NULL, "pool", -1};
        p->memory.reserved = SPEC_UNSET;
        const struct spec_node *name = spec_node_get(root, "pool");
        if (!p->name && (!name || spec_node_null(name)))
            spec_bad(l, name ? name->line : root->line, &w, "is missing (every pool has a name)");
        spec_check_cpu(l, &p->cpu, root);
    }
    if (l->bad > before) {
        spec_party_free(p);
        return -EINVAL;
    }
    *out = p;
    return 0;
}

int spec_party_parse(enum spec_party_kind kind, const char *text, size_t n, const char *file,
                     struct spec_party **out, struct problems *ps)
{
    struct spec_load l = {.file = file, .ps = ps};
    struct spec_doc d = {0};
    int r = spec_doc_read(&d, text, n, &l);
    if (!r)
        r = read_party(kind, &l, d.root, out);
    spec_doc_done(&d);
    return r;
}

int spec_party_edit(enum spec_party_kind kind, const char *text, const char *file, char *const *edits,
                    char **out, bool *lost_comments, struct problems *ps)
{
    struct spec_load l = {.file = file, .ps = ps};
    auto_of(spec_party_free) struct spec_party *p = NULL;
    auto_free char *now = NULL;
    int r = spec_edit_text(table_of(kind), text, edits, &now, lost_comments, &l);
    if (!r)
        r = spec_party_parse(kind, now, strlen(now), NULL, &p, ps);
    spec_blame_edits(edits, ps);
    spec_locate(text, file, ps);
    if (!r)
        *out = take_ptr(&now);
    return r;
}

/* The least that a pool's file says. A name that YAML takes for something else (null) is quoted. */
char *spec_pool_text(const char *name)
{
    struct str s = {0};
    str_add(&s, "pool: ");
    spec_emit_scalar(&s, name, true, true, false);
    str_add(&s, "\n");
    return str_take(&s);
}

json *spec_party_to_json(enum spec_party_kind kind, const struct spec_party *p)
{
    json *o = js_object();
    spec_write_map(table_of(kind), p, o);
    return o;
}

void spec_party_diff(enum spec_party_kind kind, const struct spec_party *a, const struct spec_party *b,
                     spec_changes *out)
{
    spec_diff_table(table_of(kind), a, b, out);
}

void spec_party_free(struct spec_party *p)
{
    if (!p)
        return;
    free(p->name);
    spec_cpu_done(&p->cpu);
    free(p);
}

void spec_cpu_copy(struct spec_cpu *to, const struct spec_cpu *from)
{
    *to = *from;
    to->set = xstrdup(from->set);
    to->pool = xstrdup(from->pool);
}

void spec_cpu_done(struct spec_cpu *c)
{
    free(c->set);
    free(c->pool);
    c->set = c->pool = NULL;
}

json *spec_cpu_to_json(const struct spec_cpu *c)
{
    struct spec_party p = {.cpu = *c};
    auto_js json *o = spec_party_to_json(SPEC_PARTY_POOL, &p);
    return js_ref(js_get(o, "cpu"));
}

/* Takes what another zoned wrote: bounds as in a file. */
int spec_cpu_from_json(const json *j, struct spec_cpu *out, struct err *e)
{
    struct problems ps = {0};
    struct spec_load l = {.ps = &ps};
    struct spec_doc d = {0};
    struct spec_party *p = NULL;
    auto_js json *o = js_object();
    js_set_str(o, "pool", "any");
    js_set(o, "cpu", js_ref((json *)j));
    int r = spec_doc_from_json(&d, o, &l);
    if (!r)
        r = read_party(SPEC_PARTY_POOL, &l, d.root, &p);
    if (!p)
        (void)problems_to_err(&ps, e, "cpu");
    else
        spec_cpu_copy(out, &p->cpu);
    spec_party_free(p);
    problems_done(&ps);
    spec_doc_done(&d);
    return r;
}
