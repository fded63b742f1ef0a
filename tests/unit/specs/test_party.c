/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's part and pools as text: what is taken, what is refused and how, edits, differences; a cpu section alone. */
#include "base/mem.h"
#include "specs/specs.h"
#include "tests/unit/tap.h"
#include <errno.h>

static struct spec_party *parse(enum spec_party_kind kind, const char *text, const char *complaint)
{
    struct problems ps = {0};
    struct spec_party *p = NULL;
    int r = spec_party_parse(kind, text, strlen(text), "f.yaml", &p, &ps);
    if (complaint)
        ok(r == -EINVAL && ps.len && strstr(ps.at[0].message, complaint), "refused: %s (%s)", complaint,
           ps.len ? ps.at[0].message : "taken");
    else
        ok(r == 0, "taken: %s", ps.len ? ps.at[0].message : text);
    problems_done(&ps);
    return p;
}

static void refused(enum spec_party_kind kind, const char *text, const char *complaint)
{
    spec_party_free(parse(kind, text, complaint));
}

static void test_host(void)
{
    struct spec_party *p = parse(SPEC_PARTY_HOST, "", NULL);
    ok(p && p->cpu.shares == SPEC_UNSET && p->cpu.reserved < 0 && p->memory.reserved == SPEC_UNSET,
       "no file promises nothing to the host");
    spec_party_free(p);
    p = parse(SPEC_PARTY_HOST, "# ours\ncpu: {reserved: 0.5, shares: 200}\nmemory: {reserved: 1G}\n", NULL);
    ok(p && p->cpu.reserved == 0.5 && p->cpu.shares == 200 && p->memory.reserved == 1u << 30, "all keys");
    spec_party_free(p);
    refused(SPEC_PARTY_HOST, "cpu: {cap: 1}\n", "unknown key");
    refused(SPEC_PARTY_HOST, "cpu: {shares: 0}\n", "1 to 10000");
    refused(SPEC_PARTY_HOST, "cpu: {reserved: -1}\n", "");
    refused(SPEC_PARTY_HOST, "- a\n", "not a mapping");
    refused(SPEC_PARTY_HOST, "version: 2\n", "");
}

static void test_pool(void)
{
    struct spec_party *p =
        parse(SPEC_PARTY_POOL,
              "pool: batch\ncpu: {shares: 5, cap: 2, burst: 1, set: \"0-1\", dedicated: 1}\n", NULL);
    ok(p && !strcmp(p->name, "batch") && p->cpu.shares == 5 && p->cpu.dedicated == 1, "all keys");
    spec_party_free(p);
    p = parse(SPEC_PARTY_POOL, "pool: batch\n", NULL);
    ok(p && p->cpu.shares == 100 && p->cpu.cap < 0 && !p->cpu.idle && p->memory.cap == SPEC_UNSET,
       "defaults");
    spec_party_free(p);
    refused(SPEC_PARTY_POOL, "", "is missing");
    refused(SPEC_PARTY_POOL, "pool: batch\ncpu: {pool: batch}\n", "pools lie in no other pool");
    refused(SPEC_PARTY_POOL, "pool: batch\ncpu: {burst: 1}\n", "without cap");
    refused(SPEC_PARTY_POOL, "pool: batch\ncpu: {set: 1, dedicated: 2}\n", "more than set holds");
    refused(SPEC_PARTY_POOL, "pool: ../x\n", "");
    refused(SPEC_PARTY_POOL, "pool: batch\nmemory: {cap: 1G}\n", "unknown key");
}

static void test_edit(void)
{
    struct problems ps = {0};
    auto_free char *text = NULL;
    char *good[] = {(char *)"cpu.cap=1.5", (char *)"cpu.shares=", NULL}, *bad[] = {(char *)"cpu.cap=0", NULL};
    char *circle[] = {(char *)"cpu.pool=batch", NULL};
    bool lost;
    ok(spec_party_edit(SPEC_PARTY_POOL, "pool: batch # mine\ncpu: {shares: 7}\n", "f", good, &text, &lost,
                       &ps) == 0,
       "two edits");
    is_str(text, "pool: batch # mine\ncpu: {cap: 1.5}\n", "comments stay");
    ok(spec_party_edit(SPEC_PARTY_POOL, text, "f", bad, &text, &lost, &ps) < 0, "a bad value");
    ok(spec_party_edit(SPEC_PARTY_POOL, text, "f", circle, &text, &lost, &ps) < 0 && ps.len &&
           strstr(ps.at[ps.len - 1].message, "no other pool"),
       "a pool in a pool");
    problems_done(&ps);
    struct spec_party *a = parse(SPEC_PARTY_POOL, "pool: b\ncpu: {shares: 7}\n", NULL),
                      *b = parse(SPEC_PARTY_POOL, "pool: b\ncpu: {cap: 1}\n", NULL);
    spec_changes c = {0};
    spec_party_diff(SPEC_PARTY_POOL, a, b, &c);
    ok(c.len == 2 && !strcmp(c.at[0].key, "cpu.shares") && !strcmp(c.at[0].after, "100") &&
           !strcmp(c.at[1].key, "cpu.cap"),
       "what differs");
    spec_changes_done(&c);
    spec_party_free(a);
    spec_party_free(b);
}

static void test_section(void)
{
    struct err e = {0};
    struct spec_cpu in = {.shares = 250,
                          .cap = 0.5,
                          .burst = 0.1,
                          .reserved = -1,
                          .dedicated = 1,
                          .set = (char *)"1,3"},
                    out = {0};
    json *j = spec_cpu_to_json(&in);
    ok(spec_cpu_from_json(j, &out, &e) == 0, "there and back %s", e.text);
    ok(out.shares == 250 && out.cap == 0.5 && out.burst == 0.1 && out.reserved < 0 && out.dedicated == 1 &&
           !out.idle,
       "numbers");
    is_str(out.set, "1,3", "and the set");
    js_set_int(j, "shares", 20000);
    spec_cpu_done(&out);
    ok(spec_cpu_from_json(j, &out, &e) < 0, "bounds hold: %s", e.text);
    js_free(j);
}

int main(void)
{
    test_host();
    test_pool();
    test_edit();
    test_section();
    return done_testing();
}
