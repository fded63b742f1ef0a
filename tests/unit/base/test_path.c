/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rule R1: paths under a root that somebody else writes. What lies outside is never reached, also while folders
 * and links change places; and the way that looks first and opens then is seen to be caught by the same swap. */
#include "base/auto.h"
#include "base/path.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 2000
#define CONTROL_MAX 200000 /* the race without the defence is won within a few rounds; bounded all the same */

static char top[] = "/tmp/path-XXXXXX";
static int topfd, root;

static void put(int dir, const char *name, const char *text)
{
    auto_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        abort();
}

static void scene(void)
{
    if (!mkdtemp(top) || (topfd = open(top, O_RDONLY | O_DIRECTORY)) < 0)
        abort();
    if (mkdirat(topfd, "root", 0755) < 0 || mkdirat(topfd, "outside", 0755) < 0)
        abort();
    root = openat(topfd, "root", O_RDONLY | O_DIRECTORY);
    put(topfd, "outside/f", "secret");
    if (mkdirat(root, "d", 0755) < 0 || mkdirat(root, "outside", 0755) < 0)
        abort();
    put(root, "d/f", "inside");
    put(root, "outside/f", "inside");
    if (symlinkat("../outside", root, "up") < 0 || symlinkat("/outside", root, "abs") < 0 ||
        symlinkat("/proc/self/root", root, "magic") < 0 || symlinkat("loop", root, "loop") < 0)
        abort();
}

/* What is in the file: "inside", "secret", or the error. */
static const char *text_of(int fd)
{
    static char buf[64];
    ssize_t n = fd < 0 ? snprintf(buf, sizeof(buf), "%s", strerror(-fd)) : read(fd, buf, sizeof(buf) - 1);
    buf[n < 0 ? 0 : n] = '\0';
    if (fd >= 0)
        close(fd);
    return buf;
}

static void test_walk(void)
{
    static const struct {
        const char *path, *in, *beneath;
    } cases[] = {{"d/f", "inside", "inside"},
                 {"/d/f", "inside", "Invalid cross-device link"},
                 {"up/f", "inside", "Too many levels of symbolic links"},
                 {"abs/f", "inside", "Too many levels of symbolic links"},
                 {"../../../outside/f", "inside", "Invalid cross-device link"},
                 {"d/../../outside/f", "inside", "Invalid cross-device link"},
                 {"loop/f", "Too many levels of symbolic links", "Too many levels of symbolic links"},
                 {"none/f", "No such file or directory", "No such file or directory"}};
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        is_str(text_of(path_open_in(root, cases[i].path, O_RDONLY, 0)), cases[i].in, "in the root: %s",
               cases[i].path);
        is_str(text_of(path_open_beneath(root, cases[i].path, O_RDONLY, 0)), cases[i].beneath, "beneath: %s",
               cases[i].path);
    }
    int fd = openat(root, "up/f", O_RDONLY);
    is_str(text_of(fd < 0 ? -errno : fd), "secret", "control: a plain open of up/f leaves the root");
    auto_fd int self = open("/", O_PATH | O_DIRECTORY);
    is_int(path_open_in(self, "proc/self/fd/0", O_RDONLY, 0), -ELOOP, "no magic link is followed");
    auto_fd int plain = path_open_in(root, "d/f", O_RDONLY, 0);
    is_int(fcntl(plain, F_GETFD), FD_CLOEXEC, "close-on-exec");
}

static void test_mkdirs(void)
{
    struct err e = {0};
    auto_fd int a = path_mkdirs_in(root, "/new/a/b", 0755, &e);
    ok(a >= 0 && faccessat(root, "new/a/b", F_OK, 0) == 0, "folders are made %s", e.text);
    auto_fd int again = path_mkdirs_in(root, "new/a/b", 0755, &e);
    ok(again >= 0, "which are there already");
    auto_fd int up = path_mkdirs_in(root, "up/made", 0755, &e);
    ok(up >= 0 && faccessat(root, "outside/made", F_OK, 0) == 0 &&
           faccessat(topfd, "outside/made", F_OK, 0) < 0,
       "behind a link: inside the root, not outside");
    auto_fd int dots = path_mkdirs_in(root, "../../dots", 0755, &e);
    ok(faccessat(topfd, "dots", F_OK, 0) < 0, "dots make nothing outside");
    is_int(path_mkdirs_in(root, "d/f/x", 0755, &e), -ENOTDIR, "a file in the way: %s", e.text);
}

