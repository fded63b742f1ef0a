/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log: CRI records, partial lines, rotation, reading the last n and following by cursor. */
#include "tests/unit/tap.h"
#include "zoned/sup/rt.h"

struct got {
    struct str text;
    unsigned whole, partial;
};

static void take(void *arg, const char *stream, const char *when, const char *line, size_t n, bool partial)
{
    struct got *g = arg;
    str_addn(&g->text, line, n);
    if (!partial)
        str_add(&g->text, "|");
    g->whole += !partial;
    g->partial += partial;
    if (strcmp(stream, "stdout") && strcmp(stream, "stderr"))
        str_add(&g->text, "BAD");
}

static struct got read_all(int dirfd, struct sup_log_cursor *c)
{
    struct got g = {0};
    is_int(sup_log_read(dirfd, c, 1u << 20, take, &g), 0, "read");
    str_add(&g.text, "");
    return g;
}

static void test_lines(int zonefd)
{
    struct sup_log l = {.fd = -1, .dirfd = -1};
    log_open(&l, zonefd, 1 << 20, 3);
    ok(l.fd >= 0, "log is open");
    log_write(&l, "stdout", "one\ntwo\nthr", 11);
    log_write(&l, "stdout", "ee\n", 3);
    log_write(&l, "stderr", "\n", 1);
    struct sup_log_cursor c = {0};
    struct got g = read_all(l.dirfd, &c);
    is_str(g.text.p, "one|two|three||", "lines, one of two pieces, one empty");
    str_done(&g.text);
    g = read_all(l.dirfd, &c);
    is_str(g.text.p, "", "no more");
    str_done(&g.text);
    log_write(&l, "stdout", "new\n", 4);
    g = read_all(l.dirfd, &c);
    is_str(g.text.p, "new|", "follow");
    str_done(&g.text);
    log_close(&l);
}

static void test_rotation(int zonefd)
{
    struct sup_log l = {.fd = -1, .dirfd = -1};
    log_open(&l, zonefd, 4096, 3);
    struct sup_log_cursor c = {0};
    struct got g = read_all(l.dirfd, &c);
    str_done(&g.text);
    char line[32];
    for (unsigned i = 0; i < 100; i++) {
        int n = snprintf(line, sizeof(line), "line %u\n", i);
        log_write(&l, "stdout", line, (size_t)n);
    }
    g = read_all(l.dirfd, &c);
    is_int(g.whole, 100, "follow over a rotation loses nothing");
    str_done(&g.text);
    for (unsigned i = 0; i < 1000; i++)
        log_write(&l, "stdout", "0123456789\n", 11);
    ok(file_exists(l.dirfd, "console.log.2"), "three files");
    ok(!file_exists(l.dirfd, "console.log.3"), "and no fourth");
    ok(l.size <= 4096, "bounded");
    char big[9000];
    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\n';
    log_write(&l, "stdout", big, sizeof(big));
    ok(!c.lost, "nothing was missed");
    struct sup_log_cursor all = {0};
    struct got pieces = {0};
    unsigned reads = 0;
    while (sup_log_read(l.dirfd, &all, 100, take, &pieces) && ++reads < 1000)
        ;
    ok(reads > 1 && reads < 1000 && pieces.whole, "in %u pieces", reads);
    g = read_all(l.dirfd, &(struct sup_log_cursor){0});
    is_str(pieces.text.p, g.text.p, "the same as at once");
    ok(g.whole == 1 && g.partial >= 2, "a long line comes in pieces");
    is_int(strlen(g.text.p), sizeof(big), "with all its bytes");
    str_done(&pieces.text);
    str_done(&g.text);
    struct sup_log_cursor back = {0};
    ok(!sup_log_back(l.dirfd, &back, 1u << 20) && !back.file, "not that much is there");
    ok(sup_log_back(l.dirfd, &back, 100) && back.file, "a place near the end");
    g = read_all(l.dirfd, &c);
    ok(c.lost, "what was rotated away before it was read is told");
    str_done(&g.text);
    log_close(&l);
}

int main(void)
{
    char dir[] = "/tmp/sup-log-XXXXXX";
    int fd = mkdtemp(dir) ? open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    test_lines(fd);
    test_rotation(fd);
    path_remove_tree(fd, "log", NULL);
    close(fd);
    rmdir(dir);
    return done_testing();
}
