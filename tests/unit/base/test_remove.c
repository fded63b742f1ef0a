/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deleting trees: deeper than there are descriptors, with names that the deleter uses itself, with what has no
 * permissions; and never what a link leads to or what is mounted. */
#include "base/auto.h"
#include "base/path.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEEP 3000

static char top[] = "/tmp/remove-XXXXXX";
static int topfd;

static int gone(const char *name)
{
    struct stat st;
    return fstatat(topfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

/* name/d/d/d/…, each with a file; returns the number of levels made. */
static int nest(const char *name, int levels)
{
    int fd = mkdirat(topfd, name, 0700) < 0 ? -1 : openat(topfd, name, O_RDONLY | O_DIRECTORY), n = 0;
    for (; fd >= 0 && n < levels; n++) {
        auto_fd int f = openat(fd, "file", O_WRONLY | O_CREAT, 0600);
        int next = mkdirat(fd, "d", 0700) < 0 ? -1 : openat(fd, "d", O_RDONLY | O_DIRECTORY);
        close(fd);
        fd = next;
    }
    close(fd);
    return n;
}

static void test_deep(void)
{
    struct err e = {0};
    struct rlimit few = {300, 300};
    is_int(setrlimit(RLIMIT_NOFILE, &few), 0, "300 descriptors");
    is_int(nest("deep", DEEP), DEEP, "%d levels", DEEP);
    auto_fd int deep = openat(topfd, "deep", O_RDONLY | O_DIRECTORY);
    is_int(mkdirat(deep, ".deep.0", 0700), 0, "a folder with the name of one that is moved up");
    is_int(symlinkat("/nowhere", deep, ".deep.1"), 0, "... and a link");
    is_int(path_remove_tree(topfd, "deep", &e), 0, "deleted: %s", e.text);
    ok(gone("deep"), "gone");
    is_int(path_remove_tree(topfd, "deep", &e), 0, "again");
}

static void test_kinds(void)
{
    struct err e = {0};
    char there[] = "there";
    is_int(nest(there, 2), 2, "a folder that a link leads to");
    is_int(nest("tree", 3), 3, "a tree");
    auto_fd int tree = openat(topfd, "tree", O_RDONLY | O_DIRECTORY);
    is_int(symlinkat("../there", tree, "link"), 0, "a link in it");
    is_int(mkfifoat(tree, "fifo", 0600), 0, "a fifo");
    is_int(fchmodat(tree, "d", 0, 0), 0, "a folder without permissions");
    is_int(path_remove_tree(topfd, "tree", &e), 0, "deleted: %s", e.text);
    ok(gone("tree") && !gone("there"), "what the link leads to stays");
    is_int(symlinkat("there", topfd, "link"), 0, "a link by name");
    is_int(path_remove_tree(topfd, "link", &e), 0, "is deleted itself");
    ok(gone("link") && !gone("there"), "... alone");
    is_int(path_remove_tree(topfd, there, &e), 0, "all gone");
}

static void test_mount(void)
{
    struct err e = {0};
    is_int(nest("kept", 200), 200, "a tree with mounts in it");
    auto_fd int kept = openat(topfd, "kept", O_RDONLY | O_DIRECTORY);
    is_int(fchdir(kept), 0, "in it");
    is_int(mount("none", "d/d", "tmpfs", 0, NULL), 0, "something is mounted there");
    auto_fd int f = openat(kept, "d/d/precious", O_WRONLY | O_CREAT, 0600);
    is_int(path_remove_tree(topfd, "kept", &e), -EXDEV, "refused: %s", e.text);
    is_int(faccessat(kept, "d/d/precious", F_OK, 0), 0, "and untouched");
    is_int(umount2("d/d", MNT_DETACH), 0, "unmounted");
    is_int(path_remove_tree(topfd, "kept", &e), 0, "goes now");
}

int main(void)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return 98;
    if (!mkdtemp(top) || (topfd = open(top, O_RDONLY | O_DIRECTORY)) < 0)
        return 99;
    test_kinds();
    test_mount();
    test_deep();
    rmdir(top);
    return done_testing();
}
