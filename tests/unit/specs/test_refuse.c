/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bad input: each is refused with its line, its key and what is allowed; several at once; nothing explodes.
 */
#include "spec_test.h"

static void test_names(void)
{
    refused("zone: ..\nimage: host\n", "t.yaml:1: zone: \"..\" is not a name");
    refused("zone: a/b\nimage: host\n", "zone: \"a/b\"");
    refused("zone: Web\nimage: host\n", "zone: \"Web\"");
    refused("zone: -a\nimage: host\n", "zone:");
    refused("zone: a-\nimage: host\n", "zone:");
    refused("zone: abcdefghijabcdefghijabcdefghijabc\nimage: host\n", "zone:");
    refused("image: host\n", "zone: is missing");
    refused("zone: a\n", "image: is missing");
    refused("", "is empty");
    refused("# nothing\n", "is empty");
    refused("- a\n", "is not a mapping");
    refused("text\n", "is not a mapping");
    struct err e = {0};
    is_int(spec_check_name("zone", "abcdefghijabcdefghijabcdefghijab", NULL), 0, "32 characters");
    is_int(spec_check_name("volume", "A", &e), -22, "capitals");
    is_str(e.text, "volume \"A\" is not a name (a-z, 0-9 and - inside; at most 32 characters)",
           "says of what");
    is_int(spec_check_name("zone", NULL, NULL), -22, "none");
    is_int(spec_check_name("zone", "", NULL), -22, "empty");
}

static void test_images(void)
{
    static const char *const good[] = {
        "host",
        "nginx",
        "nginx:1",
        "a/b/c:t",
        "quay.io/a/b",
        "localhost:5000/a_b/c__d.e-f",
        "dir:/srv/a",
        "tar:/srv/a.tar",
        "a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "localhost/a:1",
        "a---b"};
    static const char *const bad[] = {
        "Nginx", "a b",         "a:",    ":a",   "a//b", "/a",           "a/",   "a:.x", "a@sha256:12",
        "dir:a", "dir:/a/../b", "a___b", "a..b", "-a",   "h.io:99999/a", "tar:", "@"};
    for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
        auto_free char *t = xasprintf("zone: a\nimage: %s\n", good[i]);
        auto_spec struct spec *s = parse(t, NULL);
        ok(s && !strcmp(s->image, good[i]), "image %s", good[i]);
    }
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        auto_free char *t = xasprintf("zone: a\nimage: \"%s\"\n", bad[i]);
        refused(t, "2: image: ");
    }
}

static void test_text(void)
{
    struct problems ps = {0};
    size_t n = 2u << 20;
    auto_free char *big = xcalloc(n + 1, 1);
    struct spec *s = NULL;
    memset(big, '#', n);
    is_int(spec_parse(big, n, "t", &s, &ps), -22, "2 MiB");
    ok(strstr(ps.at[0].message, "too large"), "says so");
    is_int(ps.at[0].kind, ERR_INVALID, "as invalid");
    problems_done(&ps);
    is_int(spec_parse("zone: a\nimage: \0host\n", 22, "t", &s, &ps), -22, "NUL");
    is_int(ps.at[0].line, 2, "in line 2");
    problems_done(&ps);
    refused(HEAD "hostname: \xff\n", "t.yaml:3: is not valid UTF-8");
    refused(HEAD "hostname: \x1b[1m\n", "control character 0x1b");
    refused("\x7f"
            "ELF\x02\x01\x01",
            "control character");
    refused(HEAD "hostname: \"a\\0b\"\n", "t.yaml:3: hostname: holds a NUL");
    refused(HEAD "a: &a [x]\nb: *a\n", "t.yaml:3: the anchor or alias \"a\" is not taken");
    refused(HEAD "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n", "anchor");
    refused(HEAD "shm: !!str 64M\n", "t.yaml:3: the tag");
    refused(HEAD "---\nzone: b\n", "second document");
    refused(HEAD "cpu: {shares: 1\n", "is not YAML");
    refused(HEAD "? [a]\n: b\n", "a key must be plain text");
    refused("zone: a\nimage: host\nshm: 1M\nzone: b\n", "t.yaml:4: zone: is given twice (first in line 1)");
    refused(HEAD "cpu:\n  cap: 1\n  cap: 2\n", "t.yaml:5: cpu.cap: is given twice (first in line 4)");
    refused(HEAD "network: [{}, {link: a, link: b}]\n", "network[1].link: is given twice");
    refused("{\"zone\": \"a\", \"image\": \"host\", \"zone\": \"b\"}",
            "zone: is given twice (first in line 1)");
    auto_free char *deep = xasprintf(HEAD "a: %0*d\n", 40, 0);
    memset(strchr(deep, '0'), '[', 40);
    refused(deep, "nested too deep (at most 32");
    struct str many = {0};
    str_add(&many, HEAD "process: {args: [");
    for (int i = 0; i < 25000; i++)
        str_add(&many, "a,");
    str_add(&many, "]}\n");
    refused(many.p, "too many values (at most 20000)");
    str_done(&many);
}

