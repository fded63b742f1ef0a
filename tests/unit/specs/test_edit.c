/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Edits of a spec's text: what is not concerned stays to the byte, all or none, new keys in their place. */
#include "spec_test.h"

static char *edit(const char *text, char *const *edits, bool *lost, struct problems *ps)
{
    char *out = NULL;
    int r = spec_edit(text, "t.yaml", edits, &out, lost, ps);
    if ((r < 0) != !out)
        ok(false, "spec_edit is consistent for %s", edits[0]);
    return out;
}

static void gives_all(const char *text, char *const *edits, const char *want, bool want_lost)
{
    struct problems ps = {0};
    bool lost = false;
    auto_free char *out = edit(text, edits, &lost, &ps);
    is_str(out, want, "%s", edits[0]);
    is_int(lost, want_lost, "%s: comments %s", edits[0], want_lost ? "lost" : "kept");
    for (unsigned i = 0; i < ps.len; i++)
        printf("# %d %s: %s\n", ps.at[i].line, ps.at[i].key, ps.at[i].message);
    problems_done(&ps);
}

#define gives(text, want, ...) gives_all(text, (char **)(const char *[]){__VA_ARGS__, NULL}, want, false)
#define gives_lost(text, want, ...) gives_all(text, (char **)(const char *[]){__VA_ARGS__, NULL}, want, true)
/* HEAD stands before both. */
#define body(text, want, ...) gives(HEAD text, HEAD want, __VA_ARGS__)
#define body_lost(text, want, ...) gives_lost(HEAD text, HEAD want, __VA_ARGS__)

static void refuses_all(const char *text, char *const *edits, const char *want)
{
    struct problems ps = {0};
    char line[800] = "";
    bool found = false;
    auto_free char *out = edit(text, edits, NULL, &ps);
    for (unsigned i = 0; i < ps.len; i++) {
        problem_print(&ps.at[i], line, sizeof(line));
        found |= strstr(line, want) != NULL;
    }
    if (!ok(!out && found, "refused: %s: %s", edits[0], want))
        printf("#   got %s\n", out ? out : line);
    problems_done(&ps);
}
#define refuses(text, want, ...) refuses_all(HEAD text, (char **)(const char *[]){__VA_ARGS__, NULL}, want)

static void test_block(void)
{
    body("cpu:\n  # why 5\n  shares: 5   # low\n  cap: 1\nlabels:\n  a: b\n",
         "cpu:\n  # why 5\n  shares: 200   # low\n  cap: 1\nlabels:\n  a: b\n", "cpu.shares=200");
    body("cpu:\n  shares: 5   # low\n  # about cap\n  cap: 1\n", "cpu:\n  shares: 5   # low\n  # about cap\n",
         "cpu.cap=");
    body("cpu:\n  cap: 1\nshm: 1M\n", "shm: 1M\n", "cpu.cap=");
    body("cpu:\n  idle: true\n", "cpu:\n  shares: 7\n  idle: true\n", "cpu.shares=7");
    body("cpu:\n  shares: 5 # a\n  pool: b", "cpu:\n  shares: 5 # a\n  cap: 0.5\n  pool: b", "cpu.cap=0.5");
    body("labels:\n  a: b", "labels:\n  a: b\n  tier: web\n", "labels.tier=web");
    body("shm: 1M # end", "memory:\n  cap: 1G\nshm: 1M # end", "memory.cap=1G");
    body("", "cpu:\n  cap: 2\n", "cpu.cap=2");
    body("cpu:   # none yet\nshm: 1M\n", "cpu:   # none yet\n  cap: 2\nshm: 1M\n", "cpu.cap=2");
    body("cpu: ~\nshm: 1M\n", "cpu: {cap: 2}\nshm: 1M\n", "cpu.cap=2");
    body("hostname:\nshm: 1M\n", "hostname: a\nshm: 1M\n", "hostname=a");
    body("hostname: \"a\" # c\n", "hostname: b # c\n", "hostname=b");
    body("hostname: a\n", "hostname: a\nshm: 2M\n", "shm=2M");
    body("shm: 2M\n", "hostname: a\nshm: 2M\n", "hostname=a");
    body("shm: 2M\n", "shm: 2M\n", "hostname=");
    body("cpu:  # the cpu\n  shares: 5\n\n# next\nshm: 1M\n",
         "cpu: {shares: 7}  # the cpu\n\n# next\nshm: 1M\n", "cpu={shares: 7}");
    body_lost("cpu:\n  shares: 5 # five\n  cap: 1\n", "cpu: {shares: 7}\n", "cpu={shares: 7}");
    body_lost("cpu:\n  shares: 5\n  cap: 1 # one\n", "cpu:\n  shares: 5\n", "cpu.cap=");
    body("process:\n  env:\n    A: |\n      text # no comment\n      more\n    B: c\n",
         "process:\n  env:\n    A: x\n    B: c\n", "process.env.A=x");
    gives("zone: web\r\nimage: host # c\r\nshm: 1M\r\n", "zone: web\r\nimage: host # c\r\nshm: 2M\r\n",
          "shm=2M");
    body("labels: # é\n  a: \"é\" # ü\n  b: c # ö\n", "labels: # é\n  a: \"é\" # ü\n  b: d # ö\n",
         "labels.b=d");
}

