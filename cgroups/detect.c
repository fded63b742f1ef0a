/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds which controller is mounted where: v1, v2 or both. Our own reading of mountinfo (0.1 ms) because
 * libcgroup's cgroup_init takes 1.2 ms, reads fixed paths and so cannot be tested. May assume nothing about
 * the mounts; must never mount or remount. Sources: proc_pid_mountinfo(5), cgroups(7). */
#include "base/file.h"
#include "base/path.h"
#include "cgroups/internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

static const char *const names_v1[CG_CTRL_MAX] = {"cpu",     "cpuacct", "cpuset", "memory", "devices",
                                                  "freezer", "blkio",   "pids",   "hugetlb"};
/* On v2 cpuacct, devices and freezer are no controllers: every group counts, freezes, and takes a BPF
 * program. */
static const char *const names_v2[CG_CTRL_MAX] = {"cpu", NULL, "cpuset", "memory", NULL,
                                                  NULL,  "io", "pids",   "hugetlb"};

const char *cg_ctrl_name(enum cg_ctrl c, bool v2)
{
    return v2 ? names_v2[c] : names_v1[c];
}

static unsigned ctrls_of(const char *list, const char *separators, bool v2)
{
    unsigned bits = 0;
    char **v = str_split(list, separators);
    for (unsigned i = 0; v && v[i]; i++)
        for (unsigned c = 0; c < CG_CTRL_MAX; c++)
            if (cg_ctrl_name(c, v2) && str_eq(v[i], cg_ctrl_name(c, v2)))
                bits |= CG_BIT(c);
    strv_free(v);
    return bits;
}

/* The controllers among a v1 mount's options, joined by commas: the kernel shows a hierarchy in a cgroup namespace only to
 * who asks for exactly its controllers (EPERM for a part of them), zones have no use for some of which. */
static char *v1_controllers(const struct cg_host *h, const char *options)
{
    char **words = str_split(options, ","), **found = NULL;
    for (unsigned i = 0; words && words[i]; i++)
        if (strv_has(h->v1_known, words[i]) || ctrls_of(words[i], ",", false))
            strv_add(&found, words[i]);
    char *joined = strv_join(found, ",");
    strv_free(found);
    strv_free(words);
    return joined;
}

/* mountinfo writes blank, tab, newline and backslash as \ooo */
static void unescape(char *s)
{
    char *o = s;
    for (; *s; s++)
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
            *o++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
            s += 3;
        } else
            *o++ = *s;
    *o = 0;
}

