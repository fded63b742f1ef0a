/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Volumes, networks, and what the host says of itself. Lists of objects become tables by a list of columns.
 */
#include "cmd/zonectl/zonectl.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

void ctl_pairs(const json *obj, const char *prefix)
{
    for (void *it = js_iter((json *)obj); it; it = js_next((json *)obj, it)) {
        auto_free char *key = xasprintf("%s%s%s", prefix, *prefix ? "." : "", js_iter_key(it));
        json *v = js_iter_value(it);
        if (js_type_of(v) == JS_OBJECT) {
            ctl_pairs(v, key);
            continue;
        }
        struct str s = {0};
        ctl_value(v, &s);
        printf("%s: %s\n", key, s.p ? s.p : "");
        str_done(&s);
    }
}

static int get(struct ctl *c, const char *path, json **out, const char *what)
{
    int status = ctl_call(c, "GET", path, NULL, out, what);
    return status ? status : ctl_print_data(c, *out) ? -1 : 0;
}

static int get_table(struct ctl *c, const char *path, const struct ctl_column *cols, unsigned n,
                     const char *what)
{
    auto_js json *list = NULL;
    int r = get(c, path, &list, what);
    if (r == 0)
        ctl_rows(list, cols, n);
    return r < 0 ? 0 : r;
}

static int each_name(struct ctl *c, const char *kind, const char *method, char **names)
{
    int first = 0;
    for (; *names; names++) {
        auto_free char *q = api_quote(*names), *path = xasprintf("/%ss/%s", kind, q);
        auto_free char *what =
            xasprintf("%s %s %s", kind, !strcmp(method, "GET") ? "show" : "delete", *names);
        auto_js json *answer = NULL;
        int status = ctl_call(c, method, path, NULL, &answer, what);
        first = first ? first : status;
        if (!status)
            ctl_messages(answer);
        if (!status && !ctl_print_data(c, answer) && !strcmp(method, "GET"))
            ctl_pairs(answer, "");
    }
    return first;
}

static int volume_create(struct ctl *c, char **names)
{
    int first = 0;
    for (; *names; names++) {
        auto_free char *what = xasprintf("volume create %s", *names);
        auto_js json *answer = NULL;
        json *body = js_object();
        js_set_str(body, "name", *names);
        int status = ctl_call(c, "POST", "/volumes", body, &answer, what);
        first = first ? first : status;
        if (!status)
            (void)ctl_print_data(c, answer);
    }
    return first;
}

int ctl_subverb(struct ctl *c, const char *word, const char *const *words, unsigned n)
{
    const char *near = ctl_nearest(word, words, n), *here = ctl_elsewhere(c->verb->name, word);
    if (here) {
        struct err e = {0};
        err_set(&e, ERR_USAGE, EINVAL, "unknown word %s", word);
        err_hint(&e, "%s", here);
        return ctl_fail(c, &e, NULL, c->called);
    }
    return ctl_usage(c, "unknown word %s%s%s%s", word, near ? " (did you mean " : "", near ? near : "",
                     near ? "?)" : "");
}

int ctl_volume(struct ctl *c, int argc, char **argv)
{
    static const struct ctl_column cols[] = {
        {"name", "NAME", false}, {"bytes", "SIZE", true}, {"used_by", "USED-BY", false}};
    static const char *const words[] = {"create", "list", "show", "delete"};
    int status, at = ctl_positionals(c, argc, argv, 0, -1, &status);
    if (at < 0)
        return status;
    const char *word = at < argc ? argv[at++] : "list";
    if (!strcmp(word, "list") || !strcmp(word, "ls"))
        return at < argc ? ctl_usage(c, "volume list takes no name")
                         : get_table(c, "/volumes", cols, ARRAY_LEN(cols), "volume list");
    bool create = !strcmp(word, "create"), show = !strcmp(word, "show"),
         del = !strcmp(word, "delete") || !strcmp(word, "rm");
    if (!create && !show && !del)
        return ctl_subverb(c, word, words, ARRAY_LEN(words));
    if (at >= argc)
        return ctl_usage(c, "the volume's name is missing");
    return create ? volume_create(c, argv + at) : each_name(c, "volume", show ? "GET" : "DELETE", argv + at);
}

