/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone changes what it is made of and goes back; killed at every rename of it, it is the old one or the new one, whole. */
#include "tests/unit/storage/lab.h"
#include <sys/wait.h>

static const struct stor_root_plan new_root = {.image = (char *)"new:1"};

/* What the daemon does, in a process that a tracer may kill. */
static int carry_out(const char *dir, const char *what)
{
    struct stor_pool *p = NULL;
    struct err e = {0};
    auto_free char *spec = NULL;
    int r = stor_pool_open(dir, &p, &e);
    if (r == 0 && !strcmp(what, "stage"))
        r = stor_zone_stage(p, "web", &new_root, "new package", "new spec", &e);
    else if (r == 0 && !strcmp(what, "back"))
        r = stor_zone_stage_back(p, "web", &e);
    if (r == 0 && stor_zone_staged(p, "web")) {
        r = stor_zone_switch(p, "web", &spec, &e);
        r = r < 0 ? r : stor_zone_switched(p, "web", &e);
    }
    if (r < 0)
        printf("# %s\n", e.text);
    stor_pool_free(p);
    return r < 0;
}

#define SHOW                                                                                                 \
    "cd pool/zones/web && echo $(ls upper) $(cat package) $(cat spec) then $(ls previous/upper "             \
    "2>/dev/null) "                                                                                          \
    "$(cat previous/package 2>/dev/null) $(ls -d next aside next.tmp 2>/dev/null)"
#define OLD "mine old package old spec then"
#define NEW "new package new spec then mine old package"

static void make_zone(void)
{
    struct err e = {0};
    run("rm -rf pool/zones/web");
    is_int(stor_zone_create(pool, "web", &e), 0, "a zone %s", e.text);
    run("echo x > pool/zones/web/upper/mine; echo '{}' > pool/zones/web/root");
    is_int(stor_zone_note_put(pool, "web", "package", "old package", &e), 0, "its package");
    is_int(stor_zone_note_put(pool, "web", "spec", "old spec", &e), 0, "its spec");
}

static void test_forth_and_back(const char *self)
{
    struct err e = {0};
    auto_free char *text = NULL;
    make_zone();
    ok(!stor_zone_has_previous(pool, "web") && !stor_zone_staged(pool, "web"), "nothing to go back to");
    is_int(stor_zone_stage_back(pool, "web", &e), -ENOENT, "said so: %s", e.text);
    run("%s stage %s/pool", self, top);
    is_sh(NEW, "changed", SHOW);
    ok(stor_zone_has_previous(pool, "web"), "it can go back");
    is_int(stor_zone_note_get(pool, "web", "package", &text), 0, "its package");
    is_str(text, "new package", "is the new one");
    is_sh("new:1", "its root too",
          "python3 -c 'import json; print(json.load(open(\"pool/zones/web/root\"))[\"image\"])'");
    run("touch pool/zones/web/upper/later");
    run("%s back %s/pool", self, top);
    is_sh("mine old package old spec then later new package", "and back", SHOW);
    run("%s back %s/pool", self, top);
    is_sh("later new package new spec then mine old package", "and forth", SHOW);
    run("%s stage %s/pool", self, top);
    is_sh("new package new spec then later new package", "only one former self is kept", SHOW);
    is_int(stor_zone_note_get(pool, "none", "package", &text), -ENOENT, "no zone, no package");
    err_clear(&e);
    ok(stor_zone_stage(pool, "none", &new_root, "a", "b", &e) < 0 && e.kind == ERR_NOT_FOUND, "none: %s",
       e.text);
}

/* The n-th rename is the last thing that it does; 1: it came that far. */
static int killed_at(const char *self, const char *what, unsigned n)
{
    auto_free char *command =
        xasprintf("exec strace -f -o /dev/null -e trace=rename,renameat,renameat2 "
                  "-e inject=rename,renameat,renameat2:signal=KILL:when=%u %s %s %s/pool",
                  n, self, what, top);
    int status = system(command); /* NOLINT: a test */
    return WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 128 + 9);
}

static void test_killed(const char *self)
{
    unsigned n = 1, old = 0;
    for (; n < 64; n++) {
        make_zone();
        if (!killed_at(self, "stage", n))
            break;
        run("%s finish %s/pool", self, top);
        auto_free char *now = sh(SHOW);
        bool is_old = !strcmp(now, OLD) || !strcmp(now, OLD " next.tmp");
        old += is_old;
        ok(is_old || !strcmp(now, NEW), "killed at rename %u: the old or the new, whole: %s", n, now);
    }
    ok(n > 8 && old >= 1 && old < n - 1, "%u places, %u of them before the change", n - 1, old);
    for (n = 1; n < 64; n++) {
        make_zone();
        run("%s stage %s/pool", self, top);
        if (!killed_at(self, "back", n))
            break;
        run("%s finish %s/pool", self, top);
        is_sh(n == 1 ? NEW : "mine old package old spec then new package",
              n == 1 ? "killed before the way back: it is as it was" : "killed on the way back: it is back",
              SHOW);
    }
    ok(n > 5, "%u places on the way back", n - 1);
}

int main(int argc, char **argv)
{
    auto_free char *self = realpath(argv[0], NULL);
    if (argc == 3)
        return carry_out(argv[2], argv[1]);
    lab_begin();
    test_forth_and_back(self);
    test_killed(self);
    lab_end();
    return done_testing();
}
