/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every value of every kind of file as nothing, or as something of another shape: refused with words, or taken and then
 * without a hole that its readers would fall into: what is taken is written, and reads back the same. */
#include "base/mem.h"
#include "specs/recipe.h"
#include "tests/unit/tap.h"

static const char zone[] = "{\"version\":1,\"zone\":\"web\",\"image\":\"nginx:1\",\"init\":\"app\","
                           "\"process\":{\"entrypoint\":[\"a\"],\"args\":[\"b\"],"
                           "\"env\":{\"A\":\"b\"},\"user\":\"u\",\"cwd\":\"/"
                           "\",\"stop_signal\":\"TERM\",\"stop_timeout\":\"1s\",\"terminal\":false},"
                           "\"hostname\":\"w\",\"autoboot\":true,\"depends\":[\"db\"],\"restart\":{"
                           "\"policy\":\"no\",\"max\":1,\"backoff\":\"1s\"},"
                           "\"health\":{\"exec\":[\"x\"],\"interval\":\"1s\",\"timeout\":\"1s\",\"retries\":"
                           "1,\"start_period\":\"1s\",\"action\":\"none\"},"
                           "\"cpu\":{\"shares\":1,\"cap\":2,\"burst\":1,\"set\":\"0-1\",\"dedicated\":1,"
                           "\"reserved\":1,\"idle\":false,\"pool\":\"p\"},"
                           "\"memory\":{\"cap\":\"64M\",\"soft\":\"32M\",\"reserved\":\"1M\",\"swap\":0,"
                           "\"hugepages\":0,\"oom\":\"zone\",\"warn\":\"80%\","
                           "\"on_warn\":\"event\"},\"tasks\":5,\"io\":{\"weight\":1,\"read\":\"1M\","
                           "\"write\":\"1M\",\"read_ops\":1,\"write_ops\":1},"
                           "\"network\":[{\"link\":\"n\",\"address\":[\"10.0.0.5\"],\"ports\":[\"80:80\"],"
                           "\"rate_in\":\"1M\",\"rate_out\":\"1M\","
                           "\"trusted\":false,\"dhcp\":false,\"aliases\":[\"x\"]}],\"filesystems\":[{"
                           "\"target\":\"/a\",\"volume\":\"v\",\"mode\":\"rw\"},"
                           "{\"target\":\"/b\",\"bind\":\"/etc/b\"},{\"target\":\"/"
                           "c\",\"tmpfs\":\"1M\"}],\"security\":{\"capabilities\":{\"add\":[\"CHOWN\"],"
                           "\"drop\":[\"KILL\"]},\"seccomp\":\"default\",\"no_new_privs\":true,\"read_only_"
                           "root\":false},\"devices\":[\"/dev/fuse\"],"
                           "\"sysctls\":{\"net.core.somaxconn\":\"1\"},\"shm\":\"1M\",\"limits\":{\"nofile\":"
                           "1024,\"memlock\":\"64K\",\"core\":0},"
                           "\"labels\":{\"a\":\"b\"}}";
static const char pool[] = "{\"version\":1,\"pool\":\"p\",\"cpu\":{\"shares\":1,\"cap\":2,\"burst\":1,"
                           "\"set\":\"0-1\",\"dedicated\":1,\"reserved\":1,"
                           "\"idle\":false}}";
static const char host[] =
    "{\"version\":1,\"cpu\":{\"shares\":1,\"reserved\":1},\"memory\":{\"reserved\":\"1M\"}}";
static const char network[] = "{\"version\":1,\"network\":\"n\",\"type\":\"nat\",\"subnets\":[\"10.20.0.0/"
                              "24\"],\"gateways\":[\"10.20.0.1\"],"
                              "\"ranges\":[\"10.20.0.8-10.20.0.9\"],\"reach\":[\"o\"],\"policy\":\"allow\","
                              "\"rules\":[\"allow tcp 80\"],\"mtu\":1400,"
                              "\"big_tcp\":false}";
static const char lan[] = "{\"network\":\"n\",\"type\":\"macvlan\",\"parent\":\"eth0\"}";
#define PACKAGE                                                                                              \
    "\"name\":\"n\",\"version\":\"1\",\"description\":\"d\",\"zone\":{\"cpu\":{\"shares\":\"${s}\"},"        \
    "\"labels\":{\"a\":\"${t}\"}},"                                                                          \
    "\"parameters\":[{\"name\":\"s\",\"type\":\"integer\",\"default\":\"1\",\"description\":\"d\","          \
    "\"required\":false,"                                                                                    \
    "\"secret\":false,\"min\":1,\"max\":2},{\"name\":\"t\",\"choices\":[\"x\"]}]"
