/* SPDX-License-Identifier: GPL-2.0-or-later */
/* why: one paragraph about a zone's slowness. zoned decides; here it is wrapped. */
#include "cmd/zonectl/zonectl.h"
#include <stdio.h>
#include <string.h>

static void print_wrapped(const char *text, int cols)
{
    int at = 0;
    for (const char *p = text; *p;) {
        int n = (int)strcspn(p, " ");
        if (at && at + 1 + n > cols) {
            putchar('\n');
            at = 0;
        }
        printf("%s%.*s", at ? " " : "", n, p);
        at += n + (at > 0);
        p += n;
        p += strspn(p, " ");
    }
    putchar('\n');
}

int ctl_why(struct ctl *c, int argc, char **argv)
{
    struct ctl_args a = {.argc = argc, .argv = argv, .opts = c->verb->opts, .format = &c->format};
    uint64_t ms = 1000;
    int id, at, status = 0, rows, cols;
    while ((id = ctl_option(c, &a, &at, &status)) != CTL_END) {
        if (id == CTL_BAD)
            return status;
        if (id == 'i' && (ctl_seconds(a.value, &ms) < 0 || ms > 60000))
            return ctl_usage(c, "-i %s: seconds are wanted, 0.1 s to a minute", a.value);
    }
    if (argc - at != 1)
        return ctl_usage(c, "the name of one zone is wanted");
    auto_free char *tail = xasprintf("why?interval_ms=%llu", (unsigned long long)ms),
                   *path = ctl_zone_path(argv[at], tail), *what = xasprintf("why %s", argv[at]);
    auto_js json *answer = NULL;
    if ((status = ctl_call(c, "GET", path, NULL, &answer, what)) || ctl_print_data(c, answer))
        return status;
    ctl_window(&rows, &cols);
    print_wrapped(js_get_str(answer, "text", ""), cols > 20 ? cols : 80);
    return 0;
}