static void test_json_text(void)
{
    static const char text[] =
        "{\"zone\":\"web\",\n\t\"image\":\"host\",\"process\":{\"args\":[\"a\\/b\",\"\\ud83d\\ude00\","
        "\"\\u00e9\\\\ud83d\"]},\"cpu\":{\"cap\":1.5,\"shares\":7}}";
    auto_spec struct spec *s = parse(text, NULL);
    if (!ok(s != NULL, "JSON text"))
        return;
    is_str(s->process.args[0], "a/b", "\\/");
    is_str(s->process.args[1], "\xf0\x9f\x98\x80", "a surrogate pair");
    is_str(s->process.args[2], "\xc3\xa9\\ud83d", "an escaped backslash is none");
    ok(s->cpu.cap == 1.5 && s->cpu.shares == 7, "numbers");
    auto_spec struct spec *bom = parse("\xef\xbb\xbfzone: a\nimage: host\n", NULL);
    ok(bom != NULL, "a byte order mark");
    refused("{\"zone\":\"a\",\"image\":\"host\",\"hostname\":\"\\ud83d\"}", "is not YAML");
}

static void test_numbers(void)
{
    refused_body("cpu:\n  shares: 0\n", "t.yaml:4: cpu.shares: 0 is out of range (1 to 10000)");
    refused_body("cpu: {shares: 10001}\n", "cpu.shares: 10001 is out of range (1 to 10000)");
    refused_body("cpu: {shares: -1}\n", "cpu.shares: -1 is out of range");
    refused_body("cpu: {shares: \"5\"}\n",
                 "cpu.shares: \"5\" is text, not a number (1 to 10000, without quotes)");
    refused_body("cpu: {shares: 5.5}\n", "is not a whole number");
    refused_body("cpu: {shares: 0x10}\n", "is not a whole number");
    refused_body("cpu: {shares: 99999999999999999999}\n", "out of range");
    refused_body("cpu: {shares: [5]}\n", "cpu.shares: is a list (wanted: whole number)");
    refused_body("cpu: {cap: -1}\n", "cpu.cap: -1 is out of range (0.01 to 4096 CPUs)");
    refused_body("cpu: {cap: 0.001}\n", "out of range");
    static const char *const odd[] = {".nan", ".inf", "inf", "NaN",          "0x1", "1e3",
                                      "1,5",  "1.",   ".5",  "1.0000000001", "+1"};
    for (unsigned i = 0; i < ARRAY_LEN(odd); i++) {
        auto_free char *t = xasprintf("cpu: {cap: \"%s\"}\n", odd[i]),
                       *u = xasprintf("cpu:\n  cap: %s\n", odd[i]);
        refused_body(t, "cpu.cap: ");
        refused_body(u, "cpu.cap: ");
    }
    taken("cpu: {cap: 0.01}\n", "\"cap\":0.01");
    taken("cpu: {cap: 2.0}\n", "\"cap\":2");
    taken("cpu: {cap: 0.1, reserved: 0.07}\n", "\"cap\":0.1,\"reserved\":0.07");
    refused_body("memory: {cap: 1}\n", "memory.cap: 1 is out of range (4M to");
    refused_body("memory: {cap: 512MB}\n", "is not a size like 512M");
    refused_body("memory: {cap: 64m}\n", "memory.cap: \"64m\" is not a size like 64M (4M to");
    refused_body("memory: {cap: 1.5gib}\n", "\"1.5gib\" is not a size like 1.5G (");
    refused_body("memory: {cap: 1..5M}\n", "\"1..5M\" is not a size like 512M (");
    refused_body("memory: {cap: 64mm}\n", "\"64mm\" is not a size like 512M (");
    refused_body("filesystems: [{target: /a, tmpfs: 64k}]\n", "\"64k\" is not a size like 64K (");
    refused_body("memory: {cap: 1Q}\n", "memory.cap");
    refused_body("memory: {cap: -5M}\n", "memory.cap: -5M is out of range");
    taken("memory: {cap: 536870912}\n", "\"cap\":\"512M\"");
    taken("memory: {cap: \"1.5G\"}\n", "\"cap\":\"1536M\"");
    refused_body("memory: {cap: 8M, soft: 9M}\n", "memory.soft: is more than cap");
    refused_body("memory: {cap: 8M, reserved: 9M}\n", "memory.reserved: is more than cap");
    refused_body("memory: {warn: 80%}\n", "memory.warn: is given without cap");
    refused_body("memory: {cap: 8M, warn: 80}\n", "memory.warn: \"80\" is not a percentage");
    refused_body("memory: {cap: 8M, warn: 101%}\n", "memory.warn: 101% is out of range (1% to 100%)");
    refused_body("memory: {on_warn: stop}\n", "memory.on_warn: \"stop\" is not known (event)");
    refused_body("memory: {oom: x}\n", "memory.oom: \"x\" is not known (zone or process)");
    refused_body("process: {stop_timeout: 10}\n", "is not a time like 10s");
    taken("process: {stop_timeout: 500ms}\n", "\"stop_timeout\":\"500ms\"");
    refused_body("tasks: 0\n", "tasks: 0 is out of range");
    refused_body("io: {weight: 0}\n", "io.weight: 0 is out of range");
    refused_body("io: {read: 1}\n", "io.read");
    refused_body("cpu: {burst: 1}\n", "cpu.burst: is given without cap");
    refused_body("cpu: {cap: 1, burst: 2}\n", "cpu.burst: is more than cap");
    refused_body("cpu: {set: 0-1, dedicated: 3}\n", "cpu.dedicated: is more than set");
    refused_body("cpu: {set: 3-1}\n", "cpu.set");
    refused_body("cpu: {set: 0-4096}\n", "cpu.set");
    refused_body("cpu: {set: \"0,\"}\n", "cpu.set");
    taken("cpu: {set: \"3,0-1,2\"}\n", "\"set\":\"0-3\"");
    taken("cpu: {set: 5}\n", "\"set\":\"5\"");
    refused_body("version: 2\n", "version: 2 is out of range (1 to 1)");
    refused_body("limits: {nofile: 1}\n", "limits.nofile");
    refused_body("shm: 1\n", "shm: 1 is out of range");
}

