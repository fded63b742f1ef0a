/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Capability sets: which a zone gets, and taking the others off for ever. Must never leave anything in the
 * inheritable or ambient set. Sources: capabilities(7), security.md "Default profile". */
#include "base/str.h"
#include "namespaces/inner.h"
#include <ctype.h>
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(c) (1ull << (c))
#define ALL (BIT(CAP_LAST_CAP + 1) - 1)

uint64_t nspace_caps_default(enum spec_init init)
{
    if (init ==
        SPEC_INIT_SYSTEM) /* all of its own user namespace, less what would reach the kernel as a whole */
        return ALL & ~(BIT(CAP_SYS_MODULE) | BIT(CAP_SYS_RAWIO) | BIT(CAP_SYS_TIME) | BIT(CAP_SYSLOG) |
                       BIT(CAP_MAC_ADMIN) | BIT(CAP_MAC_OVERRIDE) | BIT(CAP_BPF) | BIT(CAP_PERFMON));
    return BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FSETID) | BIT(CAP_FOWNER) | BIT(CAP_SETGID) |
           BIT(CAP_SETUID) | BIT(CAP_SETFCAP) | BIT(CAP_SETPCAP) | BIT(CAP_NET_BIND_SERVICE) |
           BIT(CAP_SYS_CHROOT) | BIT(CAP_KILL);
}

uint64_t nspace_caps_bounding(void)
{
    uint64_t mask = 0;
    for (int c = 0; c <= CAP_LAST_CAP; c++)
        if (prctl(PR_CAPBSET_READ, c, 0, 0, 0) == 1)
            mask |= BIT(c);
    return mask;
}

static int cap_number(const char *name)
{
    char low[40] = "cap_";
    size_t n = name ? strlen(name) : 0;
    cap_value_t v;
    if (!n || n > 30)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (!isupper((unsigned char)name[i]) && name[i] != '_')
            return -1;
    for (size_t i = 0; i <= n; i++)
        low[4 + i] = (char)tolower((unsigned char)name[i]);
    return cap_from_name(low, &v) == 0 && v <= CAP_LAST_CAP ? v : -1;
}

bool nspace_capability_known(const char *name)
{
    return cap_number(name) >= 0;
}

static int change(uint64_t *mask, char *const *names, bool add, struct err *e)
{
    for (unsigned i = 0; names && names[i]; i++) {
        if (!strcmp(names[i], "ALL")) {
            *mask = add ? ALL : 0;
            continue;
        }
        int c = cap_number(names[i]);
        if (c < 0)
            return err_set(e, ERR_INVALID, EINVAL, "capability %.40s is not known", names[i]);
        *mask = add ? *mask | BIT(c) : *mask & ~BIT(c);
    }
    return 0;
}

int nspace_caps_wanted(enum spec_init init, const struct spec_security *sec, uint64_t bounding,
                       uint64_t *mask, struct err *e)
{
    uint64_t m = nspace_caps_default(init);
    int r = change(&m, sec->caps_add, true, e);
    if (r == 0)
        r = change(&m, sec->caps_drop, false, e);
    if (r < 0)
        return r;
    *mask = m & bounding;
    return 0;
}

int nspace_caps_drop_bounding(uint64_t mask, struct err *e)
{
    /* beyond CAP_LAST_CAP too: a newer kernel may know more than these headers */
    for (int c = 0; c < 64; c++) {
        if (mask & BIT(c))
            continue;
        if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0) {
            if (errno == EINVAL && c > CAP_LAST_CAP)
                return 0;
            return err_sys(e, "drop capability %d", c);
        }
    }
    return 0;
}

int nspace_caps_set(uint64_t mask, struct err *e)
{
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2] = {{(uint32_t)mask, (uint32_t)mask, 0},
                                          {(uint32_t)(mask >> 32), (uint32_t)(mask >> 32), 0}};
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return err_sys(e, "clear ambient capabilities");
    if (syscall(SYS_capset, &h, d) < 0)
        return err_sys(e, "set capabilities");
    return 0;
}
