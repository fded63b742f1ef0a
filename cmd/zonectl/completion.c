/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Completion scripts for bash, zsh and fish, made from the verb table, so that they name what there is. */
#include "cmd/zonectl/zonectl.h"
#include <stdio.h>
#include <string.h>

static void options_of(const struct ctl_verb *v)
{
    for (const struct ctl_opt *o = v->opts; o && o->name; o++) {
        if (o->id < 256)
            printf("-%c ", o->id);
        printf("--%s ", o->name);
    }
    fputs(ctl_prints_data(v) ? "--output --socket --help" : "--socket --help", stdout);
}

static bool takes_zone(const struct ctl_verb *v)
{
    return strstr(v->args, "NAME") && strcmp(v->name, "volume") != 0 && strcmp(v->name, "network") != 0 &&
           strcmp(v->name, "pool") != 0 && strcmp(v->name, "create") != 0;
}

/* Of things that have names beside zones' and words before them. */
static bool takes_word(const struct ctl_verb *v)
{
    return strchr(v->args, '|') && v->args[0] >= 'a';
}

static bool takes_thing(const struct ctl_verb *v)
{
    return !strcmp(v->name, "volume") || !strcmp(v->name, "network") || !strcmp(v->name, "pool");
}

static void words_of(const struct ctl_verb *v)
{
    for (const char *p = v->args; *p && *p != ' '; p++)
        putchar(*p == '|' ? ' ' : *p);
}

#define NAMES "zonectl %s list -o yaml 2>/dev/null | sed -n \"s/^- name: //p\""

static void names_of(const struct ctl_verb *v)
{
    printf("%s", v->name);
    if (v->aliases)
        putchar('|');
    for (const char *p = v->aliases; p && *p; p++)
        putchar(*p == ' ' ? '|' : *p);
}

static void bash(void)
{
    puts(
        "# bash completion of zonectl\n_zonectl() {\n    local cur=${COMP_WORDS[COMP_CWORD]} verb= i words=");
    puts("    for ((i = 1; i < COMP_CWORD; i++)); do\n        case ${COMP_WORDS[i]} in\n        "
         "--socket|--output|-o) "
         "((i++)) ;;\n"
         "        -*) ;;\n        *) verb=${COMP_WORDS[i]}; break ;;\n        esac\n    done\n    case $verb "
         "in");
    fputs("    '') words='", stdout);
    for (const struct ctl_verb *v = ctl_verbs; v->name; v++)
        printf("%s ", v->name);
    puts("--socket --output --help' ;;");
    for (const struct ctl_verb *v = ctl_verbs; v->name; v++) {
        fputs("    ", stdout);
        names_of(v);
        fputs(") words='", stdout);
        options_of(v);
        printf("'");
        if (takes_zone(v))
            printf("; [[ $cur == -* ]] || words=$(zonectl list -q 2>/dev/null)");
        else if (takes_word(v)) {
            printf("; [[ $cur == -* ]] || words='");
            words_of(v);
            printf("'");
        }
        if (takes_thing(v))
            printf("; [[ $cur == -* ]] || ((COMP_CWORD == i + 1)) || words=$(" NAMES ")", v->name);
        puts(" ;;");
    }
    printf("    esac\n    [[ ${COMP_WORDS[COMP_CWORD - 1]} != --network ]] || words=$(" NAMES ")\n",
           "network");
    puts("    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
         "    [[ ${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- \"$cur\"))\n}\ncomplete -F _zonectl "
         "zonectl");
}

static void quoted(const char *s)
{
    for (; *s; s++)
        printf(*s == '\'' ? "'\\''" : "%c", *s);
}

static void zsh(void)
{
    puts("#compdef zonectl\n_zonectl() {\n    local -a verbs\n    verbs=(");
    for (const struct ctl_verb *v = ctl_verbs; v->name; v++) {
        printf("        '%s:", v->name);
        quoted(v->help);
        puts("'");
    }
    puts("    )\n    if (( CURRENT == 2 )); then\n        _describe verb verbs\n        return\n    fi\n    "
         "case $words[2] in");
    for (const struct ctl_verb *v = ctl_verbs; v->name; v++) {
        fputs("    ", stdout);
        names_of(v);
        puts(") _arguments -S \\");
        for (const struct ctl_opt *o = v->opts; o && o->name; o++) {
            printf("        '--%s%s[", o->name, o->arg ? "=" : "");
            for (const char *p = o->help; *p; p++)
                printf(*p == '\'' ? "'\\''" : strchr("[]:", *p) ? "\\%c" : "%c", *p);
            printf("]%s%s' \\\n", o->arg ? ":value:" : "", o->arg ? "_files" : "");
        }
        if (takes_thing(v)) {
            fputs("        '1:word:(", stdout);
            words_of(v);
            printf(")' '*:name:($(" NAMES "))' ;;\n", v->name);
            continue;
        }
        printf("        '*:argument:%s' ;;\n", takes_zone(v) ? "($(zonectl list -q 2>/dev/null))" : "_files");
    }
    puts("    esac\n}\n_zonectl \"$@\"");
}

static void fish(void)
{
    puts("# fish completion of zonectl\ncomplete -c zonectl -f\n"
         "complete -c zonectl -l socket -r -F -d 'socket of zoned'");
    for (const struct ctl_verb *v = ctl_verbs; v->name; v++) {
        printf("complete -c zonectl -n __fish_use_subcommand -a %s -d '", v->name);
        quoted(v->help);
        puts("'");
        for (const struct ctl_opt *o = v->opts; o && o->name; o++) {
            printf("complete -c zonectl -n '__fish_seen_subcommand_from %s' ", v->name);
            if (o->id < 256)
                printf("-s %c ", o->id);
            printf("-l %s%s -d '", o->name, o->arg ? " -r" : "");
            quoted(o->help);
            puts("'");
        }
        if (takes_thing(v)) {
            printf("complete -c zonectl -n '__fish_seen_subcommand_from %s' -a '", v->name);
            words_of(v);
            printf(" (" NAMES ")'\n", v->name);
        }
        if (takes_zone(v))
            printf("complete -c zonectl -n '__fish_seen_subcommand_from %s' -a '(zonectl list -q "
                   "2>/dev/null)'\n",
                   v->name);
    }
}

int ctl_completion(struct ctl *c, int argc, char **argv)
{
    static const char *const shells[] = {"bash", "zsh", "fish"};
    static void (*const print[])(void) = {bash, zsh, fish};
    int status, at = ctl_positionals(c, argc, argv, 1, 1, &status);
    if (at < 0)
        return status;
    for (unsigned i = 0; i < ARRAY_LEN(shells); i++) {
        if (!strcmp(argv[at], shells[i])) {
            print[i]();
            return 0;
        }
    }
    return ctl_usage(c, "%s: bash, zsh or fish is wanted", argv[at]);
}