static void test_keys(void)
{
    refused_body("cpu: {share: 5}\n", "t.yaml:3: cpu.share: unknown key (did you mean cpu.shares?)");
    refused_body("labels: {a: b}\nmemmory: {cap: 1G}\n",
                 "t.yaml:4: memmory: unknown key (did you mean memory?)");
    refused_body("process: {evnn: {}}\n", "process.evnn: unknown key (did you mean process.env?)");
    refused_body("shares: 5\n", "shares: unknown key (did you mean cpu.shares?)");
    refused_body("cpu.shares: 5\n", "cpu.shares: unknown key");
    refused_body("zzzzzzzz: 5\n", "zzzzzzzz: unknown key (zone.yaml(5)");
    refused_body("disk: {size: 10G}\n", "disk: is not available in this version");
    refused_body("cpu: 5\n", "cpu: is not a mapping");
    refused_body("network: [{lnk: a}]\n", "network[0].lnk: unknown key (did you mean link?)");
    refused_body("autoboot: \"true\"\n", "autoboot: \"true\" is neither true nor false");
    refused_body("autoboot: 1\n", "autoboot");
    taken("autoboot: yes\n", "\"autoboot\":true");
    taken("cpu:\n  cap:\n", "\"shares\":100");
    taken("cpu: ~\n", "\"shares\":100");
    taken("hostname: null\n", "\"zone\":\"web\"");
    struct problems ps = {0};
    auto_spec struct spec *s = parse("zone: A\ncpu: {shares: 0, x: 1}\ntasks: no\n", &ps);
    ok(!s && ps.len == 5, "all problems at once (%u)", ps.len);
    problems_done(&ps);
    struct err e = {0};
    auto_js json *j = js_parse("{\"zone\":\"a\",\"cpu\":{\"cap\":-1}}", 31, NULL);
    struct spec *none = NULL;
    ok(spec_from_json(j, &none, &e) == -22 && e.kind == ERR_INVALID && !none, "from_json refuses: %s",
       e.text);
}

