/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports, signals, CPU lists, names of the table and the reference made of it. */
#include "spec_test.h"
#include <signal.h>

static void port(const char *text, const char *want)
{
    struct spec_port p;
    struct err e = {0};
    int r = spec_parse_port(text, &p, &e);
    if (!want) {
        ok(r == -22 && strstr(e.text, "port") != NULL, "port %s: %s", text, e.text);
        return;
    }
    if (!ok(r == 0, "port %s (%s)", text, e.text))
        return;
    auto_free char *back = spec_print_port(&p);
    is_str(back, want, "printed");
    free(p.host_ip);
}

static void test_ports(void)
{
    port("8080:80", "8080:80");
    port("8080:80/tcp", "8080:80");
    port("53:53/udp", "53:53/udp");
    port("36412:36412/sctp", "36412:36412/sctp");
    port("127.0.0.1:5353:53/udp", "127.0.0.1:5353:53/udp");
    port("[fd00:0::5]:80:80", "[fd00::5]:80:80");
    port("0.0.0.0:80:80", "0.0.0.0:80:80");
    port("[::]:80:80", "[::]:80:80");
    port("9000-9010:9000-9010", "9000-9010:9000-9010");
    port("1-65535:1-65535", "1-65535:1-65535");
    static const char *const bad[] = {"",
                                      "80",
                                      ":80",
                                      "80:",
                                      "0:80",
                                      "80:0",
                                      "65536:80",
                                      "80:80/dccp",
                                      "80:80/",
                                      "a:80",
                                      "1.2.3:80:80",
                                      "[1.2.3.4]:80:80",
                                      "fd00::5:80:80",
                                      "80 :80",
                                      "+80:80",
                                      "90-80:90-80",
                                      "80-81-82:80-82",
                                      "1.2.3.4:80:80:80",
                                      "[::1]:80:80",
                                      "[::1:80:80",
                                      "0x50:80"};
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
        port(bad[i], NULL);
    struct err e = {0};
    struct spec_port p;
    is_int(spec_parse_port("80-81:80-82", &p, &e), -22, "ranges of different length");
    ok(strstr(e.text, "differ in length"), "says so");
    is_int(spec_parse_port(NULL, &p, NULL), -22, "none");
}

static void test_signals(void)
{
    int sig = 0;
    ok(!spec_parse_signal("SIGTERM", &sig) && sig == SIGTERM, "SIGTERM");
    ok(!spec_parse_signal("hup", &sig) && sig == SIGHUP, "hup");
    ok(!spec_parse_signal("9", &sig) && sig == SIGKILL, "9");
    ok(!spec_parse_signal("SIGRTMIN+3", &sig) && sig == SIGRTMIN + 3, "RTMIN+3");
    ok(!spec_parse_signal("RTMAX", &sig) && sig == SIGRTMAX, "RTMAX");
    ok(spec_parse_signal("0", &sig) < 0 && spec_parse_signal("65", &sig) < 0 &&
           spec_parse_signal("", &sig) < 0 && spec_parse_signal("SIG", &sig) < 0 &&
           spec_parse_signal("-9", &sig) < 0 && spec_parse_signal(NULL, &sig) < 0,
       "no signals");
    for (int i = 1; i <= 64; i++)
        if (spec_signal_name(i))
            ok(!spec_parse_signal(spec_signal_name(i), &sig) && sig == i, "%s", spec_signal_name(i));
    is_str(spec_signal_name(0), NULL, "0 has no name");
    is_str(spec_signal_name(99), NULL, "99 has none");
}

static void test_cpusets(void)
{
    uint16_t *cpus = NULL;
    unsigned n = 0;
    is_int(spec_parse_cpuset("6,0-3,2", &cpus, &n), 0, "6,0-3,2");
    ok(n == 5 && cpus[0] == 0 && cpus[3] == 3 && cpus[4] == 6, "sorted, once");
    free(cpus);
    static const char *const bad[] = {"",   "a",    "1-",     "-1", "3-1",   "1,,2",
                                      "1,", "4096", "0-4096", " 1", "1-2-3", "00001"};
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
        is_int(spec_parse_cpuset(bad[i], &cpus, &n), -22, "\"%s\"", bad[i]);
    is_int(spec_parse_cpuset("0-4095", &cpus, &n), 0, "all");
    is_int(n, 4096, "4096 of them");
    free(cpus);
}

