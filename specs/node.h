/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to specs/: the tree that YAML text and JSON values become, with the places they came from. */
#pragma once
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include <stddef.h>
#include <stdint.h>

#define SPEC_DEPTH_MAX 32
#define SPEC_NODES_MAX 20000
#define SPEC_ENTRIES_MAX 4096

/* Where problems go; `bad` counts them even when the list is full. */
struct spec_load {
    const char *file;
    struct problems *ps;
    unsigned bad;
};
/* A key as the user would name it: network[0].ports[2]. index -1: a plain key; key NULL: only an index. */
struct spec_where {
    const struct spec_where *up;
    const char *key;
    int index;
};
void spec_where_print(const struct spec_where *w, struct str *out);
void spec_bad(struct spec_load *l, int line, const struct spec_where *w, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void spec_bad_kind(struct spec_load *l, enum err_kind kind, int line, const struct spec_where *w,
                   const char *fmt, ...) __attribute__((format(printf, 5, 6)));

enum spec_node_kind { SPEC_SCALAR, SPEC_SEQ, SPEC_MAP };
struct spec_node {
    enum spec_node_kind kind;
    bool plain; /* an unquoted scalar */
    bool flow;  /* [a, b] or {a: b} */
    int line, key_line;
    unsigned start, end, key_start,
        key_end;            /* byte offsets; end of a block collection lies past its comments */
    unsigned column;        /* of start, in bytes */
    const char *text, *key; /* NUL-terminated; key only in a mapping */
    uint32_t key_hash;
    unsigned count;
    struct spec_node *first, *last, *next, *parent;
};
struct spec_chunk;
struct spec_doc {
    struct spec_chunk *chunks;
    struct spec_node *root; /* NULL: an empty document */
    unsigned nodes;
};
void *spec_doc_alloc(struct spec_doc *d, size_t n);
char *spec_doc_strdup(struct spec_doc *d, const char *s, size_t n);
void spec_doc_done(struct spec_doc *d);
/* Hangs a new node under parent (NULL: root); key NULL in a sequence. NULL after a problem (too many nodes,
 * twice the same key). */
struct spec_node *spec_node_new(struct spec_doc *d, struct spec_node *parent, enum spec_node_kind kind,
                                const char *key, int line, struct spec_load *l);
struct spec_node *spec_node_get(const struct spec_node *map, const char *key);
/* Nothing, null or ~, unquoted. */
bool spec_node_null(const struct spec_node *n);

/* YAML (so also JSON) text; 0 or -EINVAL with problems. Text must be what spec_text_clean made. */
int spec_doc_load(struct spec_doc *d, const char *text, size_t n, struct spec_load *l);
/* Both: any text from outside. d is to be ended in either case. */
int spec_doc_read(struct spec_doc *d, const char *text, size_t n, struct spec_load *l);
int spec_doc_from_json(struct spec_doc *d, const json *j, struct spec_load *l);
/* Numbers and truth values only where they stand bare and JSON writes them the same; all else is text. */
json *spec_node_to_json(const struct spec_node *n);
/* Refuses what is no text (line in the message), drops a byte order mark, turns JSON's surrogate pairs into
 * one character. *out malloc'd, NUL-terminated; *n its length. */
int spec_text_clean(const char *text, size_t n, char **out, size_t *len, struct spec_load *l);
/* A value as it may stand in a message: at most 60 bytes, nothing that upsets a terminal. */
#define SPEC_SHOW 72
const char *spec_show(const char *text, char buf[SPEC_SHOW]);
