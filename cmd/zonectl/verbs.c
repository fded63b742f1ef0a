/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of verbs: help, completion and the manual page follow it. */
#include "cmd/zonectl/zonectl.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PLAIN NULL, CTL_KEY_PLAIN
#define OPTS(...)                                                                                            \
    (const struct ctl_opt[])                                                                                 \
    {                                                                                                        \
        __VA_ARGS__,                                                                                         \
        {                                                                                                    \
            0                                                                                                \
        }                                                                                                    \
    }
#define TIMEOUT                                                                                              \
    {                                                                                                        \
        "timeout", 't', "SECONDS", "wait no longer", PLAIN                                                   \
    }
#define STOP_TIMEOUT                                                                                         \
    {                                                                                                        \
        "timeout", 't', "SECONDS", "time to stop by itself before it is killed", PLAIN                       \
    }

#define FORCE                                                                                                \
    {                                                                                                        \
        "force", 'f', NULL, "do it at once: kill what runs", PLAIN                                           \
    }

#define EXEC_OPTS                                                                                            \
    OPTS({"interactive", 'i', NULL, "pass standard input on", PLAIN},                                        \
         {"tty", 't', NULL, "give it a terminal", PLAIN},                                                    \
         {"detach", 'd', NULL, "do not wait for it", PLAIN},                                                 \
         {"user", 'u', "USER", "user in the zone (root)", PLAIN},                                            \
         {"workdir", 'w', "DIR", "working folder in the zone", PLAIN},                                       \
         {"env", 'e', "NAME[=VALUE]", "environment of the command", PLAIN})

static const char zones[] = "Zones", programs[] = "Programs and files", configuration[] = "Configuration",
                  looking[] = "Looking", things[] = "Networks, volumes, host";
#define ESCAPE "~. at the start of a line leaves, ~~ sends a tilde."