static void test_process(void)
{
    refused_body("process: {args: nginx}\n", "process.args: is one value (wanted: list)");
    refused_body("process: {args: [[a]]}\n", "process.args[0]: is not one value");
    refused_body("process: {args: [\"\"]}\n", "process.args: begins with an empty");
    refused_body("init: system\nprocess: {args: [a]}\n", "process.args: is given with init: system");
    refused_body("init: x\n", "init: \"x\" is not known (app or system)");
    taken("process: {args: [a, \"\", a, 5, true]}\n", "[\"a\",\"\",\"a\",\"5\",\"true\"]");
    refused_body("process: {env: {1A: b}}\n", "process.env.1A: is not a variable's name");
    refused_body("process: {env: {A-B: b}}\n", "process.env.A-B");
    refused_body("process: {env: {A: [b]}}\n", "process.env.A: is not one value");
    refused_body("process: {env: {A: null}}\n", "process.env.A: is empty");
    taken("process: {env: {A: , B: \"null\", C: 08:00}}\n", "{\"A\":\"\",\"B\":\"null\",\"C\":\"08:00\"}");
    static const char *const users[] = {"root", "0",     "1000:1000", "www-data:www-data",
                                        "a_b",  "65534", "Bob",       "a.b"};
    for (unsigned i = 0; i < ARRAY_LEN(users); i++) {
        auto_free char *t = xasprintf("process: {user: \"%s\"}\n", users[i]);
        taken(t, users[i]);
    }
    static const char *const no_users[] = {
        "-1",    "+1",  " 1", "1 ", "0x0", "4294967296",          "65535", "65536", "00", "a:", ":a",
        "a:b:c", "a b", "-a", "1a", "1e3", "99999999999999999999"};
    for (unsigned i = 0; i < ARRAY_LEN(no_users); i++) {
        auto_free char *t = xasprintf("process: {user: \"%s\"}\n", no_users[i]);
        refused_body(t, "process.user: ");
    }
    refused_body("process: {cwd: a}\n", "process.cwd: \"a\" is not a clean absolute path");
    refused_body("process: {cwd: /a/../b}\n", "process.cwd");
    refused_body("process: {stop_signal: SIGFOO}\n", "process.stop_signal: \"SIGFOO\" is not a signal");
    taken("process: {stop_signal: quit}\n", "\"stop_signal\":\"SIGQUIT\"");
    taken("process: {stop_signal: 15}\n", "\"stop_signal\":\"SIGTERM\"");
    taken("process: {stop_signal: RTMIN+3}\n", "\"stop_signal\":\"SIGRTMIN+3\"");
    refused_body("hostname: a_b\n", "hostname: \"a_b\" is not a host name");
    refused_body("depends: [web]\n", "depends: names the zone itself");
    refused_body("depends: [a, a]\n", "depends[1]: \"a\" is given twice");
    refused_body("depends: [A]\n", "depends[0]: \"A\" is not a name");
    refused_body("restart: {policy: sometimes}\n", "(no, on-failure, always or unless-stopped)");
    taken("restart: {policy: no}\n", "\"policy\":\"no\"");
}