static const char package[] = "{\"package\":1," PACKAGE "}";
static const char recipe[] =
    "{\"recipe\":1," PACKAGE ",\"from\":\"debian:bookworm\",\"mirror\":\"http://m/\",\"packages\":[\"a\"],"
    "\"copy\":[{\"from\":\"f\",\"to\":\"/f\",\"owner\":\"0:0\",\"mode\":\"644\"},{\"text\":\"t\",\"to\":\"/"
    "t\"}],\"run\":[\"true\"],"
    "\"config\":{\"entrypoint\":[\"a\"],\"cmd\":[\"b\"],\"env\":{\"A\":\"b\"},\"user\":\"u\",\"workdir\":\"/"
    "\",\"expose\":[\"80\"],"
    "\"volumes\":[\"/v\"],\"healthcheck\":[\"h\"],\"stop_signal\":\"TERM\",\"labels\":{\"a\":\"b\"}}}";

/* ---- of each kind: the name (or NULL) and all that it says, of a text; false: refused ---- */
typedef bool (*reader)(const char *text, struct problems *ps, char **name, json **says);

static bool read_zone(const char *text, struct problems *ps, char **name, json **says)
{
    auto_spec struct spec *s = NULL;
    if (spec_parse(text, strlen(text), NULL, &s, ps) < 0)
        return false;
    *name = xstrdup(s->zone);
    *says = spec_to_json(s);
    js_free(spec_wants(s));
    for (unsigned i = 0; i < s->network.len; i++)
        if (!s->network.at[i].link)
            *name = (free(*name), NULL);
    for (unsigned i = 0; i < s->filesystems.len; i++)
        if (!s->filesystems.at[i].target ||
            (s->filesystems.at[i].kind != SPEC_MOUNT_TMPFS && !s->filesystems.at[i].source))
            *name = (free(*name), NULL);
    return true;
}

static bool read_party(enum spec_party_kind kind, const char *text, struct problems *ps, char **name,
                       json **says)
{
    auto_of(spec_party_free) struct spec_party *p = NULL;
    if (spec_party_parse(kind, text, strlen(text), NULL, &p, ps) < 0)
        return false;
    *name = xstrdup(kind == SPEC_PARTY_HOST ? "host" : p->name);
    *says = spec_party_to_json(kind, p);
    return true;
}

static bool read_pool(const char *text, struct problems *ps, char **name, json **says)
{
    return read_party(SPEC_PARTY_POOL, text, ps, name, says);
}

static bool read_host(const char *text, struct problems *ps, char **name, json **says)
{
    return read_party(SPEC_PARTY_HOST, text, ps, name, says);
}

static bool read_network(const char *text, struct problems *ps, char **name, json **says)
{
    auto_spec_network struct spec_network *n = NULL;
    if (spec_network_parse(text, strlen(text), NULL, &n, ps) < 0)
        return false;
    *name = xstrdup(n->network);
    *says = spec_network_to_json(n);
    return true;
}

static bool read_package(const char *text, struct problems *ps, char **name, json **says)
{
    auto_package struct spec_package *p = NULL;
    if (spec_package_parse(text, strlen(text), NULL, &p, ps) < 0)
        return false;
    *name = xstrdup("any"); /* a package's may be missing: the zone's is given then */
    *says = spec_package_to_json(p);
    for (unsigned i = 0; i < p->parameters.len; i++)
        if (!p->parameters.at[i].name)
            *name = (free(*name), NULL);
    return true;
}

static bool read_recipe(const char *text, struct problems *ps, char **name, json **says)
{
    auto_recipe struct spec_recipe *r = NULL;
    if (spec_recipe_parse(text, strlen(text), NULL, &r, ps) < 0)
        return false;
    *name = xstrdup(r->package.name);
    *says = spec_recipe_to_json(r);
    js_free(spec_recipe_config(r));
    for (unsigned i = 0; i < r->copy.len; i++)
        if (!r->copy.at[i].to || !(r->copy.at[i].from || r->copy.at[i].text))
            *name = (free(*name), NULL);
    return true;
}

/* ---- the walk ---- */
struct walk {
    const char *what;
    reader read;
    unsigned tried, taken, bad;
};

