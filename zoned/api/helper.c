/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A credential helper: a program of the user's own that keeps logins in his key ring. The registry's name goes to its standard
 * input, an answer of at most 64 KiB comes back; its complaints are the user's to see. */
#include "zoned/api/helper.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define ANSWER_MAX 65536
#define SECONDS 30

static bool name_ok(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("-_.", name[i]))
            return false;
    return n && n <= 64;
}

static _Noreturn void be_helper(const char *program, int in, int out)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0)
        _exit(127);
    execlp(program, program, "get", (char *)NULL);
    _exit(127);
}

/* Until the end, too much, or too late. */
static int hear(int fd, struct str *s)
{
    uint64_t end = clock_mono_us() + SECONDS * 1000000ull;
    char buf[4096];
    for (;;) {
        uint64_t now = clock_mono_us();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int k = now >= end ? 0 : poll(&p, 1, (int)((end - now) / 1000) + 1);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return -ETIMEDOUT;
        ssize_t n = read(fd, buf, sizeof(buf));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        str_addn(s, buf, (size_t)n);
        explicit_bzero(buf, (size_t)n);
        if (s->len > ANSWER_MAX)
            return -EFBIG;
    }
}

static int ask(const char *program, const char *registry, struct str *answer, int *status, struct err *e)
{
    int i[2], o[2];
    if (pipe2(i, O_CLOEXEC) < 0)
        return err_sys(e, "pipe");
    auto_fd int their_in = i[0];
    auto_fd int my_out = i[1];
    if (pipe2(o, O_CLOEXEC) < 0)
        return err_sys(e, "pipe");
    auto_fd int my_in = o[0];
    auto_fd int their_out = o[1];
    pid_t pid = fork();
    if (pid == 0)
        be_helper(program, their_in, their_out);
    if (pid < 0)
        return err_sys(e, "fork");
    close_fd(&their_in);
    close_fd(&their_out);
    void (*old)(int) = signal(SIGPIPE, SIG_IGN);
    (void)fd_write_full(my_out, registry, strlen(registry));
    signal(SIGPIPE, old);
    close_fd(&my_out);
    int r = hear(my_in, answer);
    if (r < 0)
        kill(pid, SIGKILL);
    while (waitpid(pid, status, 0) < 0 && errno == EINTR)
        ;
    return r < 0 ? err_sysk(e, ERR_INTERNAL, -r, "%s", program) : 0;
}

int cred_helper_get(const char *name, const char *registry, json **out, struct err *e)
{
    struct str answer = {0};
    int status = 0;
    if (!name_ok(name))
        return err_set(e, ERR_INVALID, EINVAL, "the name of the credential helper is none");
    auto_free char *program = xasprintf("docker-credential-%s", name);
    int r = ask(program, registry, &answer, &status, e);
    json *j = r == 0 && status == 0 && answer.len ? js_parse(answer.p, answer.len, NULL) : NULL;
    bool none = answer.p && strstr(answer.p, "credentials not found");
    if (answer.p)
        explicit_bzero(answer.p, answer.len);
    str_done(&answer);
    if (r < 0)
        return r;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        err_set(e, ERR_NOT_FOUND, ENOENT, "the credential helper %s is not installed", program);
        return err_hint(e, "install it, or log in again without it");
    }
    if (status == 0 && js_type_of(j) != JS_OBJECT) {
        js_free(j);
        return err_set(e, ERR_INVALID, EINVAL, "%s: its answer is no JSON object", program);
    }
    if (status != 0 && !none)
        return err_set(e, ERR_INTERNAL, EIO, "%s failed", program);
    *out = j;
    return 0;
}
