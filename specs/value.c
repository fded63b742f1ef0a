/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be done with one row's value: set from a node, default, read as JSON, copy, free. Every switch
 * over types that touches ownership is here. Must never leave a half-set field: a value that is refused
 * leaves the default. */
#include "specs/value.h"
#include "base/mem.h"
#include "specs/number.h"
#include <errno.h>
#include <string.h>

static const char *const type_names[SPEC_T_MAX] = {
    [SPEC_T_VERSION] = "whole number",
    [SPEC_T_BOOL] = "true or false",
    [SPEC_T_INT] = "whole number",
    [SPEC_T_PERCENT] = "percentage",
    [SPEC_T_CPUS] = "number of CPUs",
    [SPEC_T_SIZE] = "size",
    [SPEC_T_RATE] = "rate",
    [SPEC_T_TIME] = "time",
    [SPEC_T_STR] = "text",
    [SPEC_T_WORD] = "word",
    [SPEC_T_WORDSTR] = "word",
    [SPEC_T_MODE] = "word",
    [SPEC_T_SIGNAL] = "signal",
    [SPEC_T_CPUSET] = "list of CPUs like 0-3,6",
    [SPEC_T_SOURCE] = "text",
    [SPEC_T_STRV] = "list",
    [SPEC_T_CAPS] = "list of capabilities",
    [SPEC_T_ADDRESS] = "auto, address or list of addresses",
    [SPEC_T_MAP] = "mapping",
    [SPEC_T_PORTS] = "list of ports",
    [SPEC_T_ITEMS] = "list of mappings",
    [SPEC_T_TREE] = "mapping",
};

const char *spec_type_name(enum spec_type t)
{
    return type_names[t];
}

bool spec_type_is_text(enum spec_type t)
{
    return t == SPEC_T_STR || t == SPEC_T_STRV || t == SPEC_T_MAP || t == SPEC_T_PORTS ||
           t == SPEC_T_ADDRESS || t == SPEC_T_SOURCE || t == SPEC_T_WORDSTR || t == SPEC_T_SIGNAL ||
           t == SPEC_T_WORD || t == SPEC_T_MODE;
}

bool spec_type_is_list(enum spec_type t)
{
    return t == SPEC_T_STRV || t == SPEC_T_CAPS || t == SPEC_T_ADDRESS || t == SPEC_T_PORTS ||
           t == SPEC_T_ITEMS;
}

static void set_text(struct spec_load *l, const struct spec_row *r, char **field, const struct spec_node *n,
                     const struct spec_where *w)
{
    char show[SPEC_SHOW];
    const char *complaint = r->check ? r->check(n->text) : NULL;
    if (r->type == SPEC_T_WORDSTR && spec_word_find(r->words, n->text) < 0) {
        auto_free char *allowed = spec_word_list(r->words);
        spec_bad(l, n->line, w, "\"%s\" is not known (%s)", spec_show(n->text, show), allowed);
    } else if (complaint) {
        spec_bad(l, n->line, w, "\"%s\" %s", spec_show(n->text, show), complaint);
    } else {
        free(*field);
        *field = xstrdup(n->text);
    }
}

static void set_signal(struct spec_load *l, const struct spec_row *r, void *base, const struct spec_node *n,
                       const struct spec_where *w)
{
    char show[SPEC_SHOW];
    int sig;
    if (spec_parse_signal(n->text, &sig) < 0)
        spec_bad(l, n->line, w, "\"%s\" is not a signal (SIGTERM, TERM, 15, SIGRTMIN+3)",
                 spec_show(n->text, show));
    else
        SPEC_FIELD(int, base, r) = sig;
}

static void set_cpuset(struct spec_load *l, const struct spec_row *r, void *base, const struct spec_node *n,
                       const struct spec_where *w)
{
    char show[SPEC_SHOW];
    char *normal = spec_cpuset_normal(n->text);
    if (!normal) {
        spec_bad(l, n->line, w, "\"%s\" is not a list of CPUs (like 0-3,6; numbers below 4096)",
                 spec_show(n->text, show));
        return;
    }
    free(SPEC_FIELD(char *, base, r));
    SPEC_FIELD(char *, base, r) = normal;
}

static void set_source(struct spec_load *l, const struct spec_row *r, struct spec_mount *m,
                       const struct spec_node *n, const struct spec_where *w)
{
    m->kind = (enum spec_mount_kind)r->min; /* two of them are refused by spec_check_mounts */
    if (m->kind == SPEC_MOUNT_TMPFS)
        (void)spec_number_set(l, r, m, n, w);
    else
        set_text(l, r, &m->source, n, w);
}

static void set_scalar(struct spec_load *l, const struct spec_row *r, void *base, const struct spec_node *n,
                       const struct spec_where *w)
{
    switch (r->type) {
    case SPEC_T_STR:
    case SPEC_T_WORDSTR:
        set_text(l, r, &SPEC_FIELD(char *, base, r), n, w);
        break;
    case SPEC_T_SIGNAL:
        set_signal(l, r, base, n, w);
        break;
    case SPEC_T_CPUSET:
        set_cpuset(l, r, base, n, w);
        break;
    case SPEC_T_SOURCE:
        set_source(l, r, base, n, w);
        break;
    default:
        (void)spec_number_set(l, r, base, n, w);
    }
}

