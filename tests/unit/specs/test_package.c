/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packages: documents taken and refused, parameters, rendering, wants, merging with an operator's changes, the way back. */
#include "spec_test.h"
#include "specs/package.h"

static const char web[] =
    "package: 1\n"
    "name: web\n"
    "version: \"1.2\"\n"
    "description: a web server\n"
    "zone:\n"
    "  memory: {cap: \"${memory}\"}\n"
    "  cpu: {cap: 1.5}\n"
    "  process: {env: {WORKERS: \"${workers}\", KEY: \"${key}\", NOTE: \"$${HOME} ${title}\"}}\n"
    "  network: [{link: default, ports: [\"${port}:80\"]}]\n"
    "  filesystems: [{target: /srv, volume: \"${name}-data\"}]\n"
    "  autoboot: \"${boot}\"\n"
    "parameters:\n"
    "  - {name: port, type: port, default: 8080, description: port of the host}\n"
    "  - {name: memory, type: size, default: 256M}\n"
    "  - {name: workers, type: integer, min: 1, max: 16, default: 2}\n"
    "  - {name: key, required: true, secret: true}\n"
    "  - {name: title}\n"
    "  - {name: name, default: web, choices: [web, www]}\n"
    "  - {name: boot, type: boolean, default: false}\n";

static struct spec_package *take(const char *text)
{
    struct problems ps = {0};
    struct spec_package *p = NULL;
    char line[600];
    int r = spec_package_parse(text, strlen(text), "p.yaml", &p, &ps);
    ok((r < 0) == (p == NULL) && (r < 0) == (ps.len > 0), "consistent");
    for (unsigned i = 0; i < ps.len; i++) {
        problem_print(&ps.at[i], line, sizeof(line));
        printf("#   %s\n", line);
    }
    problems_done(&ps);
    return p;
}

static json *values(const char *text)
{
    return js_parse(text, strlen(text), NULL);
}

/* The text of a zone "site", or NULL and *why. */
static char *render(const struct spec_package *p, const char *given, char *why, size_t size)
{
    struct problems ps = {0};
    auto_js json *v = values(given);
    char *text = NULL;
    int r = spec_package_render(p, v, "site", "localhost/web:1.2", &text, NULL, &ps);
    ok((r < 0) == (text == NULL), "a text or a problem");
    *why = '\0';
    if (ps.len)
        problem_print(&ps.at[0], why, (unsigned)size);
    problems_done(&ps);
    return text;
}

static struct spec *zone_of(const struct spec_package *p, const char *given)
{
    char why[400];
    struct spec *s = NULL;
    auto_free char *text = render(p, given, why, sizeof(why));
    if (!text || spec_parse(text, strlen(text), "t", &s, NULL) < 0)
        ok(false, "renders: %s", why);
    return s;
}

static void test_render(const struct spec_package *p)
{
    auto_spec struct spec *s = zone_of(p, "{\"key\": \"k1\"}");
    is_str(s->zone, "site", "the name of the installation");
    is_str(s->image, "localhost/web:1.2", "its image");
    is_int(s->memory.cap, 256 << 20, "a default");
    is_int(s->network.at[0].ports.at[0].host_first, 8080, "inside a text");
    is_str(s->filesystems.at[0].source, "web-data", "a volume's name");
    is_int(s->process.env.len, 2, "a text with a parameter without a value is left out");
    ok(!s->autoboot, "a truth value");
    auto_spec struct spec *u =
        zone_of(p, "{\"key\":\"k\",\"port\":\"81\",\"title\":\"x}: [a, # b\\\" 'c\",\"boot\":\"true\"}");
    is_str(u->process.env.at[2].value, "${HOME} x}: [a, # b\" 'c", "a value is never syntax");
    ok(u->autoboot, "true");
    is_int(u->network.at[0].ports.at[0].host_first, 81, "given");
}

