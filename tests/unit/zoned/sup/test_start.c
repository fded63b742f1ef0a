/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest: v2 */
/* Supervisors at work, in own mount and network namespaces: start, output, exec, stop, restart policy, kill
 * -9 with adopt and recover. After each the picture of the host is what it was before. Needs root; is skipped
 * without. */
#include "zone_rig.h"

static char *before;

static void clean(struct zone_under_test *z, const char *what)
{
    auto_free char *now = rig_picture(z->rig);
    is_str(now, before, "%s: mounts, links and groups are as before", what);
    ok(!file_exists(z->rundir, PLAN_FILE) && !file_exists(z->rundir, PLAN_JOURNAL) &&
           !file_exists(z->rundir, PLAN_SOCKET),
       "%s: the run folder is empty", what);
}

static void end(struct zone_under_test *z, int64_t status, const char *what)
{
    auto_js json *m = zone_wait(z, "stopped", 0);
    ok(m != NULL, "%s: stopped", what);
    is_int(js_get_int(m, "exit_status", -1), status, "%s: exit status", what);
    clean(z, what);
    zone_bye(z);
}

static bool running(struct zone_under_test *z, const char *what)
{
    auto_js json *m = zone_wait(z, "running", 0);
    return ok(m != NULL && js_get_int(m, "pid", 0) > 1, "%s: running", what);
}

static void test_run(struct zone_under_test *z)
{
    struct str out = {0};
    ok(zone_start(z, "\"process\":{\"args\":[\"/bin/true\"]}", false, false), "true: asked");
    running(z, "true");
    end(z, 0, "true");
    zone_start(
        z, "\"process\":{\"args\":[\"/bin/sh\",\"-c\",\"cat /etc/hostname; id -u; echo bad >&2; exit 3\"]}",
        true, false);
    running(z, "output");
    end(z, 3, "output");
    is_int(stream_read(z->session, &out), 3, "output: the session's exit status");
    ok(out.p && strstr(out.p, "web\n0\n") && strstr(out.p, "bad\n"), "output: all of it");
    str_done(&out);
    zone_start(z, "\"process\":{\"args\":[\"/bin/cat\"]}", true, true);
    running(z, "stdin");
    api_frame_send(z->session, API_STDIN, "hello\n", 6);
    api_frame_send(z->session, API_EOF, NULL, 0);
    end(z, 0, "stdin");
    is_int(stream_read(z->session, &out), 0, "stdin: the session's exit status");
    is_str(out.p, "hello\n", "stdin: came through");
    str_done(&out);
    zone_start(z, "\"process\":{\"args\":[\"/bin/nothing\"]}", true, false);
    auto_js json *m = zone_wait(z, "stopped", 0);
    is_str(js_get_str(js_get(m, "error"), "kind", ""), "invalid", "missing command: kind of the error");
    ok(js_type_of(js_get(m, "exit_status")) == JS_NULL, "missing command: never ran");
    clean(z, "missing command");
    zone_bye(z);
    is_int(stream_read(z->session, &out), 127, "missing command: 127");
    str_done(&out);
}

static void test_tty(struct zone_under_test *z)
{
    struct str out = {0};
    zone_start(z,
               "\"process\":{\"terminal\":true,\"args\":[\"/bin/sh\",\"-c\",\"tty; stty size; read x; echo "
               "got $x\"]}",
               true, true);
    running(z, "tty");
    api_frame_send(z->session, API_STDIN, "word\n", 5);
    end(z, 0, "tty");
    stream_read(z->session, &out);
    ok(out.p && strstr(out.p, "33 99"), "tty: its size");
    ok(out.p && strstr(out.p, "got word"), "tty: input");
    if (out.p)
        printf("# %.60s\n", out.p);
    str_done(&out);
}

static int exec_in(struct zone_under_test *z, const char *script, bool tty, struct str *out)
{
    int p[2];
    (void)!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p);
    json *m = rig_op("exec", NULL);
    char *args[] = {(char *)"/bin/sh", (char *)"-c", (char *)script, NULL};
    js_set_strv(m, "args", args);
    js_set_bool(m, "tty", tty);
    auto_js json *reply = zone_ask(z, m, &p[1], 1);
    if (js_get(reply, "error"))
        printf("# exec: %s\n", js_get_str(js_get(reply, "error"), "message", "?"));
    close(p[1]);
    int r = stream_read(p[0], out);
    close(p[0]);
    return r;
}

#define SLEEPER "\"process\":{\"args\":[\"/bin/sleep\",\"1000\"]}"
static void test_exec_stop(struct zone_under_test *z)
{
    struct str out = {0};
    zone_start(z, SLEEPER, false, false);
    running(z, "exec");
    is_int(exec_in(z, "cat /etc/hostname; exit 5", false, &out), 5, "exec: exit status");
    is_str(out.p, "web\n", "exec: output");
    str_done(&out);
    is_int(exec_in(z, "seq 1 30000", false, &out), 0, "exec: much output");
    is_int(out.len, 168894, "exec: all of it");
    str_done(&out);
    is_int(exec_in(z, "tty", true, &out), 0, "exec: a terminal");
    str_done(&out);
    js_free(zone_ask(z, rig_op("pause", NULL), NULL, 0));
    auto_js json *st = zone_ask(z, rig_op("status", NULL), NULL, 0);
    is_str(js_get_str(st, "state", ""), "paused", "paused");
    js_free(zone_ask(z, rig_op("resume", NULL), NULL, 0));
    auto_js json *bad = zone_ask(z, rig_op("nonsense", NULL), NULL, 0);
    ok(js_get(bad, "error") != NULL, "an unknown operation is refused");
    js_free(zone_ask(z, rig_op("stop", NULL), NULL, 0));
    end(z, 143, "stop by TERM");
    zone_start(z, SLEEPER, false, false);
    running(z, "force");
    js_free(zone_ask(z, rig_op("pause", NULL), NULL, 0));
    json *m = rig_op("stop", NULL);
    js_set_bool(m, "force", true);
    js_free(zone_ask(z, m, NULL, 0));
    end(z, 137, "forced stop of a paused zone");
}

