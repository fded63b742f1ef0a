/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which device nodes a zone may open: the default list and what its spec adds. v1: devices.deny and
 * devices.allow; v2 a BPF program (bpf.c). May assume the devices' paths were checked; must never leave a
 * group without a list. Source: cgroup-v1/devices.rst. */
#include "cgroups/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static const struct cg_dev defaults[] = {
    {'c', 1, 3, false},  /* null */
    {'c', 1, 5, false},  /* zero */
    {'c', 1, 7, false},  /* full */
    {'c', 1, 8, false},  /* random */
    {'c', 1, 9, false},  /* urandom */
    {'c', 5, 0, false},  /* tty */
    {'c', 5, 1, false},  /* console */
    {'c', 5, 2, false},  /* ptmx */
    {'c', 136, 0, true}, /* pts/N */
};

int cg_devs(const struct cg_limits *l, struct cg_dev devs[CG_DEVS_MAX], unsigned *n, struct err *e)
{
    unsigned k = ARRAY_LEN(defaults);
    memcpy(devs, defaults, sizeof(defaults));
    for (unsigned i = 0; l->devices && l->devices[i]; i++) {
        struct stat st;
        if (k == CG_DEVS_MAX)
            return err_set(e, ERR_LIMIT, E2BIG, "devices: more than %d", CG_DEVS_MAX);
        if (stat(l->devices[i], &st) < 0)
            return err_sys(e, "devices: %s", l->devices[i]);
        if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
            return err_set(e, ERR_INVALID, ENOTBLK, "devices: %s is no device", l->devices[i]);
        devs[k++] =
            (struct cg_dev){S_ISCHR(st.st_mode) ? 'c' : 'b', major(st.st_rdev), minor(st.st_rdev), false};
    }
    *n = k;
    return 0;
}

/* The file is opened once: an open and a close cost as much as a write. Undo of a deny: an allow. */
static int write_v1(const struct cg_group *g, const char *file, const struct cg_dev *devs, unsigned n,
                    struct err *e)
{
    char path[CG_PATH_MAX], line[64] = "a";
    cg_path(path, g->parent, g->name, file);
    auto_fd int fd = openat(g->h->at[g->h->of[CG_DEVICES]].fd, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    for (unsigned i = 0; i < n || !devs; i++) {
        if (devs && devs[i].any_minor)
            snprintf(line, sizeof(line), "%c %u:* rwm", devs[i].type, devs[i].major);
        else if (devs)
            snprintf(line, sizeof(line), "%c %u:%u rwm", devs[i].type, devs[i].major, devs[i].minor);
        if (fd < 0 || write(fd, line, strlen(line)) < 0)
            return err_sysk(e, ERR_INTERNAL, errno, "devices: writing \"%s\" to %s of %s", line, file,
                            g->name);
        if (!devs) /* all */
            break;
    }
    return 0;
}

int cg_devices_apply(const struct cg_group *g, const struct cg_limits *l, struct err *e)
{
    struct cg_dev devs[CG_DEVS_MAX];
    unsigned n = 0;
    int r = cg_devs(l, devs, &n, e);
    if (r < 0)
        return r;
    if (g->h->of[CG_DEVICES] < 0) {
        if (g->v2_fd < 0)
            return err_set(e, ERR_UNSUPPORTED, ENOENT,
                           "devices: neither a devices controller nor cgroup2 is mounted");
        return g->h->real ? cg_bpf_devices(g->v2_fd, devs, n, e) : 0;
    }
    r = write_v1(g, "devices.deny", NULL, 0, e);
    return r == 0 ? write_v1(g, "devices.allow", devs, n, e) : r;
}

static bool has_dev(const struct cg_dev *devs, unsigned n, const struct cg_dev *d)
{
    for (unsigned i = 0; i < n; i++)
        if (devs[i].type == d->type && devs[i].major == d->major &&
            (devs[i].any_minor || devs[i].minor == d->minor))
            return true;
    return false;
}

int cg_devices_update(const struct cg_group *g, const struct cg_limits *before, const struct cg_limits *after,
                      struct err *e)
{
    if (strv_eq(before->devices, after->devices))
        return 0;
    if (g->h->of[CG_DEVICES] < 0)
        return cg_devices_apply(g, after, e);
    struct cg_dev b[CG_DEVS_MAX], a[CG_DEVS_MAX];
    unsigned nb = 0, na = 0;
    int r = cg_devs(after, a, &na, e);
    if (r == 0 &&
        cg_devs(before, b, &nb, NULL) < 0) /* an old one is gone from /dev: start from the list anew */
        return cg_devices_apply(g, after, e);
    for (unsigned i = 0; r == 0 && i < na; i++)
        if (!has_dev(b, nb, &a[i]))
            r = write_v1(g, "devices.allow", &a[i], 1, e);
    for (unsigned i = 0; r == 0 && i < nb; i++)
        if (!has_dev(a, na, &b[i]))
            r = write_v1(g, "devices.deny", &b[i], 1, e);
    return r;
}
