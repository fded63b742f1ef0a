/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole specs: the contract's example, defaults, round trips, copies, differences, how long it takes. */
#include "base/clock.h"
#include "spec_test.h"
#include <signal.h>

static const char full[] =
    "version: 1\n"
    "zone: web                    # the name\n"
    "image: nginx:1\n"
    "init: app\n"
    "process: {args: [nginx, -g, daemon off;], env: {TZ: UTC}, user: www-data, cwd: /, stop_signal: "
    "SIGQUIT,\n"
    "          stop_timeout: 10s, terminal: false}\n"
    "hostname: web\n"
    "autoboot: true\n"
    "depends: [db]\n"
    "restart: {policy: on-failure, max: 5, backoff: 1s}\n"
    "health: {http: \"http://127.0.0.1/\", interval: 5s, timeout: 1s, retries: 3, start_period: 10s, action: "
    "restart}\n"
    "cpu: {shares: 100, cap: 1.5, burst: 0, set: 0-3, dedicated: 2, reserved: 0.5, idle: false, pool: "
    "batch}\n"
    "memory: {cap: 512M, soft: 400M, reserved: 128M, swap: 0, oom: zone, warn: 80%, on_warn: event}\n"
    "tasks: 512\n"
    "io: {weight: 100, read: 50M, write: 50M, read_ops: 1000, write_ops: 1000}\n"
    "network:\n"
    "  - {link: default, address: auto, ports: [\"8080:80\", \"127.0.0.1:5353:53/udp\", "
    "\"9000-9010:9000-9010\"],\n"
    "     rate_in: 100M, rate_out: 100M, aliases: [www]}\n"
    "filesystems:\n"
    "  - {target: /srv, volume: data, mode: rw}\n"
    "  - {target: /etc/app.conf, bind: /etc/app.conf, mode: ro}\n"
    "  - {target: /tmp, tmpfs: 64M}\n"
    "security: {capabilities: {add: [], drop: []}, seccomp: default, no_new_privs: true, read_only_root: "
    "false}\n"
    "devices: [/dev/fuse, /dev/net/tun]\n"
    "sysctls: {net.core.somaxconn: 4096}\n"
    "shm: 64M\n"
    "limits: {nofile: 1024, memlock: 64K, core: 0}\n"
    "labels: {tier: web}\n";

static void test_full(const struct spec *s)
{
    is_str(s->zone, "web", "zone");
    is_str(s->image, "nginx:1", "image");
    is_str(s->process.args[2], "daemon off;", "args");
    is_str(s->process.env.at[0].value, "UTC", "env");
    is_int(s->process.stop_signal, SIGQUIT, "stop_signal");
    ok(s->process.stop_signal_given, "stop_signal is given");
    is_int(s->process.stop_timeout_ms, 10000, "stop_timeout");
    ok(s->autoboot, "autoboot");
    is_int(s->restart.policy, SPEC_RESTART_ON_FAILURE, "restart.policy");
    is_int(s->health.kind, SPEC_HEALTH_HTTP, "health.kind");
    ok(s->cpu.cap == 1.5 && s->cpu.burst == 0 && s->cpu.reserved == 0.5, "cpu in CPUs");
    is_int(s->cpu.dedicated, 2, "dedicated");
    is_int(s->memory.cap, 512 << 20, "memory.cap");
    is_int(s->memory.swap, 0, "memory.swap");
    is_int(s->memory.warn_percent, 80, "memory.warn");
    is_int(s->network.len, 1, "one link");
    ok(!s->network.at[0].address, "auto is no address");
    is_int(s->network.at[0].ports.len, 3, "ports");
    is_str(s->network.at[0].ports.at[1].host_ip, "127.0.0.1", "port's address");
    is_int(s->network.at[0].rate_in, 100000000, "rate in bits");
    is_int(s->filesystems.len, 3, "filesystems");
    ok(s->filesystems.at[1].read_only && s->filesystems.at[1].kind == SPEC_MOUNT_BIND, "bind, ro");
    is_int(s->filesystems.at[2].size, 64 << 20, "tmpfs");
    is_int(s->limits.core, 0, "limits.core");
    is_str(s->labels.at[0].key, "tier", "labels");
}

