/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parameters of a package: is a value one, and where does it go. ${NAME} in a text of the tree is replaced; a text that is nothing
 * else becomes what the parameter's type says. $${ stands for ${. A text with a parameter that has no value is left out with its
 * key. Works on values, so that nothing a parameter says can become a key or another value. */
#include "base/mem.h"
#include "base/str.h"
#include "specs/package_internal.h"
#include <stdio.h>
#include <string.h>

#define VALUE_MAX 4096

static const char *const type_names[] = {
    [SPEC_PARAM_STRING] = "string", [SPEC_PARAM_INTEGER] = "integer", [SPEC_PARAM_BOOLEAN] = "boolean",
    [SPEC_PARAM_PORT] = "port",     [SPEC_PARAM_SIZE] = "size",       [SPEC_PARAM_TIME] = "time"};

const char *spec_param_type_name(enum spec_param_type t)
{
    return type_names[t];
}

const struct spec_param *spec_param_find(const struct spec_package *p, const char *name, size_t n)
{
    for (unsigned i = 0; i < p->parameters.len; i++) {
        const char *have = p->parameters.at[i].name;
        if (have && strlen(have) == n && !memcmp(have, name, n))
            return &p->parameters.at[i];
    }
    return NULL;
}

static const char *check_string(const struct spec_param *p, const char *value, char buf[160])
{
    if (strlen(value) > VALUE_MAX)
        return "is longer than 4096 bytes";
    for (const unsigned char *c = (const unsigned char *)value; *c; c++)
        if (*c < 0x20 || *c == 0x7f)
            return "holds a control character";
    if (!p->choices || strv_has(p->choices, value))
        return NULL;
    auto_free char *all = strv_join(p->choices, ", ");
    snprintf(buf, 160, "is not one of %.140s", all);
    return buf;
}

static const char *check_integer(const struct spec_param *p, const char *value, char buf[160])
{
    uint64_t v, min = p->min == SPEC_UNSET ? 0 : p->min, max = p->max == SPEC_UNSET ? INT64_MAX : p->max;
    if (p->type == SPEC_PARAM_PORT)
        min = 1, max = 65535;
    if (parse_u64(value, UINT64_MAX, &v) == 0 && v >= min && v <= max)
        return NULL;
    if (max == INT64_MAX)
        snprintf(buf, 160, "is not a whole number from %llu", (unsigned long long)min);
    else
        snprintf(buf, 160, "is not a %s from %llu to %llu",
                 p->type == SPEC_PARAM_PORT ? "port" : "whole number", (unsigned long long)min,
                 (unsigned long long)max);
    return buf;
}

const char *spec_param_check(const struct spec_param *p, const char *value, char buf[160])
{
    uint64_t v;
    switch (p->type) {
    case SPEC_PARAM_INTEGER:
    case SPEC_PARAM_PORT:
        return check_integer(p, value, buf);
    case SPEC_PARAM_BOOLEAN:
        return strcmp(value, "true") && strcmp(value, "false") ? "is not true or false" : NULL;
    case SPEC_PARAM_SIZE:
        return parse_size(value, &v) < 0 ? "is not a size (like 512M)" : NULL;
    case SPEC_PARAM_TIME:
        return parse_time(value, &v) < 0 ? "is not a time (like 10s)" : NULL;
    default:
        return check_string(p, value, buf);
    }
}

json *spec_param_samples(const struct spec_package *p)
{
    static const char *const some[] = {
        [SPEC_PARAM_STRING] = "x",  [SPEC_PARAM_INTEGER] = "1", [SPEC_PARAM_BOOLEAN] = "false",
        [SPEC_PARAM_PORT] = "1024", [SPEC_PARAM_SIZE] = "64M",  [SPEC_PARAM_TIME] = "1s"};
    json *o = js_object();
    for (unsigned i = 0; i < p->parameters.len; i++) {
        const struct spec_param *q = &p->parameters.at[i];
        char least[24];
        snprintf(least, sizeof(least), "%llu", (unsigned long long)q->min);
        if (q->name)
            js_set_str(o, q->name,
                       q->def                                                  ? q->def
                       : q->choices                                            ? q->choices[0]
                       : q->type == SPEC_PARAM_INTEGER && q->min != SPEC_UNSET ? least
                                                                               : some[q->type]);
    }
    return o;
}