const struct ctl_verb ctl_verbs[] = {
    {"create", NULL, "NAME [OPTION…] [-- CMD…]", "write the spec of a zone and install its root", zones,
     ctl_create_opts, ctl_create, "With -f the options change what the spec says."},
    {"run", NULL, "[OPTION…] IMAGE [CMD…]", "create, start and attach; the exit status is the program's",
     zones, ctl_run_opts, ctl_run, "Options end at IMAGE: what follows is the command."},
    {"start", "boot", "NAME…", "start zones", zones,
     OPTS(TIMEOUT, {"dry-run", 'n', NULL, "print the plan and do nothing", PLAIN}), ctl_start, NULL},
    {"stop", "shutdown halt", "NAME…", "stop zones; halt is stop --force", zones, OPTS(STOP_TIMEOUT, FORCE),
     ctl_stop, NULL},
    {"restart", "reboot", "NAME…", "stop and start again, with the spec as it is now", zones,
     OPTS(STOP_TIMEOUT), ctl_stop, NULL},
    {"pause", NULL, "NAME…", "freeze all processes", zones, NULL, ctl_simple, NULL},
    {"resume", "unpause", "NAME…", "thaw a paused zone", zones, NULL, ctl_simple, NULL},
    {"kill", NULL, "NAME…", "send a signal to PID 1 of the zone", zones,
     OPTS({"signal", 's', "SIG", "the signal (KILL)", PLAIN}), ctl_kill, NULL},
    {"delete", "rm", "NAME…", "delete zones with their roots; volumes stay", zones,
     OPTS({"force", 'f', NULL, "also a running one", PLAIN}), ctl_delete, NULL},
    {"clear", NULL, "NAME…", "failed becomes installed", zones, NULL, ctl_simple, NULL},
    {"rename", NULL, "NAME NEW", "give a stopped zone another name", zones, NULL, ctl_rename, NULL},
    {"clone", NULL, "NAME NEW", "copy a zone; the copy has its own identity", zones, NULL, ctl_rename, NULL},
    {"wait", NULL, "NAME…", "wait until zones have stopped, run or are healthy", zones,
     OPTS({"for", 256, "STATE", "running, stopped or healthy (stopped)", PLAIN}, TIMEOUT), ctl_wait, NULL},

    {"exec", NULL, "[OPTION…] NAME -- CMD…", "run a command in a running zone", programs, EXEC_OPTS, ctl_exec,
     NULL},
    {"login", NULL, "NAME", "a login shell in a zone", programs,
     OPTS({"user", 'u', "USER", "user in the zone (root)", PLAIN}), ctl_login, ESCAPE},
    {"console", NULL, "NAME", "the zone's console", programs, NULL, ctl_attach, ESCAPE},
    {"attach", NULL, "NAME", "the standard streams of the zone's program", programs, NULL, ctl_attach,
     ESCAPE},
    {"logs", NULL, "NAME", "what the zone's program has written", programs,
     OPTS({"follow", 'f', NULL, "go on as it is written", PLAIN},
          {"tail", 'n', "N", "the last N lines only", PLAIN},
          {"since", 256, "TIME", "from then: RFC 3339, @SECONDS, or how long ago (10m)", PLAIN},
          {"timestamps", 257, NULL, "with the time of each line", PLAIN}),
     ctl_logs, NULL},
    {"cp", NULL, "SRC DST", "copy files; either side may be NAME:PATH", programs, NULL, ctl_cp,
     "- as a side is a tar stream on standard input or output."},
    {"commit", NULL, "NAME REF", "make an image of a zone: its image and its changes", programs, NULL,
     ctl_commit, "Volumes are not part of it. A running zone stands still meanwhile."},
    {"diff", NULL, "NAME", "files that differ from the image", programs, NULL, ctl_diff,
     "A added, C changed, D deleted."},

    {"list", "ls", "", "all zones", looking,
     OPTS({"label", 'l', "KEY=VALUE", "those with this label", PLAIN},
          {"quiet", 'q', NULL, "names alone", PLAIN}),
     ctl_list, NULL},
    {"show", NULL, "NAME|@host…", "all about a zone, or the host and its part", looking, NULL, ctl_show,
     NULL},
    {"ps", NULL, "NAME", "processes of a zone", looking, NULL, ctl_ps, NULL},
    {"stats", "zonestat", "[SECONDS [COUNT]] [NAME…]", "use of CPU, memory, I/O and network", looking,
     OPTS({"interval", 'i', "SECONDS", "the use in an interval of so long", PLAIN},
          {"count", 'n', "N", "so many intervals (1)", PLAIN},
          {"watch", 'w', NULL, "again and again, every 2 s", PLAIN},
          {"resource", 'r', "WHICH", "summary, cpu, memory, io or network (summary)", PLAIN},
          {"report", 'R', "LIST", "at the end: total, average, high", PLAIN}),
     ctl_stats,
     "ENTITLED: CPUs that it gets now if all want them; SURE: promised in the worst case; %HELD: of the "
     "cap's\n"
     "periods in which it was held back; %WAIT: of the time in which some task waited (pressure)."},
    {"top", NULL, "[NAME…]", "live view of what zones use", looking,
     OPTS({"interval", 'i', "SECONDS", "between two looks (2)", PLAIN}), ctl_top,
     "Keys: h help, q leave, r reverse; P M N T W D I E sort by CPU, memory, name, tasks, waiting, disk, "
     "network, part of the "
     "entitlement."},
    {"why", NULL, "NAME", "why a zone is slow, or that it is not", looking,
     OPTS({"interval", 'i', "SECONDS", "time to look at it (1)", PLAIN}), ctl_why, NULL},
    {"events", NULL, "", "what happens to the zones", looking,
     OPTS({"follow", 'f', NULL, "go on as they happen", PLAIN}), ctl_events, NULL},
    {"holders", NULL, "NAME", "what keeps a zone from being torn down", looking, NULL, ctl_holders, NULL},

    {"set", NULL, "NAME|@host KEY=VALUE…", "change the spec; live where that is possible", configuration,
     NULL, ctl_set, "KEY is a path such as network[0].ports[]; KEY= unsets. Several are one transaction."},
    {"edit", NULL, "NAME", "change the spec in an editor", configuration, NULL, ctl_edit, NULL},
    {"apply", NULL, "-f FILE|DIR", "make zones as the specs say", configuration,
     OPTS({"file", 'f', "FILE|DIR", "a spec, or a folder of them; again for more", PLAIN},
          {"dry-run", 'n', NULL, "say only what would be done", PLAIN}),
     ctl_apply, NULL},
    {"verify", NULL, "-f SPEC", "check specs", configuration,
     OPTS({"file", 'f', "SPEC", "a spec (- is standard input); again for more", PLAIN},
          {"set", 256, "KEY=VALUE", "with this change", PLAIN}),
     ctl_verify, NULL},
    {"plan", NULL, "-f SPEC", "would it fit (0, else 8), and what would every zone be sure of", configuration,
     OPTS({"file", 'f', "SPEC", "a spec (- is standard input); again for more", PLAIN},
          {"set", 256, "KEY=VALUE", "with this change", PLAIN}),
     ctl_plan, NULL},
    {"export", NULL, "NAME", "the spec, as it is; or the root as a tar", configuration,
     OPTS({"root", 256, "FILE", "write the zone's files as a tar into FILE instead", PLAIN}), ctl_export,
     "create -f takes the spec back. A running zone stands still while its root is written."},

    {"image", "images", "list|show|pull|push|build|import|export|tag|delete|prune|verify [ARG…]",
     "the store of images", things,
     OPTS({"platform", 257, "OS/ARCH[/VARIANT]", "of a pull or push: another than this host's", PLAIN},
          {"insecure", 258, NULL, "plain HTTP for a registry that is not this host", PLAIN},
          {"file", 'f', "RECIPE", "of a build: the recipe (- is standard input)", PLAIN},
          {"tag", 't', "REF", "of a build: the image's name (localhost/NAME:VERSION of the recipe)", PLAIN},
          {"no-cache", 260, NULL, "of a build: do every step again", PLAIN},
          {"reproducible", 261, NULL,
           "of a build: equal recipes give equal digests (SOURCE_DATE_EPOCH, or 0)", PLAIN},
          {"ca", 259, "FILE", "certificates that the registry's is checked against", PLAIN},
          {"format", 256, "FORMAT",
           "of an export: oci-archive, oci (a folder), docker-archive, root (a tar of the files)", PLAIN}),
     ctl_image,
     "import FILE|DIR [REF] takes OCI archives and folders, docker save's archives and tars of a root. "
     "export REF FILE writes one "
     "tar that docker, podman and skopeo read."},
    {"install", NULL, "FILE|REF [NAME]",
     "make a zone of an application-zone package, or give one a newer package", things,
     OPTS({"set", 256, "PARAMETER=VALUE", "a parameter of the package; what it needs is asked on a terminal",
           PLAIN},
          {"allow", 257, "WORD[,WORD]",
           "what reaches further: network, binds, volumes, capabilities, devices, privileges, seccomp",
           PLAIN},
          {"yes", 'y', NULL, "do not ask", PLAIN},
          {"dry-run", 259, NULL, "show what it asks and wants, and do nothing", PLAIN},
          {"back", 258, NULL, "of a zone's NAME: to the package that it had before", PLAIN}),
     ctl_install,
     "Over a zone of the same package: volumes and your own settings stay, its root is the new package's; "
     "--back undoes it."},
    {"pack", NULL, "NAME -o FILE", "a zone as one file: its image, its changes and its spec", things,
     OPTS(
         {"file", 'f', "PACKAGE", "what the package says: name, version, description, parameters, zone",
          PLAIN},
         {"tag", 256, "REF", "the image's name in the store (localhost/NAME:VERSION), for image push", PLAIN},
         {"archive", 'o', "FILE", "the file to write", PLAIN}),
     ctl_pack,
     "The file is an image archive for docker, podman and skopeo. Volumes and secrets are never in it."},
    {"volume", NULL, "create|list|show|delete [NAME…]", "data that outlives zones", things, NULL, ctl_volume,
     NULL},
    {"pool", NULL, "create|list|show|set|delete [NAME [KEY=VALUE…]]", "parts of the machine that zones share",
     things, NULL, ctl_pool, NULL},
    {"network", NULL, "create|list|show|set|delete|explain [NAME…] [OPTION…]", "networks that zones join",
     things, ctl_network_opts, ctl_network, NULL},
    {"df", NULL, "", "use of the disk", things, NULL, ctl_df, NULL},
    {"doctor", NULL, "", "what this host lacks, and the remedy", things, NULL, ctl_doctor, NULL},
    {"version", NULL, "", "versions of zonectl and zoned", things, NULL, ctl_version, NULL},
    {"completion", NULL, "bash|zsh|fish", "print a completion script", things, NULL, ctl_completion, NULL},
    {"help", NULL, "[VERB]", "this help", things, NULL, ctl_help, NULL},
    {0},
};

