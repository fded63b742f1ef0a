/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who blocks a teardown: processes in the zone's groups, and mounts of the host that lie on the zone's
 * folders. Reads only. */
#include "zoned/sup/rt.h"
#include <stdio.h>

static void add_process(json *list, pid_t pid)
{
    char path[64];
    auto_free char *comm = NULL;
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    json *o = js_object();
    js_set_str(o, "what", "process");
    js_set_int(o, "pid", pid);
    if (file_read(AT_FDCWD, path, 4096, &comm, NULL, NULL) == 0) {
        comm[strcspn(comm, "\n")] = '\0';
        js_set_str(o, "name", comm);
    }
    js_add(list, o);
}

static void add_processes(const struct plan *p, json *list)
{
    struct cg_host *h = NULL;
    struct cg_group *g = NULL;
    pid_t *pids = NULL;
    unsigned n = 0;
    if (cg_detect("/proc/self/mountinfo", &h, NULL) < 0)
        return;
    if (cg_open(h, p->cgroup_parent, p->cgroup_name, &g, NULL) == 0 && cg_pids(g, &pids, &n, NULL) == 0)
        for (unsigned i = 0; i < n && i < 100; i++)
            add_process(list, pids[i]);
    free(pids);
    cg_close(g);
    cg_host_free(h);
}

static bool below(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static void add_mounts(const struct plan *p, json *list)
{
    auto_file FILE *f = fopen("/proc/self/mountinfo", "re");
    auto_free char *line = NULL;
    auto_free char *data = xasprintf("%s/zones/%s", p->data_dir, p->zone);
    size_t room = 0;
    while (f && getline(&line, &room, f) > 0) {
        char at[4096];
        if (sscanf(line, "%*s %*s %*s %*s %4095s", at) != 1 || !(below(at, data) || below(at, p->run_dir)))
            continue;
        json *o = js_object();
        js_set_str(o, "what", "mount");
        js_set_str(o, "path", at);
        js_add(list, o);
    }
}

int sup_holders(const struct plan *p, json **out, struct err *e)
{
    json *list = js_array();
    add_processes(p, list);
    add_mounts(p, list);
    *out = list;
    return 0;
}
