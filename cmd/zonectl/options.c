/* SPDX-License-Identifier: GPL-2.0-or-later */
/* create and run: argv to edits of a spec. Pure but for the environment (-e NAME) and the working folder (-v
 * ./x:…). Strings are always written as JSON strings, which are YAML too, so that no character of theirs is
 * syntax. */
#include "cmd/zonectl/zonectl.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
    O_IMAGE = 256,
    O_CPU_SHARES,
    O_CPU_CAP,
    O_CPUS,
    O_MEMORY,
    O_TASKS,
    O_NETWORK,
    O_ADDRESS,
    O_RESTART,
    O_AUTOBOOT,
    O_READ_ONLY,
    O_SET,
    O_HOSTNAME,
    O_INIT,
    O_CAP_ADD,
    O_CAP_DROP,
    O_DEVICE,
    O_TMPFS,
    O_STOP_SIGNAL,
    O_STOP_TIMEOUT,
    O_DEPENDS,
    O_NAME,
    O_RM,
    O_DEDICATED,
    O_RESERVED,
    O_CPU_SET,
    O_SHM,
    O_ENTRYPOINT,
};

#define KEY(k) k, CTL_KEY_PLAIN
#define KEYS(k) k, CTL_KEY_STRING
#define NOKEY NULL, CTL_KEY_PLAIN
#define SPEC_OPTIONS                                                                                         \
    {"file", 'f', "SPEC", "the spec to begin with (- is standard input)", NOKEY},                            \
        {"image", O_IMAGE, "REF", "image: an OCI reference, host, dir:/path or tar:/path", KEYS("image")},   \
        {"cpu-shares", O_CPU_SHARES, "N", "share of the CPUs against other zones (100)", KEY("cpu.shares")}, \
        {"cpu-cap", O_CPU_CAP, "CPUS", "at most so many CPUs (1.5)", KEY("cpu.cap")},                        \
        {"cpus", O_CPUS, "LIST", "run on these CPUs only (0-3,6)", NOKEY},                                   \
        {"dedicated", O_DEDICATED, "N", "CPUs for this zone alone", KEY("cpu.dedicated")},                   \
        {"reserved", O_RESERVED, "CPUS", "CPUs promised to this zone", KEY("cpu.reserved")},                 \
        {"memory", O_MEMORY, "SIZE", "memory cap (512M)", KEY("memory.cap")},                                \
        {"tasks", O_TASKS, "N", "most threads and processes", KEY("tasks")},                                 \
        {"shm", O_SHM, "SIZE", "size of /dev/shm (64M)", KEY("shm")},                                        \
        {"network", O_NETWORK, "NET", "a network, none, host or zone:NAME; again for a second link", NOKEY}, \
        {"address", O_ADDRESS, "IP", "address on the first link (auto); again for IPv6", NOKEY},             \
        {"publish", 'p', "[IP:]HOST:ZONE[/udp|/sctp]", "publish a port or a range of them",                  \
         KEYS("network[0].ports[]")},                                                                        \
        {"publish-all", 'P', NULL, "publish all ports that the image names, on free ports", NOKEY},          \
        {"volume", 'v', "SRC:DST[:ro]", "a host path, or without a slash a volume, at DST", NOKEY},          \
        {"tmpfs", O_TMPFS, "DST[:SIZE]", "an empty filesystem in memory at DST", NOKEY},                     \
        {"env", 'e', "NAME[=VALUE]", "environment of the process", NOKEY},                                   \
        {"label", 'l', "KEY=VALUE", "a label", NOKEY},                                                       \
        {"entrypoint", O_ENTRYPOINT, "PROGRAM", "before the command, instead of the image's; '' is none",    \
         NOKEY},                                                                                             \
        {"user", 'u', "USER", "user of the process", KEYS("process.user")},                                  \
        {"workdir", 'w', "DIR", "working folder of the process", KEYS("process.cwd")},                       \
        {"hostname", O_HOSTNAME, "NAME", "host name (the zone's)", KEYS("hostname")},                        \
        {"init", O_INIT, "app|system", "what PID 1 is", NOKEY},                                              \
        {"restart", O_RESTART, "POLICY", "no, on-failure[:MAX], always, unless-stopped", NOKEY},             \
        {"depends", O_DEPENDS, "NAME", "start after this zone", KEYS("depends[]")},                          \
        {"stop-signal", O_STOP_SIGNAL, "SIG", "signal that asks the process to stop",                        \
         KEYS("process.stop_signal")},                                                                       \
        {"stop-timeout", O_STOP_TIMEOUT, "TIME", "how long it may take then (10s)",                          \
         KEY("process.stop_timeout")},                                                                       \
        {"cap-add", O_CAP_ADD, "CAP", "give a capability", KEYS("security.capabilities.add[]")},             \
        {"cap-drop", O_CAP_DROP, "CAP", "take a capability away", KEYS("security.capabilities.drop[]")},     \
        {"device", O_DEVICE, "PATH", "give a device", KEYS("devices[]")},                                    \
        {"autoboot", O_AUTOBOOT, NULL, "start it when the host boots", NOKEY},                               \
        {"read-only", O_READ_ONLY, NULL, "the root cannot be written", NOKEY},                               \
    {                                                                                                        \
        "set", O_SET, "KEY=VALUE", "any key of the spec; VALUE is YAML", NOKEY                               \
    }

