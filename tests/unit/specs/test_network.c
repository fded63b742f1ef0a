/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Networks as text: what is taken, what is refused with which words, and that what is written is read back. */
#include "base/mem.h"
#include "base/str.h"
#include "specs/specs.h"
#include "tests/unit/tap.h"

static struct spec_network *parse(const char *body, struct problems *ps)
{
    struct spec_network *n = NULL;
    auto_free char *text = xasprintf("network: back\n%s", body);
    spec_network_parse(text, strlen(text), "t.yaml", &n, ps);
    return n;
}

static void refused(const char *body, const char *want)
{
    struct problems ps = {0};
    auto_spec_network struct spec_network *n = parse(body, &ps);
    char line[800] = "";
    bool found = false;
    for (unsigned i = 0; i < ps.len && !found; i++) {
        problem_print(&ps.at[i], line, sizeof(line));
        found = strstr(line, want) != NULL;
    }
    ok(!n && found, "refused: %s: %s", body, want);
    if (!found)
        printf("#   got %s\n", line);
    problems_done(&ps);
}

static void taken(const char *body, const char *want)
{
    struct problems ps = {0};
    auto_spec_network struct spec_network *n = parse(body, &ps);
    auto_free char *text = n ? spec_network_text(n) : NULL;
    auto_spec_network struct spec_network *again = NULL;
    if (!ok(n && strstr(text, want), "taken: %s", body))
        printf("#   %s\n#   %s\n", text ? text : "", ps.len ? ps.at[0].message : "");
    if (!n)
        return;
    spec_network_parse(text, strlen(text), "again", &again, &ps);
    auto_free char *twice = again ? spec_network_text(again) : NULL;
    is_str(twice, text, "and reads back as it was written");
    problems_done(&ps);
}

/* What is taken is read back the same from the text that is written of it; false: refused. */
static bool reads_back(const char *network, const char *key, const char *value, unsigned *bad)
{
    struct problems ps = {0};
    auto_spec_network struct spec_network *n = NULL, *again = NULL;
    auto_js json *o = js_object();
    js_set_str(o, "network", network);
    if (!strcmp(key, "parent")) {
        js_set_str(o, "type", "macvlan");
        js_set_str(o, key, value);
    } else {
        json *list = js_array();
        js_add(list, js_string(value));
        js_set(o, key, list);
    }
    bool is = spec_network_from_json(o, &n, &ps) == 0;
    if (is) {
        auto_free char *text = spec_network_text(n), *one = NULL, *two = NULL;
        auto_js json *was = spec_network_to_json(n);
        one = js_dump(was, false);
        if (spec_network_parse(text, strlen(text), "again", &again, &ps) == 0) {
            auto_js json *is_now = spec_network_to_json(again);
            two = js_dump(is_now, false);
        }
        if (!str_eq(one, two) && (*bad)++ < 5)
            printf("# written as: %s\n", text);
    }
    problems_done(&ps);
    return is;
}

static void test_odd_names(void)
{
    static const char *const odd[] = {
        "null", "Null", "~",  "true", "no",  "#x",  "@x",  "[x",  "{x",   "&x",   "*x",  "!x",   "|",   ">",
        "'x'",  "%x",   "`x", "-",    "--",  "---", "...", "? x", "x,y",  "x]",   "1e3", "0x10", "1_0", "12",
        "+1",   "-1",   "y",  "\\x",  "x#y", "x\\", "=",   "<<",  ".inf", ".nan", "1.0", "a'",   "?x"};
    unsigned bad = 0, taken = 0, tried = 0;
    char text[16];
    for (unsigned i = 0; i < ARRAY_LEN(odd); i++, tried++)
        taken += reads_back(odd[i], "reach", "o", &bad) + reads_back("n", "parent", odd[i], &bad) +
                 reads_back("n", "reach", odd[i], &bad);
    for (unsigned i = 0, seed = 7; i < 50000; i++, tried++) {
        unsigned n = 1 + (seed = seed * 1103515245u + 12345u) / 65536 % 5;
        for (unsigned k = 0; k < n; k++)
            text[k] = (char)(0x21 + (seed = seed * 1103515245u + 12345u) / 65536 % 0x5e);
        text[n] = '\0';
        auto_free char *rule = xasprintf("from label a=%s allow", text);
        taken += reads_back("n", "parent", text, &bad) + reads_back("n", "rules", rule, &bad);
    }
    ok(!bad && taken > 10000, "of %u odd names and rules %u are taken, and all are read back as they are",
       tried, taken);
}