static void test_reference(void)
{
    auto_free char *keys = spec_keys(), *troff = spec_reference(false), *markdown = spec_reference(true);
    char **v = str_split(keys, "\n");
    ok(strv_has(v, "cpu.shares") && strv_has(v, "network[].ports") && strv_has(v, "filesystems[].tmpfs"),
       "keys");
    for (unsigned i = 0; v[i]; i++) {
        auto_free char *cell = xasprintf("| `%s` |", v[i]);
        ok(strstr(markdown, cell) != NULL, "%s is documented", v[i]);
    }
    strv_free(v);
    ok(strstr(troff, ".TP\n.B cpu.shares\n"), "troff");
    ok(strstr(troff, "whole number: 1 to 10000; default 100; applied live"), "range and default");
    ok(strstr(markdown, "| at next boot |") == NULL && strstr(markdown, "| next boot |"), "when");
    is_str(spec_restart_name(SPEC_RESTART_UNLESS_STOPPED), "unless-stopped", "policy");
}

/* Every key that is not a list or mapping can be set by name, to what it has as default or to an example. */
static void test_set_every_key(void)
{
    static const char *const examples[] = {"version=1",
                                           "hostname=a",
                                           "process.user=www-data",
                                           "process.cwd=/a",
                                           "process.stop_signal=SIGINT",
                                           "process.stop_timeout=5s",
                                           "process.terminal=true",
                                           "autoboot=true",
                                           "restart.policy=always",
                                           "restart.max=5",
                                           "restart.backoff=2s",
                                           "health.tcp=80",
                                           "health.interval=1s",
                                           "health.timeout=1s",
                                           "health.retries=2",
                                           "health.start_period=1m",
                                           "health.action=stop",
                                           "cpu.shares=7",
                                           "cpu.cap=1.5",
                                           "cpu.burst=0.5",
                                           "cpu.set=0-3",
                                           "cpu.dedicated=1",
                                           "cpu.reserved=0.5",
                                           "cpu.idle=false",
                                           "cpu.pool=batch",
                                           "memory.cap=512M",
                                           "memory.soft=400M",
                                           "memory.reserved=128M",
                                           "memory.swap=0",
                                           "memory.hugepages=4M",
                                           "memory.oom=process",
                                           "memory.warn=80%",
                                           "memory.on_warn=event",
                                           "tasks=512",
                                           "io.weight=100",
                                           "io.read=50M",
                                           "io.write=50M",
                                           "io.read_ops=10",
                                           "io.write_ops=10",
                                           "network[0].link=lan",
                                           "network[0].address=10.0.0.5",
                                           "network[0].rate_in=100M",
                                           "network[0].rate_out=1G",
                                           "network[0].aliases[]=www",
                                           "network[0].ports[]=80:80",
                                           "filesystems[]={target: /a, tmpfs: 64M}",
                                           "filesystems[0].mode=ro",
                                           "security.seccomp=unconfined",
                                           "security.no_new_privs=false",
                                           "security.read_only_root=true",
                                           "security.capabilities.add[]=CAP_SYS_TIME",
                                           "devices[]=/dev/fuse",
                                           "sysctls.net.core.somaxconn=1",
                                           "shm=32M",
                                           "limits.nofile=2048",
                                           "limits.memlock=64K",
                                           "limits.core=0",
                                           "labels.a=b",
                                           "depends[]=db",
                                           "process.env.A=b",
                                           "process.args=[a]"};
    struct problems ps = {0};
    char **edits = NULL;
    for (unsigned i = 0; i < ARRAY_LEN(examples); i++)
        strv_add(&edits, examples[i]);
    auto_free char *all = NULL, *none = NULL, *line = NULL;
    is_int(spec_edit(HEAD, "t", edits, &all, NULL, &ps), 0, "all set in one transaction");
    for (unsigned i = 0; i < ps.len; i++)
        printf("# %s: %s\n", ps.at[i].key, ps.at[i].message);
    auto_spec struct spec *s = all ? parse(all, NULL) : NULL;
    ok(s && s->cpu.shares == 7 && s->memory.cap == 512 << 20 && s->filesystems.at[0].read_only,
       "and read back");
    for (unsigned i = 0; edits[i]; i++) { /* and unset again, the last first where that matters */
        strchr(edits[i], '=')[1] = '\0';
        char *brackets = strstr(edits[i], "[]");
        if (brackets) {
            line = xasprintf("%.*s[0]%s", (int)(brackets - edits[i]), edits[i], brackets + 2);
            free(edits[i]);
            edits[i] = take_ptr(&line);
        }
        if (str_starts(edits[i], "filesystems[0].mode"))
            edits[i][0] = 'f', strcpy(edits[i], "shm=");
        if (str_starts(edits[i], "health.tcp"))
            strcpy(edits[i], "health=");
    }
    is_int(all ? spec_edit(all, "t", edits, &none, NULL, &ps) : -1, 0, "all unset");
    for (unsigned i = 0; i < ps.len; i++)
        printf("# %s: %s\n", ps.at[i].key, ps.at[i].message);
    is_str(none, HEAD "network:\n  - {}\n", "what stays: the links");
    problems_done(&ps);
    strv_free(edits);
}

int main(void)
{
    test_ports();
    test_signals();
    test_cpusets();
    test_reference();
    test_set_every_key();
    return done_testing();
}