static void refused_values(const struct spec_package *p, const char *given, const char *want)
{
    char why[400];
    auto_free char *text = render(p, given, why, sizeof(why));
    ok(!text && strstr(why, want), "refused %s: %s", given, why);
}

static void test_values(const struct spec_package *p)
{
    refused_values(p, "{}", "set key: is missing");
    refused_values(p, "{\"key\":\"k\",\"port\":\"0\"}", "set port: \"0\" is not a port from 1 to 65535");
    refused_values(p, "{\"key\":\"k\",\"port\":\"8080:80\"}", "is not a port");
    refused_values(p, "{\"key\":\"k\",\"workers\":\"17\"}", "is not a whole number from 1 to 16");
    refused_values(p, "{\"key\":\"k\",\"workers\":\"-1\"}", "is not a whole number");
    refused_values(p, "{\"key\":\"k\",\"memory\":\"lots\"}", "is not a size");
    refused_values(p, "{\"key\":\"k\",\"boot\":\"yes\"}", "is not true or false");
    refused_values(p, "{\"key\":\"k\",\"name\":\"other\"}", "is not one of web, www");
    refused_values(p, "{\"key\":\"k\",\"nmae\":\"x\"}", "the package has no parameter nmae");
    refused_values(p, "{\"key\":\"k\",\"title\":\"a\\n\"}", "holds a control character");
    refused_values(p, "{\"key\":\"k\\u0007\"}", "the value holds a control character");
    char why[400];
    auto_free char *hidden = render(p, "{\"key\":\"s3cret\\u0007\"}", why, sizeof(why));
    ok(!hidden && !strstr(why, "s3cret"), "a secret is not in its message: %s", why);
    auto_js json *missing = js_array(), *none = js_object();
    auto_free char *text = NULL;
    is_int(spec_package_render(p, none, "x", "x:1", &text, missing, NULL), 0, "what is missing is asked");
    ok(!text && js_len(missing) == 1 && str_eq(js_str_of(js_at(missing, 0), ""), "key"), "key is missing");
}

static void refused_package(const char *text, const char *want)
{
    struct problems ps = {0};
    struct spec_package *p = NULL;
    char line[600];
    bool found = false;
    int r = spec_package_parse(text, strlen(text), "p.yaml", &p, &ps);
    for (unsigned i = 0; i < ps.len; i++) {
        problem_print(&ps.at[i], line, sizeof(line));
        found |= strstr(line, want) != NULL;
        printf("# %s\n", line);
    }
    ok(r < 0 && !p && found, "refused: %s", want);
    problems_done(&ps);
}

static void test_refused(void)
{
    refused_package("", "is no package");
    refused_package("- a", "is no package");
    refused_package("package: 2\nzone: {}", "p.yaml:1: package:");
    refused_package("colour: red", "colour: unknown key");
    refused_package("zone: {cpu: {capp: 1}}", "p.yaml:1: zone.cpu.capp: unknown key (did you mean cpu.cap?)");
    refused_package("zone:\n  tasks: 512\n  memory: {cap: no}\n", "p.yaml:3: zone.memory.cap:");
    refused_package("zone: {zone: a}", "names zone, which an installation decides");
    refused_package("zone:\n  image: a:1\n", "p.yaml:2: zone: names image");
    refused_package("zone: {tasks: \"${n}\"}", "zone.tasks: \"${n}\" names no parameter");
    refused_package("zone: {process: {args: [sh, -c, \"echo ${HOME}\"]}}", "process.args[2]");
    refused_package("zone: {tasks: \"${n\"}\nparameters: [{name: n}]", "names no parameter");
    refused_package("parameters: [{type: port}]", "parameters[0]: has no name");
    refused_package("parameters: [{name: a}, {name: a}]", "\"a\" is declared twice");
    refused_package("parameters: [{name: A}]", "parameters[0].name: \"A\" is not a name");
    refused_package("parameters: [{name: a, type: number}]", "\"number\"");
    refused_package("parameters:\n  - {name: a, type: port, default: x}\n",
                    "p.yaml:2: parameters[0]: the default of a is not");
    refused_package("parameters: [{name: a, secret: true, default: x}]", "is secret and has a default");
    refused_package("parameters: [{name: a, type: port, choices: [a]}]", "which only a string can have");
    refused_package("parameters: [{name: a, min: 1}]", "which only an integer can have");
    refused_package("parameters: [{name: a, type: integer, min: 3, max: 2}]", "min of a is greater than max");
    refused_package("zone: {tasks: \"${n}\"}\nparameters: [{name: n, default: many}]", "zone.tasks");
    auto_free char *big = xcalloc(1, SPEC_PACKAGE_MAX + 2);
    memset(big, ' ', SPEC_PACKAGE_MAX + 1);
    refused_package(big, "is larger than 256 KiB");
}