static void test_edit(void)
{
    static const char text[] = "# ours\nnetwork: back\nrules:  # who\n  - allow tcp 80\n  - allow tcp 443 # "
                               "https\nmtu: 1400 # tunnel\n";
    struct problems ps = {0};
    struct err e = {0};
    auto_free char *now = NULL, *then = NULL;
    auto_spec_network struct spec_network *n = NULL, *m = NULL;
    auto_js json *deny = js_parse("{\"policy\":\"deny\",\"reach\":[\"null\"]}", 34, &e),
                 *none = js_parse("{\"rules\":[]}", 12, &e);
    bool lost = true;
    ok(spec_network_edit(text, "f", deny, &now, &lost, &n, &ps) == 0 && !lost && n->deny &&
           strv_len(n->rules) == 2,
       "an edit of a network's text");
    ok(now && strstr(now, "  - allow tcp 443 # https\nmtu: 1400 # tunnel\n") &&
           strstr(now, "policy: deny\n") && strstr(now, "\"null\""),
       "... leaves the rest and its comments");
    ok(spec_network_edit(text, "f", none, &then, &lost, &m, &ps) == 0 && lost && !m->rules,
       "an empty list takes it away");
    problems_done(&ps);
    spec_network_free(take_ptr(&n));
    ok(spec_network_edit("network: back\nmtuu: 3\n", "f", none, &then, &lost, &n, &ps) < 0 && ps.len &&
           ps.at[0].line == 2,
       "a text that cannot be read is refused with its line");
    problems_done(&ps);
}

int main(void)
{
    taken("", "type: nat\n");
    taken("subnets: [10.20.0.0/16, 'fd12:3456:789a::/64']\ngateways: [10.20.0.254]\n",
          "subnets: [10.20.0.0/16, fd12:3456:789a::/64]");
    taken("type: sealed\nmtu: 1400\n", "mtu: 1400");
    taken("big_tcp: true\n", "big_tcp: true");
    taken("type: macvlan\nparent: eth0.5\n", "parent: eth0.5");
    taken("type: bridge\nparent: br0\nsubnets: [192.168.1.0/24]\nranges: [192.168.1.200-192.168.1.210]\n",
          "ranges: [\"192.168.1.200-192.168.1.210\"]");
    taken("reach: [front, other]\n", "reach: [front, other]");
    refused("subnets: [10.20.0.0/31]\n", "subnets[0]: \"10.20.0.0/31\" has a prefix");
    refused("subnets: [0.0.0.0/0]\n", "has a prefix");
    refused("subnets: ['::/0']\n", "has a prefix");
    refused("subnets: [10.20.0.7/16]\n", "bits behind the prefix");
    refused("subnets: [10.20.0.0]\n", "is not a subnet");
    refused("subnets: [10.20.0.0/16, 10.30.0.0/16]\n", "two of IPv4");
    refused("subnets: [127.0.0.0/8]\n", "nobody can use");
    refused("subnets: [224.0.0.0/8]\n", "nobody can use");
    refused("subnets: ['fe80::/64']\n", "nobody can use");
    refused("subnets: ['ff02::/64']\n", "nobody can use");
    refused("gateways: [10.20.0.1]\n", "outside the subnets");
    refused("subnets: [10.20.0.0/16]\ngateways: [10.21.0.1]\n", "outside the subnets");
    refused("subnets: [10.20.0.0/16]\ngateways: [10.20.255.255]\n", "broadcast");
    refused("subnets: [10.20.0.0/16]\ngateways: [10.20.0.0]\n", "subnet's own");
    refused("subnets: [10.20.0.0/16]\nranges: [10.21.0.1-10.21.0.9]\n", "outside the subnets");
    refused("ranges: [10.21.0.9-10.21.0.1]\n", "is not a range");
    refused("type: nat\nparent: eth0\n", "joins no link");
    refused("type: bridge\n", "parent: is missing");
    refused("type: macvlan\nparent: 'a/b'\n", "is not the name of a link");
    refused("type: macvlan\nparent: averyverylonglink\n", "is not the name of a link");
    refused("type: bridge\nparent: eth0\nreach: [x]\n", "does not route");
    refused("type: macvlan\nparent: eth0\nbig_tcp: true\n", "whose other side is the LAN");
    refused("big_tcp: 3\n", "big_tcp: ");
    refused("reach: [back]\n", "names the network itself");
    refused("type: vlan\n", "type: ");
    refused("mtu: 100\n", "mtu: ");
    refused("colour: red\n", "colour: ");
    struct problems ps = {0};
    struct spec_network *none = NULL;
    ok(spec_network_parse("network: host\n", 14, "t", &none, &ps) < 0, "a network called host is refused");
    ok(spec_network_parse("type: nat\n", 10, "t", &none, &ps) < 0, "a network without a name is refused");
    ok(spec_network_parse("", 0, "t", &none, &ps) < 0, "an empty file is refused");
    problems_done(&ps);
    test_odd_names();
    test_edit();
    return done_testing();
}