static void test_defaults(void)
{
    auto_spec struct spec *s = parse(HEAD, NULL);
    ok(s != NULL, "zone and image are enough");
    is_int(s->cpu.shares, 100, "shares");
    ok(s->cpu.cap < 0, "no cap");
    ok(s->memory.cap == SPEC_UNSET && s->restart.max == SPEC_UNSET && s->limits.nofile == SPEC_UNSET,
       "unset");
    is_int(s->tasks, 4096, "tasks");
    is_int(s->shm, 64 << 20, "shm");
    is_int(s->network.len, 1, "one link");
    is_str(s->network.at[0].link, "default", "to default");
    ok(s->network.at[0].rate_in == SPEC_UNSET, "no rate");
    is_int(s->process.stop_signal, SIGTERM, "SIGTERM");
    ok(!s->process.stop_signal_given, "by default");
    ok(s->security.no_new_privs, "no_new_privs for app");
    is_int(s->health.kind, SPEC_HEALTH_NONE, "no health");
    auto_spec struct spec *sys = parse(HEAD "init: system\n", NULL);
    ok(!sys->security.no_new_privs, "not for system");
    is_int(sys->process.stop_signal, SIGRTMIN + 3, "systemd's halt");
    auto_spec struct spec *none = parse(HEAD "network: []\n", NULL);
    is_str(none->network.at[0].link, "none", "an empty network is none");
}

static void round_trip(const struct spec *s, const char *name)
{
    struct err e = {0};
    auto_js json *j = spec_to_json(s);
    auto_spec struct spec *back = NULL;
    is_int(spec_from_json(j, &back, &e), 0, "%s: from_json (%s)", name, e.text);
    auto_js json *again = back ? spec_to_json(back) : NULL;
    auto_free char *a = js_dump(j, false), *b = again ? js_dump(again, false) : NULL;
    is_str(b, a, "%s: to_json again is equal", name);
    auto_spec struct spec *text = NULL;
    is_int(spec_parse(a, strlen(a), "j", &text, NULL), 0, "%s: its JSON text parses", name);
    auto_spec struct spec *copy = spec_copy(s);
    spec_changes c = {0};
    spec_diff(s, copy, &c);
    if (back)
        spec_diff(s, back, &c);
    if (text)
        spec_diff(s, text, &c);
    is_int(c.len, 0, "%s: no difference", name);
    spec_changes_done(&c);
}

static const struct spec_change *change_of(const spec_changes *c, const char *key)
{
    for (unsigned i = 0; i < c->len; i++)
        if (!strcmp(c->at[i].key, key))
            return &c->at[i];
    return NULL;
}

static void changed(const spec_changes *c, const char *key, const char *before, const char *after, bool live)
{
    const struct spec_change *x = change_of(c, key);
    if (!ok(x != NULL, "%s differs", key))
        return;
    is_str(x->before, before, "%s before", key);
    is_str(x->after, after, "%s after", key);
    is_int(x->when, live ? SPEC_LIVE : SPEC_NEXT_BOOT, "%s when", key);
}