static void test_health(void)
{
    refused_body("health: {interval: 5s}\n", "health: needs exactly one check (exec, http or tcp)");
    refused_body("health: {tcp: 80, exec: [a]}\n", "health: needs exactly one");
    refused_body("health: {exec: []}\n", "health.exec: is empty");
    refused_body("health: {http: ftp://a/}\n", "health.http");
    refused_body("health: {http: \"http://u@h/\"}\n", "health.http");
    refused_body("health: {http: \"http:///\"}\n", "health.http");
    refused_body("health: {tcp: 0}\n", "health.tcp: 0 is out of range (1 to 65535)");
    taken("health: {tcp: 80}\n", "\"health\":{\"tcp\":80,\"interval\":\"10s\"");
    taken("health: {}\n", "\"zone\":\"web\"");
}

static void test_security(void)
{
    taken("security: {capabilities: {add: [cap_net_admin, SYS_time], drop: [all]}}\n",
          "{\"add\":[\"NET_ADMIN\",\"SYS_TIME\"],\"drop\":[\"ALL\"]}");
    refused_body("security: {capabilities: {add: [ALL]}}\n",
                 "security.capabilities.add[0]: \"ALL\" is not a capability");
    refused_body("security: {capabilities: {drop: [FOO]}}\n", "security.capabilities.drop[0]");
    refused_body("security: {capabilities: {add: [KILL], drop: [KILL]}}\n", "adds and drops");
    refused_body("security: {seccomp: x}\n", "(default or unconfined)");
    taken("init: system\nsecurity: {no_new_privs: true}\n", "\"no_new_privs\":true");
    taken("init: system\n", "\"no_new_privs\":false");
    refused_body("devices: [/etc/passwd]\n", "devices[0]: \"/etc/passwd\" is not a device");
    refused_body("devices: [/dev/../etc]\n", "devices[0]");
    refused_body("devices: [/dev/]\n", "devices[0]");
    refused_body("devices: [/dev/fuse, /dev/fuse]\n", "given twice");
    refused_body("sysctls: {net/core: 5}\n", "sysctls.net/core: is not a kernel setting");
    refused_body("sysctls: {net..core: 5}\n", "is not a kernel setting");
    refused_body("sysctls: {net.core: \"a\\nb\"}\n", "is not one line");
    refused_body("labels: {\"a b\": c}\n", "labels.a b: is not a label's name");
    refused_body("labels: [a]\n", "labels: is a list (wanted: mapping)");
}

static void test_filesystems(void)
{
    static const char *const bad[] = {"/",        "/proc", "/proc/x", "/sys",   "/sys/fs", "/dev",
                                      "/dev/shm", "a",     "/a/../b", "/a/./b", "//a",     "/a/"};
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        auto_free char *t = xasprintf("filesystems:\n  - {target: %s, volume: v}\n", bad[i]);
        refused_body(t, "t.yaml:4: filesystems[0].target: ");
    }
    taken("filesystems: [{target: /process, volume: v}]\n",
          "{\"target\":\"/process\",\"volume\":\"v\",\"mode\":\"rw\"}");
    refused_body("filesystems: [{volume: v}]\n", "filesystems[0].target: is missing");
    refused_body("filesystems: [{target: /a}]\n",
                 "filesystems[0]: needs exactly one of volume, bind and tmpfs");
    refused_body("filesystems: [{target: /a, volume: v, bind: /b}]\n", "needs exactly one");
    refused_body("filesystems: [{target: /a, volume: v, tmpfs: 1M}]\n", "needs exactly one");
    refused_body("filesystems: [{target: /a, bind: b}]\n", "filesystems[0].bind");
    refused_body("filesystems: [{target: /a, volume: B}]\n", "filesystems[0].volume");
    refused_body("filesystems: [{target: /a, tmpfs: x}]\n", "filesystems[0].tmpfs: \"x\" is not a size");
    refused_body("filesystems: [{target: /a, tmpfs: 1}]\n", "filesystems[0].tmpfs: 1 is out of range (4K to");
    refused_body("filesystems: [{target: /a, tmpfs: 1M, mode: x}]\n", "(rw or ro)");
    refused_body("filesystems: [{target: /a, tmpfs: 1M}, {target: /a, volume: v}]\n",
                 "is the target of item 0 too");
    refused_body("filesystems: [a]\n", "filesystems[0]: is not a mapping");
}

