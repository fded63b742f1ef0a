/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options by getopt_long from the verb's own table, so that parsing, help and completion cannot disagree.
 * Prints nothing itself; errors go to struct err with the nearest name as the hint. */
#include "cmd/zonectl/zonectl.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define OPTS_MAX 56
enum { OPT_SOCKET = 1000, OPT_HELP, OPT_OUTPUT };

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

/* Levenshtein distance, for words up to 31 bytes. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[32], n = (unsigned)strlen(b);
    if (n > 31)
        return 99;
    for (unsigned j = 0; j <= n; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= n; j++) {
            unsigned above = row[j];
            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[n];
}

static bool swapped(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a && *b && a[0] == b[1] && a[1] == b[0] && !strcmp(a + 2, b + 2);
}

bool ctl_has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; p && n && (p = strstr(p, word)); p += n)
        if ((p == list || p[-1] == ' ') && (!p[n] || p[n] == ' '))
            return true;
    return false;
}

/* Of short words two slips leave too little to tell them by; what deletes or ends is offered for one slip only. */
const char *ctl_nearest(const char *word, const char *const *words, unsigned n)
{
    const char *best = NULL;
    unsigned least = strlen(word) > 4 ? 3 : 2;
    for (unsigned i = 0; i < n; i++) {
        bool ends = ctl_has_word("rm delete kill stop halt shutdown prune", words[i]);
        unsigned d = swapped(word, words[i]) ? 1 : distance(word, words[i]);
        if (!ends && str_starts(words[i], word) && strlen(word) > 1)
            d = 1;
        if (d < least && d < strlen(words[i]) && (!ends || d == 1)) {
            least = d;
            best = words[i];
        }
    }
    return best;
}

struct built {
    struct option longs[OPTS_MAX + 4];
    char shorts[2 * OPTS_MAX + 8];
    const char *names[OPTS_MAX + 4];
    unsigned n;
};

static void build_one(struct built *b, char **s, const char *name, int id, bool arg)
{
    if (b->n >= OPTS_MAX + 3)
        return;
    if (name) {
        b->names[b->n] = name;
        b->longs[b->n++] = (struct option){name, arg ? required_argument : no_argument, NULL, id};
    }
    if (id < 256) {
        *(*s)++ = (char)id;
        if (arg)
            *(*s)++ = ':';
    }
}

static void build(const struct ctl_args *a, struct built *b)
{
    char *s = b->shorts;
    b->n = 0;
    if (a->order != CTL_ORDER_ANY)
        *s++ = a->order == CTL_ORDER_STOP ? '+' : '-';
    *s++ = ':';
    for (const struct ctl_opt *o = a->opts; o && (o->name || o->id); o++)
        build_one(b, &s, o->name, o->id, o->arg);
    build_one(b, &s, "socket", OPT_SOCKET, true);
    build_one(b, &s, "help", OPT_HELP, false);
    if (a->format)
        build_one(b, &s, "output", OPT_OUTPUT, true);
    if (a->format && !a->own_o) {
        *s++ = 'o';
        *s++ = ':';
    }
    *s++ = 'h';
    *s = '\0';
    b->longs[b->n] = (struct option){0};
}

static int bad_option(const struct ctl_args *a, const struct built *b, bool missing, struct err *e)
{
    const char *word = optind > 0 && optind <= a->argc ? a->argv[optind - 1] : "";
    bool is_long = word[0] == '-' && word[1] == '-' && (missing || !optopt || optopt >= 256);
    if (missing && is_long)
        err_set(e, ERR_USAGE, EINVAL, "option %s needs a value", word);
    else if (missing)
        err_set(e, ERR_USAGE, EINVAL, "option -%c needs a value", optopt);
    else if (is_long && optopt)
        err_set(e, ERR_USAGE, EINVAL, "option %s takes no value", word);
    else if (is_long)
        err_set(e, ERR_USAGE, EINVAL, "unknown option %s", word);
    else
        err_set(e, ERR_USAGE, EINVAL, "unknown option -%c", optopt);
    if (missing || (is_long && optopt))
        return CTL_BAD;
    auto_free char *name = is_long ? xstrndup(word, strcspn(word, "=")) : xasprintf("-%c", optopt);
    const char *here = ctl_elsewhere(a->argv[0], name);
    if (here)
        err_hint(e, "%s", here);
    else if (is_long) {
        const char *bare = name + 2, *near = ctl_nearest(bare, b->names, b->n);
        if (near)
            err_hint(e, "did you mean --%s?", near);
        else if (a->format && (!strcmp(bare, "json") || !strcmp(bare, "yaml")))
            err_hint(e, "did you mean -o %s?", bare);
    }
    return CTL_BAD;
}

static int take_format(struct ctl_args *a, struct err *e)
{
    static const char *const names[] = {[CTL_TABLE] = "table", [CTL_JSON] = "json", [CTL_YAML] = "yaml"};
    for (int f = CTL_TABLE; a->format && f <= CTL_YAML; f++) {
        if (str_eq(optarg, names[f])) {
            *a->format = (enum ctl_format)f;
            return 0;
        }
    }
    err_set(e, ERR_USAGE, EINVAL, "unknown output format %s (table, json, yaml)", optarg);
    return CTL_BAD;
}

int ctl_next(struct ctl_args *a, int *rest, struct err *e)
{
    struct built b;
    build(a, &b);
    opterr = 0;
    for (;;) {
        optarg = NULL;
        int id = getopt_long(a->argc, a->argv, b.shorts, b.longs, NULL);
        a->value = optarg;
        if (id == OPT_SOCKET)
            a->socket = optarg;
        else if (id == OPT_OUTPUT || (id == 'o' && a->format && !a->own_o)) {
            if (take_format(a, e) < 0)
                return CTL_BAD;
        } else if (id == OPT_HELP || id == 'h')
            return CTL_HELP;
        else if (id == '?' || id == ':')
            return bad_option(a, &b, id == ':', e);
        else {
            *rest = optind;
            return id;
        }
    }
}

int ctl_option(struct ctl *c, struct ctl_args *a, int *rest, int *status)
{
    struct err e = {0};
    int id = ctl_next(a, rest, &e);
    if (a->socket)
        c->socket = a->socket;
    if (id == CTL_HELP) {
        ctl_help_verb(c->verb, stdout);
        *status = 0;
        return CTL_BAD;
    }
    if (id == CTL_BAD)
        *status = ctl_fail(c, &e, NULL, c->called);
    return id;
}

int ctl_positionals(struct ctl *c, int argc, char **argv, int least, int most, int *status)
{
    struct ctl_args a = {.argc = argc, .argv = argv, .format = &c->format};
    int rest = 0;
    if (ctl_option(c, &a, &rest, status) == CTL_BAD)
        return -1;
    if (argc - rest < least || (most >= 0 && argc - rest > most)) {
        *status = ctl_usage(c, argc - rest < least ? "an argument is missing" : "too many arguments");
        return -1;
    }
    return rest;
}

int ctl_usage(struct ctl *c, const char *fmt, ...)
{
    char why[300];
    struct err e = {0};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    err_set(&e, ERR_USAGE, EINVAL, "%s", why);
    err_hint(&e, "usage: zonectl %s %s", c->verb->name, c->verb->args);
    return ctl_fail(c, &e, NULL, c->called);
}
