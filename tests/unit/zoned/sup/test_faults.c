/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults: each step fails once, and the supervisor is killed at every record of the journal. Afterwards
 * (after a recovery for the kills) the picture of the host is what it was. Only in builds with fault points;
 * needs root. */
#include "zone_rig.h"

#ifdef ZONED_FAULTS
static char *before;
#define SLEEPER "\"process\":{\"args\":[\"/bin/sleep\",\"1000\"]}"

static void same(struct zone_under_test *z)
{
    auto_free char *now = rig_picture(z->rig);
    is_str(now, before, "%s: mounts, links and groups are as before", z->fault);
    ok(!file_exists(z->rundir, PLAN_FILE) && !file_exists(z->rundir, PLAN_JOURNAL) &&
           !file_exists(z->rundir, PLAN_SOCKET),
       "%s: the run folder is empty", z->fault);
}

static void fail_at(struct zone_under_test *z, enum plan_step step)
{
    char fault[64];
    snprintf(fault, sizeof(fault), "%s:fail", plan_step_name(step));
    z->fault = fault;
    zone_start(z, SLEEPER, false, false);
    auto_js json *m = zone_wait(z, "stopped", 0);
    ok(m && js_get(m, "error") && !js_get(m, "leftover"), "%s: stopped with an error and no leftover", fault);
    same(z);
    zone_bye(z);
    z->fault = NULL;
}

static void kill_at(struct zone_under_test *z, enum plan_step step, const char *where, const char *how)
{
    char fault[64];
    snprintf(fault, sizeof(fault), "%s:%s", plan_step_name(step), where);
    z->fault = fault;
    zone_start(z, SLEEPER, false, false);
    auto_js json *none = zone_wait(z, "stopped", 0);
    ok(none == NULL, "%s: the supervisor is dead", fault);
    zone_send(z, how, false, false);
    if (step == STEP_GO && !strcmp(where, "kill-done") && !strcmp(how, "adopt")) {
        auto_js json *up = zone_wait(z, "running", 0);
        ok(up != NULL, "%s: adopted and running", fault);
        json *stop = rig_op("stop", NULL);
        js_set_bool(stop, "force", true);
        js_free(zone_ask(z, stop, NULL, 0));
    }
    auto_js json *m = zone_wait(z, "stopped", 0);
    ok(m && !js_get(m, "leftover"), "%s, then %s: stopped without leftover", fault, how);
    if (js_get(m, "leftover")) {
        auto_free char *t = js_dump(m, false);
        printf("# %s\n", t);
    }
    same(z);
    zone_bye(z);
    z->fault = NULL;
}

int main(void)
{
    struct rig g;
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!rig_up(&g)) {
        printf("1..0 # SKIP needs root, busybox and zone-init\n");
        return 0;
    }
    struct zone_under_test z = {.rig = &g, .name = "web"};
    before = rig_picture(&g);
    zone_open(&z);
    for (unsigned i = 0; i < STEP_COUNT; i++)
        fail_at(&z, (enum plan_step)i);
    for (unsigned i = 0; i < STEP_COUNT; i++) {
        kill_at(&z, (enum plan_step)i, "kill-begin", "recover");
        kill_at(&z, (enum plan_step)i, "kill-done", "recover");
        kill_at(&z, (enum plan_step)i, "kill-begin", "adopt");
        kill_at(&z, (enum plan_step)i, "kill-done", "adopt");
    }
    free(before);
    rig_down(&g);
    return done_testing();
}
#else
int main(void)
{
    struct rig unused;
    (void)unused;
    printf("1..0 # SKIP no fault points in this build\n");
    return 0;
}
#endif
