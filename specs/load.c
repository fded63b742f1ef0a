/* SPDX-License-Identifier: GPL-2.0-or-later */
/* YAML text to the node tree; the one room that knows libyaml. It takes what a person writes and nothing
 * clever: no anchors and aliases (so nothing can explode), no tags, one document. libyaml's marks count
 * characters, ours bytes. Must never keep a libyaml object past its return. */
#include "base/mem.h"
#include "specs/node.h"
#include <errno.h>
#include <string.h>
#include <yaml.h>

struct loader {
    struct spec_doc *d;
    struct spec_load *l;
    struct spec_node *open[SPEC_DEPTH_MAX + 1]; /* the collections that are open, outermost first */
    int depth;
    const char *key; /* waiting for its value */
    yaml_mark_t key_start, key_end;
    unsigned documents;
    const char *text;
    size_t n;
    uint32_t *bytes; /* character number to byte offset; NULL while all is ASCII */
};

static unsigned byte_of(const struct loader *y, size_t index)
{
    if (!y->bytes)
        return (unsigned)(index > y->n ? y->n : index);
    return y->bytes[index > y->n ? y->n : index];
}

static void map_bytes(struct loader *y)
{
    size_t i = 0, chars = 0;
    while (i < y->n && !(y->text[i] & 0x80))
        i++;
    if (i == y->n)
        return;
    y->bytes = xcalloc(y->n + 1, sizeof(*y->bytes));
    for (i = 0; i < y->n; i++)
        if (((unsigned char)y->text[i] & 0xc0) != 0x80)
            y->bytes[chars++] = (uint32_t)i;
    while (chars <= y->n)
        y->bytes[chars++] = (uint32_t)y->n;
}

static unsigned column_of(const struct loader *y, unsigned offset)
{
    unsigned at = offset;
    while (at && y->text[at - 1] != '\n')
        at--;
    return offset - at;
}

static bool take_key(struct loader *y, const yaml_event_t *ev)
{
    int line = (int)ev->start_mark.line + 1;
    if (ev->type != YAML_SCALAR_EVENT) {
        spec_bad(y->l, line, NULL, "a key must be plain text");
        return false;
    }
    const char *text = (const char *)ev->data.scalar.value;
    if (strlen(text) != ev->data.scalar.length) {
        spec_bad(y->l, line, NULL, "a key holds a NUL character");
        return false;
    }
    y->key = spec_doc_strdup(y->d, text, ev->data.scalar.length);
    y->key_start = ev->start_mark;
    y->key_end = ev->end_mark;
    return true;
}

static struct spec_node *add(struct loader *y, enum spec_node_kind kind, const yaml_event_t *ev)
{
    struct spec_node *parent = y->depth ? y->open[y->depth - 1] : NULL;
    int line = (int)ev->start_mark.line + 1;
    struct spec_node *n =
        spec_node_new(y->d, parent, kind, y->key, y->key ? (int)y->key_start.line + 1 : line, y->l);
    if (!n)
        return NULL;
    n->key_line = n->line;
    n->line = line;
    n->start = byte_of(y, ev->start_mark.index);
    n->end = byte_of(y, ev->end_mark.index);
    n->column = column_of(y, n->start);
    if (y->key) {
        n->key_start = byte_of(y, y->key_start.index);
        n->key_end = byte_of(y, y->key_end.index);
        y->key = NULL;
    }
    return n;
}

static bool add_scalar(struct loader *y, const yaml_event_t *ev)
{
    const char *text = (const char *)ev->data.scalar.value;
    struct spec_node *n = add(y, SPEC_SCALAR, ev);
    if (!n)
        return false;
    if (strlen(text) != ev->data.scalar.length) {
        struct spec_where w = {NULL, n->key, -1};
        spec_bad(y->l, n->line, &w, "holds a NUL character");
        return false;
    }
    n->text = spec_doc_strdup(y->d, text, ev->data.scalar.length);
    n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return true;
}

static bool open_collection(struct loader *y, enum spec_node_kind kind, bool flow, const yaml_event_t *ev)
{
    if (y->depth >= SPEC_DEPTH_MAX) {
        spec_bad(y->l, (int)ev->start_mark.line + 1, NULL, "nested too deep (at most %d levels)",
                 SPEC_DEPTH_MAX);
        return false;
    }
    struct spec_node *n = add(y, kind, ev);
    if (!n)
        return false;
    n->flow = flow;
    y->open[y->depth++] = n;
    return true;
}