static bool wants(const json *list, const char *what, const char *value, const char *allow)
{
    for (size_t i = 0; i < js_len(list); i++) {
        const json *o = js_at(list, i);
        if (str_eq(js_get_str(o, "what", NULL), what) && str_eq(js_get_str(o, "value", NULL), value))
            return str_eq(js_get_str(o, "allow", NULL), allow);
    }
    return false;
}

static void test_wants(void)
{
    struct problems ps = {0};
    auto_spec struct spec *s =
        parse("zone: x\nimage: x:1\nnetwork: [{link: default, ports: [\"8080:80\"]}]\n"
              "filesystems: [{target: /a, bind: /etc, mode: ro}, {target: /b, volume: v}]\n"
              "security: {capabilities: {add: [NET_ADMIN]}, seccomp: unconfined, no_new_privs: false}\n"
              "devices: [/dev/fuse]\nmemory: {cap: 512M}\ncpu: {dedicated: 1}\nautoboot: true\n",
              &ps);
    problems_done(&ps);
    if (!ok(s != NULL, "a greedy zone"))
        return;
    auto_js json *w = spec_wants(s);
    ok(wants(w, "port", "8080:80", NULL), "ports");
    ok(wants(w, "network", "default", NULL), "a network of ours");
    ok(wants(w, "folder of the host", "/etc at /a, read-only", "binds"), "a bind needs a word");
    ok(wants(w, "volume", "v at /b", NULL), "a volume");
    ok(wants(w, "capability", "NET_ADMIN", "capabilities"), "a capability needs a word");
    ok(wants(w, "device", "/dev/fuse", "devices"), "a device needs a word");
    ok(wants(w, "system calls", "unconfined", "seccomp"), "all system calls need a word");
    ok(wants(w, "privileges", "setuid programs gain them", "privileges"), "privileges need a word");
    ok(wants(w, "memory", "at most 512M", NULL) && wants(w, "cpu", "1 dedicated", NULL), "resources");
    ok(js_len(w) == 11, "and nothing else is said of it (%zu)", js_len(w));
    auto_spec struct spec *h = parse("zone: x\nimage: x:1\nnetwork: [{link: host}]\n", NULL);
    auto_js json *wh = h ? spec_wants(h) : NULL;
    ok(wants(wh, "network", "host", "network"), "the host's network needs a word");
}

