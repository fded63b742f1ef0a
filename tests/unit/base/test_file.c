/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files: bounded reads that never block, replacement that is whole or not at all (also on a full disk and under
 * the eyes of a reader), sealed memory, messages with descriptors. */
#include "base/auto.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char top[] = "/tmp/file-XXXXXX";
static int dir;

static const char *read_back(const char *name)
{
    static char *last;
    free(last);
    last = NULL;
    return file_read(dir, name, 1u << 20, &last, NULL, NULL) == 0 ? last : NULL;
}

static void test_read(void)
{
    struct err e = {0};
    auto_free char *t = NULL;
    size_t n = 7;
    is_int(file_create(dir, "a", "0123456789", 10, 0600, &e), 0, "created");
    is_int(file_create(dir, "a", "x", 1, 0600, &e), -EEXIST, "not twice: %s", e.text);
    err_clear(&e);
    is_int(file_read(dir, "a", 9, &t, &n, &e), -EFBIG, "one byte over the bound: %s", e.text);
    ok(e.kind == ERR_INVALID && !t && n == 7, "is invalid, and nothing is given");
    err_clear(&e);
    is_int(file_read(dir, "a", 10, &t, &n, &e), 0, "the bound itself");
    is_int(n, 10, "... all of it");
    auto_free char *x = NULL;
    is_int(mkfifoat(dir, "fifo", 0600), 0, "a fifo");
    is_int(file_read(dir, "fifo", 10, &x, NULL, &e), -EINVAL, "is refused and does not block: %s", e.text);
    is_int(file_read(AT_FDCWD, "/dev/zero", 10, &x, NULL, NULL), -EINVAL, "a device");
    is_int(file_read(dir, ".", 10, &x, NULL, NULL), -EINVAL, "a folder");
    err_clear(&e);
    is_int(file_read(dir, "none", 10, &x, NULL, &e), -ENOENT, "nothing there");
    is_int(e.kind, ERR_NOT_FOUND, "is not found");
    is_int(file_read(AT_FDCWD, "/proc/self/status", 1u << 20, &x, NULL, NULL), 0, "a file of proc");
}

static void test_replace(void)
{
    struct err e = {0};
    struct stat st;
    is_int(file_replace(dir, "r", "one", 3, 0600, true, &e), 0, "new %s", e.text);
    is_int(file_replace(dir, "r", "two", 3, 0640, false, &e), 0, "replaced");
    is_str(read_back("r"), "two", "its content");
    is_int(fstatat(dir, "r", &st, 0) == 0 ? st.st_mode & 07777 : 0, 0640, "its mode");
    is_int(file_create(dir, "r.new", "left", 4, 0600, &e), 0, "what a killed writer left");
    is_int(file_replace(dir, "r", "three", 5, 0600, true, &e), 0, "does not matter");
    ok(!file_exists(dir, "r.new"), "and goes");
    is_int(symlinkat("/etc/passwd", dir, "r.new"), 0, "a link in its place");
    is_int(file_replace(dir, "r", "four", 4, 0600, true, &e), 0, "is not followed");
    is_str(read_back("r"), "four", "... is replaced");
    is_int(file_replace(dir, "none/r", "x", 1, 0600, true, &e), -ENOENT, "no folder: %s", e.text);
    err_clear(&e);
    is_int(mkdirat(dir, "folder", 0700), 0, "a folder of that name");
    ok(file_replace(dir, "folder", "x", 1, 0600, true, &e) < 0, "is an error: %s", e.text);
    ok(!file_exists(dir, "folder.new"), "that leaves nothing");
}