const struct ctl_verb *ctl_find_verb(const char *name)
{
    for (const struct ctl_verb *v = ctl_verbs; v->name; v++)
        if (!strcmp(v->name, name) || (ctl_has_word(v->aliases, name) && !strchr(name, ' ')))
            return v;
    return NULL;
}

static const char *nearest_verb(const char *name)
{
    const char *names[ARRAY_LEN(ctl_verbs) + 16];
    static char aliases[256];
    char *at = aliases, *save = NULL;
    unsigned n = 0;
    for (const struct ctl_verb *v = ctl_verbs; v->name; v++) {
        names[n++] = v->name;
        if (v->aliases)
            at += snprintf(at, sizeof(aliases) - (size_t)(at - aliases), "%s ", v->aliases);
    }
    for (char *w = strtok_r(aliases, " ", &save); w && n < ARRAY_LEN(names); w = strtok_r(NULL, " ", &save))
        names[n++] = w;
    return ctl_nearest(name, names, n);
}

int ctl_unknown_verb(struct ctl *c, const char *word)
{
    struct err e = {0};
    const char *here = ctl_elsewhere("", word), *near = nearest_verb(word);
    err_set(&e, ERR_USAGE, EINVAL, "unknown verb %s", word);
    if (here)
        err_hint(&e, "%s", here);
    else if (near)
        err_hint(&e, "did you mean %s?", near);
    else
        err_hint(&e, "the verbs are listed by `zonectl help`");
    return ctl_fail(c, &e, NULL, NULL);
}

