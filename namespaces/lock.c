/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Locked mounts. A mount that the zone's own mount namespace receives by move_mount carries flags that root
 * of a zone with CAP_SYS_ADMIN may take off again: `mount -o remount,rw` on the host's /usr. The kernel locks
 * flags only when a mount is copied from a namespace of another user namespace (mount_namespaces(7),
 * "Restrictions on mount namespaces"). So the host's folders are attached in a throw-away mount namespace of
 * the supervisor, the child copies that namespace after its user namespace exists, and clones the locked
 * mounts from there to their targets. May assume a single-threaded process. Undo: nspace_lock_end goes back;
 * the throw-away namespace ends with its last user. */
#include "namespaces/inner.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define STAGE "/tmp"

static int make_stage(struct err *e)
{
    if (unshare(CLONE_NEWNS) < 0)
        return err_sys(e, "mount namespace for staging");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_sys(e, "private mounts for staging");
    if (mount("stage", STAGE, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755,size=64k") < 0)
        return err_sys(e, "staging folder");
    return 0;
}

int nspace_lock_begin(struct nspace_lock *l, struct err *e)
{
    l->n = 0;
    l->cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    l->old_ns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (l->old_ns < 0) {
        int r = err_sys(e, "own mount namespace");
        close_fd(&l->cwd);
        return r;
    }
    int r = make_stage(e);
    if (r < 0)
        nspace_lock_end(l);
    return r;
}

int nspace_lock_add(struct nspace_lock *l, int mount_fd, bool is_file, struct err *e)
{
    char path[32];
    snprintf(path, sizeof(path), STAGE "/%u", l->n);
    int fd = is_file ? open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) : mkdir(path, 0700);
    if (fd < 0)
        return err_sys(e, "staging place %u", l->n);
    if (is_file)
        close(fd);
    l->n++;
    return nspace_attach(mount_fd, AT_FDCWD, path, e);
}

void nspace_lock_end(struct nspace_lock *l)
{
    if (l->old_ns >= 0)
        (void)setns(l->old_ns, CLONE_NEWNS); /* also sets root and cwd to the namespace's root */
    if (l->cwd >= 0)
        (void)!fchdir(l->cwd);
    close_fd(&l->old_ns);
    close_fd(&l->cwd);
}

int nspace_lock_take(unsigned i, struct err *e)
{
    char path[32];
    snprintf(path, sizeof(path), STAGE "/%u", i);
    int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    return fd < 0 ? err_sys(e, "staged mount %u", i) : fd;
}