static void set_tree(const struct spec_row *r, void *base, const struct spec_node *n)
{
    js_free(SPEC_FIELD(json *, base, r));
    SPEC_FIELD(json *, base, r) = spec_node_to_json(n);
}

void spec_value_set(struct spec_load *l, const struct spec_row *r, void *base, const struct spec_node *n,
                    const struct spec_where *w)
{
    enum spec_node_kind wanted = r->type == SPEC_T_MAP || r->type == SPEC_T_TREE ? SPEC_MAP
                                 : spec_type_is_list(r->type)                    ? SPEC_SEQ
                                                                                 : SPEC_SCALAR;
    static const char *const kinds[] = {
        [SPEC_SCALAR] = "one value", [SPEC_SEQ] = "a list", [SPEC_MAP] = "a mapping"};
    bool one_address = r->type == SPEC_T_ADDRESS && n->kind == SPEC_SCALAR;
    if (spec_node_null(n))
        return; /* written, but empty: not given */
    if (n->kind != wanted && !one_address)
        spec_bad(l, n->line, w, "is %s (wanted: %s)", kinds[n->kind], type_names[r->type]);
    else if (r->type == SPEC_T_TREE)
        set_tree(r, base, n);
    else if (wanted == SPEC_SCALAR)
        set_scalar(l, r, base, n, w);
    else
        spec_list_set(l, r, base, n, w);
}

void spec_value_default(const struct spec_row *r, void *base)
{
    struct spec_load quiet = {0};
    switch (r->type) {
    case SPEC_T_INT:
    case SPEC_T_PERCENT:
    case SPEC_T_SIZE:
    case SPEC_T_RATE:
    case SPEC_T_TIME:
        SPEC_FIELD(uint64_t, base, r) = r->unset;
        break;
    case SPEC_T_CPUS:
        SPEC_FIELD(double, base, r) = -1;
        break;
    default:
        break; /* zero */
    }
    if (r->def) {
        struct spec_node n = {.kind = SPEC_SCALAR, .plain = true, .text = r->def};
        spec_value_set(&quiet, r, base, &n, NULL);
    }
}

static json *get_source(const struct spec_row *r, const struct spec_mount *m)
{
    if (m->kind != (enum spec_mount_kind)r->min)
        return NULL;
    if (m->kind == SPEC_MOUNT_TMPFS)
        return spec_number_get(r, m);
    return m->source ? js_string(m->source) : NULL;
}

json *spec_value_get(const struct spec_row *r, const void *base)
{
    const char *s;
    switch (r->type) {
    case SPEC_T_STR:
    case SPEC_T_WORDSTR:
    case SPEC_T_CPUSET:
        s = SPEC_CFIELD(char *, base, r);
        return s ? js_string(s) : NULL;
    case SPEC_T_SIGNAL:
        s = spec_signal_name(SPEC_CFIELD(int, base, r));
        return s ? js_string(s) : NULL;
    case SPEC_T_SOURCE:
        return get_source(r, base);
    case SPEC_T_TREE:
        return SPEC_CFIELD(json *, base, r) ? js_ref(SPEC_CFIELD(json *, base, r)) : NULL;
    case SPEC_T_MAP:
    case SPEC_T_STRV:
    case SPEC_T_CAPS:
    case SPEC_T_ADDRESS:
    case SPEC_T_PORTS:
    case SPEC_T_ITEMS:
        return spec_list_get(r, base);
    default:
        return spec_number_get(r, base);
    }
}

void spec_value_done(const struct spec_row *r, void *base)
{
    switch (r->type) {
    case SPEC_T_STR:
    case SPEC_T_WORDSTR:
    case SPEC_T_CPUSET:
        free(SPEC_FIELD(char *, base, r));
        SPEC_FIELD(char *, base, r) = NULL;
        break;
    case SPEC_T_TREE:
        js_free(SPEC_FIELD(json *, base, r));
        SPEC_FIELD(json *, base, r) = NULL;
        break;
    case SPEC_T_SOURCE:
        free(((struct spec_mount *)base)->source); /* by the first of the three rows */
        ((struct spec_mount *)base)->source = NULL;
        break;
    default:
        spec_list_done(r, base);
    }
}

void spec_value_dup(const struct spec_row *r, void *base)
{
    struct spec_mount *m = base;
    switch (r->type) {
    case SPEC_T_STR:
    case SPEC_T_WORDSTR:
    case SPEC_T_CPUSET:
        SPEC_FIELD(char *, base, r) = xstrdup(SPEC_FIELD(char *, base, r));
        break;
    case SPEC_T_TREE: /* never changed in place */
        if (SPEC_FIELD(json *, base, r))
            (void)js_ref(SPEC_FIELD(json *, base, r));
        break;
    case SPEC_T_SOURCE:
        if (m->kind == (enum spec_mount_kind)r->min)
            m->source = xstrdup(m->source);
        break;
    default:
        spec_list_dup(r, base);
    }
}
