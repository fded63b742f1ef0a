/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One dnsmasq: for a network, on the network's own link, or for the zones that are on the same several networks, on a port
 * of its own on all of these links. It reads for each network a folder with a file for each running zone (inotify; no
 * reload), answers NAME, aliases and NAME.zone.internal, and hands other questions to the host's resolvers, unless all its
 * networks are sealed. It sees nothing else of ours: its own mount namespace shows it those folders below /mnt, and it gives
 * up root. */
#include "zoned/resolver.h"
#include "base/path.h"
#include "base/str.h"
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHOWN "/mnt" /* where the process finds the folders */

static int show(const char *folder, const char *network)
{
    auto_free char *at = path_join(SHOWN, network);
    if (mkdir(at, 0755) < 0 || mount(folder, at, NULL, MS_BIND, NULL) < 0)
        return -1;
    return mount(NULL, at, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

static int inside(void *arg)
{
    const struct resolver *r = arg;
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
        mount("tmpfs", SHOWN, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,mode=755") < 0)
        return -1;
    for (unsigned i = 0; i < strv_len(r->networks); i++)
        if (show(r->shown[i], r->networks[i]) < 0)
            return -1;
    if (mount(NULL, SHOWN, NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return -1;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static void add(char ***argv, char *word /* taken */)
{
    strv_add(argv, word);
    free(word);
}

static char **command(const struct resolver *r)
{
    static const char *const words[] = {RESOLVER_PROGRAM, "--keep-in-foreground", "--conf-file=/dev/null",
                                        "--pid-file=",    "--log-facility=-",     "--except-interface=lo",
                                        "--bind-dynamic", "--no-hosts",           "--domain-needed",
                                        "--no-ident",     "--cache-size=1000"};
    char **argv = NULL;
    for (unsigned i = 0; i < ARRAY_LEN(words); i++)
        strv_add(&argv, words[i]);
    strv_add(&argv, "--domain=" NET_DOMAIN);
    strv_add(&argv, "--local=/" NET_DOMAIN "/");
    add(&argv, xasprintf("--port=%u", r->port));
    for (unsigned i = 0; i < strv_len(r->networks); i++) {
        add(&argv, xasprintf("--interface=%s", r->bridges[i]));
        add(&argv, xasprintf("--hostsdir=" SHOWN "/%s/hosts", r->networks[i]));
    }
    if (!r->forwards) { /* what is not ours is not there: said at once, not after the asker's patience */
        strv_add(&argv, "--no-resolv");
        strv_add(&argv, "--address=/#/");
    }
    return argv;
}

struct resolver *resolver_start(struct zd *d, const char *dir, struct net_entry *const *nets, unsigned n,
                                unsigned port)
{
    struct resolver *r = xcalloc(1, sizeof(*r));
    r->port = port;
    for (unsigned i = 0; i < n; i++) {
        strv_add(&r->networks, nets[i]->net.name);
        strv_add(&r->bridges, nets[i]->net.bridge);
        add(&r->shown, xasprintf("%s/names/%s/shown", d->run_dir, nets[i]->net.name));
        r->forwards |= nets[i]->net.type != SPEC_NET_SEALED;
    }
    r->process = (struct service){.d = d,
                                  .name = "dnsmasq",
                                  .dir = xasprintf("%s/names/%s", d->run_dir, dir),
                                  .argv = command(r),
                                  .inside = inside,
                                  .arg = r};
    service_start(&r->process);
    return r;
}

void resolver_close(struct resolver *r, bool end)
{
    if (!r)
        return;
    service_close(&r->process, end);
    strv_free(r->networks);
    strv_free(r->bridges);
    strv_free(r->shown);
    free(r);
}

bool resolver_is_for(const struct resolver *r, struct net_entry *const *nets, unsigned n)
{
    if (strv_len(r->networks) != n)
        return false;
    for (unsigned i = 0; i < n; i++)
        if (strcmp(r->networks[i], nets[i]->net.name))
            return false;
    return true;
}
