/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Problems that were found in a spec, not in its text (what this host cannot do), get the text's file and line. */
#include "specs/node.h"
#include "specs/specs.h"
#include <string.h>

static const struct spec_node *item(const struct spec_node *list, unsigned long i)
{
    const struct spec_node *n = list->kind == SPEC_SEQ ? list->first : NULL;
    while (n && i--)
        n = n->next;
    return n;
}

/* The line of the key, or of the nearest part above it that is written; 0: none is. */
static int line_of(const struct spec_node *at, const char *key)
{
    int line = 0;
    while (at && *key) {
        size_t n = strcspn(key, ".[");
        auto_free char *name = xstrndup(key, n);
        char *end = (char *)key + n;
        if (*key == '[')
            at = item(at, strtoul(key + 1, &end, 10));
        else
            at = at->kind == SPEC_MAP ? spec_node_get(at, name) : NULL;
        if (at)
            line = at->key_line ? at->key_line : at->line;
        key = end + strspn(end, "].");
    }
    return line;
}

/* Does the edit's key hold the problem's? "cpu" holds cpu.cap, "network[0].ports" network[0].ports[1]. */
static bool holds(const char *edit, const char *key)
{
    size_t n = strcspn(edit, "=");
    return n && edit[n] && !strncmp(edit, key, n) && (!key[n] || strchr(".[", key[n]));
}

void spec_blame_edits(char *const *edits, struct problems *ps)
{
    for (unsigned i = 0; ps && i < ps->len; i++) {
        struct problem *p = &ps->at[i];
        for (char *const *e = edits; p->key && e && *e; e++)
            if (holds(*e, p->key)) {
                free(p->file);
                p->file = xstrdup(PROBLEM_SET);
                p->line = 0;
                break;
            }
    }
}

void spec_locate(const char *text, const char *file, struct problems *ps)
{
    unsigned lost = 0;
    for (unsigned i = 0; ps && i < ps->len; i++)
        lost += !ps->at[i].file;
    if (!lost)
        return;
    struct problems none = {0};
    struct spec_load l = {.file = file, .ps = &none};
    struct spec_doc d = {0};
    bool read = spec_doc_read(&d, text, strlen(text), &l) == 0;
    for (unsigned i = 0; i < ps->len; i++) {
        struct problem *p = &ps->at[i];
        if (p->file)
            continue;
        p->file = xstrdup(file);
        p->line = read && p->key ? line_of(d.root, p->key) : 0;
    }
    spec_doc_done(&d);
    problems_done(&none);
}