/* What weighs upon others is told in some way; what does not is not. */
static void test_wants_each(void)
{
    static const struct {
        const char *text, *what, *allow;
    } cases[] = {
        {"network: [{link: a, trusted: true}]", "trust", "network"},
        {"network: [{link: a, aliases: [db]}]", "name", NULL},
        {"network: [{link: a, address: 10.0.0.5}]", "address", NULL},
        {"init: system", "init", "capabilities"},
        {"limits: {core: 1M}", "core dumps", "privileges"},
        {"cpu: {shares: 101}", "cpu.shares", NULL},
        {"cpu: {set: 0-1}", "cpu.set", NULL},
        {"cpu: {pool: p}", "cpu.pool", NULL},
        {"cpu: {cap: 1, burst: 1}", "cpu.burst", NULL},
        {"memory: {swap: 1M}", "memory.swap", NULL},
        {"tasks: 5000", "tasks", NULL},
        {"io: {weight: 1}", "io.weight", NULL},
        {"depends: [a]", "depends", NULL},
        {"sysctls: {net.a.b: \"1\"}", "sysctls.net.a.b", NULL},
        {"shm: 128M", "shm", NULL},
        {"limits: {nofile: 99}", "limits.nofile", NULL},
        {"limits: {memlock: 1G}", "limits.memlock", NULL},
        {"labels: {a: b}", "labels.a", NULL},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        bool found = false;
        auto_free char *text = xasprintf("zone: x\nimage: x:1\n%s\n", cases[i].text);
        auto_spec struct spec *s = parse(text, NULL);
        auto_js json *w = s ? spec_wants(s) : js_array();
        for (size_t k = 0; k < js_len(w); k++)
            found |= str_eq(js_get_str(js_at(w, k), "what", NULL), cases[i].what) &&
                     str_eq(js_get_str(js_at(w, k), "allow", NULL), cases[i].allow);
        ok(found, "told: %s", cases[i].text);
    }
    auto_spec struct spec *s =
        parse("zone: x\nimage: x:1\nprocess: {args: [a], env: {A: b}, user: \"1\", cwd: /a, terminal: true}\n"
              "hostname: h\nrestart: {policy: always}\nhealth: {tcp: 1}\nmemory: {cap: 8M}\n"
              "io: {read: 1M}\nsecurity: {capabilities: {drop: [ALL]}, read_only_root: true}\n"
              "filesystems: [{target: /a, tmpfs: 1M}]\n",
              NULL);
    auto_js json *w = s ? spec_wants(s) : js_array();
    auto_free char *said = js_dump(w, false);
    ok(js_len(w) == 2, "a network and memory: %s", said);
}

/* The new package's spec with the operator's changes, as a spec. */
static struct spec *merged(const struct spec *base, const char *mine_text, const struct spec *theirs,
                           char **kept)
{
    struct problems ps = {0};
    auto_spec struct spec *mine = parse(mine_text, &ps);
    auto_js json *list = js_array(), *m = spec_merge(base, mine, theirs, list);
    auto_free char *text = spec_to_text(m);
    struct spec *s = parse(text, &ps);
    if (!s)
        printf("# %s\n", text);
    problems_done(&ps);
    *kept = js_dump(list, false);
    return s;
}

static void test_merge(const struct spec_package *p)
{
    auto_spec struct spec *base = zone_of(p, "{\"key\":\"k\"}");
    auto_free char *newer = xasprintf("%s", web), *kept = NULL, *both = NULL;
    memcpy(strstr(newer, "cap: 1.5"), "cap: 2.5", 8);
    memcpy(strstr(newer, "256M"), "512M", 4);
    auto_package struct spec_package *q = take(newer);
    auto_spec struct spec *theirs = zone_of(q, "{\"key\":\"k\"}");
    static const char mine[] =
        "zone: site\nimage: localhost/web:1.2\nmemory: {cap: 256M}\ncpu: {cap: 1.5, shares: 300}\n"
        "process: {env: {WORKERS: \"2\", KEY: k, MORE: \"1\"}}\nlabels: {tier: front}\n"
        "network: [{link: default, ports: [\"80:80\"]}]\n"
        "filesystems: [{target: /srv, volume: web-data}, {target: /x, tmpfs: 1M}]\n";
    auto_spec struct spec *s = merged(base, mine, theirs, &kept);
    if (!ok(s != NULL, "merged"))
        return;
    ok(s->cpu.cap == 2.5 && s->memory.cap == 512u << 20, "the package's news arrive");
    is_int(s->cpu.shares, 300, "an operator's number stays");
    is_int(s->process.env.len, 3, "an added variable stays");
    is_int(s->network.at[0].ports.at[0].host_first, 80, "a changed port stays");
    is_int(s->filesystems.len, 2, "an added filesystem stays");
    is_int(s->labels.len, 1, "labels stay");
    is_str(kept, "[]", "nothing was in conflict");
    memcpy(strstr(newer, "cap: 2.5"), "cap: 3.5", 8);
    auto_package struct spec_package *q2 = take(newer);
    auto_spec struct spec *theirs2 = zone_of(q2, "{\"key\":\"k\"}");
    auto_spec struct spec *t =
        merged(base,
               "zone: site\nimage: localhost/web:1.2\nmemory: {cap: 1G}\ncpu: {cap: 1}\n"
               "process: {env: {WORKERS: \"2\", KEY: k}}\n"
               "network: [{link: default, ports: [\"8080:80\"]}]\n"
               "filesystems: [{target: /srv, volume: web-data}]\n",
               theirs2, &both);
    ok(t && t->cpu.cap == 1 && t->memory.cap == 1u << 30, "both changed it: the operator's stays");
    is_str(both, "[\"cpu.cap\",\"memory.cap\"]", "and is told");
}

