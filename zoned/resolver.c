/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One dnsmasq: for a network, on the network's own link, or for the zones that are on the same several networks, on a port
 * of its own on all of these links. It reads for each network a folder with a file for each running zone (inotify; no
 * reload), answers NAME, aliases and NAME.zone.internal, and hands other questions to the host's resolvers, unless all its
 * networks are sealed. It sees nothing else of ours: its own mount namespace shows it those folders below /mnt, and it gives
 * up root. */
#include "zoned/resolver.h"
#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the folders that it reads ---- */
int resolver_folders(const char *dir, int *hosts_fd, struct err *e)
{
    auto_free char *shown = path_join(dir, "shown"), *hosts = path_join(shown, "hosts");
    int r = path_mkdirs(hosts, 0755, e);
    if (r < 0)
        return r;
    /* whatever the umask: the process reads them as nobody */
    if (chmod(shown, 0755) < 0 || chmod(hosts, 0755) < 0)
        return err_sys(e, "%s", hosts);
    *hosts_fd = open(hosts, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *hosts_fd < 0 ? err_sys(e, "%s", hosts) : 0;
}

static bool says_already(int hosts_fd, const char *file, const char *text)
{
    auto_free char *have = NULL;
    struct err ignored = {0}; /* not there, or not to be read: written anew */
    return file_read(hosts_fd, file, strlen(text), &have, NULL, &ignored) == 0 && !strcmp(have, text);
}

/* Made outside the folder and moved in: the process would also learn the name of a file that is being written. What is moved in
 * wakes each process that reads the folder, so not what it says already. */
int resolver_put(int hosts_fd, const char *file, const char *text, struct err *e)
{
    if (says_already(hosts_fd, file, text))
        return 0;
    auto_fd int shown = openat(hosts_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    (void)unlinkat(shown, file, 0);
    int r = file_create(shown, file, text, strlen(text), 0644, e);
    if (r == 0 && (fchmodat(shown, file, 0644, 0) < 0 || renameat(shown, file, hosts_fd, file) < 0))
        r = err_sys(e, "hosts/%s", file);
    return r;
}

void resolver_drop_folders(const char *dir)
{
    auto_fd int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (void)path_remove_tree(fd, "shown", NULL);
}

/* ---- the process ---- */
static int show(const char *folder, const char *network)
{
    auto_free char *at = path_join(RESOLVER_SHOWN, network);
    if (mkdir(at, 0755) < 0 || mount(folder, at, NULL, MS_BIND, NULL) < 0)
        return -1;
    return mount(NULL, at, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

static int inside(void *arg)
{
    const struct resolver *r = arg;
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
        mount("tmpfs", RESOLVER_SHOWN, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,mode=755") < 0)
        return -1;
    for (unsigned i = 0; i < strv_len(r->networks); i++)
        if (show(r->shown[i], r->networks[i]) < 0)
            return -1;
    if (mount(NULL, RESOLVER_SHOWN, NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) <
        0)
        return -1;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

void resolver_word(char ***argv, char *word)
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
    resolver_word(&argv, xasprintf("--port=%u", r->port));
    for (unsigned i = 0; i < strv_len(r->networks); i++) {
        resolver_word(&argv, xasprintf("--interface=%s", r->bridges[i]));
        resolver_word(&argv, xasprintf("--hostsdir=" RESOLVER_SHOWN "/%s/hosts", r->networks[i]));
    }
    for (unsigned i = 0; i < strv_len(r->subnets); i++)
        resolver_word(&argv,
                      xasprintf("--rev-server=%s", r->subnets[i])); /* and no server: nobody is asked */
    if (!r->forwards) { /* what is not ours is not there: said at once, not after the asker's patience */
        strv_add(&argv, "--no-resolv");
        strv_add(&argv, "--address=/#/");
    }
    return argv;
}

static void add_subnet(struct resolver *r, const struct net_addr *subnet)
{
    char text[64];
    if (!subnet->family)
        return;
    net_addr_print(subnet, true, text);
    strv_add(&r->subnets, text);
}

struct resolver *resolver_make(struct zd *d, const char *kind, const char *dir, struct net_entry *const *nets,
                               unsigned n)
{
    struct resolver *r = xcalloc(1, sizeof(*r));
    for (unsigned i = 0; i < n; i++) {
        strv_add(&r->networks, nets[i]->net.name);
        strv_add(&r->bridges, nets[i]->net.bridge);
        resolver_word(&r->shown, xasprintf("%s/%s/%s/shown", d->run_dir, kind, nets[i]->net.name));
        add_subnet(r, &nets[i]->net.subnet4);
        add_subnet(r, &nets[i]->net.subnet6);
        r->forwards |= nets[i]->net.type != SPEC_NET_SEALED;
    }
    r->process = (struct service){.d = d,
                                  .name = "dnsmasq",
                                  .dir = xasprintf("%s/%s/%s", d->run_dir, kind, dir),
                                  .inside = inside,
                                  .arg = r};
    return r;
}

struct resolver *resolver_start(struct zd *d, const char *dir, struct net_entry *const *nets, unsigned n,
                                unsigned port)
{
    struct resolver *r = resolver_make(d, "names", dir, nets, n);
    r->port = port;
    r->process.argv = command(r);
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
    strv_free(r->subnets);
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
