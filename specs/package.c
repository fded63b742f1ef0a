/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A package's document, on the mechanism of the one table of keys: parse, check, print. What can be wrong with the zone that it
 * describes is found here, by a rendering with sample values, not when an operator installs it. */
#include "base/mem.h"
#include "specs/package_internal.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>

#define ROWS(rows, type)                                                                                     \
    {                                                                                                        \
        rows, ARRAY_LEN(rows), sizeof(type), "recipe.yaml(5)", NULL                                          \
    }

static const char *check_param_name(const char *t)
{
    size_t n = strlen(t);
    return n && n <= 64 && islower((unsigned char)t[0]) &&
                   strspn(t, "abcdefghijklmnopqrstuvwxyz0123456789_") == n
               ? NULL
               : "is not a name (a letter, then letters, digits and _; lower case; at most 64)";
}

static const struct spec_word param_words[] = {{"string", SPEC_PARAM_STRING},
                                               {"integer", SPEC_PARAM_INTEGER},
                                               {"boolean", SPEC_PARAM_BOOLEAN},
                                               {"port", SPEC_PARAM_PORT},
                                               {"size", SPEC_PARAM_SIZE},
                                               {"time", SPEC_PARAM_TIME},
                                               {NULL, 0}};

/* clang-format off */
#define P(m) offsetof(struct spec_param, m)
static const struct spec_row param_rows[] = {
    {.key = "name", .type = SPEC_T_STR, .offset = P(name), .check = check_param_name,
     .doc = "The parameter's name: ${NAME} in the zone part. Required."},
    {.key = "type", .type = SPEC_T_WORD, .offset = P(type), .words = param_words, .def = "string",
     .doc = "What its value is."},
    {.key = "default", .type = SPEC_T_STR, .offset = P(def), .check = spec_check_line,
     .doc = "The value where none is given."},
    {.key = "description", .type = SPEC_T_STR, .offset = P(description), .check = spec_check_line,
     .doc = "What the person is asked."},
    {.key = "required", .type = SPEC_T_BOOL, .offset = P(required), .def = "false",
     .doc = "Without a default: it must be given."},
    {.key = "secret", .type = SPEC_T_BOOL, .offset = P(secret), .def = "false",
     .doc = "Never shown, and never packed."},
    {.key = "choices", .type = SPEC_T_STRV, .offset = P(choices), .check = spec_check_line,
     .doc = "The only values of a string."},
    {.key = "min", .type = SPEC_T_INT, .offset = P(min), .max = INT64_MAX, .unset = SPEC_UNSET,
     .doc = "The least value of an integer."},
    {.key = "max", .type = SPEC_T_INT, .offset = P(max), .max = INT64_MAX, .unset = SPEC_UNSET,
     .doc = "The greatest value of an integer."},
};
const struct spec_table spec_table_param = ROWS(param_rows, struct spec_param);

#define K(m) offsetof(struct spec_package, m)
static const struct spec_row package_rows[] = {
    {.key = "package", .type = SPEC_T_VERSION, .min = 1, .max = 1, .def = "1",
     .doc = "The version of this format."},
    {.key = "name", .type = SPEC_T_STR, .offset = K(name), .check = spec_check_zone,
     .doc = "The zone's name where none is given."},
    {.key = "version", .type = SPEC_T_STR, .offset = K(version), .check = spec_check_line,
     .doc = "The package's own version, for people."},
    {.key = "description", .type = SPEC_T_STR, .offset = K(description), .check = spec_check_line,
     .doc = "What the package is, in a line."},
    {.key = "zone", .type = SPEC_T_TREE, .offset = K(zone),
     .doc = "The zone's spec, as in zone.yaml(5), without zone and image."},
    {.key = "parameters", .type = SPEC_T_ITEMS, .offset = K(parameters), .max = SPEC_PARAMS_MAX, .items = &spec_table_param,
     .doc = "What an operator is asked."},
};
/* clang-format on */
static const struct spec_table package_table = ROWS(package_rows, struct spec_package);

void spec_package_done(struct spec_package *p)
{
    spec_table_done(&package_table, p);
}

void spec_package_free(struct spec_package *p)
{
    if (!p)
        return;
    spec_package_done(p);
    free(p);
}

json *spec_package_to_json(const struct spec_package *p)
{
    json *o = js_object();
    js_set_int(o, "package", 1);
    spec_write_map(&package_table, p, o);
    return o;
}

