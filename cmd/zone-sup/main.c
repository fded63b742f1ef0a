/* SPDX-License-Identifier: GPL-2.0-or-later */
/* zone-sup --server RUN_DIR [--init PATH] [--ready FD]: the fork server and, forked from it, the supervisors
 * of zones. zone-init is looked for beside this program only. */
#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "zoned/sup/sup.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

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

int main(int argc, char **argv)
{
    const char *run_dir = NULL, *given = NULL;
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
            known = parse_u64(value, 1u << 20, &ready) == 0;
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
    return sup_server_run(run_dir, init, ready == UINT64_MAX ? -1 : (int)ready);
}
