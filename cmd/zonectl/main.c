/* SPDX-License-Identifier: GPL-2.0-or-later */
/* zonectl's main: global options, the verb, its run function. No locale, no library that starts anything:
 * what is fast here is what is not done. */
#include "cmd/zonectl/zonectl.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* -o and --output are taken by the verbs; before the verb they are taken here. */
static int global_option(struct ctl *c, int argc, char **argv, int *at)
{
    static const char *const formats[] = {"table", "json", "yaml"};
    const char *word = argv[*at], *value = NULL, *name = NULL;
    static const char *const longs[] = {"--socket", "--output"};
    for (unsigned i = 0; i < 2; i++) {
        size_t n = strlen(longs[i]);
        if (str_starts(word, longs[i]) && (!word[n] || word[n] == '=')) {
            name = longs[i];
            value = word[n] ? word + n + 1 : NULL;
        }
    }
    if (!name && str_starts(word, "-o")) {
        name = "--output";
        value = word[2] ? word + 2 : NULL;
    }
    if (!name)
        return -1;
    if (!value && *at + 1 >= argc)
        return -2;
    if (!value)
        value = argv[++*at];
    ++*at;
    if (!strcmp(name, "--socket")) {
        c->socket = value;
        return 0;
    }
    for (unsigned i = 0; i < 3; i++) {
        if (!strcmp(value, formats[i])) {
            c->format = (enum ctl_format)(CTL_TABLE + i);
            return 0;
        }
    }
    return -3;
}

static int bad_global(struct ctl *c, const char *word, int why)
{
    struct err e = {0};
    err_set(&e, ERR_USAGE, EINVAL,
            why == -1   ? "unknown option %s"
            : why == -2 ? "option %s needs a value"
                        : "%s: unknown output format (table, json, yaml)",
            word);
    err_hint(&e, "the verbs and options are listed by `zonectl help`");
    return ctl_fail(c, &e, NULL, NULL);
}

static int finish(struct ctl *c, int status)
{
    api_close(c->client);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        struct err e = {0};
        err_sys(&e, "standard output");
        return status ? status : ctl_fail(c, &e, NULL, NULL);
    }
    return status;
}

int main(int argc, char **argv)
{
    const char *env = getenv("ZONED_SOCKET");
    struct ctl c = {.socket = env && *env ? env : CTL_SOCKET};
    int at = 1;
    while (at < argc && argv[at][0] == '-' && argv[at][1]) {
        if (!strcmp(argv[at], "--help") || !strcmp(argv[at], "-h")) {
            argv[at] = (char *)"help";
            break;
        }
        if (!strcmp(argv[at], "--version") || !strcmp(argv[at], "-V")) {
            puts("zonectl " ZONED_VERSION);
            return 0;
        }
        const char *word = argv[at];
        int r = global_option(&c, argc, argv, &at);
        if (r < 0)
            return bad_global(&c, word, r);
    }
    c.called = at < argc ? argv[at] : "help";
    c.verb = ctl_find_verb(c.called);
    if (!c.verb)
        return ctl_unknown_verb(&c, c.called);
    char *none[] = {(char *)"help", NULL};
    return finish(&c, at < argc ? c.verb->run(&c, argc - at, argv + at) : c.verb->run(&c, 1, none));
}
