/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to specs/: the table of keys, and what can be done with a row of it. */
#pragma once
#include "specs/node.h"
#include "specs/specs.h"
#include <stddef.h>

enum spec_type {
    SPEC_T_VERSION, /* checked, kept nowhere */
    SPEC_T_BOOL,    /* bool */
    SPEC_T_INT,     /* uint64_t, min..max */
    SPEC_T_PERCENT, /* uint64_t */
    SPEC_T_CPUS,    /* double; min and max in hundredths */
    SPEC_T_SIZE,    /* uint64_t bytes */
    SPEC_T_RATE,    /* uint64_t bits per second */
    SPEC_T_TIME,    /* uint64_t ms */
    SPEC_T_STR,     /* char * */
    SPEC_T_WORD,    /* an enum: one of words */
    SPEC_T_WORDSTR, /* char *, one of words */
    SPEC_T_MODE,    /* bool: words[0] is false, words[1] true */
    SPEC_T_SIGNAL,  /* int */
    SPEC_T_CPUSET,  /* char *, normalised */
    SPEC_T_SOURCE,  /* struct spec_mount: kind min, its source or size */
    SPEC_T_STRV,    /* char ** */
    SPEC_T_CAPS,    /* char **, normalised names */
    SPEC_T_ADDRESS, /* char **: auto, one, or a list */
    SPEC_T_MAP,     /* spec_map */
    SPEC_T_PORTS,   /* VEC(struct spec_port) */
    SPEC_T_ITEMS,   /* VEC of structs with a table of their own */
    SPEC_T_TREE,    /* json *, an object that is checked elsewhere */
    SPEC_T_MAX,
};

struct spec_word {
    const char *name;
    int value;
};
struct spec_table;
/* What is wrong with a text, as the rest of a sentence; NULL = nothing. */
typedef const char *(*spec_check_fn)(const char *text);

struct spec_row {
    const char *key; /* dotted; in a sub-table relative to the item */
    enum spec_type type;
    unsigned offset;
    uint64_t min, max;
    uint64_t unset;  /* what stands for "not given" in a number */
    const char *def; /* as a user would write it; NULL = not given */
    const struct spec_word *words;
    const struct spec_table *items;
    spec_check_fn check;     /* of the text, or of each item or value */
    spec_check_fn check_key; /* maps */
    bool live;
    bool keeps_empty;    /* an empty list says something else than none */
    const char *implied; /* of a list that is not given: the edit that writes its first item out */
    const char *doc;
};
#define SPEC_ROWS_MAX 128 /* of one table */
struct spec_table {
    const struct spec_row *rows;
    unsigned n;
    size_t size;      /* of the struct that it fills */
    const char *page; /* of the manual; NULL: zone.yaml(5) */
    const char *
        of; /* whose keys they are, where they are so few that an unknown one is answered with all; or NULL */
};
extern const struct spec_table spec_table_zone, spec_table_host, spec_table_pool;
/* Says that the table lacks the key, and what may be meant or where all keys are. */
void spec_unknown(struct spec_load *l, const struct spec_table *t, const char *dotted, int line,
                  const struct spec_where *w);
void spec_diff_table(const struct spec_table *t, const void *a, const void *b, spec_changes *out);
/* The checks of cpu and memory that rows alone cannot see. */
void spec_check_cpu(struct spec_load *l, const struct spec_cpu *c, const struct spec_node *root);
void spec_check_memory(struct spec_load *l, const struct spec_memory *m, const struct spec_node *root);

/* "network[].ports" for the row of a sub-table, and so on: names for the documentation. */
typedef void (*spec_row_fn)(const struct spec_row *r, const char *key, void *arg);
void spec_each_row(spec_row_fn fn, void *arg);
void spec_each_row_of(const struct spec_table *t, spec_row_fn fn, void *arg);
/* The row with this key; *section is set where it is the beginning of others. */
const struct spec_row *spec_row_find(const struct spec_table *t, const char *key, bool *section);
/* The known key that looks most like it, or NULL. malloc'd, whole dotted key. */
char *spec_row_nearest(const struct spec_table *t, const char *key);

/* ---- values: every function works on the struct that the table fills ---- */
void spec_value_set(struct spec_load *l, const struct spec_row *r, void *base, const struct spec_node *n,
                    const struct spec_where *w);
void spec_value_default(const struct spec_row *r, void *base);
json *spec_value_get(const struct spec_row *r, const void *base); /* NULL = not given */
void spec_value_done(const struct spec_row *r, void *base);
void spec_value_dup(const struct spec_row *r, void *base); /* after a memcpy: own what is pointed to */
const char *spec_type_name(enum spec_type t);
bool spec_type_is_text(enum spec_type t); /* YAML must not take it for something else */
bool spec_type_is_list(enum spec_type t);

/* One mapping against a table; missing keys get their defaults. */
void spec_read_map(struct spec_load *l, const struct spec_table *t, void *base, const struct spec_node *map,
                   const struct spec_where *w);
void spec_write_map(const struct spec_table *t, const void *base, json *out);
void spec_table_done(const struct spec_table *t, void *base);
void spec_table_dup(const struct spec_table *t, void *base);

/* What rows alone cannot see. root: to name lines. */
void spec_check_all(struct spec_load *l, struct spec *s, const struct spec_node *root);
void spec_check_links(struct spec_load *l, struct spec *s, const struct spec_node *root);
void spec_check_mounts(struct spec_load *l, struct spec *s, const struct spec_node *root);
/* The line of a dotted key below map, or of map. */
int spec_line_of(const struct spec_node *map, const char *key);

/* ---- check functions of rows ---- */
const char *spec_check_zone(const char *t);
const char *spec_check_image(const char *t);
const char *spec_check_user(const char *t);
const char *spec_check_abs(const char *t);
const char *spec_check_arg(const char *t);
const char *spec_rule_check(const char *t);
const char *spec_check_env_key(const char *t);
const char *spec_check_hostname(const char *t);
const char *spec_check_http(const char *t);
const char *spec_check_link(const char *t);
const char *spec_check_target(const char *t);
const char *spec_check_device(const char *t);
const char *spec_check_sysctl_key(const char *t);
const char *spec_check_line(const char *t);
const char *spec_check_label_key(const char *t);
/* "cap_net_admin" -> "NET_ADMIN" (static), or NULL; "ALL" only where all is true. */
const char *spec_capability(const char *t, bool all);