/* Anchors, aliases, tags: the same for every kind of node. */
static bool is_plain_yaml(struct loader *y, const yaml_event_t *ev)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    int line = (int)ev->start_mark.line + 1;
    if (ev->type == YAML_ALIAS_EVENT)
        anchor = ev->data.alias.anchor;
    else if (ev->type == YAML_SCALAR_EVENT)
        anchor = ev->data.scalar.anchor, tag = ev->data.scalar.tag;
    else if (ev->type == YAML_SEQUENCE_START_EVENT)
        anchor = ev->data.sequence_start.anchor, tag = ev->data.sequence_start.tag;
    else if (ev->type == YAML_MAPPING_START_EVENT)
        anchor = ev->data.mapping_start.anchor, tag = ev->data.mapping_start.tag;
    char show[SPEC_SHOW];
    if (anchor)
        spec_bad(y->l, line, NULL, "the anchor or alias \"%s\" is not taken (write the value out)",
                 spec_show((const char *)anchor, show));
    else if (tag)
        spec_bad(y->l, line, NULL, "the tag \"%s\" is not taken (leave it out)",
                 spec_show((const char *)tag, show));
    return !anchor && !tag;
}

/* false: stop, there is a problem. */
static bool take_event(struct loader *y, const yaml_event_t *ev)
{
    if (ev->type == YAML_DOCUMENT_START_EVENT && ++y->documents > 1) {
        spec_bad(y->l, (int)ev->start_mark.line + 1, NULL, "a second document begins here (one to a file)");
        return false;
    }
    if (!is_plain_yaml(y, ev))
        return false;
    struct spec_node *parent = y->depth ? y->open[y->depth - 1] : NULL;
    bool starts = ev->type == YAML_SCALAR_EVENT || ev->type == YAML_SEQUENCE_START_EVENT ||
                  ev->type == YAML_MAPPING_START_EVENT;
    if (starts && parent && parent->kind == SPEC_MAP && !y->key)
        return take_key(y, ev);
    switch (ev->type) {
    case YAML_SCALAR_EVENT:
        return add_scalar(y, ev);
    case YAML_SEQUENCE_START_EVENT:
        return open_collection(y, SPEC_SEQ, ev->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE, ev);
    case YAML_MAPPING_START_EVENT:
        return open_collection(y, SPEC_MAP, ev->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE, ev);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        parent->end = byte_of(y, ev->end_mark.index); /* NOLINT: libyaml ends what it has begun */
        y->depth--;
        return true;
    default:
        return true;
    }
}

static void bad_yaml(struct loader *y, const yaml_parser_t *p)
{
    const char *what = p->problem ? p->problem : "unreadable";
    int line = (int)p->problem_mark.line + 1;
    if (p->error == YAML_READER_ERROR) { /* the reader knows an offset only */
        line = 1;
        for (size_t i = 0; i < p->problem_offset && i < y->n; i++)
            line += y->text[i] == '\n';
    }
    if (p->context)
        spec_bad(y->l, line, NULL, "is not YAML: %s, %s", p->context, what);
    else
        spec_bad(y->l, line, NULL, "is not YAML: %s", what);
}

static void run(struct loader *y, yaml_parser_t *p)
{
    for (bool more = true; more;) {
        yaml_event_t ev;
        if (!yaml_parser_parse(p, &ev)) {
            bad_yaml(y, p);
            return;
        }
        more = take_event(y, &ev) && ev.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&ev);
    }
}

int spec_doc_load(struct spec_doc *d, const char *text, size_t n, struct spec_load *l)
{
    struct loader y = {.d = d, .l = l, .text = text, .n = n};
    unsigned before = l->bad;
    yaml_parser_t p;
    if (!yaml_parser_initialize(&p)) {
        spec_bad_kind(l, ERR_INTERNAL, 0, NULL, "no memory for the YAML parser");
        return -ENOMEM;
    }
    map_bytes(&y);
    yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p, (const unsigned char *)text, n);
    run(&y, &p);
    yaml_parser_delete(&p);
    free(y.bytes);
    return l->bad > before ? -EINVAL : 0;
}

int spec_doc_read(struct spec_doc *d, const char *text, size_t n, struct spec_load *l)
{
    auto_free char *clean = NULL;
    size_t len;
    int r = spec_text_clean(text, n, &clean, &len, l);
    return r < 0 ? r : spec_doc_load(d, clean, len, l);
}