static void test_lists(void)
{
    body("depends:\n- a # first\n- b\n", "depends:\n- a # first\n- b\n- c\n", "depends[]=c");
    body("depends:\n- a # first\n- b\n", "depends:\n- a # first\n- x\n", "depends[1]=x");
    body("depends:\n  - a\n  - b # c\nshm: 1M\n", "depends:\n  - a\n  - b # c\n  - d\nshm: 1M\n",
         "depends[2]=d");
    body("depends:\n  - a\n  - b\n", "depends:\n  - b\n", "depends[0]=");
    body("depends:\n  - a\nshm: 1M\n", "shm: 1M\n", "depends[0]=");
    body("depends: [a, b]\n", "depends: [a, b, c]\n", "depends[]=c");
    body("depends: [a, b]\n", "depends: [b]\n", "depends[0]=");
    body("depends: [a, b]\n", "depends: [a]\n", "depends[1]=");
    body("depends: []\n", "depends: [a]\n", "depends[]=a");
    body("depends: [\n  a, # one\n  b  # two\n]\n", "depends: [\n  a, # one\n  b,\n  c  # two\n]\n",
         "depends[]=c");
    body("", "network:\n  - ports:\n      - \"8080:80\"\n", "network[0].ports[]=8080:80");
    body("", "network:\n  - link: default\n  - link: wan\n", "network[1].link=wan");
    body("cpu:\n  cap: 1\n", "cpu:\n  cap: 1\nnetwork:\n  - link: default\n  - link: wan\n",
         "network[].link=wan");
    body("network: []\n", "network: [{link: wan}]\n", "network[].link=wan");
    body("network:\n  - link: lan\n    # keep\n    address: 10.0.0.5\n",
         "network:\n  - link: lan\n    # keep\n    address: 10.0.0.5\n    ports:\n      - \"8080:80\"\n"
         "      - 127.0.0.1:53:53/udp\n",
         "network[0].ports[]=8080:80", "network[0].ports[]=127.0.0.1:53:53/udp");
    body("network:\n  - address: 10.0.0.5\n", "network:\n  - link: lan\n    address: 10.0.0.5\n",
         "network[0].link=lan");
    body("network:\n  - link: lan\n    address: auto\n", "network:\n  - address: auto\n", "network[0].link=");
    body("network:\n  - link: lan\n", "network:\n  - link: lan\n  - link: wan\n", "network[].link=wan");
    body("network:\n  - link: lan\n", "network: []\n", "network[0]=");
    body("network:\n  - link: lan\n", "network:\n  - {}\n", "network[0].link=");
    body("network: [{link: lan}]\n", "network: [{link: lan, ports: [\"8080:80\"]}]\n",
         "network[0].ports=[\"8080:80\"]");
    body("network: [{link: lan}]\n", "network: [{link: lan, address: [\"10.0.0.5\", fd00::5]}]\n",
         "network[0].address[]=10.0.0.5", "network[0].address[]=fd00::5");
    body("network: [{address: 10.0.0.5}]\n", "network: [{address: [\"10.0.0.5\", fd00::6]}]\n",
         "network[0].address[]=fd00::6");
    body("filesystems:\n  - {target: /a, volume: b}\n  # the second\n  - {target: /c, volume: d}\n",
         "filesystems:\n  # the second\n  - {target: /c, volume: d, mode: ro}\n",
         "filesystems[0]=", "filesystems[0].mode=ro");
    body("process: {args: [a, b]}\n", "process: {args: [a, b, \"daemon off;\"]}\n",
         "process.args[]=\"daemon off;\"");
}

