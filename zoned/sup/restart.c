/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The restart policy, as a pure function: what happens when PID 1 has ended by itself. The backoff doubles
 * from the spec's to one minute; max counts the restarts in a row (a run of ten minutes begins anew: the
 * caller resets). */
#include "zoned/sup/rt.h"
#include <sys/wait.h>

#define BACKOFF_MAX_MS 60000u

static uint64_t backoff(uint64_t first, uint64_t restarts)
{
    uint64_t ms = first ? first : 100;
    for (uint64_t i = 0; i < restarts && ms < BACKOFF_MAX_MS; i++)
        ms *= 2;
    return ms > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : ms;
}

enum restart_verdict restart_decide(const struct spec_restart *r, bool system, int wait_status, bool forced,
                                    uint64_t restarts, uint64_t *delay_ms)
{
    *delay_ms = 0;
    if (system && WIFSIGNALED(wait_status)) {
        /* reboot(2) in a pid namespace: the kernel ends its PID 1 by SIGHUP for restart, SIGINT for power off
         */
        if (WTERMSIG(wait_status) == SIGHUP)
            return RESTART_AGAIN;
        if (WTERMSIG(wait_status) == SIGINT)
            return RESTART_NEVER;
    }
    if (!forced) {
        if (r->policy == SPEC_RESTART_NO)
            return RESTART_NEVER;
        if (r->policy == SPEC_RESTART_ON_FAILURE && exit_status_of(wait_status) == 0)
            return RESTART_NEVER;
    }
    if (r->max != SPEC_UNSET && restarts >= r->max)
        return RESTART_GAVE_UP;
    *delay_ms = backoff(r->backoff_ms, restarts);
    return RESTART_AGAIN;
}