/* The words after the name are KEY=VALUE. */
static int pool_change(struct ctl *c, const char *word, char **args)
{
    bool create = !strcmp(word, "create");
    for (char **a = args + 1; *a; a++)
        if (!strchr(*a, '=') || **a == '=')
            return ctl_usage(c, "%s: KEY=VALUE is wanted", *a);
    if (!create && !args[1])
        return ctl_usage(c, "what is to be set is missing: KEY=VALUE");
    auto_free char *q = api_quote(args[0]), *what = xasprintf("pool %s %s", word, args[0]);
    auto_free char *path = create ? xstrdup("/pools") : xasprintf("/pools/%s", q);
    auto_js json *answer = NULL;
    json *body = js_object();
    js_set_strv(body, "set", args + 1);
    if (create)
        js_set_str(body, "name", args[0]);
    int status = ctl_call(c, create ? "POST" : "PATCH", path, body, &answer, what);
    if (status)
        return status;
    ctl_messages(answer);
    if (c->format != CTL_PLAIN)
        (void)ctl_print_data(c, answer);
    else if (!create)
        ctl_print_changes(answer, "", false);
    return 0;
}

int ctl_pool(struct ctl *c, int argc, char **argv)
{
    static const struct ctl_column cols[] = {
        {"name", "NAME", false},  {"shares", "SHARES", false},       {"cap", "CAP", false},
        {"set", "CPUS", false},   {"dedicated", "DEDICATED", false}, {"reserved", "RESERVED", false},
        {"zones", "ZONES", false}};
    static const char *const words[] = {"create", "list", "show", "set", "delete"};
    int status, at = ctl_positionals(c, argc, argv, 0, -1, &status);
    if (at < 0)
        return status;
    const char *word = at < argc ? argv[at++] : "list";
    if (!strcmp(word, "list") || !strcmp(word, "ls")) {
        auto_js json *list = NULL;
        if (at < argc)
            return ctl_usage(c, "pool list takes no name");
        if ((status = ctl_call(c, "GET", "/pools", NULL, &list, "pool list")) || ctl_print_data(c, list))
            return status;
        for (size_t i = 0; i < js_len(list); i++) { /* the keys of the section beside the name */
            json *p = js_at(list, i), *cpu = js_get(js_get(p, "spec"), "cpu");
            for (void *it = cpu ? js_iter(cpu) : NULL; it; it = js_next(cpu, it))
                js_set(p, js_iter_key(it), js_ref(js_iter_value(it)));
        }
        ctl_rows(list, cols, ARRAY_LEN(cols));
        return 0;
    }
    bool show = !strcmp(word, "show"), del = !strcmp(word, "delete") || !strcmp(word, "rm");
    if (!show && !del && strcmp(word, "create") != 0 && strcmp(word, "set") != 0)
        return ctl_subverb(c, word, words, ARRAY_LEN(words));
    if (at >= argc)
        return ctl_usage(c, "the pool's name is missing");
    if (show || del)
        return each_name(c, "pool", show ? "GET" : "DELETE", argv + at);
    return pool_change(c, word, argv + at);
}

