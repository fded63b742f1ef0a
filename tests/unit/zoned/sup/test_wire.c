/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages, history and the restart policy: the small rooms. */
#include "tests/unit/tap.h"
#include "zoned/sup/rt.h"
#include <sys/socket.h>

static void test_messages(void)
{
    int p[2];
    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p);
    json *m = NULL;
    int fds[4];
    unsigned n = 4;
    is_int(sup_recv(p[0], 0, &m, fds, &n, NULL), -EAGAIN, "nothing there");
    is_int(sup_recv(p[0], 5, &m, fds, &n, NULL), -ETIMEDOUT, "time is up");
    auto_js json *o = js_object();
    js_set_str(o, "op", "hello");
    is_int(sup_send(p[1], o, (int[]){1, 2}, 2, NULL), 0, "send with two descriptors");
    n = 4;
    is_int(sup_recv(p[0], 100, &m, fds, &n, NULL), 1, "received");
    is_int(n, 2, "both descriptors");
    is_str(js_get_str(m, "op", ""), "hello", "content");
    fd_close_all(fds, n);
    js_free(m);
    auto_free char *big = xcalloc(1, 150 * 1024);
    memset(big, 'a', 150 * 1024 - 1);
    js_set_str(o, "big", big);
    is_int(sup_send(p[1], o, NULL, 0, NULL), 0, "a message of 150 kB");
    n = 0;
    is_int(sup_recv(p[0], 100, &m, NULL, &n, NULL), 1, "comes whole");
    js_free(m);
    auto_free char *huge = xcalloc(1, 170 * 1024);
    memset(huge, 'a', 170 * 1024 - 1);
    js_set_str(o, "big", huge);
    ok(sup_send(p[1], o, NULL, 0, NULL) < 0, "one above the limit is refused");
    ok(send(p[1], "{nonsense", 9, 0) == 9, "garbage is sent");
    n = 0;
    ok(sup_recv(p[0], 100, &m, NULL, &n, NULL) < 0, "and refused");
    close(p[1]);
    is_int(sup_recv(p[0], 100, &m, NULL, &n, NULL), 0, "end of file");
    close(p[0]);
}

static void test_history(void)
{
    char dir[] = "/tmp/sup-history-XXXXXX";
    int fd = mkdtemp(dir) ? open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    json *last = (json *)1;
    is_int(sup_history_last(fd, &last), 0, "no history");
    ok(last == NULL, "is none");
    for (int i = 0; i < 3000; i++) {
        auto_js json *o = js_object();
        js_set_str(o, "event", "end");
        js_set_int(o, "start_no", i);
        sup_history_append(fd, o, NULL);
    }
    is_int(sup_history_last(fd, &last), 0, "read");
    is_int(js_get_int(last, "start_no", -1), 2999, "the last record");
    js_free(last);
    int f = openat(fd, ZONE_HISTORY, O_WRONLY | O_APPEND | O_CLOEXEC);
    ok(lseek(f, 0, SEEK_END) < 128 * 1024, "the file stays small");
    ok(write(f, "{\"event\":\"sta", 13) == 13, "a torn record");
    close(f);
    sup_history_last(fd, &last);
    is_int(js_get_int(last, "start_no", -1), 2999, "is skipped");
    js_free(last);
    unlinkat(fd, ZONE_HISTORY, 0);
    close(fd);
    rmdir(dir);
}

#define EXITED(n) ((n) << 8)
static void test_restart(void)
{
    struct spec_restart r = {SPEC_RESTART_NO, 3, 1000};
    uint64_t ms;
    is_int(restart_decide(&r, false, EXITED(1), false, 0, &ms), RESTART_NEVER, "policy no");
    r.policy = SPEC_RESTART_ON_FAILURE;
    is_int(restart_decide(&r, false, EXITED(0), false, 0, &ms), RESTART_NEVER, "on-failure and 0");
    is_int(restart_decide(&r, false, EXITED(1), false, 0, &ms), RESTART_AGAIN, "on-failure and 1");
    is_int(ms, 1000, "the first backoff");
    restart_decide(&r, false, SIGKILL, false, 2, &ms);
    is_int(ms, 4000, "doubled twice");
    is_int(restart_decide(&r, false, EXITED(1), false, 3, &ms), RESTART_GAVE_UP, "max");
    r.max = SPEC_UNSET;
    restart_decide(&r, false, EXITED(1), false, 1000000, &ms);
    is_int(ms, 60000, "at most a minute");
    r.policy = SPEC_RESTART_ALWAYS;
    is_int(restart_decide(&r, false, EXITED(0), false, 0, &ms), RESTART_AGAIN, "always");
    is_int(restart_decide(&r, true, SIGINT, false, 0, &ms), RESTART_NEVER, "system: powered off");
    r.policy = SPEC_RESTART_NO;
    is_int(restart_decide(&r, true, SIGHUP, false, 0, &ms), RESTART_AGAIN, "system: start again");
    is_int(restart_decide(&r, false, EXITED(0), true, 0, &ms), RESTART_AGAIN, "health asks for it");
}

int main(void)
{
    test_messages();
    test_history();
    test_restart();
    return done_testing();
}