/* A reader sees the old or the new whole text, never a part. */
static void test_atomic(void)
{
    static char a[20000], b[30000];
    unsigned wrong = 0, seen_a = 0, seen_b = 0;
    memset(a, 'a', sizeof(a));
    memset(b, 'b', sizeof(b));
    is_int(file_replace(dir, "at", a, sizeof(a), 0600, false, NULL), 0, "a file");
    fflush(stdout);
    pid_t pid = fork();
    for (unsigned i = 0; pid == 0; i++)
        if (file_replace(dir, "at", i & 1 ? a : b, i & 1 ? sizeof(a) : sizeof(b), 0600, false, NULL) < 0)
            _exit(1);
    for (int i = 0; i < 2000 || (i < 200000 && !(seen_a && seen_b)); i++) {
        const char *t = read_back("at");
        size_t n = t ? strlen(t) : 0;
        bool is_a = n == sizeof(a) && t[0] == 'a' && t[n - 1] == 'a';
        bool is_b = n == sizeof(b) && t[0] == 'b' && t[n - 1] == 'b';
        seen_a += is_a;
        seen_b += is_b;
        wrong += !is_a && !is_b;
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    ok(wrong == 0 && seen_a && seen_b, "read while it is replaced: %u old, %u new, %u torn", seen_a, seen_b,
       wrong);
}

static void test_full(void)
{
    static char big[256 << 10];
    struct err e = {0};
    memset(big, 'x', sizeof(big));
    is_int(mkdirat(dir, "full", 0700), 0, "a small filesystem");
    auto_free char *path = path_join(top, "full");
    is_int(mount("none", path, "tmpfs", 0, "size=64k"), 0, "mounted");
    is_int(file_replace(dir, "full/f", "old", 3, 0600, true, &e), 0, "a file there");
    is_int(file_replace(dir, "full/f", big, sizeof(big), 0600, true, &e), -ENOSPC, "no room: %s", e.text);
    is_int(e.kind, ERR_LIMIT, "is a limit");
    is_str(read_back("full/f"), "old", "the old content stays");
    ok(!file_exists(dir, "full/f.new"), "and nothing half");
    err_clear(&e);
    is_int(mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0, "read-only");
    is_int(file_replace(dir, "full/f", "new", 3, 0600, true, &e), -EROFS, "is said: %s", e.text);
    is_str(read_back("full/f"), "old", "the old content stays");
    is_int(umount2(path, MNT_DETACH), 0, "unmounted");
}

static void test_memfd(void)
{
    struct err e = {0};
    auto_fd int fd = fd_memfd_sealed("sealed", "text", 4, &e);
    ok(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC, "a sealed file %s", e.text);
    ok(pwrite(fd, "x", 1, 0) < 0 && errno == EPERM, "cannot be written");
    ok(ftruncate(fd, 0) < 0 && errno == EPERM, "nor cut");
    ok(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED, "nor mapped for writing");
    ok(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0, "and the seals stay");
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    auto_fd int w = open(path, O_RDWR);
    ok(w < 0 || pwrite(w, "x", 1, 0) < 0, "also opened anew");
    auto_fd int plain = memfd_create("plain", MFD_CLOEXEC);
    is_int(pwrite(plain, "x", 1, 0), 1, "control: without seals it can");
}

static void test_messages(void)
{
    int s[2], fds[2] = {-1, -1};
    char buf[8];
    unsigned n = 2;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) < 0)
        abort();
    is_int(fd_send(s[0], "hello", 5, (int[]){0, 1}, 2), 0, "a message with two descriptors");
    is_int(fd_recv(s[1], buf, sizeof(buf), fds, &n, 0), 5, "arrives");
    ok(n == 2 && fcntl(fds[0], F_GETFD) == FD_CLOEXEC && fcntl(fds[1], F_GETFD) == FD_CLOEXEC,
       "its descriptors are close-on-exec");
    fd_close_all(fds, 2);
    int next = dup(0);
    close(next);
    is_int(fd_send(s[0], "hello", 5, (int[]){0, 1, 0}, 3), 0, "three descriptors for room of one");
    n = 1;
    is_int(fd_recv(s[1], buf, sizeof(buf), fds, &n, 0), 5, "arrive");
    fd_close_all(fds, 1);
    int same = dup(0);
    is_int(same, next, "the others are closed");
    close(same);
    is_int(fd_send(s[0], "longer than eight", 17, (int[]){0}, 1), 0, "a message that is too long");
    n = 2;
    is_int(fd_recv(s[1], buf, sizeof(buf), fds, &n, 0), -EMSGSIZE, "is refused");
    same = dup(0);
    is_int(same, next, "and its descriptor closed");
    close(same);
    close(s[0]);
    n = 2;
    is_int(fd_recv(s[1], buf, sizeof(buf), fds, &n, 0), 0, "end of file");
    is_int(fd_send(s[1], "x", 1, NULL, 0), -EPIPE, "no signal, an error");
    close(s[1]);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return 98;
    if (!mkdtemp(top) || (dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return 99;
    test_read();
    test_replace();
    test_atomic();
    test_full();
    test_memfd();
    test_messages();
    (void)read_back("none");
    auto_fd int tmp = open("/tmp", O_PATH | O_DIRECTORY);
    is_int(path_remove_tree(tmp, top + 5, NULL), 0, "all gone");
    return done_testing();
}