/* ---- networks ---- */
enum { N_SUBNET = 256, N_GATEWAY, N_RANGE, N_TYPE, N_PARENT, N_REACH, N_MTU, N_BIG_TCP, N_RULE, N_POLICY };
const struct ctl_opt ctl_network_opts[] = {
    {"subnet", N_SUBNET, "CIDR", "create: a subnet; again for the other family (chosen)", NULL,
     CTL_KEY_PLAIN},
    {"type", N_TYPE, "TYPE", "create: nat, sealed, routed, bridge or macvlan (nat)", NULL, CTL_KEY_PLAIN},
    {"parent", N_PARENT, "LINK", "create: the host's link of a bridge or macvlan network", NULL,
     CTL_KEY_PLAIN},
    {"reach", N_REACH, "NET", "create, set: its zones may connect to zones of NET; again for more", NULL,
     CTL_KEY_PLAIN},
    {"gateway", N_GATEWAY, "IP", "create: the gateway in a subnet (its first address)", NULL, CTL_KEY_PLAIN},
    {"range", N_RANGE, "FIRST-LAST", "create: only these addresses are given out", NULL, CTL_KEY_PLAIN},
    {"rule", N_RULE, "RULE",
     "create, set: [from WHO] [to WHO] allow|deny [tcp|udp|sctp|icmp|any] [PORT]; again for more", NULL,
     CTL_KEY_PLAIN},
    {"policy", N_POLICY, "WORD", "create, set: allow or deny what no rule fits, within the network (allow)",
     NULL, CTL_KEY_PLAIN},
    {"mtu", N_MTU, "N", "create: MTU of the links", NULL, CTL_KEY_PLAIN},
    {"big-tcp", N_BIG_TCP, NULL, "create: IPv4's TCP in pieces of more than 64 KiB", NULL, CTL_KEY_PLAIN},
    {0},
};

/* An empty value alone is an empty list: set takes what is there away. */
static void append(json *o, const char *key, const char *value)
{
    json *list = js_get(o, key);
    if (!list) {
        list = js_array();
        js_set(o, key, list);
    }
    if (*value)
        js_add(list, js_string(value));
}

/* An option into the network's spec. */
static int network_option(struct ctl *c, json *body, int id, const char *value)
{
    static const struct {
        int id;
        const char *key;
        bool many; /* may be given again */
    } keys[] = {
        {N_SUBNET, "subnets", true}, {N_GATEWAY, "gateways", true}, {N_RANGE, "ranges", true},
        {N_REACH, "reach", true},    {N_RULE, "rules", true},       {N_POLICY, "policy", false},
        {N_TYPE, "type", false},     {N_PARENT, "parent", false},
    };
    uint64_t mtu;
    for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
        if (keys[i].id == id) {
            if (keys[i].many)
                append(body, keys[i].key, value);
            else
                js_set_str(body, keys[i].key, value);
            return 0;
        }
    if (id == N_BIG_TCP) {
        js_set_bool(body, "big_tcp", true);
        return 0;
    }
    if (parse_u64(value, INT64_MAX, &mtu) < 0) /* how much it may be, the spec says */
        return ctl_usage(c, "--mtu %s: a number of bytes is wanted", value);
    js_set_int(body, "mtu", (int64_t)mtu);
    return 0;
}

static int network_create(struct ctl *c, const char *name, json *body)
{
    auto_free char *what = xasprintf("network create %s", name);
    auto_js json *answer = NULL;
    js_set_str(body, "network", name);
    int status = ctl_call(c, "POST", "/networks", js_ref(body), &answer, what);
    if (!status) {
        ctl_messages(answer);
        (void)ctl_print_data(c, answer);
    }
    return status;
}

static int network_set(struct ctl *c, const char *name, json *body)
{
    auto_free char *what = xasprintf("network set %s", name), *q = api_quote(name),
                   *path = xasprintf("/networks/%s", q);
    auto_js json *answer = NULL;
    if (!js_len(body))
        return ctl_usage(c, "network set: what? (--rule, --policy, --reach)");
    int status = ctl_call(c, "PATCH", path, js_ref(body), &answer, what);
    if (!status) {
        ctl_messages(answer);
        (void)ctl_print_data(c, answer);
    }
    return status;
}