static void help_option(FILE *to, int id, const char *name, const char *arg, const char *help)
{
    char left[80], letter[8] = "    ";
    if (id > 0 && id < 256)
        snprintf(letter, sizeof(letter), "-%c, ", id);
    snprintf(left, sizeof(left), "%s--%s%s%s", letter, name, arg ? " " : "", arg ? arg : "");
    fprintf(to, "  %-34s  %s\n", left, help);
}

bool ctl_prints_data(const struct ctl_verb *v)
{
    return v->run != ctl_logs && v->run != ctl_exec && v->run != ctl_login;
}

void ctl_help_verb(const struct ctl_verb *v, FILE *to)
{
    fprintf(to, "Usage: zonectl %s %s\n%s.\n", v->name, v->args, v->help);
    if (v->aliases)
        fprintf(to, "Also: %s\n", v->aliases);
    fputc('\n', to);
    for (const struct ctl_opt *o = v->opts; o && o->name; o++)
        help_option(to, o->id, o->name, o->arg, o->help);
    if (ctl_prints_data(v))
        help_option(to, 'o', "output", "table|json|yaml", "form of the data printed");
    help_option(to, 0, "socket", "PATH", "zoned's socket (ZONED_SOCKET, " CTL_SOCKET ")");
    help_option(to, 'h', "help", NULL, "this help");
    if (v->note)
        fprintf(to, "\n%s\n", v->note);
}

int ctl_help(struct ctl *c, int argc, char **argv)
{
    const char *group = NULL;
    bool bold = ctl_colours(1);
    if (argc > 1 && argv[1][0] != '-') {
        const struct ctl_verb *v = ctl_find_verb(argv[1]);
        if (!v)
            return ctl_unknown_verb(c, argv[1]);
        ctl_help_verb(v, stdout);
        return 0;
    }
    puts("Usage: zonectl [--socket PATH] VERB [OPTION…] [ARGUMENT…]\nZones of this host, by way of zoned.");
    for (const struct ctl_verb *v = ctl_verbs; v->name; v++) {
        if (group != v->group)
            printf("\n%s%s%s\n", bold ? "\033[1m" : "", v->group, bold ? "\033[0m" : "");
        group = v->group;
        printf("  %-12s%s%s%s%s\n", v->name, v->help, v->aliases ? " (also: " : "",
               v->aliases ? v->aliases : "", v->aliases ? ")" : "");
    }
    puts("\n`zonectl help VERB` tells more; the manual is zonectl(1), the spec's keys are in zone.yaml(5).");
    return 0;
}
