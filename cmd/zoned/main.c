/* SPDX-License-Identifier: GPL-2.0-or-later */
/* zoned: arguments only. */
#include "base/auto.h"
#include "base/proc.h"
#include "specs/recipe.h"
#include "zoned/zoned.h"
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>

/* The reference of the spec, from the one table of keys. */
static int print_reference(const char *form)
{
    char *text = !strcmp(form, "man")        ? spec_reference(false)
                 : !strcmp(form, "recipe")   ? spec_recipe_reference()
                 : !strcmp(form, "markdown") ? spec_reference(true)
                 : !strcmp(form, "keys")     ? spec_keys()
                                             : NULL;
    if (!text) {
        fprintf(stderr, "zoned: --spec-reference takes man, recipe, markdown or keys\n");
        return 2;
    }
    fputs(text, stdout);
    free(text);
    return 0;
}

static void usage(FILE *out)
{
    fputs("usage: zoned [--root DIR] [--socket PATH] [--foreground] [--debug]\n"
          "       zoned [--root DIR] [--socket PATH] --shutdown\n"
          "\n"
          "  --root DIR      keep everything below DIR (DIR/etc, DIR/lib, DIR/run)\n"
          "  --socket PATH   listen there instead of RUN/zoned.sock\n"
          "  --foreground    stay in the foreground (the default: nothing forks away)\n"
          "  --shutdown      ask a running zoned to stop all zones, in reverse order of depends, and to end\n"
          "  --debug         say more\n"
          "  --spec-reference man|recipe|markdown|keys   print the reference of all keys\n"
          "  --version, --help\n",
          out);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"root", required_argument, NULL, 'r'},
                                            {"socket", required_argument, NULL, 's'},
                                            {"foreground", no_argument, NULL, 'f'},
                                            {"shutdown", no_argument, NULL, 'x'},
                                            {"debug", no_argument, NULL, 'd'},
                                            {"version", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"spec-reference", required_argument, NULL, 'k'},
                                            {NULL, 0, NULL, 0}};
    struct zd_options o = {0};
    proc_fix_stdio();
    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        switch (c) {
        case 'r':
            o.root = optarg;
            break;
        case 's':
            o.socket = optarg;
            break;
        case 'f':
            o.foreground = true;
            break;
        case 'x':
            o.shutdown = true;
            break;
        case 'd':
            o.debug = true;
            break;
        case 'v':
            puts("zoned " ZONED_VERSION);
            return 0;
        case 'k':
            return print_reference(optarg);
        case 'h':
            usage(stdout);
            return 0;
        default:
            usage(stderr);
            return 2;
        }
    }
    if (optind < argc) {
        usage(stderr);
        return 2;
    }
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n < 0) {
        perror("zoned: /proc/self/exe");
        return 1;
    }
    self[n] = '\0';
    return zd_main(&o, dirname(self));
}
