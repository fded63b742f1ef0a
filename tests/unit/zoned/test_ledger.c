/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ledger without root: arithmetic that is refused and shown, dedicated CPUs that are given and given back,
 * reservations that hold against everybody by a reckoning of their own, and random comings and goings. */
#include "base/mem.h"
#include "base/str.h"
#include "tests/unit/tap.h"
#include "zoned/ledger.h"
#include <stdio.h>
#include <string.h>

#define MOST 24
static struct spec_cpu cpu[MOST];
static struct ledger_entry entry[MOST];
static struct spec_party host;
static struct ledger l;
static struct problems ps;
static bool good;

static void reset(const char *online)
{
    problems_done(&ps);
    ledger_done(&l);
    memset(entry, 0, sizeof(entry));
    host = (struct spec_party){.cpu = {.shares = SPEC_UNSET, .cap = -1, .burst = -1, .reserved = -1},
                               .memory = {.reserved = SPEC_UNSET}};
    for (unsigned i = 0; i < MOST; i++)
        cpu[i] = (struct spec_cpu){.shares = 100, .cap = -1, .burst = -1, .reserved = -1};
    l = (struct ledger){
        .online = online, .memory = 8ull << 30, .host = &host, .host_in_root = true, .at = entry, .asks = -1};
}

static struct ledger_entry *add(const char *name)
{
    unsigned i = l.n++;
    entry[i] = (struct ledger_entry){.name = name, .cpu = &cpu[i]};
    l.asks = (int)i;
    return &entry[i];
}

static struct ledger_entry *add_pool(const char *name)
{
    struct ledger_entry *e = add(name);
    e->is_pool = true;
    return e;
}

static struct spec_cpu *of(struct ledger_entry *e)
{
    return &cpu[e - entry];
}

static int divide(void)
{
    problems_done(&ps);
    ledger_done(&l);
    return ledger_divide(&l, &ps);
}

static bool says(const char *text)
{
    bool found = ps.len && strstr(ps.at[0].message, text);
    if (!found)
        printf("# got: %s\n", ps.len ? ps.at[0].message : "(nothing)");
    return found;
}

static bool advises(const char *hint)
{
    const char *got = ps.len && ps.at[0].hint ? ps.at[0].hint : "(nothing)";
    if (!str_eq(got, hint))
        printf("# advised: %s\n", got);
    return str_eq(got, hint);
}

static bool set_is(const struct ledger_entry *e, const char *want)
{
    auto_free char *set = ledger_set(&l, e);
    if (!str_eq(set, want))
        printf("# %s has %s\n", e->name, set ? set : "all");
    return str_eq(set, want);
}

/* An own reckoning: everybody wants all; on each CPU the weights divide, spread over the CPUs of each set. */
static double gets(const struct ledger_entry *e)
{
    double sum = 0;
    for (unsigned c = 0; c < l.words * 64; c++) {
        double all = 0, own = 0;
        for (unsigned i = 0; i < l.n; i++) {
            if (!(entry[i].cpus[c / 64] >> (c % 64) & 1) || entry[i].up != e->up)
                continue;
            double density = (double)entry[i].weight / ledger_cpus(&l, &entry[i]);
            all += density;
            own += &entry[i] == e ? density : 0;
        }
        sum += own > 0 ? own / all : 0;
    }
    return sum;
}

static void test_shares(void)
{
    reset("0-1");
    for (unsigned i = 0; i < 3; i++)
        of(add("z"))->shares = 100u << i;
    ok(divide() == 0, "shares alone promise nothing");
    ok(entry[0].weight == 100 && entry[1].weight == 200 && entry[2].weight == 400, "and are the weights");
    ok(set_is(&entry[0], NULL), "nobody's set is narrowed");
    ledger_worst(&l);
    ok(entry[0].worst > 0.285 && entry[0].worst < 0.286 && entry[2].worst > 1.142 && entry[2].worst < 1.143,
       "1:2:4 of two CPUs");
    of(&entry[2])->cap = 0.5;
    ok(divide() == 0, "with a cap");
    ledger_worst(&l);
    ok(entry[2].worst > 0.499 && entry[0].worst > 0.499 && entry[1].worst > 0.99,
       "the rest goes to the others");
    for (unsigned i = 0; i < 20; i++)
        add("more");
    ok(divide() == 0, "overcommit is free");
}