/* explain ZONE PORT[/PROTO] [FROM] */
static int network_explain(struct ctl *c, char **args)
{
    if (!args[0] || !args[1] || (args[2] && args[3]))
        return ctl_usage(c, "network explain wants ZONE PORT[/tcp|udp|sctp] [FROM]");
    auto_free char *zone = api_quote(args[0]), *port = api_quote(args[1]),
                   *from = args[2] ? api_quote(args[2]) : NULL;
    auto_free char *path =
        xasprintf("/zones/%s/explain?port=%s%s%s", zone, port, from ? "&from=" : "", from ? from : "");
    auto_free char *what = xasprintf("network explain %s", args[0]);
    auto_js json *answer = NULL;
    int r = get(c, path, &answer, what);
    if (r)
        return r < 0 ? 0 : r;
    printf("%s reaches port %s of zone %s: %s\n", args[2] ? args[2] : "the LAN", args[1], args[0],
           js_get_bool(answer, "allowed", false) ? "yes" : "no");
    if (strcmp(js_get_str(answer, "network_of", args[0]), args[0]) != 0)
        printf("  zone %s is on the network of zone %s\n", args[0], js_get_str(answer, "network_of", ""));
    if (!js_get_bool(answer, "running", true))
        printf("  zone %s does not run: so it is when it does\n", js_get_str(answer, "network_of", args[0]));
    json *links = js_get(answer, "links");
    for (size_t i = 0; i < js_len(links); i++) {
        json *l = js_at(links, i);
        const char *rule = js_get_str(l, "rule", NULL);
        printf("  %s on %s: %s%s%s\n", js_get_bool(l, "allowed", false) ? "yes" : "no",
               js_get_str(l, "network", "?"), js_get_str(l, "why", ""), rule ? ": " : "", rule ? rule : "");
    }
    return 0;
}

static int network_verb(struct ctl *c, char **args, json *body)
{
    static const struct ctl_column cols[] = {{"name", "NAME", false},       {"type", "TYPE", false},
                                             {"subnet4", "SUBNET4", false}, {"subnet6", "SUBNET6", false},
                                             {"parent", "PARENT", false},   {"reach", "REACH", false},
                                             {"zones", "ZONES", false},     {"error", "ERROR", false}};
    static const char *const words[] = {"create", "list", "show", "set", "delete", "explain"};
    const char *word = *args ? *args++ : "list";
    bool create = !strcmp(word, "create"), show = !strcmp(word, "show"), set = !strcmp(word, "set"),
         del = !strcmp(word, "delete") || !strcmp(word, "rm");
    if (!create && !set && js_len(body))
        return ctl_usage(c, "network %s takes no options (only create and set do)", word);
    if (!strcmp(word, "explain"))
        return network_explain(c, args);
    if (!strcmp(word, "list") || !strcmp(word, "ls"))
        return *args ? ctl_usage(c, "network list takes no name")
                     : get_table(c, "/networks", cols, ARRAY_LEN(cols), "network list");
    if (!create && !set && !show && !del)
        return ctl_subverb(c, word, words, ARRAY_LEN(words));
    if (!*args)
        return ctl_usage(c, "the network's name is missing");
    if (set)
        return args[1] ? ctl_usage(c, "network set takes one name") : network_set(c, *args, body);
    if (!create)
        return each_name(c, "network", show ? "GET" : "DELETE", args);
    return args[1] ? ctl_usage(c, "network create takes one name") : network_create(c, *args, body);
}

int ctl_network(struct ctl *c, int argc, char **argv)
{
    struct ctl_args a = {.argc = argc, .argv = argv, .opts = c->verb->opts, .format = &c->format};
    int at = argc, status = 0;
    auto_js json *body = js_object();
    for (int id; (id = ctl_option(c, &a, &at, &status)) != CTL_END;) {
        if (id == CTL_BAD)
            return status;
        if ((status = network_option(c, body, id, a.value)))
            return status;
    }
    return network_verb(c, argv + at, body);
}

static int of_zone(struct ctl *c, int argc, char **argv, const struct ctl_column *cols, unsigned n)
{
    int status, at = ctl_positionals(c, argc, argv, 1, 1, &status);
    if (at < 0)
        return status;
    auto_free char *path = ctl_zone_path(argv[at], c->verb->name),
                   *what = xasprintf("%s %s", c->called, argv[at]);
    return get_table(c, path, cols, n, what);
}

