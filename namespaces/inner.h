/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rooms of this folder share. Nobody outside includes this. */
#pragma once
#include "base/auto.h"
#include "namespaces/namespaces.h"
#include <linux/filter.h>
#include <stddef.h>
#include <sys/resource.h>

/* ---- the kit ---- */
struct nspace_kit {
    int init_fd;                  /* sealed memory file of zone-init, or -1 (tools that only enter) */
    uint64_t bounding;            /* what this process may hand on */
    struct sock_fprog filters[2]; /* by enum spec_init, the profile without additions */
    bool has_part;
    int part[NSPACE_PART_FILES]; /* files of the lxcfs mount, O_PATH */
};

/* ---- the zone's part (part.c) ---- */
/* Detached copies of the kit's files; false and all -1: there are none. */
bool nspace_part_clone(const struct nspace_kit *k, int mounts[NSPACE_PART_FILES]);
int nspace_part_attach(const int mounts[NSPACE_PART_FILES], int proc, int sys, struct err *e);

/* ---- sync between parent and child: one SEQPACKET pair ----
 * parent: NSPACE_MAPPED (id maps are there: build the root), then NSPACE_GO. child: nothing and end of file
 * at exec, or one struct err, or from zone-init one int errno. */
#define NSPACE_MAPPED 'm'
#define NSPACE_DEV 'd' /* /dev is filled */
#define NSPACE_GO 'g'
int nspace_sync_pair(int fds[2], struct err *e);
int nspace_sync_wait(int fd, char want);
_Noreturn void nspace_sync_fail(int fd, const struct err *e);
int nspace_sync_reason(int fd, int r, struct err *e);
void nspace_own_pipes(const int stdio[3], uint32_t uid_base);
void nspace_child_kill(pid_t pid, int pidfd);

/* ---- capabilities and seccomp ---- */
uint64_t nspace_caps_default(enum spec_init init);
uint64_t nspace_caps_bounding(void);
int nspace_caps_wanted(enum spec_init init, const struct spec_security *sec, uint64_t bounding,
                       uint64_t *mask, struct err *e);
int nspace_caps_drop_bounding(uint64_t mask, struct err *e);
int nspace_caps_set(uint64_t mask, struct err *e);

int nspace_filter_compile(enum spec_init init, uint64_t caps, struct sock_fprog *out, struct err *e);
/* The kit's filter, or a new one (*owned) where additions ask for more. filter->len 0: unconfined. */
int nspace_filter_for(const struct nspace_kit *k, enum spec_init init, const struct spec_security *sec,
                      uint64_t caps, struct sock_fprog *filter, bool *owned, struct err *e);
int nspace_filter_load(const struct sock_fprog *f, struct err *e);

/* The table behind the filter (seccomp_table.c). */
struct nspace_syscall {
    const char *name;
    short number;      /* >= 0: newer than libseccomp knows, same on all architectures */
    bool system;       /* init: system has it */
    unsigned char cap; /* has it with this capability (Docker's conditions); 255 = always */
};
#define NSPACE_CAP_NONE 254
#define NSPACE_CAP_ALWAYS 255
extern const struct nspace_syscall nspace_syscalls[];
extern const unsigned nspace_nsyscalls;
bool nspace_syscall_allowed(const struct nspace_syscall *c, enum spec_init init, uint64_t caps);
#define NSPACE_SYSCALL_NEWEST 466 /* above it: ENOSYS, so that libc falls back */

/* ---- mounts ---- */
/* A detached mount of a fresh filesystem; options are key, value pairs (value NULL: a flag) ended by NULL. */
int nspace_fs(const char *type, const char *const *options, unsigned attr, struct err *e);
/* Puts a detached mount on dirfd/name, which is never followed if it is a link; name "" is dirfd itself. */
int nspace_attach(int mount_fd, int dirfd, const char *name, struct err *e);
/* The same for a folder directly under the zone's root; made if missing. */
int nspace_attach_top(int mount_fd, int rootfd, const char *name, struct err *e);
/* One of the spec's mounts onto its target inside the root (R1), checked afterwards. */
int nspace_attach_target(int mount_fd, int rootfd, const char *target, bool is_file, struct err *e);
int nspace_nosuid_mount(int mount_fd, struct err *e);
int nspace_plain_mount(int mount_fd, bool read_only, struct err *e); /* keeps its ids; nodev */
int nspace_make_read_only(int mount_fd, bool recursive, struct err *e);

struct nspace_hidden {
    const char *path;
    bool is_dir;
};
extern const struct nspace_hidden nspace_masked_proc[], nspace_masked_sys[], nspace_read_only_proc[];

/* ---- locked mounts: see lock.c ---- */
struct nspace_lock {
    int old_ns, cwd;
    unsigned n;
};
int nspace_lock_begin(struct nspace_lock *l, struct err *e);
int nspace_lock_add(struct nspace_lock *l, int mount_fd, bool is_file, struct err *e);
void nspace_lock_end(struct nspace_lock *l);
int nspace_lock_take(unsigned i, struct err *e);