const struct ctl_opt ctl_create_opts[] = {SPEC_OPTIONS, {0}};
const struct ctl_opt ctl_run_opts[] = {
    SPEC_OPTIONS,
    {"name", O_NAME, "NAME", "name of the zone (zoned chooses one)", NOKEY},
    {"rm", O_RM, NULL, "delete the zone when the program has ended", NOKEY},
    {"detach", 'd', NULL, "do not wait: print the name", NOKEY},
    {"interactive", 'i', NULL, "pass standard input on", NOKEY},
    {"tty", 't', NULL, "give the program a terminal", NOKEY},
    {0},
};

char *ctl_quote(const char *text)
{
    struct str s = {0};
    str_add(&s, "\"");
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\')
            str_addf(&s, "\\%c", *p);
        else if (*p < 0x20 || *p == 0x7f)
            str_addf(&s, "\\u%04x", *p);
        else if (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f) /* C1: YAML takes none but NEL, and folds that */
            str_addf(&s, "\\u%04x", *++p);
        else if (*p == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9)) /* line separators fold too */
            str_addf(&s, "\\u20%02x", p[2] - 0x80), p += 2;
        else if (*p == 0xef && p[1] == 0xbb && p[2] == 0xbf)
            str_add(&s, "\\ufeff"), p += 2;
        else
            str_addn(&s, p, 1);
    }
    str_add(&s, "\"");
    return str_take(&s);
}

char *ctl_quote_list(char *const *v)
{
    struct str s = {0};
    str_add(&s, "[");
    for (unsigned i = 0; v && v[i]; i++) {
        auto_free char *q = ctl_quote(v[i]);
        str_addf(&s, "%s%s", i ? ", " : "", q);
    }
    str_add(&s, "]");
    return str_take(&s);
}

/* A number, size or time stands as it is, so that zoned's message shows it as it was typed; all else is
 * quoted. */
static char *scalar(const char *value, bool string)
{
    bool plain = !string && *value && strspn(value, "0123456789.KMGTmsh%") == strlen(value);
    return plain ? xstrdup(value) : ctl_quote(value);
}

static void edit(char ***set, const char *key, const char *value, bool string)
{
    auto_free char *v = scalar(value, string);
    strv_take(set, xasprintf("%s=%s", key, v));
}

/* NAME=VALUE under a map of the spec; a name with characters of the path language is quoted as one step. */
static int edit_pair(char ***set, const char *map, const char *pair, const char *option, struct err *e)
{
    const char *eq = strchr(pair, '=');
    if (!eq || eq == pair)
        return err_set(e, ERR_USAGE, EINVAL, "%s %s: KEY=VALUE is wanted", option, pair);
    auto_free char *name = xstrndup(pair, (size_t)(eq - pair));
    auto_free char *key = xasprintf("%s.%s", map, name);
    edit(set, key, eq + 1, true);
    return 0;
}

static int edit_env(char ***set, const char *pair, struct err *e)
{
    if (strchr(pair, '='))
        return edit_pair(set, "process.env", pair, "-e", e);
    const char *value = getenv(pair);
    if (!*pair)
        return err_set(e, ERR_USAGE, EINVAL, "-e: NAME=VALUE is wanted");
    if (value) {
        auto_free char *key = xasprintf("process.env.%s", pair);
        edit(set, key, value, true);
    }
    return 0;
}

int ctl_parse_volume(const char *text, char **out, struct err *e)
{
    const char *colon = strchr(text, ':'), *mode = "rw", *end = text + strlen(text);
    if (!colon || colon == text || colon[1] != '/')
        return err_set(e, ERR_USAGE, EINVAL, "-v %s: SRC:DST[:ro] is wanted, DST with a leading slash", text);
    const char *last = strrchr(colon + 1, ':');
    if (last && (!strcmp(last, ":ro") || !strcmp(last, ":rw"))) {
        mode = last + 1;
        end = last;
    } else if (last) {
        return err_set(e, ERR_USAGE, EINVAL, "-v %s: unknown mode %s (ro, rw)", text, last + 1);
    }
    auto_free char *src = xstrndup(text, (size_t)(colon - text));
    auto_free char *dst = xstrndup(colon + 1, (size_t)(end - colon - 1));
    bool bind = strchr(src, '/') || !strcmp(src, ".") || !strcmp(src, "..");
    if (bind && src[0] != '/') {
        auto_free char *cwd = getcwd(NULL, 0);
        char *full = cwd ? realpath(src, NULL) : NULL;
        if (!full)
            return err_sys(e, "-v %s", src);
        free(src);
        src = full;
    }
    auto_free char *qs = ctl_quote(src), *qd = ctl_quote(dst);
    *out = xasprintf("filesystems[]={\"target\": %s, \"%s\": %s, \"mode\": \"%s\"}", qd,
                     bind ? "bind" : "volume", qs, mode);
    return 0;
}