int ctl_holders(struct ctl *c, int argc, char **argv)
{
    static const struct ctl_column cols[] = {{"what", "WHAT", false},
                                             {"pid", "PID", false},
                                             {"name", "NAME", false},
                                             {"fd", "FD", false},
                                             {"path", "PATH", false}};
    return of_zone(c, argc, argv, cols, ARRAY_LEN(cols));
}

int ctl_diff(struct ctl *c, int argc, char **argv)
{
    int status, at = ctl_positionals(c, argc, argv, 1, 1, &status);
    if (at < 0)
        return status;
    auto_free char *path = ctl_zone_path(argv[at], "diff"), *what = xasprintf("diff %s", argv[at]);
    auto_js json *list = NULL;
    int r = get(c, path, &list, what);
    for (size_t i = 0; r == 0 && i < js_len(list); i++)
        printf("%s %s\n", js_get_str(js_at(list, i), "kind", "?"), js_get_str(js_at(list, i), "path", ""));
    return r < 0 ? 0 : r;
}

int ctl_doctor(struct ctl *c, int argc, char **argv)
{
    int status, at = ctl_positionals(c, argc, argv, 0, 0, &status);
    bool colour = ctl_colours(1), bad = false;
    auto_js json *list = NULL;
    if (at < 0)
        return status;
    if ((status = ctl_call(c, "GET", "/doctor", NULL, &list, "doctor")))
        return status;
    bool printed = ctl_print_data(c, list);
    for (size_t i = 0; i < js_len(list); i++) {
        json *d = js_at(list, i);
        bool good = js_get_bool(d, "ok", false);
        const char *problem = js_get_str(d, "problem", ""), *remedy = js_get_str(d, "remedy", "");
        bad |= !good;
        if (printed)
            continue;
        printf("%s%s%s %s%s%s\n", colour ? (good ? "\033[32m" : "\033[31m") : "", good ? "ok  " : "LACK",
               colour ? "\033[0m" : "", js_get_str(d, "check", "?"), *problem ? ": " : "", problem);
        if (!good && *remedy)
            printf("     remedy: %s\n", remedy);
    }
    return bad ? err_exit_status(ERR_UNSUPPORTED) : 0;
}

int ctl_df(struct ctl *c, int argc, char **argv)
{
    int status, at = ctl_positionals(c, argc, argv, 0, 0, &status);
    if (at < 0)
        return status;
    auto_js json *j = NULL;
    int r = get(c, "/df", &j, "df");
    if (r)
        return r < 0 ? 0 : r;
    if (js_type_of(j) == JS_ARRAY) {
        static const struct ctl_column cols[] = {
            {"what", "WHAT", false}, {"name", "NAME", false}, {"bytes", "SIZE", true}};
        ctl_rows(j, cols, ARRAY_LEN(cols));
    } else {
        for (void *it = js_iter(j); it; it = js_next(j, it)) {
            struct str s = {0};
            char human[24];
            if (js_type_of(js_iter_value(it)) == JS_INT) {
                ctl_size(js_int_of(js_iter_value(it), 0), human);
                str_add(&s, human);
            } else {
                ctl_value(js_iter_value(it), &s);
            }
            printf("%s: %s\n", js_iter_key(it), s.p ? s.p : "");
            str_done(&s);
        }
    }
    return 0;
}

/* zonectl's own version always; zoned's where it answers. */
int ctl_version(struct ctl *c, int argc, char **argv)
{
    int status, at = ctl_positionals(c, argc, argv, 0, 0, &status);
    if (at < 0)
        return status;
    struct api_answer a = {0};
    struct err e = {0};
    bool there = ctl_connect(c, &e) == 0 && api_call(c->client, "GET", "/version", NULL, &a, &e, NULL) == 0;
    auto_js json *j = js_object();
    js_set_str(j, "zonectl", ZONED_VERSION);
    js_set_str(j, "zoned", there ? js_get_str(a.body, "version", "?") : NULL);
    api_answer_done(&a);
    if (!ctl_print_data(c, j))
        printf("zonectl %s\nzoned   %s\n", ZONED_VERSION,
               there ? js_get_str(j, "zoned", "?") : "not reachable");
    return 0;
}