/* ---- the child ---- */
struct nspace_inner {
    const struct nspace_kit *kit;
    const struct nspace_setup *s; /* NULL for visit */
    const struct nspace_root *root;
    const struct nspace_mount *mounts;
    unsigned nmounts;
    struct sock_fprog filter;
    uint64_t caps;
    int sync;   /* the child's end */
    int dev_fd; /* detached /dev, filled by the parent */
    bool locked, has_part;
    int part[NSPACE_PART_FILES];       /* detached mounts */
    int (*job)(int job_fd, void *arg); /* visit */
    void *job_arg;
    int job_fd;
};
/* An empty /dev as a detached mount, and filling it: while the child mounts the rest. */
int nspace_dev_new(uint32_t uid_base, struct err *e);
int nspace_dev_fill(int dev, uint32_t uid_base, char *const *devices, bool console, struct err *e);
/* groups.c */
int nspace_groups_join(const int *fds, unsigned n, struct err *e);

_Noreturn void nspace_child_main(struct nspace_inner *in);
_Noreturn void nspace_visit_main(struct nspace_inner *in);

/* Descriptors that the mount tree is put together from; all of the child, none survives exec. */
struct nspace_tree {
    int root, proc, proc_sys, sys, dev;
};
int nspace_root_stage(const struct nspace_root *r, const char *name, int *rootfd, struct err *e);
int nspace_root_pivot(int rootfd, struct err *e);
/* Staged mounts in the order of stage_host_folders (spawn.c); *n of them are open also on failure. */
int nspace_tree_take(const struct nspace_inner *in, int **staged, unsigned *n, struct err *e);
int nspace_tree_attach(const struct nspace_inner *in, int rootfd, const int *staged, struct err *e);
int nspace_tree_build(const struct nspace_inner *in, struct nspace_tree *t, struct err *e);
int nspace_tree_cgroup(const struct nspace_inner *in, const struct nspace_tree *t, struct err *e);

/* The part that spawn and enter share: from a process in the zone's namespaces to the moment before exec. */
struct nspace_final {
    enum spec_init init;
    uint64_t caps;
    const struct sock_fprog *filter;
    bool no_new_privs, terminal, login;
    const struct spec_limits *limits;
    const char *user, *cwd, *hostname;
    const spec_map *env;
    char *const *extra_env;
    int stdio[3];
};
/* execvpe with the zone's PATH; returns the errno that a shell would report. */
int nspace_exec_search(char *const *args, char *const *env);

int nspace_limits_set(const struct spec_limits *l, struct err *e);
/* Fewer open files than the way into the zone itself needs: just before the program is executed. */
int nspace_limits_last(const struct spec_limits *l, struct err *e);
/* Before the go byte, and after it when links and the spec's come. */
void nspace_sysctls_default(int proc_sys, const struct nspace_setup *s);
int nspace_sysctls_write(int proc_sys, const struct nspace_setup *s, struct err *e);

struct nspace_user {
    uid_t uid;
    gid_t gid, groups[64];
    unsigned ngroups;
    char *home, *shell, *name;
};
void nspace_user_done(struct nspace_user *u);
/* text: NULL, "name", "12", "name:group", "12:34". Reads /etc/passwd and /etc/group below rootfd. */
int nspace_user_find(int rootfd, const char *text, struct nspace_user *u, struct err *e);
struct nspace_ready { /* what is worked out before the capabilities go */
    struct nspace_user user;
    char **env, *shell;
};
void nspace_ready_done(struct nspace_ready *r);
/* Streams, limits, signals, user, environment, bounding set: spawn does it before the go byte. cwd becomes
 * "/". */
int nspace_finish_prepare(const struct nspace_final *f, struct nspace_ready *out, struct err *e);
/* Ids, capabilities, working folder, filter: after it only exec. Descriptors 3 and up stay open. */
int nspace_finish_drop(const struct nspace_final *f, const struct nspace_ready *ready, struct err *e);
char **nspace_env_build(const struct nspace_final *f, const struct nspace_user *u);

/* ---- id maps ---- */
int nspace_map_write(pid_t pid, uint32_t uid_base, struct err *e);
int nspace_open_ns(pid_t pid, const char *which, struct err *e);
/* Closes everything but 0–2 and job_fd (sync among them: that is the end of file for nspace_go), runs the
 * job. */
int nspace_job_run(int (*job)(int job_fd, void *arg), int job_fd, void *arg, int *sync, struct err *e);

/* ---- birth inside existing namespaces (birth.c) ---- */
struct nspace_birth {
    int target, enter_flags; /* pidfd and CLONE_NEW* to enter */
    uint64_t clone_flags;
    int cgroup_fd;
    void (*main)(void *arg); /* does not return */
    void *arg;
};
int nspace_birth_begin(const struct nspace_birth *b, struct nspace_worker *w, struct err *e);
/* After the worker was waited for. pid of the new child of the caller; its pidfd in *pidfd. */
pid_t nspace_birth_end(struct nspace_worker *w, int *pidfd, struct err *e);
/* Both, with a deadline. */
pid_t nspace_birth(const struct nspace_birth *b, int *pidfd, struct err *e);