static void test_reserved(void)
{
    reset("0-1");
    for (unsigned i = 0; i < 9; i++)
        add("small");
    of(add("big"))->reserved = 1.5;
    good = divide() == 0;
    ok(good && gets(&entry[9]) >= 1.5 && gets(&entry[9]) < 1.52, "1.5 CPUs against nine others (%.3f)",
       gets(&entry[9]));
    ok(entry[0].weight == 100, "who has no promise keeps his shares");
    of(add("second"))->reserved = 0.4;
    good = divide() == 0;
    ok(good && gets(&entry[9]) >= 1.499 && gets(&entry[10]) >= 0.399, "a second one (%.3f and %.3f)",
       gets(&entry[9]), gets(&entry[10]));
    of(&entry[10])->reserved = 0.6;
    ok(divide() < 0 && ps.at[0].kind == ERR_LIMIT &&
           says("asks for 0.6 CPUs, but of 2 CPUs 1.5 are promised (zone big 1.5): 0.5 are left"),
       "0.6 more is refused, with the arithmetic");
    ok(advises("ask for at most 0.5, or zonectl set big cpu.reserved=… takes some back; zonectl plan -f SPEC "
               "tells "
               "beforehand what fits"),
       "... and the remedy");
    host.cpu.reserved = 0.3;
    l.asks = -1;
    of(&entry[10])->reserved = 0.4;
    ok(divide() < 0 &&
           says("asks for 0.3 CPUs, but of 2 CPUs 1.9 are promised (zone big 1.5, zone second 0.4): 0.1 are "
                "left") &&
           advises("ask for at most 0.1, or zonectl set big cpu.reserved=… takes some back; zonectl stats "
                   "tells who "
                   "uses what"),
       "the host that asks is not among those who have");
    l.asks = 10;
    host.cpu.reserved = 0.3;
    of(&entry[10])->reserved = 0.3;
    ok(divide() < 0 && says("1.8 are promised (the host 0.3, zone big 1.5)"), "the host's part counts");
    of(&entry[10])->reserved = 0.2;
    ok(divide() == 0 && l.part.cap > 1.69 && l.part.cap < 1.71 && l.part.weight == 10000,
       "0.2 fits; the host's part is a quota");
    reset("0-3");
    of(add("half"))->reserved = 0.5;
    of(&entry[0])->set = (char *)"2";
    for (unsigned i = 0; i < 5; i++)
        of(add("other"))->shares = 1000;
    good = divide() == 0;
    ok(good && gets(&entry[0]) >= 0.5 && gets(&entry[0]) < 0.51, "half of one CPU of four (%.3f)",
       gets(&entry[0]));
    of(add("more"))->reserved = 0.6;
    of(&entry[6])->set = (char *)"2";
    ok(divide() < 0 && says("1.1 CPUs are promised on CPU 2 alone"), "a CPU is not promised twice");
}

static void test_dedicated(void)
{
    reset("0-3");
    struct ledger_entry *a = add("a"), *b = add("b"), *c = add("c");
    of(a)->dedicated = 1;
    ok(divide() == 0 && set_is(a, "3") && set_is(b, "0-2") && set_is(c, "0-2"),
       "one CPU from the top, gone for the others");
    ok(str_eq(l.part.exclusive, "3"), "it is named for a partition");
    a->held = "1";
    ok(divide() == 0 && set_is(a, "1") && set_is(b, "0,2-3"), "what it has it keeps");
    of(a)->dedicated = 2;
    ok(divide() == 0 && set_is(a, "1,3") && set_is(b, "0,2"), "and grows by one");
    of(c)->set = (char *)"0";
    of(b)->dedicated = 1;
    ok(divide() == 0 && set_is(b, "2") && set_is(c, "0"), "a CPU that somebody needs is not taken");
    of(b)->dedicated = 2;
    l.asks = 1;
    ok(divide() < 0 && says("4 of 4 CPUs would be dedicated"), "one CPU stays");
    of(b)->dedicated = 1;
    of(b)->set = (char *)"0";
    ok(divide() < 0 && says("could not be found"), "not where another could run nowhere else");
    of(b)->set = (char *)"3";
    a->held = "1,3";
    ok(divide() < 0 && says("zone b asks for 1 whole CPUs of 3; 1 could not be found: taken already"),
       "nor where another has it");
    a->held = "1";
    of(b)->set = NULL;
    of(add("d"))->dedicated = 3;
    ok(divide() < 0 &&
           says("asks for 3 CPUs, but of 4 CPUs 3 are promised (zone a 2 dedicated, zone b 1 "
                "dedicated): 1 are left") &&
           advises("zonectl set a cpu.dedicated=… takes some back; zonectl plan -f SPEC tells beforehand "
                   "what fits"),
       "arithmetic of whole CPUs: the last one is not to be had");
    of(&entry[3])->dedicated = of(b)->dedicated = 0;
    of(&entry[3])->set = (char *)"1";
    a->held = "1,3";
    ok(divide() == 0 && set_is(a, "2-3"), "a dedicated CPU moves aside for a set that has no other");
    of(&entry[3])->set = NULL;
    of(a)->dedicated = of(b)->dedicated = 0;
    ok(divide() == 0 && set_is(a, NULL) && set_is(b, NULL) && !l.part.exclusive, "given back");
}