static void add_hier(struct cg_host *h, const char *point, const char *options, bool v2)
{
    unsigned ctrls = 0;
    if (v2) {
        char text[512];
        auto_free char *file = path_join(point, "cgroup.controllers");
        if (cg_read_at(AT_FDCWD, file, text, sizeof(text)) > 0)
            ctrls = ctrls_of(text, " \n", true);
    } else
        ctrls = ctrls_of(options, ",", false);
    if (h->n == CG_HIERS_MAX || (!v2 && !ctrls) || (v2 && h->v2 >= 0))
        return;
    for (unsigned i = 0; i < h->n; i++) /* the same hierarchy mounted a second time */
        if (!v2 && !h->at[i].v2 && (h->at[i].ctrls & ctrls))
            return;
    int fd = open(point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (v2)
        h->v2 = (int)h->n;
    h->at[h->n++] =
        (struct cg_hier){.path = xstrdup(point), .fd = fd, .ctrls = ctrls, .v2 = v2, .used = true};
    if (!v2)
        h->at[h->n - 1].v1_names = v1_controllers(h, options);
}

/* "36 35 98:0 /root /point opts [tags] - type source superopts" */
static void parse_line(struct cg_host *h, char *line, bool want_whole)
{
    char *dash = strstr(line, " - ");
    if (!dash)
        return;
    *dash = 0;
    char **left = str_split(line, " "), **right = str_split(dash + 3, " ");
    if (strv_len(left) >= 5 && strv_len(right) >= 3) {
        bool v2 = str_eq(right[0], "cgroup2");
        bool whole = str_eq(left[3], "/");
        unescape(left[4]);
        if ((v2 || str_eq(right[0], "cgroup")) && whole == want_whole)
            add_hier(h, left[4], right[2], v2);
    }
    strv_free(left);
    strv_free(right);
}

/* Mounts that show the whole hierarchy first; a part of one (a container without a cgroup namespace) only
 * where there is nothing better. */
static void parse_mountinfo(struct cg_host *h, const char *text)
{
    for (int pass = 0; pass < 2; pass++) {
        char **lines = str_split(text, "\n");
        for (unsigned i = 0; lines && lines[i]; i++)
            parse_line(h, lines[i], pass == 0);
        strv_free(lines);
    }
}

/* "cpu	3	1	1": every controller of this kernel, those that zones have no use for too. */
static void read_v1_known(struct cg_host *h)
{
    char buf[4096];
    auto_free char *file = path_join(h->proc, "cgroups");
    if (cg_read_at(AT_FDCWD, file, buf, sizeof(buf)) <= 0)
        return;
    char **lines = str_split(buf, "\n");
    for (unsigned i = 0; lines && lines[i]; i++) {
        lines[i][strcspn(lines[i], "\t")] = 0;
        strv_add(&h->v1_known, lines[i]);
    }
    strv_free(lines);
}

static unsigned count_cpus(const char *list)
{
    uint16_t *cpus = NULL;
    unsigned n = 0;
    if (spec_parse_cpuset(list, &cpus, &n) < 0)
        n = 0;
    free(cpus);
    return n;
}

static void read_cpus(struct cg_host *h)
{
    char buf[4096];
    auto_free char *file = path_join(h->sys, "devices/system/cpu/online");
    if (cg_read_at(AT_FDCWD, file, buf, sizeof(buf)) > 0) {
        buf[strcspn(buf, "\n")] = 0;
        h->online = xstrdup(buf);
        h->cpus = count_cpus(buf);
    }
    if (!h->cpus) {
        long n = sysconf(_SC_NPROCESSORS_ONLN);
        h->cpus = n > 0 ? (unsigned)n : 1;
        free(h->online);
        h->online = h->cpus > 1 ? xasprintf("0-%u", h->cpus - 1) : xstrdup("0");
    }
}

/* With a v2 group at hand the v1 freezer is not needed: kill, freeze and populated come from there. */
static void settle(struct cg_host *h)
{
    for (unsigned c = 0; c < CG_CTRL_MAX; c++) {
        h->of[c] = -1;
        for (unsigned i = 0; i < h->n; i++)
            if (h->at[i].ctrls & CG_BIT(c))
                h->of[c] = (int)i;
    }
    bool v1 = false;
    for (unsigned i = 0; i < h->n; i++) {
        struct cg_hier *r = &h->at[i];
        if (!r->v2 && r->ctrls == CG_BIT(CG_FREEZER) && h->v2 >= 0)
            r->used = false;
        v1 |= !r->v2;
        if (!r->v2 && r->used)
            strv_add(&h->view, r->v1_names);
        for (unsigned c = 0; c < CG_CTRL_MAX; c++)
            if (r->ctrls & CG_BIT(c))
                strv_add(&h->controllers, cg_ctrl_name(c, r->v2));
    }
    h->layout = h->v2 < 0 ? CG_V1 : v1 ? CG_HYBRID : CG_V2;
}

/* The root's own I/O is never 0 once a machine is up, but where the kernel counts below throttle rules alone (v1 before Linux
 * 6.5). The last line has the sum. */
static bool counts_by_rule(const struct cg_host *h)
{
    auto_free char *text = NULL;
    int hier = h->of[CG_BLKIO];
    return hier >= 0 && !h->at[hier].v2 &&
           file_read(h->at[hier].fd, "blkio.throttle.io_service_bytes", 1u << 20, &text, NULL, NULL) == 0 &&
           (str_starts(text, "Total 0\n") || strstr(text, "\nTotal 0\n"));
}

int cg_detect_roots(const char *mountinfo, const char *sys, const char *proc, struct cg_host **out,
                    struct err *e)
{
    auto_free char *text = NULL;
    int r = file_read(AT_FDCWD, mountinfo, 4u << 20, &text, NULL, e);
    if (r < 0)
        return err_prefix(e, "control groups");
    struct cg_host *h = xcalloc(1, sizeof(*h));
    h->v2 = -1;
    h->real = str_eq(mountinfo, "/proc/self/mountinfo");
    h->sys = xstrdup(sys);
    h->proc = xstrdup(proc);
    read_v1_known(h);
    parse_mountinfo(h, text);
    if (!h->n) {
        cg_host_free(h);
        err_set(e, ERR_UNSUPPORTED, ENOENT, "no control groups are mounted");
        return err_hint(e, "mount -t cgroup2 none /sys/fs/cgroup");
    }
    read_cpus(h);
    settle(h);
    h->io_by_rule = counts_by_rule(h);
    cg_keys_make(h);
    struct rlimit lim = {0};
    getrlimit(RLIMIT_NOFILE, &lim);
    h->fd_keep_max = lim.rlim_cur > 1u << 30 ? 1 << 30 : (int)(lim.rlim_cur / 4 * 3);
    *out = h;
    return 0;
}

int cg_detect(const char *mountinfo, struct cg_host **out, struct err *e)
{
    return cg_detect_roots(mountinfo, "/sys", "/proc", out, e);
}

void cg_host_free(struct cg_host *h)
{
    if (!h)
        return;
    for (unsigned i = 0; i < h->n; i++) {
        free(h->at[i].path);
        free(h->at[i].v1_names);
        close_fd(&h->at[i].fd);
    }
    free(h->sys);
    free(h->proc);
    free(h->online);
    cg_keys_free(h);
    strv_free(h->controllers);
    strv_free(h->view);
    strv_free(h->v1_known);
    free(h);
}

enum cg_layout cg_layout_of(const struct cg_host *h)
{
    return h->layout;
}

static char *const nothing[] = {NULL};

char *const *cg_controllers(const struct cg_host *h)
{
    return h->controllers ? h->controllers : nothing;
}

char *const *cg_v1_view(const struct cg_host *h)
{
    return h->view ? h->view : nothing;
}

const char *cg_online(const struct cg_host *h)
{
    return h->online;
}

unsigned cg_online_cpus(const struct cg_host *h)
{
    return h->cpus;
}

/* /proc/swaps has a heading and a line for each swap area. */
bool cg_host_has_swap(const struct cg_host *h)
{
    char buf[4096];
    auto_free char *file = path_join(h->proc, "swaps");
    if (cg_read_at(AT_FDCWD, file, buf, sizeof(buf)) <= 0)
        return false;
    const char *second = strchr(buf, '\n');
    return second && second[1];
}