static void test_back(const struct spec_package *p)
{
    auto_spec struct spec *s = zone_of(p, "{\"key\":\"s3cret\",\"port\":\"81\"}");
    auto_js json *v = values("{\"key\":\"s3cret\",\"port\":\"81\"}");
    unsigned hidden;
    auto_js json *zone = spec_to_package_zone(s, p, v, &hidden);
    auto_free char *text = js_dump(zone, false);
    ok(strstr(text, "${memory}") && strstr(text, "${port}:80") && strstr(text, "${boot}") &&
           strstr(text, "${workers}"),
       "parameters are parameters again: %s", text);
    ok(strstr(text, "${key}") && !strstr(text, "s3cret"), "a secret is not packed");
    ok(!js_get(zone, "zone") && !js_get(zone, "image"), "no names");
    /* changed, and a secret elsewhere */
    char *edits[] = {(char *)"memory.cap=1G", (char *)"process.env.COPY=\"x s3cret\"",
                     (char *)"process.env.HOME_=\"${HOME}\"", NULL};
    auto_js json *all = spec_to_json(s);
    auto_free char *plain = spec_to_text(all), *changed = NULL;
    bool lost;
    is_int(spec_edit(plain, "t", edits, &changed, &lost, NULL), 0, "edited");
    auto_spec struct spec *t = parse(changed, NULL);
    auto_js json *zone2 = spec_to_package_zone(t, p, v, &hidden);
    auto_free char *text2 = js_dump(zone2, false);
    ok(strstr(text2, "\"cap\":\"1G\"") && !strstr(text2, "${memory}"), "what was changed is packed: %s",
       text2);
    ok(hidden == 1 && !strstr(text2, "s3cret"), "a secret in another place is left out");
    ok(strstr(text2, "$${HOME}"), "${ is escaped");
    auto_js json *none = spec_to_package_zone(s, NULL, NULL, &hidden);
    auto_free char *text3 = js_dump(none, false);
    ok(strstr(text3, "81:80") && hidden == 0, "without a former package: as it is");
}

int main(void)
{
    auto_package struct spec_package *p = take(web);
    if (!ok(p != NULL, "the package is taken"))
        return done_testing();
    auto_js json *j = spec_package_to_json(p);
    auto_free char *text = js_dump(j, false);
    auto_package struct spec_package *again = take(text);
    auto_js json *j2 = again ? spec_package_to_json(again) : NULL;
    auto_free char *text2 = j2 ? js_dump(j2, false) : NULL;
    is_str(text2, text, "comes back equal through JSON");
    test_render(p);
    test_values(p);
    test_refused();
    test_wants();
    test_wants_each();
    test_merge(p);
    test_back(p);
    return done_testing();
}
