/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The new process puts itself into the v1 groups that its maker opened for it. Written by the process about
 * itself into `tasks`, it takes no machine-wide lock; written by another into `cgroup.procs` it waits for
 * every fork and exec of the machine and a grace period (9 to 22 ms, seen on 6.18; kernel/cgroup/cgroup.c,
 * cgroup_procs_write_start). The permission is that of the opener, so this works from inside a user
 * namespace. */
#include "namespaces/inner.h"
#include <errno.h>
#include <unistd.h>

int nspace_groups_join(const int *fds, unsigned n, struct err *e)
{
    for (unsigned i = 0; i < n; i++)
        if (write(fds[i], "0", 1) != 1)
            return err_sysk(e, ERR_INTERNAL, errno, "join a control group");
    return 0;
}