/* ---- checks ---- */
static void check_param(struct spec_load *l, const struct spec_package *p, unsigned i, int line)
{
    const struct spec_param *q = &p->parameters.at[i];
    struct spec_where list = {NULL, "parameters", -1}, w = {&list, NULL, (int)i};
    char buf[160];
    const char *complaint = q->def ? spec_param_check(q, q->def, buf) : NULL;
    if (!q->name) {
        spec_bad(l, line, &w, "has no name");
        return;
    }
    if (spec_param_find(p, q->name, strlen(q->name)) != q)
        spec_bad(l, line, &w, "\"%s\" is declared twice", q->name);
    if (complaint)
        spec_bad(l, line, &w, "the default of %s %s", q->name, complaint);
    if (q->secret && q->def)
        spec_bad(l, line, &w, "%s is secret and has a default that all can read (leave it out)", q->name);
    if (q->choices && q->type != SPEC_PARAM_STRING)
        spec_bad(l, line, &w, "%s has choices, which only a string can have", q->name);
    if ((q->min != SPEC_UNSET || q->max != SPEC_UNSET) && q->type != SPEC_PARAM_INTEGER)
        spec_bad(l, line, &w, "%s has min or max, which only an integer can have", q->name);
    if (q->min != SPEC_UNSET && q->max != SPEC_UNSET && q->min > q->max)
        spec_bad(l, line, &w, "min of %s is greater than max", q->name);
}

/* The sample's problems as problems of this document: below zone, with their lines. */
static void check_sample(struct spec_load *l, const struct spec_package *p, const struct spec_node *root)
{
    auto_js json *values = spec_param_samples(p);
    struct problems ps = {0};
    struct spec_where w = {NULL, "zone", -1};
    auto_free char *text = NULL;
    static const char *const own[] = {"zone", "image"};
    unsigned before = l->bad;
    for (unsigned i = 0; i < ARRAY_LEN(own); i++)
        if (js_get(p->zone, own[i]))
            spec_bad(l, spec_line_of(spec_node_get(root, "zone"), own[i]), &w,
                     "names %s, which an installation decides (leave it out)", own[i]);
    if (l->bad > before || spec_package_render(p, values, "sample", "sample:1", &text, NULL, &ps) == 0)
        goto out;
    for (unsigned i = 0; i < ps.len; i++) {
        const struct problem *q = &ps.at[i];
        auto_free char *key = xasprintf("zone%s%s", q->key ? "." : "", q->key ? q->key : "");
        struct spec_where at = {NULL, key, -1};
        size_t plain = q->key ? strcspn(q->key, "[") : 0;
        auto_free char *near = xstrndup(q->key ? q->key : "", plain);
        spec_bad_kind(l, q->kind, spec_line_of(spec_node_get(root, "zone"), near), &at, "%s", q->message);
    }
out:
    problems_done(&ps);
}

void spec_package_check(struct spec_load *l, const struct spec_package *p, const struct spec_node *root)
{
    const struct spec_node *list = spec_node_get(root, "parameters"), *n = list ? list->first : NULL;
    unsigned before = l->bad;
    for (unsigned i = 0; i < p->parameters.len; i++, n = n ? n->next : NULL)
        check_param(l, p, i, n ? n->line : 0);
    if (l->bad == before)
        check_sample(l, p, root);
}

const struct spec_node *spec_doc_mapping(struct spec_doc *d, const char *text, size_t n, const char *what,
                                         struct spec_load *l)
{
    if (spec_doc_read(d, text, n, l) < 0)
        return NULL;
    if (d->root && d->root->kind == SPEC_MAP)
        return d->root;
    spec_bad(l, d->root ? d->root->line : 0, NULL, "is no %s (wanted: keys with values)", what);
    return NULL;
}

int spec_package_parse(const char *text, size_t n, const char *file, struct spec_package **out,
                       struct problems *ps)
{
    struct spec_load l = {.file = file, .ps = ps};
    struct spec_doc d = {0};
    struct spec_package *p = xcalloc(1, sizeof(*p));
    const struct spec_node *root = NULL;
    if (n > SPEC_PACKAGE_MAX)
        spec_bad(&l, 0, NULL, "is larger than %u KiB", SPEC_PACKAGE_MAX >> 10);
    else
        root = spec_doc_mapping(&d, text, n, "package", &l);
    if (root) {
        spec_read_map(&l, &package_table, p, root, NULL);
        if (!l.bad)
            spec_package_check(&l, p, root);
    }
    spec_doc_done(&d);
    if (!l.bad) {
        *out = p;
        return 0;
    }
    spec_package_free(p);
    return -EINVAL;
}
