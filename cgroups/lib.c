/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The only room that knows libcgroup. It is used where it fits and time does not count: making the parent group
 * in every v1 hierarchy, once per daemon. It is not on the start path, by measurement (tests/bench/cgroups.c, 6.18,
 * 2 cores, medians in µs; the library without v2 and devices, so with less to do):
 *   cgroup_init 540-820; make 7 groups with values: library 1,320, ours 490-580 with v2 and the device list;
 *   attach: library 270, but 12,000 at p90 (an RCU grace period), the child by itself 110; remove: 500 against 210.
 * It knows no dirfd, no cgroup.kill and no CLONE_INTO_CGROUP. Whatever it refuses is made directly by the caller,
 * so that its failure is never ours. */
#include "cgroups/internal.h"
#include <libcgroup.h>

static int library_ready(void)
{
    static int state = -1; /* -1 not tried, else the library's code */
    if (state < 0)
        state = cgroup_init();
    return state;
}

/* Makes `group` in all v1 hierarchies in use where the library sees the same mount point as we do. 0 = it
 * did, anything else = the caller does it. */
int cg_lib_make(const struct cg_host *h, const char *group)
{
    if (!h->real || h->layout == CG_V2 || library_ready() != 0)
        return -1;
    struct cgroup *cg = cgroup_new_cgroup(group);
    if (!cg)
        return -1;
    unsigned n = 0;
    for (unsigned c = 0; c < CG_CTRL_MAX; c++) {
        if (h->of[c] < 0 || h->at[h->of[c]].v2 || !h->at[h->of[c]].used)
            continue;
        char *point = NULL;
        if (cgroup_get_subsys_mount_point(cg_ctrl_name(c, false), &point) == 0 &&
            str_eq(point, h->at[h->of[c]].path))
            n += cgroup_add_controller(cg, cg_ctrl_name(c, false)) != NULL;
        free(point);
    }
    int r = n ? cgroup_create_cgroup(cg, 1) : -1;
    cgroup_free(&cg);
    return r;
}
