/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ps: the processes of a zone, with their pids inside and on the host. */
#include "cmd/zonectl/zonectl.h"

int ctl_ps(struct ctl *c, int argc, char **argv)
{
    static const char *const heads[] = {"PID", "HOST-PID", "USER", "CPU-TIME", "RSS", "COMMAND"};
    int status, at = ctl_positionals(c, argc, argv, 0, 1, &status);
    if (at < 0)
        return status;
    if (at == argc)
        return ctl_usage(c, "the zone's name is missing; all zones: zonectl list");
    auto_free char *path = ctl_zone_path(argv[at], "ps"), *what = xasprintf("ps %s", argv[at]);
    auto_js json *list = NULL;
    if ((status = ctl_call(c, "GET", path, NULL, &list, what)) || ctl_print_data(c, list))
        return status;
    struct ctl_table t = {.columns = ARRAY_LEN(heads)};
    for (unsigned i = 0; i < t.columns; i++)
        ctl_cell(&t, heads[i]);
    for (size_t i = 0; i < js_len(list); i++) {
        json *p = js_at(list, i);
        struct str user = {0};
        ctl_value(js_get(p, "user"), &user);
        ctl_cellf(&t, "%lld", (long long)js_get_int(p, "pid", 0));
        ctl_cellf(&t, "%lld", (long long)js_get_int(p, "host_pid", 0));
        ctl_cell(&t, user.p);
        ctl_cellf(&t, "%.2fs", (double)js_get_int(p, "cpu_usec", 0) / 1e6);
        char rss[24];
        ctl_size(js_get_int(p, "rss", 0), rss);
        ctl_cell(&t, rss);
        ctl_cell(&t, js_get_str(p, "command", ""));
        str_done(&user);
    }
    ctl_table_print(&t, stdout);
    return 0;
}
