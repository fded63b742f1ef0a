/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Edits of any text: "EDIT\nEDIT\n\ntext". What comes out must parse; where the text was a good spec before
 * and one key is edited, no other key may differ after it, and an unset or repeated edit must succeed. */
#include "base/mem.h"
#include "base/str.h"
#include "specs/specs.h"
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* The first word of a dotted key: unset of the last key in a section takes the section. */
static bool same_top(const char *a, const char *b)
{
    size_t n = strcspn(a, ".[="), m = strcspn(b, ".[=");
    return n == m && !strncmp(a, b, n);
}

/* What follows from another key: the default of no_new_privs and the stop signal from init. */
static bool follows(const char *edit, const char *key)
{
    return str_starts(edit, "init") && (str_eq(key, "security.no_new_privs") || str_starts(key, "process."));
}

static void check_only(const struct spec *a, const struct spec *b, const char *edit)
{
    spec_changes c = {0};
    spec_diff(a, b, &c);
    for (unsigned i = 0; i < c.len; i++)
        if (!same_top(c.at[i].key, edit) && !follows(edit, c.at[i].key)) {
            printf("%s changed %s from %s to %s\n", edit, c.at[i].key, c.at[i].before, c.at[i].after);
            abort();
        }
    spec_changes_done(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    auto_free char *all = xstrndup((const char *)data, n);
    char *text = strstr(all, "\n\n");
    if (!text)
        return 0;
    *text = '\0';
    text += 2;
    char **edits = str_split(all, "\n");
    struct problems ps = {0};
    auto_free char *out = NULL;
    bool lost = false;
    int r = spec_edit(text, "fuzz", edits, &out, &lost, &ps);
    if ((r < 0) != (ps.len > 0) || (r < 0) != (out == NULL))
        abort();
    problems_done(&ps);
    auto_spec struct spec *before = NULL, *after = NULL;
    if (out) {
        if (spec_parse(out, strlen(out), "out", &after, NULL) < 0)
            abort();
        if (strv_len(edits) == 1 && spec_parse(text, strlen(text), "in", &before, NULL) == 0)
            check_only(before, after, edits[0]);
    }
    strv_free(edits);
    return 0;
}