/* ---- the swap: "s" is the folder d and then a link to ../outside, as fast as it goes ---- */
static pid_t swapper(void)
{
    if (mkdirat(root, "s", 0755) < 0 || symlinkat("../outside", root, "t") < 0)
        abort();
    put(root, "s/f", "inside");
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            renameat2(root, "s", root, "t", RENAME_EXCHANGE);
    return pid;
}

/* Looks, then opens: what this room replaces. */
static int naive(void)
{
    struct stat st;
    if (fstatat(root, "s", &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
        return -ELOOP;
    int fd = openat(root, "s/f", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static void test_swap(void)
{
    unsigned leaked = 0, inside = 0, refused = 0, rounds = 0, made = 0;
    pid_t pid = swapper();
    for (; rounds < ROUNDS || (!inside && rounds < CONTROL_MAX); rounds++) {
        const char *t = text_of(rounds & 1 ? path_open_in(root, "s/f", O_RDONLY, 0)
                                           : path_open_beneath(root, "s/f", O_RDONLY, 0));
        leaked += !strcmp(t, "secret");
        inside += !strcmp(t, "inside");
        refused += !strcmp(t, strerror(ELOOP)) || !strcmp(t, strerror(EAGAIN));
        if (rounds < ROUNDS) {
            auto_fd int fd = path_mkdirs_in(root, "s/planted", 0755, NULL);
            made += fd >= 0;
        }
    }
    is_int(leaked, 0, "%u rounds of the swap: %u inside, %u refused", rounds, inside, refused);
    is_int(inside + refused, rounds, "... and nothing else");
    ok(made > 0 && faccessat(topfd, "outside/planted", F_OK, 0) < 0, "no folder was made outside (%u inside)",
       made);
    for (rounds = leaked = 0; !leaked && rounds < CONTROL_MAX; rounds++)
        leaked += !strcmp(text_of(naive()), "secret");
    ok(leaked, "control: looking first and opening then is caught, after %u rounds", rounds);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* A tree is deleted while a folder in it and a link to the outside change places. */
static void test_remove_swap(void)
{
    unsigned failed = 0;
    for (unsigned i = 0; i < ROUNDS / 10; i++) {
        if (mkdirat(root, "r", 0755) < 0 || mkdirat(root, "r/a", 0755) < 0 ||
            mkdirat(root, "r/a/x", 0755) < 0 || symlinkat("../../outside", root, "r/b") < 0)
            abort();
        pid_t pid = fork();
        while (pid == 0)
            if (renameat2(root, "r/a", root, "r/b", RENAME_EXCHANGE) < 0 && errno == ENOENT)
                _exit(0);
        struct err e = {0};
        for (int k = 0; k < 100 && path_remove_tree(root, "r", &e) < 0; k++)
            err_clear(&e);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        failed += path_remove_tree(root, "r", NULL) < 0 || faccessat(topfd, "outside/f", F_OK, 0) < 0;
    }
    is_int(failed, 0, "%u trees deleted while a link out of them moves: the outside stays", ROUNDS / 10);
}

static void test_names(void)
{
    char many[300];
    memset(many, 'a', sizeof(many));
    many[255] = '\0';
    ok(path_is_component("a") && path_is_component("..a") && path_is_component(many), "components");
    many[255] = 'a', many[256] = '\0';
    ok(!path_is_component("") && !path_is_component(".") && !path_is_component("..") &&
           !path_is_component("a/b") && !path_is_component("a\nb") && !path_is_component(many) &&
           !path_is_component(NULL),
       "and what is none");
    ok(path_is_clean_absolute("/a/b") && path_is_clean_absolute("/"), "absolute paths");
    ok(!path_is_clean_absolute("a") && !path_is_clean_absolute("/a/../b") &&
           !path_is_clean_absolute("/a/.") && !path_is_clean_absolute("") && !path_is_clean_absolute(NULL) &&
           !path_is_clean_absolute("/a\x01"),
       "and what is none");
    auto_free char *j = path_join("/a//", "//b");
    is_str(j, "/a/b", "joined");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    scene();
    test_walk();
    test_mkdirs();
    test_swap();
    test_remove_swap();
    test_names();
    struct err e = {0};
    auto_fd int tmp = open("/tmp", O_PATH | O_DIRECTORY);
    is_int(path_remove_tree(tmp, top + 5, &e), 0, "all gone %s", e.text);
    return done_testing();
}
