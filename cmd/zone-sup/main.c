/* SPDX-License-Identifier: GPL-2.0-or-later */
/* zone-sup --server RUN_DIR [--init PATH] [--ready FD]: the fork server and, forked from it, the supervisors
 * of zones. zone-init is looked for beside this program only.
 *
 * It runs from a sealed memory file (R3): a zone's program that begins with `#!/proc/self/exe` makes the kernel run
 * whatever program `exec` came from, and then holds a handle to it. That must not be a file of the host. */
#include "base/auto.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "zoned/sup/sup.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PROGRAM_MAX (64u << 20) /* a build with sanitizers too */

static char *beside_us(const char *name)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0)
        return NULL;
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    *slash = '\0';
    return path_join(self, name);
}

static bool in_memory(void)
{
    auto_fd int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int seals = fcntl(self, F_GET_SEALS);
    return seals >= 0 && (seals & F_SEAL_WRITE);
}

/* Does not return, but for an error. */
static int move_to_memory(const char *run_dir, const char *init, const char *ready, struct err *e)
{
    auto_free char *data = NULL;
    size_t n;
    int r = file_read(AT_FDCWD, "/proc/self/exe", PROGRAM_MAX, &data, &n, e);
    if (r < 0)
        return r;
    auto_fd int fd = fd_memfd_sealed("zone-sup", data, n, e);
    if (fd < 0)
        return fd;
    const char *args[] = {"zone-sup", "--server", run_dir, "--init", init, ready ? "--ready" : NULL,
                          ready,      NULL};
    execveat(fd, "", (char *const *)args, environ, AT_EMPTY_PATH);
    return err_sys(e, "run from memory");
}

int main(int argc, char **argv)
{
    const char *run_dir = NULL, *given = NULL, *ready_text = NULL;
    struct err e = {0};
    uint64_t ready = UINT64_MAX;
    log_init("zone-sup", LOG_LEVEL_INFO);
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        bool known = value != NULL;
        if (known && str_eq(argv[i], "--server"))
            run_dir = value;
        else if (known && str_eq(argv[i], "--init"))
            given = value;
        else if (known && str_eq(argv[i], "--ready"))
            known = parse_u64(ready_text = value, 1u << 20, &ready) == 0;
        else if (str_eq(argv[i], "--version"))
            return puts("zone-sup " ZONED_VERSION) < 0;
        else
            known = false;
        if (!known)
            run_dir = NULL, i = argc;
        i++;
    }
    if (!run_dir) {
        fputs("usage: zone-sup --server RUN_DIR [--init PATH] [--ready FD]\n", stderr);
        return 2;
    }
    auto_free char *init = given ? xstrdup(given) : beside_us("zone-init");
    if (!in_memory() && move_to_memory(run_dir, init, ready_text, &e) < 0) {
        log_error("%s", e.text);
        return 1;
    }
    prctl(PR_SET_NAME, "zone-sup"); /* before 6.14 the number of the descriptor */
    return sup_server_run(run_dir, init, ready == UINT64_MAX ? -1 : (int)ready);
}
