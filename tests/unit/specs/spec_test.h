/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the tests of specs/: parse a text, look at its first problem. */
#pragma once
#include "base/mem.h"
#include "base/str.h"
#include "specs/specs.h"
#include "tests/unit/tap.h"

#define HEAD "zone: web\nimage: host\n"

/* NULL and the problems, or the spec. */
__attribute__((unused)) static struct spec *parse(const char *text, struct problems *ps)
{
    struct spec *s = NULL;
    int r = spec_parse(text, strlen(text), "t.yaml", &s, ps);
    if ((r < 0) != (s == NULL) || (r < 0 && ps && !ps->len))
        ok(false, "spec_parse is consistent for: %s", text);
    return s;
}

/* HEAD + body is refused, and one problem contains want ("LINE: KEY: message"). */
__attribute__((unused)) static void refused(const char *text, const char *want)
{
    struct problems ps = {0};
    auto_spec struct spec *s = parse(text, &ps);
    bool found = false;
    char line[800];
    for (unsigned i = 0; i < ps.len; i++) {
        problem_print(&ps.at[i], line, sizeof(line));
        found |= strstr(line, want) != NULL;
    }
    if (!ok(!s && found, "refused: %.60s", want))
        for (unsigned i = 0; i < ps.len; i++) {
            problem_print(&ps.at[i], line, sizeof(line));
            printf("#   got %s\n", line);
        }
    problems_done(&ps);
}

__attribute__((unused)) static void refused_body(const char *body, const char *want)
{
    auto_free char *text = xasprintf(HEAD "%s", body);
    refused(text, want);
}

/* HEAD + body is taken; the spec as JSON text contains want. */
__attribute__((unused)) static void taken(const char *body, const char *want)
{
    struct problems ps = {0};
    auto_free char *text = xasprintf(HEAD "%s", body);
    auto_spec struct spec *s = parse(text, &ps);
    auto_js json *j = s ? spec_to_json(s) : NULL;
    auto_free char *dump = j ? js_dump(j, false) : xstrdup("");
    if (!ok(s && strstr(dump, want), "taken: %.60s", body)) {
        char line[800];
        for (unsigned i = 0; i < ps.len; i++) {
            problem_print(&ps.at[i], line, sizeof(line));
            printf("#   got %s\n", line);
        }
        printf("#   %s\n", dump);
    }
    problems_done(&ps);
}