static int edit_volume(char ***set, const char *text, struct err *e)
{
    char *one;
    int r = ctl_parse_volume(text, &one, e);
    if (r == 0)
        strv_take(set, one);
    return r;
}

static int edit_tmpfs(char ***set, const char *text, struct err *e)
{
    const char *colon = strchr(text, ':');
    if (text[0] != '/')
        return err_set(e, ERR_USAGE, EINVAL, "--tmpfs %s: DST[:SIZE] is wanted, DST with a leading slash",
                       text);
    auto_free char *dst = xstrndup(text, colon ? (size_t)(colon - text) : strlen(text));
    auto_free char *qd = ctl_quote(dst), *size = scalar(colon ? colon + 1 : "64M", false);
    strv_take(set, xasprintf("filesystems[]={\"target\": %s, \"tmpfs\": %s}", qd, size));
    return 0;
}

static void edit_entrypoint(char ***set, const char *program)
{
    auto_free char *quoted = ctl_quote(program);
    strv_take(set, xasprintf("process.entrypoint=[%s]", *program ? quoted : ""));
}

static void edit_restart(char ***set, const char *text)
{
    const char *colon = strchr(text, ':');
    auto_free char *policy = xstrndup(text, colon ? (size_t)(colon - text) : strlen(text));
    edit(set, "restart.policy", policy, true);
    if (colon)
        edit(set, "restart.max", colon + 1, false);
}

/* What waits for the end of the options, because the first link must stand before its ports and addresses. */
struct pending {
    char **links, **addresses, **ports;
};

/* Elsewhere --cpus is an amount of time. */
static int take_cpus(const char *list, struct ctl_create *k, struct err *e)
{
    bool number = *list && !list[strspn(list, "0123456789.")];
    if (number && strchr(list, '.')) {
        err_set(e, ERR_INVALID, EINVAL, "--cpus %s: a list of CPUs such as 0-3,6 is wanted", list);
        return err_hint(e, "for the time of %s CPUs: --cpu-cap %s", list, list), -EINVAL;
    }
    k->one_cpu = number ? list : NULL;
    edit(&k->set, "cpu.set", list, true);
    return 0;
}

/* Elsewhere --init takes no value, and what follows it would be taken for one. */
static int take_init(const char *word, struct ctl_create *k, struct err *e)
{
    if (strcmp(word, "app") != 0 && strcmp(word, "system") != 0) {
        err_set(e, ERR_INVALID, EINVAL, "--init %s: a value is wanted, app or system", word);
        return err_hint(e, "leave --init out: a small init (app) is PID 1 as it is"), -EINVAL;
    }
    edit(&k->set, "init", word, true);
    return 0;
}

static int take_option(int id, const char *v, struct ctl_create *k, struct pending *p, struct err *e)
{
    switch (id) {
    case 'f':
        k->file = v;
        return 0;
    case O_NAME:
        k->name = v;
        return 0;
    case O_RM:
        k->rm = true;
        return 0;
    case 'd':
        k->detach = true;
        return 0;
    case 'i':
        k->stdin_ = true;
        return 0;
    case 't':
        k->tty = true;
        return 0;
    case 'P':
        k->publish_all = true;
        return 0;
    case 'p':
        strv_add(&p->ports, v);
        return 0;
    case O_NETWORK:
        strv_add(&p->links, v);
        return 0;
    case O_ADDRESS:
        strv_add(&p->addresses, v);
        return 0;
    case O_ENTRYPOINT:
        edit_entrypoint(&k->set, v);
        return 0;
    case 'v':
        return edit_volume(&k->set, v, e);
    case O_INIT:
        return take_init(v, k, e);
    case O_CPUS:
        return take_cpus(v, k, e);
    case O_TMPFS:
        return edit_tmpfs(&k->set, v, e);
    case 'e':
        return edit_env(&k->set, v, e);
    case 'l':
        return edit_pair(&k->set, "labels", v, "-l", e);
    case O_RESTART:
        edit_restart(&k->set, v);
        return 0;
    case O_AUTOBOOT:
        strv_add(&k->set, "autoboot=true");
        return 0;
    case O_READ_ONLY:
        strv_add(&k->set, "security.read_only_root=true");
        return 0;
    case O_SET:
        if (!strchr(v, '=') || v[0] == '=')
            return err_set(e, ERR_USAGE, EINVAL, "--set %s: KEY=VALUE is wanted", v);
        strv_add(&k->set, v);
        return 0;
    default:
        break;
    }
    for (const struct ctl_opt *o = ctl_run_opts; o->name; o++)
        if (o->id == id && o->key)
            edit(&k->set, o->key, v, o->kind == CTL_KEY_STRING);
    return 0;
}

