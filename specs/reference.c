/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table as documentation: the keys for completion, troff for zone.yaml(5), markdown. Text comes from the
 * rows alone, so that what is documented is what is parsed. */
#include "base/mem.h"
#include "specs/number.h"
#include "specs/package_internal.h"
#include "specs/recipe.h"
#include "specs/value.h"
#include <string.h>

static void add_key(const struct spec_row *r, const char *key, void *arg)
{
    str_addf(arg, "%s\n", key);
}

char *spec_keys(void)
{
    struct str s = {0};
    spec_each_row(add_key, &s);
    return str_take(&s);
}

/* What may be written: a range, or the words. malloc'd, may be empty. */
static char *allowed(const struct spec_row *r)
{
    char range[80];
    switch (r->type) {
    case SPEC_T_VERSION:
        return xstrdup("1");
    case SPEC_T_WORD:
    case SPEC_T_WORDSTR:
    case SPEC_T_MODE:
        return spec_word_list(r->words);
    case SPEC_T_SOURCE:
        if (r->min != SPEC_MOUNT_TMPFS)
            return xstrdup("");
        break;
    case SPEC_T_INT:
    case SPEC_T_PERCENT:
    case SPEC_T_CPUS:
    case SPEC_T_SIZE:
    case SPEC_T_RATE:
    case SPEC_T_TIME:
        break;
    default:
        return xstrdup("");
    }
    spec_range(r, range);
    return xstrdup(range);
}

/* Backslash, and a dot or quote that begins a line, mean something to troff. */
static void add_troff(struct str *s, const char *text)
{
    for (bool start = true; *text; text++) {
        if (start && (*text == '.' || *text == '\''))
            str_add(s, "\\&");
        str_add(s, *text == '\\' ? "\\e" : *text == '-' ? "\\-" : (char[]){*text, '\0'});
        start = *text == '\n';
    }
}

static void troff_key(const struct spec_row *r, const char *key, const char *when, void *arg)
{
    struct str *s = arg;
    auto_free char *values = allowed(r);
    str_add(s, ".TP\n.B ");
    add_troff(s, key);
    str_add(s, "\n");
    add_troff(s, r->doc);
    str_add(s, "\n(");
    add_troff(s, r->type == SPEC_T_SOURCE && r->min == SPEC_MOUNT_TMPFS ? "size" : spec_type_name(r->type));
    if (*values) {
        str_add(s, ": ");
        add_troff(s, values);
    }
    if (r->def) {
        str_add(s, "; default ");
        add_troff(s, r->def);
    }
    str_addf(s, "%s)\n", when);
}

static void troff_row(const struct spec_row *r, const char *key, void *arg)
{
    troff_key(r, key, r->live ? "; applied live" : "; at next boot", arg);
}

static void troff_recipe_row(const struct spec_row *r, const char *key, void *arg)
{
    troff_key(r, key, "", arg);
}

char *spec_recipe_reference(void)
{
    struct str s = {0};
    spec_each_row_of(&spec_table_recipe, troff_recipe_row, &s);
    return str_take(&s);
}

static void add_cell(struct str *s, const char *text)
{
    for (; *text; text++)
        str_add(s, *text == '|' ? "\\|" : (char[]){*text, '\0'});
}

static void markdown_row(const struct spec_row *r, const char *key, void *arg)
{
    struct str *s = arg;
    auto_free char *values = allowed(r);
    str_addf(s, "| `%s` | ", key);
    add_cell(s, r->type == SPEC_T_SOURCE && r->min == SPEC_MOUNT_TMPFS ? "size" : spec_type_name(r->type));
    str_add(s, *values ? ": " : "");
    add_cell(s, values);
    str_addf(s, " | %s | %s | ", r->def ? r->def : "", r->live ? "live" : "next boot");
    add_cell(s, r->doc);
    str_add(s, " |\n");
}

char *spec_reference(bool markdown)
{
    struct str s = {0};
    if (markdown)
        str_add(&s, "| key | value | default | a change is applied | meaning |\n|---|---|---|---|---|\n");
    spec_each_row(markdown ? markdown_row : troff_row, &s);
    return str_take(&s);
}