static void test_pools(void)
{
    reset("0-3");
    struct ledger_entry *p = add_pool("batch"), *in = add("in"), *in2 = add("in2"), *out = add("out");
    in->pool = in2->pool = "batch";
    of(in)->shares = 5000;
    of(p)->cap = 1.5;
    of(in)->cap = 3;
    ok(divide() == 0, "a pool with two zones and one outside");
    ledger_worst(&l);
    ok(p->worst == 1.5 && out->worst > 2.4 && in2->worst < 0.1, "the pool is one against those outside");
    ok(in->cap == 1.5, "a cap is not above the pool's");
    of(p)->set = (char *)"0-1";
    ok(divide() == 0 && set_is(in, "0-1") && set_is(out, NULL), "its CPUs are its zones'");
    of(in)->set = (char *)"2";
    ok(divide() < 0 && says("the pool has others"), "a zone's set must meet the pool's");
    of(in)->set = (char *)"1-3";
    ok(divide() == 0 && set_is(in, "1"), "and is what both have");
    of(in)->set = NULL;
    of(in2)->reserved = 0.5;
    l.asks = 2;
    ok(divide() < 0 && says("pool batch would be promised 0.5 CPUs together, the pool has 0"),
       "a promise inside needs the pool's");
    of(p)->reserved = 0.75;
    good = divide() == 0;
    ok(good && gets(p) >= 0.75 && gets(in2) / 2 * gets(p) >= 0.5 * 0.99, "kept on both levels (%.3f)",
       gets(in2) / 2 * gets(p));
    of(p)->reserved = -1;
    of(p)->dedicated = 2;
    of(p)->set = NULL;
    of(p)->cap = -1;
    ok(divide() == 0 && set_is(p, "2-3") && set_is(in, "2-3") && set_is(out, "0-1"),
       "a pool with CPUs of its own");
    of(out)->reserved = 2.5;
    l.asks = 1;
    ok(divide() < 0 &&
           says("its pool batch asks for 2 CPUs, but of 4 CPUs 2.5 are promised (zone out 2.5): 1.5 are "
                "left") &&
           advises("ask for at most 1, or zonectl set out cpu.reserved=… takes some back; zonectl plan -f "
                   "SPEC tells "
                   "beforehand what fits"),
       "the first zone of a pool brings the pool's promise");
    of(out)->reserved = -1;
    of(in)->set = (char *)"0";
    ok(divide() == 0 && set_is(p, "0,3") && set_is(in, "0"), "its own zone's CPU is among them");
    of(in2)->set = (char *)"3";
    ok(divide() == 0 && set_is(p, "0,3") && set_is(in2, "3"), "... each one's");
    p->held = "2-3";
    ok(divide() < 0 && says("none of the CPUs 0 of zone in is left to it (the pool has others)") &&
           advises("choose among 2-3: cpu.set=2-3"),
       "what it has it keeps, and says which");
    of(in)->set = (char *)"2";
    ok(divide() == 0 && set_is(in, "2"), "... and one of these is taken");
    of(p)->dedicated = of(out)->dedicated = 1;
    of(in2)->set = of(out)->set = NULL;
    p->held = "2";
    ok(divide() == 0 && set_is(p, "2") && set_is(out, "3"), "another finds whole CPUs beside it");
    p->held = NULL;
    of(in)->set = (char *)"3";
    ok(divide() == 0 && set_is(p, "3") && set_is(out, "2"), "... but not that of the pool's zone");
    of(p)->dedicated = 2;
    of(out)->dedicated = 0;
    of(in)->set = NULL;
    of(out)->reserved = 2.5;
    of(p)->dedicated = 0;
    of(p)->reserved = 1.75;
    l.asks = 0;
    ok(divide() < 0 &&
           says("asks for 1.75 CPUs, but of 4 CPUs 2.5 are promised (zone out 2.5): 1.5 are left"),
       "a pool that asks");
    in->pool = "nope";
    ok(divide() < 0 && ps.at[0].kind == ERR_NOT_FOUND && says("pool nope does not exist"),
       "a pool that is not there");
}