static void take_network(struct ctl_create *k, const struct pending *p)
{
    char **set = NULL;
    for (unsigned i = 0; p->links && p->links[i]; i++) {
        auto_free char *key = xasprintf("network[%u].link", i);
        edit(&set, key, p->links[i], true);
    }
    /* A spec has its own links; without one the first is the default network. */
    if (!p->links && !k->file && (p->ports || p->addresses))
        edit(&set, "network[0].link", "default", true);
    if (p->addresses && !p->addresses[1]) {
        edit(&set, "network[0].address", p->addresses[0], true);
    } else if (p->addresses) {
        auto_free char *list = ctl_quote_list(p->addresses);
        strv_take(&set, xasprintf("network[0].address=%s", list));
    }
    for (unsigned i = 0; p->ports && p->ports[i]; i++)
        edit(&set, "network[0].ports[]", p->ports[i], true);
    for (unsigned i = 0; k->set && k->set[i]; i++)
        strv_add(&set, k->set[i]);
    strv_free(k->set);
    k->set = set;
}

/* Positionals: create's NAME is kept on the way, run's IMAGE and the command follow the options. */
static int take_rest(struct ctl_args *a, int rest, bool run, struct ctl_create *k, struct err *e)
{
    char **cmd = a->argv + rest;
    if (run && *cmd) {
        edit(&k->set, "image", *cmd++, true);
        if (*cmd && !strcmp(*cmd, "--"))
            cmd++;
    } else if (run && !k->file && !strv_len(k->set)) {
        return err_set(e, ERR_USAGE, EINVAL, "an image is missing");
    }
    if (*cmd) {
        auto_free char *list = ctl_quote_list(cmd);
        strv_take(&k->set, xasprintf("process.args=%s", list));
    }
    if (!run && !k->name && !k->file)
        return err_set(e, ERR_USAGE, EINVAL, "the zone's name is missing");
    if (run && k->detach && (k->stdin_ || k->tty))
        return err_set(e, ERR_USAGE, EINVAL, "-d goes without -i and -t");
    return 0;
}

int ctl_parse_create(struct ctl_args *a, bool run, struct ctl_create *out, struct err *e)
{
    struct ctl_create k = {0};
    struct pending p = {0};
    int id, rest = 1, r = 0;
    a->opts = run ? ctl_run_opts : ctl_create_opts;
    a->order = run ? CTL_ORDER_STOP : CTL_ORDER_GIVEN;
    while (r == 0 && (id = ctl_next(a, &rest, e)) != CTL_END) {
        if (id == CTL_BAD || id == CTL_HELP)
            r = id;
        else if (id != CTL_POSITIONAL)
            r = take_option(id, a->value, &k, &p, e);
        else if (k.name)
            r = err_set(e, ERR_USAGE, EINVAL, "%s: one name is wanted; a command goes after --", a->value);
        else
            k.name = a->value;
    }
    if (r == 0)
        r = take_rest(a, rest, run, &k, e);
    take_network(&k, &p);
    if (r == 0 && run && k.tty)
        strv_add(&k.set, "process.terminal=true");
    strv_free(p.links);
    strv_free(p.addresses);
    strv_free(p.ports);
    if (r != 0) {
        ctl_create_done(&k);
        return r == CTL_HELP ? r : CTL_BAD;
    }
    *out = k;
    return 0;
}

void ctl_create_done(struct ctl_create *k)
{
    strv_free(k->set);
    k->set = NULL;
}

json *ctl_create_body(const struct ctl_create *k, json *source, bool run, int rows, int cols)
{
    json *b = js_object();
    js_set_str(b, "name", k->name);
    js_set(b, "source", source ? source : js_null());
    js_set_strv(b, "set", k->set);
    if (k->publish_all)
        js_set_bool(b, "publish_all", true);
    if (!run) {
        js_set_bool(b, "start", k->start);
        return b;
    }
    js_set_bool(b, "rm", k->rm);
    js_set_bool(b, "detach", k->detach);
    js_set_bool(b, "tty", k->tty);
    js_set_bool(b, "stdin", k->stdin_);
    js_set_int(b, "rows", rows);
    js_set_int(b, "cols", cols);
    return b;
}
