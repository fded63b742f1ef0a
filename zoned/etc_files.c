/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files below ETC that an operator may edit: which there are, and for doctor those that cannot be read. Must never touch the
 * kernel or write what we know: doctor asks in a process of its own. */
#include "zoned/etc_files.h"
#include "base/fd.h"
#include "base/str.h"
#include "zoned/division.h"
#include "zoned/networks.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

static DIR *open_folder(struct zd *d, const char *folder)
{
    int fd = openat(d->etc_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? NULL : fdopendir(fd);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **etc_names(struct zd *d, const char *folder)
{
    char **names = NULL;
    auto_dir DIR *dir = open_folder(d, folder);
    for (struct dirent *ent; dir && (ent = readdir(dir));)
        if (str_ends(ent->d_name, ".yaml"))
            strv_take(&names, xstrndup(ent->d_name, strlen(ent->d_name) - strlen(".yaml")));
    if (names)
        qsort(names, strv_len(names), sizeof(*names), by_text);
    return names;
}

int etc_tidy(struct zd *d, const char *folder, struct err *e)
{
    auto_dir DIR *dir = open_folder(d, folder);
    if (!dir)
        return err_sys(e, "%s/%s", d->etc_dir, folder);
    for (struct dirent *ent; (ent = readdir(dir));)
        if (str_ends(ent->d_name, ".yaml.new")) /* a write that was killed before its rename */
            (void)unlinkat(dirfd(dir), ent->d_name, 0);
    return 0;
}

static void look(struct zd *d, const char *folder, const char *kind,
                 int (*read_one)(struct zd *d, const char *name, struct err *e), etc_told told, void *arg)
{
    char **names = etc_names(d, folder);
    for (char **n = names; n && *n; n++) {
        struct err e = {0};
        if (spec_check_name(kind, *n, &e) < 0)
            err_prefix(&e, "%s/%s/%s.yaml", d->etc_dir, folder, *n);
        else
            (void)read_one(d, *n, &e);
        if (err_is(&e))
            told(&e, arg);
    }
    strv_free(names);
}

static int read_network(struct zd *d, const char *name, struct err *e)
{
    auto_spec_network struct spec_network *s = NULL;
    return network_file(d, name, &s, e);
}

static int read_pool(struct zd *d, const char *name, struct err *e)
{
    auto_of(spec_party_free) struct spec_party *s = NULL;
    return pool_file(d, name, &s, e);
}

void etc_doctor(struct zd *d, etc_told told, void *arg)
{
    struct err e = {0};
    auto_of(spec_party_free) struct spec_party *host = NULL;
    int r = host_file(d, &host, &e);
    if (r < 0 && r != -ENOENT) {
        err_hint(&e, "mend it, and zonectl set @host takes it; until then the host has no part of its own");
        told(&e, arg);
    }
    look(d, "networks", "network", read_network, told, arg);
    char **gone = networks_gone(d);
    for (char **name = gone; name && *name; name++) {
        struct err ge = {0};
        auto_free char *text = network_gone_text(d, *name);
        err_set(&ge, ERR_NOT_FOUND, ENOENT, "%s", text);
        told(&ge, arg);
    }
    strv_free(gone);
    look(d, "pools", "pool", read_pool, told, arg);
}