/* v1 takes no cap above that of any group around it. */
static void test_caps(void)
{
    reset("0-1");
    struct ledger_entry *p = add_pool("free"), *in = add("in"), *out = add("out");
    in->pool = "free";
    of(in)->cap = of(out)->cap = 2;
    host.cpu.reserved = 0.5;
    ok(divide() == 0 && out->cap == 1.5, "a cap is not above what the host leaves");
    ok(p->cap < 0 && in->cap == 1.5, "nor in a pool that has no cap");
    of(p)->cap = 2;
    ok(divide() == 0 && p->cap == 1.5 && in->cap == 1.5, "nor in one whose cap is above it, too");
    of(p)->cap = 1;
    ok(divide() == 0 && p->cap == 1 && in->cap == 1, "nor above its pool's");
}

static bool near(const char *what, double got, double want)
{
    bool same = got > want - 0.005 && got < want + 0.005;
    if (!same)
        printf("# %s is %.3f, not %.3f\n", what, got, want);
    return same;
}

static bool all_have(const struct ledger_entry *e, double cpus)
{
    return near("worst", e->worst, cpus) && near("sure", e->sure, cpus);
}

/* A quota on all zones stops every CPU alike. */
static void test_quota(void)
{
    reset("0-1");
    struct ledger_entry *a = add("a"), *b = add("b"), *c = add("c");
    of(b)->dedicated = 1;
    host.cpu.reserved = 1;
    ok(divide() == 0, "half of the machine is the host's, and one CPU dedicated");
    ledger_worst(&l);
    ok(all_have(b, 0.5), "... which gives its zone half of its time");
    ok(near("a", a->worst, 0.25) && near("c", c->worst, 0.25),
       "... and the other CPU the others half of its own");
    of(b)->cap = 0.2;
    ok(divide() == 0, "a cap below that");
    ledger_worst(&l);
    ok(all_have(b, 0.2), "... is what it is sure of");
    reset("0-3");
    of(add("own"))->dedicated = 1;
    of(add("sure"))->reserved = 1;
    for (unsigned i = 0; i < 5; i++)
        add("other");
    host.cpu.reserved = 2;
    good = divide() == 0;
    double part = gets(&entry[1]) / 2;
    ok(good && part >= 0.99 && part < 1.05, "a promise is weighed for the half of each CPU (%.3f)", part);
    ledger_worst(&l);
    ok(near("worst", entry[1].worst, 1) && entry[2].worst > 0.09, "... and the others have the rest");
    of(&entry[1])->set = (char *)"1";
    ok(divide() < 0 &&
           says(
               "zone sure is promised 1 CPUs and would get 0.50: on the CPUs of its set too much is promised "
               "to others and to the host, whose part is taken of every CPU alike"),
       "one CPU gives no more than its own part");
    reset("0-1");
    struct ledger_entry *p = add_pool("whole"), *in = add("in"), *in2 = add("in2");
    in->pool = in2->pool = "whole";
    of(p)->dedicated = 1;
    of(in)->reserved = 0.3;
    host.cpu.reserved = 1;
    ok(divide() == 0, "a dedicated CPU of a pool");
    ledger_worst(&l);
    ok(all_have(p, 0.5) && near("worst", in->worst, 0.3) && near("sure", in2->sure, 0.2),
       "... half of it is its zones', and a promise in it is kept");
    of(in)->reserved = 0.7;
    ok(divide() == 0, "a promise that fits the CPU, and not what is left of it, is taken as ever");
    ledger_worst(&l);
    ok(in->sure <= 0.5 && near("both", in->worst + in2->worst, 0.5), "... and told as what there is (%.2f)",
       in->sure);
}