static void test_flow(void)
{
    body("cpu: {shares: 5, cap: 1} # c\n", "cpu: {shares: 6, cap: 1} # c\n", "cpu.shares=6");
    body("cpu: {shares: 5, cap: 1}\n", "cpu: {cap: 1}\n", "cpu.shares=");
    body("cpu: {shares: 5, cap: 1}\n", "cpu: {shares: 5}\n", "cpu.cap=");
    body("cpu: {shares: 5}\nshm: 1M\n", "shm: 1M\n", "cpu.shares=");
    body("cpu: {shares: 5}\n", "cpu: {shares: 5, cap: 2}\n", "cpu.cap=2");
    body("cpu: {}\n", "cpu: {cap: 2}\n", "cpu.cap=2");
    body("security: {seccomp: default}\n", "security: {seccomp: default, capabilities: {add: [NET_ADMIN]}}\n",
         "security.capabilities.add[]=NET_ADMIN");
    body_lost("cpu: {shares: 5, # five\n  cap: 1}\n", "cpu: {shares: 5}\n", "cpu.cap=");
    gives("{\"zone\": \"web\", \"image\": \"host\"}",
          "{\"zone\": \"web\", \"image\": \"host\", \"cpu\": {\"shares\": 5}, \"shm\": \"64M\"}",
          "cpu.shares=5", "shm=64M");
    gives("{\n  \"zone\": \"web\",\n  \"image\": \"host\"\n}\n",
          "{\n  \"zone\": \"web\",\n  \"image\": \"host\",\n  \"depends\": [\"a\"]\n}\n", "depends[]=a");
}

static void test_values(void)
{
    body("", "process:\n  env:\n    A: \"true\"\n", "process.env.A=true");
    body("", "process:\n  env:\n    A: \"22:22\"\n", "process.env.A=22:22");
    body("", "process:\n  env:\n    A: \"a: b # c\"\n", "process.env.A=a: b # c");
    body("", "process:\n  env:\n    A: \"[x]=\\\"y\\\"\"\n", "process.env.A=[x]=\"y\"");
    body("", "process:\n  env:\n    A: \"\"\n", "process.env.A=\"\"");
    body("", "process:\n  env:\n    A: \"null\"\n", "process.env.A=null");
    body("", "process:\n  env: {A: b, C: \"5\"}\n", "process.env={A: b, C: 5}");
    body("", "cpu:\n  set: 0-3\n", "cpu.set=0-3");
    body("", "sysctls:\n  net.core.somaxconn: \"4096\"\n", "sysctls.net.core.somaxconn=4096");
    body("", "health:\n  http: http://127.0.0.1/\n", "health.http=http://127.0.0.1/");
    body("", "restart:\n  policy: \"no\"\n", "restart.policy=no");
    body("", "labels:\n  a.b/c: \"é\"\n", "labels.a.b/c=é");
}

static void test_new(void)
{
    gives("", "version: 1\nzone: web\nimage: nginx:1\ncpu:\n  shares: 5\n  cap: 1\nshm: 1M\n", "shm=1M",
          "cpu.cap=1", "cpu.shares=5", "image=nginx:1", "zone=web");
    gives("# mine\n", "# mine\nversion: 1\nzone: web\nimage: host\n", "zone=web", "image=host");
    gives("---\nzone: web\nimage: host\n", "---\nzone: web\nimage: host\nshm: 1M\n", "shm=1M");
    gives("# all about web\nimage: host\n", "# all about web\nimage: host\nzone: web\n", "zone=web");
}

static void test_refusals(void)
{
    refuses("", "cpu.share: unknown key (did you mean cpu.shares?)", "cpu.share=5");
    refuses("", "cpu.shares: 0 is out of range (1 to 10000)", "cpu.shares=0");
    refuses("", "cpu.shares: 0 is out of range", "shm=2M", "cpu.shares=0");
    refuses("", "is not an edit", "cpu.shares");
    refuses("", "is not an edit", "=5");
    refuses("", "is not a list", "cpu[0]=5");
    refuses("", "there is no item 3", "depends[3]=a");
    refuses("", "there is no item 2 (the list has 1)", "network[2].link=b");
    refuses("depends: [a]\n", "there is no item 2 (the list has 1)", "depends[2]=b");
    refuses("", "no valid index", "depends[x]=b");
    refuses("", "no valid index", "depends[0=b");
    refuses("", "has parts", "hostname.x=b");
    refuses("", "goes on after", "depends[0].x=b");
    refuses("", "needs a dot", "network[0]x=b");
    refuses("", "link: \"A\" is not a link", "network[0].link=A");
    refuses("", "unknown key", "nonsense.x=b");
    refuses("", "control character", "process.env.A=\x01");
    refuses("", "UTF-8", "process.env.A=\xff");
    refuses("", "not YAML", "cpu={shares: 5");
    refuses("cpu: 5\n", "is not a mapping in the file", "cpu.shares=5");
    refuses("", "zone: is missing", "zone=");
    refuses("? shm\n: 1M\n", "cannot be edited where it stands", "shm=2M");
    refuses("shm: [\n", "is not YAML", "shm=2M");
}

int main(void)
{
    test_block();
    test_lists();
    test_flow();
    test_values();
    test_new();
    test_refusals();
    return done_testing();
}