static void test_diff(void)
{
    auto_spec struct spec *a = parse(HEAD "cpu: {shares: 5}\nlabels: {a: x, b: y}\n", NULL);
    auto_spec struct spec *b =
        parse("zone: web\nimage: nginx:1\ncpu: {cap: 0.5}\nlabels: {b: z}\nmemory: {cap: 1G}\n"
              "network: [{link: default, ports: [\"8080:80\"], address: 10.0.0.5}]\n"
              "filesystems: [{target: /a, tmpfs: 1M}]\nhealth: {tcp: 80}\n",
              NULL);
    spec_changes c = {0};
    spec_diff(a, b, &c);
    is_str(c.at[0].key, "image", "table's order");
    changed(&c, "image", "host", "nginx:1", false);
    changed(&c, "cpu.shares", "5", "100", true);
    changed(&c, "cpu.cap", NULL, "0.5", true);
    changed(&c, "labels.a", "x", NULL, true);
    changed(&c, "labels.b", "y", "z", true);
    changed(&c, "memory.cap", NULL, "1G", true);
    changed(&c, "network[0].ports", NULL, "[\"8080:80\"]", true);
    changed(&c, "network[0].address", "auto", "[\"10.0.0.5\"]", true);
    changed(&c, "filesystems[0]", NULL, "{\"target\":\"/a\",\"tmpfs\":\"1M\",\"mode\":\"rw\"}", false);
    changed(&c, "health.tcp", NULL, "80", true);
    ok(!change_of(&c, "tasks"), "equal keys are not named");
    spec_changes_done(&c);
}

/* What only the other pool can give waits with it; what is given back does not. */
static void test_pool_diff(void)
{
    auto_spec struct spec *a = parse(HEAD "cpu: {pool: p, set: 0-1, dedicated: 2}\n", NULL);
    auto_spec struct spec *b = parse(HEAD "cpu: {set: 1, reserved: 0.5, shares: 7}\n", NULL);
    spec_changes c = {0};
    spec_diff(a, b, &c);
    changed(&c, "cpu.pool", "p", NULL, false);
    changed(&c, "cpu.reserved", NULL, "0.5", false);
    changed(&c, "cpu.set", "0-1", "1", false);
    changed(&c, "cpu.dedicated", "2", NULL, true);
    changed(&c, "cpu.shares", "100", "7", true);
    spec_changes_done(&c);
    struct spec *stays = NULL;
    is_int(spec_stay(a, b, &stays, NULL), 0, "what it is until then");
    spec_free(b);
    b = stays;
    spec_diff(a, b, &c);
    is_int(c.len, 2, "until then it keeps its pool");
    changed(&c, "cpu.dedicated", "2", NULL, true);
    changed(&c, "cpu.shares", "100", "7", true);
    spec_changes_done(&c);
}

static void test_time(void)
{
    auto_spec struct spec *s = parse(full, NULL);
    uint64_t t0 = clock_mono_us();
    for (int i = 0; i < 500; i++)
        spec_free(parse(full, NULL));
    uint64_t t1 = clock_mono_us();
    for (int i = 0; i < 500; i++) {
        auto_js json *j = spec_to_json(s);
        struct spec *back = NULL;
        (void)spec_from_json(j, &back, NULL);
        spec_free(back);
    }
    uint64_t t2 = clock_mono_us();
    for (int i = 0; i < 500; i++)
        spec_free(spec_copy(s));
    uint64_t t3 = clock_mono_us();
    printf("# parse %.1f us, to_json+from_json %.1f us, copy %.1f us\n", (double)(t1 - t0) / 500,
           (double)(t2 - t1) / 500, (double)(t3 - t2) / 500);
}

int main(void)
{
    struct problems ps = {0};
    auto_spec struct spec *s = parse(full, &ps);
    for (unsigned i = 0; i < ps.len; i++)
        printf("# %d %s %s\n", ps.at[i].line, ps.at[i].key, ps.at[i].message);
    if (ok(s != NULL, "the contract's example is taken")) {
        test_full(s);
        round_trip(s, "full");
    }
    test_defaults();
    auto_spec struct spec *least = parse(HEAD, NULL);
    round_trip(least, "least");
    auto_spec struct spec *sys = parse(HEAD "init: system\nnetwork: []\nhealth: {exec: [/bin/true]}\n", NULL);
    round_trip(sys, "system");
    test_diff();
    test_pool_diff();
    test_time();
    return done_testing();
}
