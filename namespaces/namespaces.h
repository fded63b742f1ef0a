/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a zone's processes see: namespaces, id maps, mounts, devices, capabilities, seccomp. The caller
 * prepares plain descriptors; nothing here knows of images, cgroups' meaning, addresses or the daemon.
 * Sources: clone(2), user_namespaces(7), mount_setattr(2), move_mount(2), pivot_root(2), seccomp(2),
 * setns(2). */
#pragma once
#include "base/err.h"
#include "specs/specs.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define NSPACE_IDS 65536u

/* ---- once per process, before any zone (the fork server does it, forked supervisors inherit it) ---- */
/* Compiled seccomp programs, the sealed memfd of zone-init, what this kernel can do. init_path: the zone-init
 * binary. */
struct nspace_kit;
int nspace_kit_new(const char *init_path, struct nspace_kit **out, struct err *e);
void nspace_kit_free(struct nspace_kit *k);

/* ---- the zone's part of the machine in /proc and /sys (lxcfs) ---- */
#define NSPACE_PART_FILES 5u
/* Opens (O_PATH) the files of an lxcfs mount that zones see. Waits for the FUSE server: only in a process
 * that nobody waits for. On failure all are -1. */
int nspace_part_open(int lxcfs_root, int fds[NSPACE_PART_FILES], struct err *e);
/* Gives them to the kit, which owns them then, instead of those it has. true: those of another server. */
bool nspace_kit_part(struct nspace_kit *k, int fds[NSPACE_PART_FILES]);
const int *nspace_kit_part_fds(const struct nspace_kit *k, unsigned *n); /* borrowed; *n 0: none */
/* Puts the kit's files over those of a running zone, whatever is there now: bare, of a dead server, or of a
 * living one. What the zone itself mounted there stays. For a forked process of its own: it stays in the
 * zone's mount namespace. */
int nspace_part_renew(const struct nspace_kit *k, int init_pidfd, struct err *e);

/* ---- mounts prepared outside, attached inside ---- */
/* A detached copy of one mount (open_tree(OPEN_TREE_CLONE), not recursive) of an O_PATH fd. fd or -errno. */
int nspace_clone_mount(int path_fd, struct err *e);
/* Applies the zone's id map (and read-only, nosuid, nodev as asked) to a detached mount; before it is
 * attached. -EOPNOTSUPP/unsupported where the filesystem has no idmapped mounts. */
int nspace_idmap_mount(int mount_fd, int userns_fd, bool read_only, bool nodev, struct err *e);
/* Its own devpts instance for ids starting at uid_base (gid 5 = tty, mode 0620, ptmxmode 0666): detached
 * mount fd. */
int nspace_devpts_new(uint32_t uid_base, struct err *e);
/* A fresh pty in that instance: master (close-on-exec) and slave, the slave owned by the zone's root. */
int nspace_pty_new(int devpts_fd, uint32_t uid_base, int *master, int *slave, struct err *e);

/* One mount of the spec's `filesystems` (or one that the start adds), in order. */
struct nspace_mount {
    int fd;       /* detached mount, already idmapped if it must be; -1: tmpfs of `size` */
    char *target; /* absolute in the zone; made if missing (folder or empty file, like the source) */
    bool read_only, is_file;
    bool keep_ids; /* not idmapped: a filesystem without ids of the zone (lxcfs) */
    uint64_t size;
};

/* How the root is put together, inside the zone's user namespace. */
struct nspace_root {
    int layers_fd; /* detached, idmapped, read-only: the common parent of all lower layers; -1 = none */
    char **lowers; /* names below layers_fd, uppermost first, or "." for itself */
    int zone_fd;   /* detached, idmapped: a folder with `upper` and `work` */
    int usr_fd;    /* detached, idmapped, read-only: the host's /usr (image: host), or -1 */
    bool read_only;
    bool
        no_suid; /* with no_new_privs: file capabilities are ignored instead of refusing the exec (Debian's ping) */
};

/* Everything that the zone's side needs, borrowed until nspace_spawn returns. */
struct nspace_setup {
    const char *zone; /* name, for /run/zone/name and container= */
    const char *hostname;
    enum spec_init init;
    const struct spec_process *process; /* args are looked up inside the zone only */
    const struct spec_security *security;
    const struct spec_limits *limits;
    char *const *devices;    /* host device paths that the spec asks for; opened here, bind-mounted */
    const spec_map *sysctls; /* the zone's own (net.*, kernel.msg*, kernel.shm*, fs.mqueue.*) */
    uint64_t shm;
    struct nspace_root root;
    const struct nspace_mount *mounts;
    unsigned nmounts;
    int devpts_fd; /* from nspace_devpts_new */
    int stdio[3];  /* become 0, 1, 2; for a terminal all three the pty slave, which is also /dev/console */
    bool terminal; /* stdio is a pty: make it the controlling terminal */
    char *const *extra_env; /* K=V after PATH, HOME, container=zoned, before the spec's */
    uint32_t uid_base;
    bool part;           /* the zone's part in /proc and /sys, if the kit has it */
    bool host_network;   /* link: host: no network namespace, /sys bound read-only */
    int join_pidfd;      /* link: zone:NAME: share user+net namespace of that process; -1 = own */
    int cgroup_fd;       /* v2 folder for CLONE_INTO_CGROUP, or -1 */
    bool cgroup_view_v1; /* /sys/fs/cgroup: own v1 groups read-only; else own cgroup2 */
    char *const *cgroup_v1_controllers; /* hierarchies of the view: "cpu,cpuacct", "memory", … */
    const int *task_fds; /* v1 groups' `tasks`, opened for writing: the child joins them itself */
    unsigned ntask_fds;
    int status_fd; /* zone-init writes its exit status there too (kernels before 6.15), or -1 */
};

