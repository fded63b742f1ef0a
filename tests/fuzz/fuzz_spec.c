/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a spec. What is taken must come back equal through JSON, JSON text, a copy and a diff. */
#include "base/mem.h"
#include "base/str.h"
#include "specs/specs.h"
#include <stddef.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must_equal(const struct spec *a, const struct spec *b)
{
    spec_changes c = {0};
    spec_diff(a, b, &c);
    if (c.len)
        abort();
    spec_changes_done(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct problems ps = {0};
    auto_spec struct spec *s = NULL;
    auto_free char *text = xmemdup(data, n ? n : 1);
    int r = spec_parse(text, n, "fuzz", &s, &ps);
    if ((r < 0) != (s == NULL) || (r < 0) != (ps.len > 0))
        abort();
    problems_done(&ps);
    if (!s)
        return 0;
    auto_js json *j = spec_to_json(s);
    auto_spec struct spec *back = NULL, *again = NULL, *copy = spec_copy(s);
    auto_free char *dump = js_dump(j, false);
    if (spec_from_json(j, &back, NULL) < 0 || !dump ||
        spec_parse(dump, strlen(dump), "json", &again, NULL) < 0)
        abort();
    must_equal(s, back);
    must_equal(s, again);
    must_equal(s, copy);
    auto_js json *j2 = spec_to_json(back);
    auto_free char *dump2 = js_dump(j2, false);
    if (!str_eq(dump, dump2))
        abort();
    return 0;
}