/* ---- filling in ---- */
struct filler {
    const struct spec_package *p;
    const json *values;
    struct spec_load *l;
    bool absent; /* a parameter of this text has no value */
};

static json *typed(const struct spec_param *q, const char *value)
{
    uint64_t v = 0;
    if (q->type == SPEC_PARAM_BOOLEAN)
        return js_bool(!strcmp(value, "true"));
    if ((q->type == SPEC_PARAM_INTEGER || q->type == SPEC_PARAM_PORT) && parse_u64(value, INT64_MAX, &v) == 0)
        return js_int((int64_t)v);
    return js_string(value);
}

/* From "${"; *end behind "}". NULL after a problem. */
static const struct spec_param *placeholder(struct filler *f, const char *at, const char **end,
                                            const struct spec_where *w)
{
    const char *close = strchr(at, '}');
    char show[SPEC_SHOW];
    const struct spec_param *q = close ? spec_param_find(f->p, at + 2, (size_t)(close - at - 2)) : NULL;
    if (!q)
        spec_bad(f->l, 0, w,
                 "\"%s\" names no parameter (declare it below parameters, or write $${ for ${ itself)",
                 spec_show(at, show));
    *end = close ? close + 1 : at + strlen(at);
    return q;
}

static json *fill_text(struct filler *f, const char *text, const struct spec_where *w)
{
    struct str s = {0};
    f->absent = false;
    for (const char *p = text; *p;) {
        const char *end;
        if (!strncmp(p, "$${", 3)) {
            str_add(&s, "${");
            p += 3;
            continue;
        }
        if (strncmp(p, "${", 2) != 0) {
            str_addn(&s, p++, 1);
            continue;
        }
        const struct spec_param *q = placeholder(f, p, &end, w);
        const char *value = q ? js_get_str(f->values, q->name, NULL) : NULL;
        f->absent |= !value;
        if (value && p == text && !*end) {
            str_done(&s);
            return typed(q, value);
        }
        str_add(&s, value ? value : "");
        p = end;
    }
    auto_free char *all = str_take(&s);
    return js_string(all);
}

static json *fill(struct filler *f, const json *tree, const struct spec_where *w)
{
    enum js_type t = js_type_of(tree);
    if (t == JS_STRING)
        return fill_text(f, js_str_of(tree, ""), w);
    if (t != JS_OBJECT && t != JS_ARRAY)
        return js_ref((json *)tree);
    json *out = t == JS_OBJECT ? js_object() : js_array();
    for (void *it = t == JS_OBJECT ? js_iter((json *)tree) : NULL; it; it = js_next((json *)tree, it)) {
        struct spec_where at = {w, js_iter_key(it), -1};
        f->absent = false;
        json *v = fill(f, js_iter_value(it), &at);
        if (f->absent)
            js_free(v);
        else
            js_set(out, js_iter_key(it), v);
        f->absent = false;
    }
    for (size_t i = 0; t == JS_ARRAY && i < js_len(tree); i++) {
        struct spec_where at = {w, NULL, (int)i};
        f->absent = false;
        json *v = fill(f, js_at(tree, i), &at);
        if (f->absent)
            js_free(v);
        else
            js_add(out, v);
        f->absent = false;
    }
    return out;
}

json *spec_param_fill(const struct spec_package *p, const json *values, const json *tree, struct spec_load *l,
                      const struct spec_where *w)
{
    struct filler f = {.p = p, .values = values, .l = l};
    return fill(&f, tree, w);
}