/* Whoever has a cap is not sure of more, whatever else he was promised. */
static void test_capped_promises(void)
{
    reset("0-1");
    struct ledger_entry *c = add("c");
    of(c)->dedicated = 1;
    of(c)->cap = 0.5;
    ok(divide() == 0, "a dedicated CPU with a cap");
    ledger_worst(&l);
    ok(all_have(c, 0.5), "... is half a one");
    struct ledger_entry *p = add_pool("p"), *in = add("in"), *in2 = add("in2");
    in->pool = in2->pool = "p";
    of(c)->dedicated = 0;
    of(p)->dedicated = 1;
    of(p)->cap = 0.5;
    ok(divide() == 0, "a pool of one CPU with a cap");
    ledger_worst(&l);
    ok(all_have(p, 0.5) && all_have(in, 0.25) && all_have(in2, 0.25),
       "... has half a one for both of its zones");
    of(in)->reserved = 0.3;
    ok(divide() == 0, "a promise in it");
    ledger_worst(&l);
    ok(all_have(in, 0.3) && all_have(in2, 0.2), "... comes out of that half");
    of(p)->dedicated = 0;
    of(p)->reserved = 1;
    of(in)->reserved = 0.8;
    ok(divide() == 0, "a pool whose cap is below its promise, and a promise in it above it");
    ledger_worst(&l);
    ok(near("sure", p->sure, 0.5) && in->sure <= 0.5 && near("both", in->sure + in2->sure, 0.5),
       "... are sure of the cap together");
}

static void test_memory(void)
{
    reset("0-1");
    add("a")->memory = 5ull << 30;
    add("b")->memory = 2ull << 30;
    ok(divide() == 0, "7 of 8 GiB");
    add("c")->memory = 2ull << 30;
    ok(divide() < 0 && says("asks for 2048 MiB, but of 8192 MiB 7168 MiB are promised (zone a 5120 MiB, zone "
                            "b 2048 MiB): 1024 MiB are left"),
       "2 more are refused, with the arithmetic");
    entry[2].memory = UINT64_MAX - 1;
    ok(divide() < 0, "2^64 is no way round");
    entry[2].memory = 1ull << 30;
    host.memory.reserved = 1;
    ok(divide() < 0 && says("the host 0 MiB"), "one byte of the host's");
    host.memory.reserved = 3ull << 30;
    l.asks = -1;
    ok(divide() < 0 &&
           says("asks for 3072 MiB, but of 8192 MiB 8192 MiB are promised (zone a 5120 MiB, zone b 2048 MiB, "
                "zone c "
                "1024 MiB): 0 MiB are left") &&
           advises("zonectl set a memory.reserved=… takes some back; zonectl stats tells who uses what"),
       "the host's own memory");
}

static void test_part(void)
{
    reset("0-3");
    l.host_in_root = false;
    l.top_weights = 200;
    add("a");
    ok(divide() == 0 && l.part.weight == 100 && l.part.cap == 0, "nothing asked: the default weight");
    host.cpu.shares = 100;
    ok(divide() == 0 && l.part.weight == 200, "host and zone one to one, against two slices");
    add("b");
    ok(divide() == 0 && l.part.weight == 400, "two zones: two to one");
    host.cpu.reserved = 3;
    ok(divide() == 0 && l.part.weight == 66, "three of four CPUs are the host's, however many zones");
    of(&entry[1])->reserved = 1;
    host.cpu.shares = SPEC_UNSET;
    ok(divide() == 0 && l.part.weight == 67, "and the fourth is promised");
    host.cpu.reserved = 4;
    of(&entry[1])->reserved = -1;
    ok(divide() < 0, "all for the host is refused");
}

/* CPUs of a partition are out of the competition: host and zones divide the others by weight, and both promises
 * hold there. Without partitions the weight has to keep them. */
static void test_partition(void)
{
    reset("0-3");
    l.host_in_root = false;
    l.top_weights = 200;
    of(add("own"))->dedicated = 2;
    of(add("sure"))->reserved = 0.5;
    add("other");
    host.cpu.reserved = 1;
    good = divide() == 0;
    ok(good && l.part.weight > 200, "CPUs that the host may use, too, are kept by weight");
    l.exclusive_cpus = true;
    good = divide() == 0;
    double zones = 2.0 * (double)l.part.weight / ((double)l.part.weight + 200);
    ok(good && zones >= 0.5 && 2 - zones >= 1, "a partition: the host's CPU is left of the other two");
    ok(l.zones > 2 + zones - 0.01 && l.zones < 2 + zones + 0.01,
       "the zones' part: the dedicated, and of the others");
    ok(gets(&entry[1]) / 2 * zones >= 0.5, "... of which the promise is kept");
    ok(str_eq(l.part.exclusive, "2-3"), "the parent names the CPUs");
    l.host_in_root = true;
    host.cpu.reserved = -1;
    of(&entry[1])->reserved = -1;
    ok(divide() == 0 && l.part.weight == 0, "nothing else promised: no weight against the host's tasks");
    l.exclusive_cpus = false;
    ok(divide() == 0 && l.part.weight == 10000, "... which it takes without a partition");
}

