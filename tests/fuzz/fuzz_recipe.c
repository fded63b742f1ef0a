/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a recipe and as a package's document. What is taken comes back equal through JSON, and renders. */
#include "base/mem.h"
#include "base/str.h"
#include "specs/recipe.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void try_recipe(const char *text, size_t n)
{
    struct problems ps = {0};
    auto_recipe struct spec_recipe *r = NULL, *again = NULL;
    int k = spec_recipe_parse(text, n, "fuzz", &r, &ps);
    if ((k < 0) != (r == NULL) || (k < 0) != (ps.len > 0))
        abort();
    problems_done(&ps);
    if (!r)
        return;
    auto_js json *j = spec_recipe_to_json(r), *config = spec_recipe_config(r);
    auto_free char *dump = js_dump(j, false);
    if (!config || spec_recipe_parse(dump, strlen(dump), "json", &again, NULL) < 0)
        abort();
    auto_js json *j2 = spec_recipe_to_json(again);
    auto_free char *dump2 = js_dump(j2, false);
    if (!str_eq(dump, dump2))
        abort();
}

static void try_package(const char *text, size_t n)
{
    struct problems ps = {0};
    auto_package struct spec_package *p = NULL, *again = NULL;
    auto_free char *zone = NULL;
    int k = spec_package_parse(text, n, "fuzz", &p, &ps);
    if ((k < 0) != (p == NULL) || (k < 0) != (ps.len > 0))
        abort();
    problems_done(&ps);
    if (!p)
        return;
    auto_js json *j = spec_package_to_json(p), *missing = js_array();
    auto_free char *dump = js_dump(j, false);
    if (spec_package_parse(dump, strlen(dump), "json", &again, NULL) < 0)
        abort();
    if (spec_package_render(p, NULL, "x", "x:1", &zone, missing, NULL) < 0 || !zone)
        return;
    auto_spec struct spec *s = NULL;
    unsigned hidden;
    if (spec_parse(zone, strlen(zone), "rendered", &s, NULL) < 0)
        abort();
    auto_js json *wants = spec_wants(s), *back = spec_to_package_zone(s, p, NULL, &hidden),
                 *kept = js_array(), *merged = spec_merge(s, s, s, kept);
    auto_free char *file = spec_to_text(merged);
    auto_spec struct spec *t = NULL;
    if (!wants || !back || js_len(kept) || spec_parse(file, strlen(file), "merged", &t, NULL) < 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    auto_free char *text = xmemdup(data, n ? n : 1);
    try_recipe(text, n);
    try_package(text, n);
    return 0;
}