static void test_restart(struct zone_under_test *z)
{
    zone_start(z,
               "\"restart\":{\"policy\":\"on-failure\",\"max\":2,\"backoff\":\"10ms\"},\"process\":{\"args\":"
               "[\"/bin/false\"]}",
               false, false);
    for (int i = 0; i < 2; i++) {
        auto_js json *m = zone_wait(z, "restarting", 0);
        is_int(js_get_int(m, "in_ms", 0), 10 << i, "restart: backoff %d", i);
    }
    auto_js json *m = zone_wait(z, "failed", 0);
    ok(js_get(m, "error") != NULL, "restart: gave up");
    end(z, 1, "restart");
}

static void kill_supervisor(struct zone_under_test *z)
{
    kill(z->sup, SIGKILL);
    struct pollfd p = {z->conn, POLLIN, 0};
    poll(&p, 1, 5000);
}

static void test_kill(struct zone_under_test *z)
{
    struct str out = {0};
    zone_start(z, "\"process\":{\"args\":[\"/bin/sh\",\"-c\",\"echo one; sleep 1000 & wait; exit 7\"]}",
               false, false);
    running(z, "kill -9");
    kill_supervisor(z);
    ok(zone_send(z, "adopt", false, false), "adopt: asked");
    running(z, "adopt");
    is_int(exec_in(z, "exit 6", false, &out), 6, "adopt: exec works");
    str_done(&out);
    json *m = rig_op("signal", NULL);
    js_set_str(m, "signal", "KILL");
    js_free(zone_ask(z, m, NULL, 0));
    end(z, 137, "adopted zone's end");
    zone_start(z, SLEEPER, false, false);
    running(z, "recover");
    kill_supervisor(z);
    zone_send(z, "recover", false, false);
    end(z, 137, "recover");
    /* PID 1 ends while nobody is there */
    zone_start(z, "\"process\":{\"args\":[\"/bin/sh\",\"-c\",\"sleep 0.3; exit 9\"]}", false, false);
    running(z, "unattended");
    kill_supervisor(z);
    usleep(600000);
    zone_send(z, "adopt", false, false);
    end(z, 9, "unattended end");
}

static void test_health(struct zone_under_test *z)
{
    zone_start(z, "\"health\":{\"exec\":[\"/bin/true\"],\"interval\":\"100ms\",\"timeout\":\"2s\"}," SLEEPER,
               false, false);
    auto_js json *m = zone_wait(z, "health", 0);
    ok(js_get_bool(m, "healthy", false), "health: exec says yes");
    js_free(zone_ask(z, rig_op("stop", NULL), NULL, 0));
    end(z, 143, "health");
    zone_start(z,
               "\"health\":{\"tcp\":5432,\"interval\":\"100ms\",\"timeout\":\"2s\",\"retries\":2,\"action\":"
               "\"stop\"}," SLEEPER,
               false, false);
    auto_js json *n = zone_wait(z, "health", 0);
    ok(n && !js_get_bool(n, "healthy", true), "health: tcp says no");
    end(z, 143, "health action stop");
}

static void test_figures(struct zone_under_test *z)
{
    uint64_t best = UINT64_MAX, sum = 0;
    for (int i = 0; i < 30; i++) {
        struct plan *p = zone_plan(z, "\"process\":{\"args\":[\"/bin/true\"]}");
        auto_js json *j = plan_to_json(p);
        auto_free char *text = js_dump(j, false);
        plan_free(p);
        js_free(js_ref(j));
        file_replace(z->rundir, PLAN_FILE, text, strlen(text), 0600, false, NULL);
        uint64_t t = clock_mono_us();
        zone_send(z, "start", false, false);
        js_free(zone_wait(z, "stopped", 0));
        t = clock_mono_us() - t;
        zone_bye(z);
        best = t < best ? t : best;
        sum += t;
    }
    printf("# start to stopped of true: best %llu us, mean %llu us\n", (unsigned long long)best,
           (unsigned long long)sum / 30);
    zone_start(z, SLEEPER, false, false);
    running(z, "memory");
    char path[64];
    auto_free char *text = NULL;
    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", z->sup);
    if (file_read(AT_FDCWD, path, 1 << 16, &text, NULL, NULL) == 0 && strstr(text, "Private_Dirty"))
        printf("# supervisor %.34s\n", strstr(text, "Private_Dirty"));
    js_free(zone_ask(z, rig_op("stop", NULL), NULL, 0));
    end(z, 143, "memory");
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
    test_run(&z);
    test_tty(&z);
    test_exec_stop(&z);
    test_restart(&z);
    test_kill(&z);
    test_health(&z);
    test_figures(&z);
    rig_down(&g);
    return done_testing();
}