/* A child that is cloned and blocked. The caller attaches it to groups, gives it links, then says go. */
struct nspace_child {
    pid_t pid;
    int pidfd, userns_fd, netns_fd; /* netns_fd -1 with host_network */
    int sync_fd;
    bool unheard; /* it never took the go byte */
};
/* Time namespace offsets, clone3, id maps written, userns and netns opened; and the root's and mounts' fds
 * are idmapped (nspace_idmap_mount) here, since only now the map exists: so pass plain detached mounts in
 * setup. On failure nothing is left. The child holds copies of setup's fds and closes all others itself. */
int nspace_spawn(const struct nspace_kit *k, const struct nspace_setup *s, struct nspace_child *c,
                 struct err *e);
/* The go byte; then waits (at most timeout_ms) for end of file (program runs), or one error record. A missing
 * command is ERR_INVALID with code ENOENT (exit 127), one that is not executable EACCES (126). The child is
 * dead after an error. */
int nspace_go(struct nspace_child *c, uint64_t timeout_ms, struct err *e);
/* The same for who cannot wait: the go byte; then, whenever sync_fd is readable: 1 it runs, 0 nothing yet, or the error. */
int nspace_go_send(struct nspace_child *c, struct err *e);
int nspace_go_answer(struct nspace_child *c, struct err *e);
void nspace_child_done(struct nspace_child *c); /* kills if it was never let go, closes fds; idempotent */

/* ---- exec, login, cp in a running zone (rule R5) ---- */
struct nspace_exec {
    char *const *args; /* empty with login: the user's shell from the zone's passwd, as a login shell */
    bool login;
    const spec_map *env; /* added to the base environment */
    char *const *extra_env;
    const char *user, *cwd; /* NULL: root, / */
    int stdio[3];
    bool terminal;
    int cgroup_fd;                /* as in setup */
    bool no_user_namespace_creds; /* reserved; false */
    const int *task_fds;          /* as in setup */
    unsigned ntask_fds;
    enum spec_init init;
    const struct spec_security *security;
    const struct spec_limits *limits;
    uint32_t uid_base;
    /* Instead of exec: a function of ours that runs in the zone with the zone's credentials and root folder,
     * no host descriptors but stdio and job_fd; its return is the exit status. NULL = exec args. */
    int (*job)(int job_fd, void *arg);
    void *job_arg;
    int job_fd;
};
/* A worker of ours that gives birth in the zone; it takes as long as the zone lets it (its group may be frozen). */
struct nspace_worker {
    pid_t pid;
    int pidfd;
    struct nspace_page *page; /* NULL: there is none */
};
struct nspace_entry {
    struct nspace_worker worker;
    int sync_fd;
};
int nspace_enter_begin(const struct nspace_kit *k, int init_pidfd, const struct nspace_exec *x,
                       struct nspace_entry *n, struct err *e);
/* When the worker has ended and was waited for, killed perhaps: the new process is a child of the caller
 * (CLONE_PARENT), blocked until the go byte: attach it to groups in between. Nothing of the entry is left. */
int nspace_enter_end(struct nspace_entry *n, struct nspace_child *c, struct err *e);
/* The same for a zone that does not run: fresh user, mount and pid namespaces with this root and these mounts (a tmpfs
 * among them is left out), job instead of a program. It keeps the caller's standard streams and dies with it. */
struct nspace_visit {
    const struct nspace_root *root;
    const struct nspace_mount *mounts;
    unsigned nmounts;
    uint32_t uid_base;
    int (*job)(int job_fd, void *arg);
    void *job_arg;
    int job_fd;
};
int nspace_visit(const struct nspace_kit *k, const struct nspace_visit *v, struct nspace_child *c,
                 struct err *e);

/* ---- checks without side effects (the plan uses them) ---- */
bool nspace_capability_known(const char *name);
/* Is this sysctl the zone's own? 0, or invalid with the allowed families named. */
int nspace_check_sysctl(const char *key, struct err *e);
/* Limits above what the caller may give; each with its key and the remedy. */
void nspace_check_limits(const struct spec_limits *l, struct problems *ps);
/* A device path that may be given to a zone: exists, is a character or block device below /dev. */
int nspace_check_device(const char *path, struct err *e);
/* Kernel facts: user namespaces, openat2, idmapped mounts on the filesystem of dirfd. unsupported with a
 * remedy. */
int nspace_check_host(int data_dirfd, struct err *e);