static void test_network(void)
{
    refused_body("network: [{link: Lan}]\n", "network[0].link: \"Lan\" is not a link");
    refused_body("network: [{link: zone:web}]\n", "of the zone itself");
    refused_body("network: [{link: host}, {link: lan}]\n", "network[0]: link host stands with other links");
    refused_body("network: [{link: host, ports: [\"80:80\"]}]\n",
                 "network[0].ports: is given with link host");
    refused_body("network: [{link: none, address: 10.0.0.5}]\n",
                 "network[0].address: is given with link none");
    refused_body("network: [{link: zone:db, rate_in: 1M}]\n",
                 "network[0].rate_in: is given with link zone:db");
    taken("network: [{link: zone:db}]\n", "\"link\":\"zone:db\",\"address\":\"auto\"");
    static const char *const bad[] = {"10.0.0", "10.0.0.5/24", "127.0.0.1", "0.0.0.0", "224.0.0.1",
                                      "::1",    "fe80::1",     "::",        "x",       "ff02::1"};
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        auto_free char *t = xasprintf("network: [{address: \"%s\"}]\n", bad[i]);
        refused_body(t, "network[0].address: ");
    }
    taken("network: [{address: [10.0.0.5, \"FD00:0::5\"]}]\n", "[\"10.0.0.5\",\"fd00::5\"]");
    refused_body("network: [{address: [10.0.0.5, 10.0.0.5]}]\n", "given twice");
    refused_body("network: [{ports: [\"[fe80::1]:80:80\"]}]\n",
                 "ports[0]: \"[fe80::1]:80:80\": a link-local address");
    refused_body("network: [{ports: [\"[FEBF:0::1]:80:80\"]}]\n", "a link-local address");
    taken("network: [{ports: [\"[fe8::1]:80:80\", \"[fec0::1]:80:80\"]}]\n", "[fec0::1]:80:80");
    refused_body("network:\n- link: n\n- address: [10.0.0.5, 10.0.0.6]\n",
                 "5: network[1].address: has 10.0.0.6 besides 10.0.0.5 (at most one IPv4");
    refused_body("network: [{address: [\"fd00::1\", 10.0.0.5, \"fd00::2\"]}]\n",
                 "has fd00::2 besides fd00::1");
    refused_body("network: [{rate_in: 100M}, {rate_out: 1X}]\n", "network[1].rate_out: \"1X\" is not a rate");
    refused_body("network: [{ports: [\"80:80\", \"127.0.0.1:80:81\"]}]\n",
                 "network[0].ports[1]: \"127.0.0.1:80:81\" takes a host port of \"80:80\" again");
    refused_body("network: [{ports: [\"80-90:80-90\"]}, {ports: [\"85:1\"]}]\n", "network[1].ports[0]");
    taken("network: [{ports: [\"80:80\", \"80:80/udp\"]}]\n", "[\"80:80\",\"80:80/udp\"]");
    taken("network: [{ports: [\"127.0.0.1:80:80\", \"192.0.2.7:80:80\"]}]\n", "192.0.2.7");
    taken("network: [{ports: [\"1000-9000:1000-9000\"]}]\n", "1000-9000");
    struct problems ps = {0};
    auto_spec struct spec *s = parse(HEAD "network: [{ports: [\"1000-2024:2000-3024\"]}]\n", &ps);
    ok(!s && ps.len == 1 && ps.at[0].kind == ERR_LIMIT, "1,025 shifted ports: kind limit");
    problems_done(&ps);
    taken("network: [{ports: [\"1000-2023:2000-3023\"]}]\n", "1000-2023:2000-3023");
    refused_body("network: [{aliases: [a_b]}]\n", "network[0].aliases[0]");
}

int main(void)
{
    test_names();
    test_images();
    test_text();
    test_json_text();
    test_numbers();
    test_keys();
    test_process();
    test_health();
    test_security();
    test_filesystems();
    test_network();
    return done_testing();
}