static unsigned next(unsigned *seed)
{
    return *seed = *seed * 1103515245u + 12345u, *seed >> 8;
}

/* Parties come, change and go; whatever the ledger lets in, it keeps. */
static void test_random(void)
{
    static const char *const sets[] = {NULL, NULL, NULL, "0-3", "4-7", "0,2,4,6", "5"};
    unsigned seed = 7, refused = 0, done = 0, short_ = 0, overlap = 0, lost = 0;
    reset("0-7");
    l.n = MOST;
    char held[MOST][64] = {{0}};
    for (unsigned i = 0; i < MOST; i++)
        entry[i] = (struct ledger_entry){.name = "z", .cpu = &cpu[i]};
    for (unsigned step = 0; step < 1500; step++) {
        unsigned i = next(&seed) % MOST;
        struct spec_cpu was = cpu[i];
        cpu[i].shares = 1 + next(&seed) % 300;
        cpu[i].set = (char *)sets[next(&seed) % ARRAY_LEN(sets)];
        cpu[i].dedicated = next(&seed) % 6 ? 0 : 1 + next(&seed) % 2;
        cpu[i].reserved = cpu[i].dedicated || next(&seed) % 3 ? -1 : (next(&seed) % 150) / 100.0;
        if (cpu[i].dedicated)
            cpu[i].set = NULL;
        for (unsigned k = 0; k < MOST; k++)
            entry[k].held = held[k][0] ? held[k] : NULL;
        l.asks = (int)i;
        if (divide() < 0) {
            refused++;
            lost += !ps.at[0].message[0];
            cpu[i] = was;
            if (divide() < 0)
                lost++; /* what was accepted stays acceptable */
        }
        done++;
        for (unsigned k = 0; k < MOST; k++) {
            auto_free char *set = ledger_set(&l, &entry[k]);
            snprintf(held[k], sizeof(held[k]), "%s", cpu[k].dedicated && set ? set : "");
            short_ += cpu[k].reserved > 0 && gets(&entry[k]) < cpu[k].reserved * 0.97;
            overlap += cpu[k].dedicated && gets(&entry[k]) != (double)cpu[k].dedicated;
        }
    }
    ok(refused > 100 && done - refused > 1000, "random: %u steps, %u refused", done, refused);
    ok(!short_, "every promise holds after every step (%u do not)", short_);
    ok(!overlap, "no dedicated CPU is anybody else's (%u are)", overlap);
    ok(!lost, "what was accepted once is accepted again (%u are not)", lost);
}

/* CPUs 1 and 3 are offline: what counts is which are there, not how many. */
static void test_gaps(void)
{
    reset("0,2,4");
    struct ledger_entry *a = add("a"), *b = add("b"), *c = add("c");
    of(a)->set = (char *)"4";
    of(b)->set = (char *)"0,2";
    of(c)->reserved = 0.5;
    ok(divide() == 0, "sets around gaps");
    ledger_worst(&l);
    double sum = a->worst + b->worst + c->worst;
    ok(a->worst > 0.5 && a->worst < 1 && sum > 2.99 && sum < 3.01,
       "who has the last CPU is entitled to it: %.2f, all %.2f", a->worst, sum);
    ok(c->worst >= 0.5 && c->sure >= 0.5, "a promise over all of them: %.2f", c->worst);
    of(c)->reserved = -1;
    of(c)->dedicated = 1;
    of(b)->set = NULL;
    ok(divide() == 0 && set_is(c, "2"), "a dedicated CPU is one that is there");
    ledger_worst(&l);
    ok(a->worst > 0.5 && b->worst > 1 && a->worst + b->worst < 2.01,
       "the others share the rest: %.2f and %.2f", a->worst, b->worst);
}

int main(void)
{
    test_shares();
    test_reserved();
    test_dedicated();
    test_pools();
    test_caps();
    test_quota();
    test_capped_promises();
    test_memory();
    test_part();
    test_partition();
    test_random();
    test_gaps();
    reset("0");
    return done_testing();
}
