/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of zones: one dnsmasq for each network, on the network's own link. It reads a folder with a file for each
 * running zone (inotify; no reload), answers NAME, aliases and NAME.zone.internal to this network alone, and hands
 * other questions to the host's resolvers. It sees nothing else of ours: its own mount namespace shows it that folder
 * at /mnt, and it gives up root. The folder lies in RUN and is made anew from the running zones at our start. */
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "zoned/zoned.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM "/usr/sbin/dnsmasq"
#define SHOWN "/mnt" /* where the process finds the folder */

struct names {
    struct service process;
    char *shown; /* RUN/names/NETWORK/shown: hosts/ below it */
    int hosts_fd;
};

bool names_there(const struct zd *d)
{
    return access(PROGRAM, X_OK) == 0;
}

/* ---- the process ---- */
static int inside(void *arg)
{
    const struct names *n = arg;
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
        mount(n->shown, SHOWN, NULL, MS_BIND, NULL) < 0 ||
        mount(NULL, SHOWN, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) <
            0)
        return -1;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static char **command(const struct net_network *net)
{
    char **argv = NULL;
    auto_free char *link = xasprintf("--interface=%s", net->bridge);
    const char *const words[] = {PROGRAM,
                                 "--keep-in-foreground",
                                 "--conf-file=/dev/null",
                                 "--pid-file=",
                                 "--log-facility=-",
                                 link,
                                 "--except-interface=lo",
                                 "--bind-dynamic",
                                 "--no-hosts",
                                 "--hostsdir=" SHOWN "/hosts",
                                 "--domain-needed",
                                 "--domain=" NET_DOMAIN,
                                 "--local=/" NET_DOMAIN "/",
                                 "--no-ident",
                                 "--cache-size=1000"};
    for (unsigned i = 0; i < ARRAY_LEN(words); i++)
        strv_add(&argv, words[i]);
    return argv;
}

static int make_folders(struct names *n, struct err *e)
{
    auto_free char *hosts = path_join(n->shown, "hosts");
    int r = path_mkdirs(hosts, 0755, e);
    if (r < 0)
        return r;
    /* whatever the umask: the process reads them as nobody */
    if (chmod(n->shown, 0755) < 0 || chmod(hosts, 0755) < 0)
        return err_sys(e, "%s", hosts);
    n->hosts_fd = open(hosts, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return n->hosts_fd < 0 ? err_sys(e, "%s", hosts) : 0;
}

void names_network_up(struct zd *d, struct net_entry *entry)
{
    struct err e = {0};
    if (entry->names || !names_there(d))
        return;
    struct names *n = xcalloc(1, sizeof(*n));
    n->hosts_fd = -1;
    n->process = (struct service){.d = d,
                                  .name = "dnsmasq",
                                  .dir = xasprintf("%s/names/%s", d->run_dir, entry->net.name),
                                  .argv = command(&entry->net),
                                  .inside = inside,
                                  .arg = n};
    n->shown = path_join(n->process.dir, "shown");
    entry->names = n;
    if (make_folders(n, &e) < 0)
        log_warning("names of network %s: %s", entry->net.name, e.text);
    else
        service_start(&n->process);
}

void names_network_down(struct net_entry *entry, bool end)
{
    struct names *n = take_ptr(&entry->names);
    if (!n)
        return;
    close_fd(&n->hosts_fd);
    if (end) {
        auto_fd int dir = open(n->process.dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        (void)path_remove_tree(dir, "shown", NULL);
    }
    service_close(&n->process, end);
    free(n->shown);
    free(n);
}

int names_check(const struct zd *d, struct err *e)
{
    if (!names_there(d)) {
        err_set(e, ERR_UNSUPPORTED, ENOENT, "%s is not there: zones do not find each other by name", PROGRAM);
        return err_hint(e, "install the package dnsmasq-base");
    }
    for (unsigned i = 0; i < d->networks.len; i++) {
        const struct names *n = d->networks.at[i].names;
        if (n && !service_runs(&n->process)) {
            err_set(e, ERR_INTERNAL, EIO, "dnsmasq of network %s: %s", d->networks.at[i].net.name,
                    n->process.problem.text);
            return err_hint(e, "see %s/log; it is started again by itself", n->process.dir);
        }
    }
    return 0;
}

/* ---- zones ---- */
static struct names *names_of(struct zd *d, const char *network)
{
    struct net_entry *entry = network_find(d, network);
    return entry && entry->names && entry->names->hosts_fd >= 0 ? entry->names : NULL;
}

/* Made outside the folder and moved in: the process would also learn the name of a file that is being written. */
static int put(const struct names *n, const char *zone, const char *text, struct err *e)
{
    auto_fd int shown = openat(n->hosts_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    (void)unlinkat(shown, zone, 0);
    int r = file_create(shown, zone, text, strlen(text), 0644, e);
    if (r == 0 && (fchmodat(shown, zone, 0644, 0) < 0 || renameat(shown, zone, n->hosts_fd, zone) < 0))
        r = err_sys(e, "names/%s", zone);
    return r;
}

void names_publish(struct zone *z)
{
    for (unsigned i = 0; z->plan && i < z->plan->links.len; i++) {
        const struct net_link_plan *l = &z->plan->links.at[i];
        struct names *n = names_of(z->d, l->network.name);
        auto_free char *text = net_names_text(z->name, l);
        struct err e = {0};
        if (n && put(n, z->name, text, &e) < 0)
            log_warning("name of zone %s: %s", z->name, e.text);
    }
}

void names_withdraw(struct zone *z)
{
    for (unsigned i = 0; z->plan && i < z->plan->links.len; i++) {
        struct names *n = names_of(z->d, z->plan->links.at[i].network.name);
        if (n)
            (void)unlinkat(n->hosts_fd, z->name, 0);
    }
}

/* Of zones that ended while nobody looked. */
static void drop_stale(struct zd *d, struct names *n)
{
    auto_dir DIR *dir = fdopendir(openat(n->hosts_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (struct dirent *ent; dir && (ent = readdir(dir));) {
        struct zone *z = *ent->d_name == '.' ? NULL : registry_find(d, ent->d_name);
        if (*ent->d_name != '.' && (!z || !z->plan))
            (void)unlinkat(n->hosts_fd, ent->d_name, 0);
    }
}

void names_adopt(struct zd *d)
{
    unsigned count;
    auto_free struct zone **all = registry_sorted(d, &count);
    for (unsigned i = 0; i < count; i++)
        for (unsigned k = 0; all[i]->plan && k < all[i]->plan->links.len; k++) {
            struct net_entry *entry = network_find(d, all[i]->plan->links.at[k].network.name);
            if (entry)
                names_network_up(d, entry);
        }
    for (unsigned i = 0; i < count; i++)
        names_publish(all[i]);
    for (unsigned i = 0; i < d->networks.len; i++)
        if (d->networks.at[i].names && d->networks.at[i].names->hosts_fd >= 0)
            drop_stale(d, d->networks.at[i].names);
}
