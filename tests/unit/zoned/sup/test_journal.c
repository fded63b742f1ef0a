/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Journal: what is written is read back; torn and foreign lines are skipped. */
#include "tests/unit/tap.h"
#include "zoned/sup/rt.h"

static struct journal_state parse(const char *text)
{
    struct journal_state j;
    journal_parse(text, strlen(text), &j);
    return j;
}

static void test_parse(void)
{
    struct journal_state j = parse("begin rootfs\ndone rootfs\nbegin cgroup\n");
    is_int(j.begun, 3, "two steps begun");
    is_int(j.done, 1, "one step done");
    j = parse("begin spawn\ndone spawn {\"pid\":42,\"start\":99}\n");
    is_int(j.pid, 42, "pid of spawn");
    is_int(j.pid_start, 99, "start time of spawn");
    j = parse("begin rootfs\ndone rootfs\nundone rootfs\n");
    is_int(j.begun | j.done, 0, "undone takes both back");
    j = parse("begin rootfs\ndone roo");
    is_int(j.done, 0, "a torn last line does not count");
    j = parse("hello\n\n \nbegin nonsense\ndone spawn {bad json\n\x01\xff\ndone go\n");
    is_int(j.done, 1u << STEP_SPAWN | 1u << STEP_GO, "garbage is skipped, the rest is read");
    const char *ended = "begin go\ndone go\nundone go\n";
    auto_free char *again = xasprintf("%sagain rootfs {\"restarts\":3}\n", ended),
                   *begun = xasprintf("%sbegin rootfs\n", again), *odd = xasprintf("begin net\n%s", again);
    j = parse(again);
    ok(j.again && j.restarts == 3, "a restart that is due, and which it is");
    ok(!parse(begun).again, "it has begun");
    ok(!j.stop && parse("done go\nstop go\n").stop, "a stop that was asked for");
    ok(!parse(odd).again, "what is not undone comes first");
    ok(!parse(ended).again, "no restart is due");
    j = parse("done spawn {\"pid\":\"x\",\"start\":-5}\n");
    is_int(j.pid, 0, "a pid that is no number");
    is_int(j.pid_start, 0, "a negative start time");
}

static void test_file(void)
{
    char dir[] = "/tmp/sup-journal-XXXXXX";
    struct journal_state j = {0};
    int dirfd = mkdtemp(dir) ? open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    is_int(journal_read(dirfd, &j, NULL), -ENOENT, "no journal");
    int fd = journal_open(dirfd, true, NULL);
    ok(fd >= 0, "open");
    auto_js json *facts = js_object();
    js_set_int(facts, "pid", 7);
    journal_write(fd, "begin", STEP_SPAWN, NULL);
    journal_write(fd, "done", STEP_SPAWN, facts);
    close(fd);
    fd = journal_open(dirfd, false, NULL);
    journal_write(fd, "undone", STEP_GO, NULL);
    close(fd);
    is_int(journal_read(dirfd, &j, NULL), 0, "read");
    is_int(j.done, 1u << STEP_SPAWN, "done");
    is_int(j.pid, 7, "facts");
    unlinkat(dirfd, PLAN_JOURNAL, 0);
    close(dirfd);
    rmdir(dir);
}

int main(void)
{
    test_parse();
    test_file();
    return done_testing();
}