static void try(struct walk *w, const char *text)
{
    struct problems ps = {0};
    auto_free char *name = NULL, *again_name = NULL;
    auto_js json *says = NULL, *again = NULL;
    w->tried++;
    bool is = w->read(text, &ps, &name, &says), good = is ? name != NULL : ps.len > 0;
    w->taken += is;
    if (!is && w->tried == 1)
        printf("# %s: %s\n", w->what, ps.len ? ps.at[0].message : "");
    if (is && good) {
        auto_free char *one = js_dump(says, false);
        auto_free char *two = NULL;
        good = w->read(one, &ps, &again_name, &again) && (two = js_dump(again, false)) && !strcmp(one, two);
    }
    if (!good && w->bad++ < 5)
        printf("# %s: %s: %s %s\n", w->what, text, is ? "taken, but" : "refused without a word:",
               is && !name ? "a name is missing" : "it does not read back the same");
    problems_done(&ps);
}

/* The tree with its nth value (counted in *n, downwards) replaced, or taken out (with: NULL). */
static json *without(const json *tree, unsigned *n, const json *with, bool *out)
{
    enum js_type t = js_type_of(tree);
    if ((*n)-- == 0) {
        *out = !with;
        return with ? js_ref((json *)with) : NULL;
    }
    if (t != JS_OBJECT && t != JS_ARRAY)
        return js_ref((json *)tree);
    json *o = t == JS_OBJECT ? js_object() : js_array();
    for (void *it = t == JS_OBJECT ? js_iter((json *)tree) : NULL; it; it = js_next((json *)tree, it)) {
        json *v = without(js_iter_value(it), n, with, out);
        if (v)
            js_set(o, js_iter_key(it), v);
    }
    for (size_t i = 0; t == JS_ARRAY && i < js_len(tree); i++) {
        json *v = without(js_at(tree, i), n, with, out);
        if (v)
            js_add(o, v);
    }
    return o;
}

static unsigned count(const json *tree)
{
    unsigned n = 1;
    enum js_type t = js_type_of(tree);
    for (void *it = t == JS_OBJECT ? js_iter((json *)tree) : NULL; it; it = js_next((json *)tree, it))
        n += count(js_iter_value(it));
    for (size_t i = 0; t == JS_ARRAY && i < js_len(tree); i++)
        n += count(js_at(tree, i));
    return n;
}

static void walk(const char *what, const char *whole, reader read)
{
    static const char *const instead[] = {"[null]", "[\"\"]",     "[[]]",     "[{}]",
                                          "[0]",    "[\"null\"]", "[[null]]", "[{\"a\":null}]"};
    struct err e = {0};
    struct walk w = {.what = what, .read = read};
    auto_js json *tree = js_parse(whole, strlen(whole), &e);
    try(&w, whole);
    ok(w.taken == 1 && !w.bad, "%s: the whole is taken", what);
    for (unsigned i = 0; i < count(tree); i++)
        for (unsigned k = 0; k <= ARRAY_LEN(instead); k++) {
            auto_js json *list = k < ARRAY_LEN(instead) ? js_parse(instead[k], strlen(instead[k]), &e) : NULL;
            unsigned n = i;
            bool out = false;
            auto_js json *one = without(tree, &n, list ? js_at(list, 0) : NULL, &out);
            auto_free char *text = one ? js_dump(one, false) : xstrdup("");
            try(&w, text);
        }
    ok(!w.bad && w.taken > 1 && w.taken < w.tried, "%s: of %u with a hole %u are taken, none falls into it",
       what, w.tried, w.taken);
}

static void test_named_null(void)
{
    static const char *const names[] = {"null", "a", "true", "no", "12", "1e3", "0x1", "on"};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        struct problems ps = {0};
        struct spec_party *p = NULL;
        auto_free char *text = spec_pool_text(names[i]);
        ok(spec_party_parse(SPEC_PARTY_POOL, text, strlen(text), "f", &p, &ps) == 0 &&
               !strcmp(p->name, names[i]),
           "pool %s is written so that it has its name", names[i]);
        spec_party_free(p);
        problems_done(&ps);
    }
}

int main(void)
{
    walk("zone", zone, read_zone);
    walk("pool", pool, read_pool);
    walk("host", host, read_host);
    walk("network", network, read_network);
    walk("lan", lan, read_network);
    walk("package", package, read_package);
    walk("recipe", recipe, read_recipe);
    test_named_null();
    return done_testing();
}
