/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is made once and used for every zone: the two filters (2 ms each), zone-init as a sealed memory file
 * (no zone ever holds a handle to a host binary, R3), our own bounding set. And the check whether this host
 * can run zones at all. */
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "namespaces/inner.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define INIT_MAX (8u << 20)

static int load_init(const char *path, int *out, struct err *e)
{
    auto_free char *data = NULL;
    size_t n;
    int r = file_read(AT_FDCWD, path, INIT_MAX, &data, &n, e);
    if (r < 0)
        return err_prefix(e, "zone-init");
    r = fd_memfd_sealed("zone-init", data, n, e);
    if (r < 0)
        return r;
    *out = r;
    return 0;
}

int nspace_kit_new(const char *init_path, struct nspace_kit **out, struct err *e)
{
    struct nspace_kit *k = xcalloc(1, sizeof(*k));
    k->init_fd = -1;
    k->bounding = nspace_caps_bounding();
    int r = init_path ? load_init(init_path, &k->init_fd, e) : 0;
    for (int i = 0; r == 0 && i < 2; i++)
        r = nspace_filter_compile((enum spec_init)i, nspace_caps_default((enum spec_init)i) & k->bounding,
                                  &k->filters[i], e);
    if (r < 0) {
        nspace_kit_free(k);
        return r;
    }
    *out = k;
    return 0;
}

void nspace_kit_free(struct nspace_kit *k)
{
    if (!k)
        return;
    close_fd(&k->init_fd);
    if (k->has_part)
        fd_close_all(k->part, NSPACE_PART_FILES);
    free(k->filters[0].filter);
    free(k->filters[1].filter);
    free(k);
}

/* A user namespace with a map, held open by a child that does nothing else. fd or -errno. */
static int probe_userns(struct err *e)
{
    struct clone_args a = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    pid_t pid = (pid_t)syscall(SYS_clone3, &a, sizeof(a));
    if (pid == 0) {
        pause();
        _exit(0);
    }
    if (pid < 0) {
        err_sysk(e, ERR_UNSUPPORTED, errno, "user namespaces");
        return err_hint(e, "check sysctl user.max_user_namespaces and kernel.unprivileged_userns_clone");
    }
    int fd = nspace_map_write(pid, 1u << 30, e);
    if (fd == 0)
        fd = nspace_open_ns(pid, "user", e);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return fd;
}

int nspace_check_host(int data_dirfd, struct err *e)
{
    auto_fd int here = path_open_in(data_dirfd, ".", O_PATH | O_DIRECTORY, 0);
    if (here == -ENOSYS)
        return err_set(e, ERR_UNSUPPORTED, ENOSYS, "no openat2: zoned needs Linux 6.1 or newer");
    if (here < 0)
        return err_sysk(e, ERR_INTERNAL, -here, "data folder");
    auto_fd int userns = probe_userns(e);
    if (userns < 0)
        return userns;
    auto_fd int copy = nspace_clone_mount(here, e);
    if (copy < 0)
        return copy;
    return nspace_idmap_mount(copy, userns, true, true, e) < 0 ? err_prefix(e, "data folder") : 0;
}
