/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The system calls that a zone may make: data only. The list is Docker's default profile (moby,
 * profiles/seccomp) less what security.md refuses: bpf, perf_event_open, userfaultfd, io_uring_*, keyctl,
 * open_by_handle_at, kexec and module calls stay out even when a capability would let them in. clone,
 * personality, ioctl and socket have conditions of their own (seccomp.c). Numbers stand at calls that
 * libseccomp 2.5 does not know. */
#include "namespaces/inner.h"
#include <linux/capability.h>

#define ALWAYS(n)                                                                                            \
    {                                                                                                        \
        n, -1, true, NSPACE_CAP_ALWAYS                                                                       \
    }
#define NEWER(n, nr)                                                                                         \
    {                                                                                                        \
        n, nr, true, NSPACE_CAP_ALWAYS                                                                       \
    }
#define WITH(n, cap)                                                                                         \
    {                                                                                                        \
        n, -1, false, cap                                                                                    \
    } /* a system zone has it when it has the capability */
#define SYSTEM(n)                                                                                            \
    {                                                                                                        \
        n, -1, true, NSPACE_CAP_NONE                                                                         \
    }

/* clang-format off */
const struct nspace_syscall nspace_syscalls[] = {
    ALWAYS("accept"), ALWAYS("accept4"), ALWAYS("access"), ALWAYS("adjtimex"), ALWAYS("alarm"),
    ALWAYS("arch_prctl"), ALWAYS("bind"), ALWAYS("brk"), ALWAYS("capget"), ALWAYS("capset"),
    ALWAYS("chdir"), ALWAYS("chmod"), ALWAYS("chown"), ALWAYS("clock_adjtime"), ALWAYS("clock_getres"),
    ALWAYS("clock_gettime"), ALWAYS("clock_nanosleep"), ALWAYS("close"), ALWAYS("close_range"),
    ALWAYS("connect"), ALWAYS("copy_file_range"), ALWAYS("creat"), ALWAYS("dup"), ALWAYS("dup2"),
    ALWAYS("dup3"), ALWAYS("epoll_create"), ALWAYS("epoll_create1"), ALWAYS("epoll_ctl"),
    ALWAYS("epoll_ctl_old"), ALWAYS("epoll_pwait"), ALWAYS("epoll_pwait2"), ALWAYS("epoll_wait"),
    ALWAYS("epoll_wait_old"), ALWAYS("eventfd"), ALWAYS("eventfd2"), ALWAYS("execve"), ALWAYS("execveat"),
    ALWAYS("exit"), ALWAYS("exit_group"), ALWAYS("faccessat"), ALWAYS("faccessat2"), ALWAYS("fadvise64"),
    ALWAYS("fallocate"), ALWAYS("fanotify_mark"), ALWAYS("fchdir"), ALWAYS("fchmod"), ALWAYS("fchmodat"),
    ALWAYS("fchown"), ALWAYS("fchownat"), ALWAYS("fcntl"), ALWAYS("fdatasync"), ALWAYS("fgetxattr"),
    ALWAYS("flistxattr"), ALWAYS("flock"), ALWAYS("fork"), ALWAYS("fremovexattr"), ALWAYS("fsetxattr"),
    ALWAYS("fstat"), ALWAYS("fstatfs"), ALWAYS("fsync"), ALWAYS("ftruncate"), ALWAYS("futex"),
    ALWAYS("futex_waitv"), ALWAYS("futimesat"), ALWAYS("get_robust_list"), ALWAYS("get_thread_area"),
    ALWAYS("getcpu"), ALWAYS("getcwd"), ALWAYS("getdents"), ALWAYS("getdents64"), ALWAYS("getegid"),
    ALWAYS("geteuid"), ALWAYS("getgid"), ALWAYS("getgroups"), ALWAYS("getitimer"), ALWAYS("getpeername"),
    ALWAYS("getpgid"), ALWAYS("getpgrp"), ALWAYS("getpid"), ALWAYS("getppid"), ALWAYS("getpriority"),
    ALWAYS("getrandom"), ALWAYS("getresgid"), ALWAYS("getresuid"), ALWAYS("getrlimit"), ALWAYS("getrusage"),
    ALWAYS("getsid"), ALWAYS("getsockname"), ALWAYS("getsockopt"), ALWAYS("gettid"), ALWAYS("gettimeofday"),
    ALWAYS("getuid"), ALWAYS("getxattr"), ALWAYS("inotify_add_watch"), ALWAYS("inotify_init"),
    ALWAYS("inotify_init1"), ALWAYS("inotify_rm_watch"), ALWAYS("io_cancel"), ALWAYS("io_destroy"),
    ALWAYS("io_getevents"), ALWAYS("io_pgetevents"), ALWAYS("io_setup"), ALWAYS("io_submit"),
    ALWAYS("ioctl"), ALWAYS("ioprio_get"), ALWAYS("ioprio_set"), ALWAYS("kill"),
    ALWAYS("landlock_add_rule"), ALWAYS("landlock_create_ruleset"), ALWAYS("landlock_restrict_self"),
    ALWAYS("lchown"), ALWAYS("lgetxattr"), ALWAYS("link"), ALWAYS("linkat"), ALWAYS("listen"),
    ALWAYS("listxattr"), ALWAYS("llistxattr"), ALWAYS("lremovexattr"), ALWAYS("lseek"), ALWAYS("lsetxattr"),
    ALWAYS("lstat"), ALWAYS("madvise"), ALWAYS("membarrier"), ALWAYS("memfd_create"),
    ALWAYS("memfd_secret"), ALWAYS("mincore"), ALWAYS("mkdir"), ALWAYS("mkdirat"), ALWAYS("mknod"),
    ALWAYS("mknodat"), ALWAYS("mlock"), ALWAYS("mlock2"), ALWAYS("mlockall"), ALWAYS("mmap"),
    ALWAYS("modify_ldt"), ALWAYS("mprotect"), ALWAYS("mq_getsetattr"), ALWAYS("mq_notify"),
    ALWAYS("mq_open"), ALWAYS("mq_timedreceive"), ALWAYS("mq_timedsend"), ALWAYS("mq_unlink"),
    ALWAYS("mremap"), ALWAYS("msgctl"), ALWAYS("msgget"), ALWAYS("msgrcv"), ALWAYS("msgsnd"),
    ALWAYS("msync"), ALWAYS("munlock"), ALWAYS("munlockall"), ALWAYS("munmap"), ALWAYS("name_to_handle_at"),
    ALWAYS("nanosleep"), ALWAYS("newfstatat"), ALWAYS("open"), ALWAYS("openat"), ALWAYS("openat2"),
    ALWAYS("pause"), ALWAYS("pidfd_open"), ALWAYS("pidfd_send_signal"), ALWAYS("pipe"), ALWAYS("pipe2"),
    ALWAYS("pkey_alloc"), ALWAYS("pkey_free"), ALWAYS("pkey_mprotect"), ALWAYS("poll"), ALWAYS("ppoll"),
    ALWAYS("prctl"), ALWAYS("pread64"), ALWAYS("preadv"), ALWAYS("preadv2"), ALWAYS("prlimit64"),
    ALWAYS("process_mrelease"), ALWAYS("process_vm_readv"), ALWAYS("process_vm_writev"), ALWAYS("pselect6"),
    ALWAYS("ptrace"), ALWAYS("pwrite64"), ALWAYS("pwritev"), ALWAYS("pwritev2"), ALWAYS("read"),
    ALWAYS("readahead"), ALWAYS("readlink"), ALWAYS("readlinkat"), ALWAYS("readv"), ALWAYS("recvfrom"),
    ALWAYS("recvmmsg"), ALWAYS("recvmsg"), ALWAYS("remap_file_pages"), ALWAYS("removexattr"),
    ALWAYS("rename"), ALWAYS("renameat"), ALWAYS("renameat2"), ALWAYS("restart_syscall"), ALWAYS("rmdir"),
    ALWAYS("rseq"), ALWAYS("rt_sigaction"), ALWAYS("rt_sigpending"), ALWAYS("rt_sigprocmask"),
    ALWAYS("rt_sigqueueinfo"), ALWAYS("rt_sigreturn"), ALWAYS("rt_sigsuspend"), ALWAYS("rt_sigtimedwait"),
    ALWAYS("rt_tgsigqueueinfo"), ALWAYS("sched_get_priority_max"), ALWAYS("sched_get_priority_min"),
    ALWAYS("sched_getaffinity"), ALWAYS("sched_getattr"), ALWAYS("sched_getparam"),
    ALWAYS("sched_getscheduler"), ALWAYS("sched_rr_get_interval"), ALWAYS("sched_setaffinity"),
    ALWAYS("sched_setattr"), ALWAYS("sched_setparam"), ALWAYS("sched_setscheduler"), ALWAYS("sched_yield"),
    ALWAYS("seccomp"), ALWAYS("select"), ALWAYS("semctl"), ALWAYS("semget"), ALWAYS("semop"),
    ALWAYS("semtimedop"), ALWAYS("sendfile"), ALWAYS("sendmmsg"), ALWAYS("sendmsg"), ALWAYS("sendto"),
    ALWAYS("set_robust_list"), ALWAYS("set_thread_area"), ALWAYS("set_tid_address"), ALWAYS("setfsgid"),
    ALWAYS("setfsuid"), ALWAYS("setgid"), ALWAYS("setgroups"), ALWAYS("setitimer"), ALWAYS("setpgid"),
    ALWAYS("setpriority"), ALWAYS("setregid"), ALWAYS("setresgid"), ALWAYS("setresuid"), ALWAYS("setreuid"),
    ALWAYS("setrlimit"), ALWAYS("setsid"), ALWAYS("setsockopt"), ALWAYS("setuid"), ALWAYS("setxattr"),
    ALWAYS("shmat"), ALWAYS("shmctl"), ALWAYS("shmdt"), ALWAYS("shmget"), ALWAYS("shutdown"),
    ALWAYS("sigaltstack"), ALWAYS("signalfd"), ALWAYS("signalfd4"), ALWAYS("socket"), ALWAYS("socketpair"),
    ALWAYS("splice"), ALWAYS("stat"), ALWAYS("statfs"), ALWAYS("statx"), ALWAYS("symlink"),
    ALWAYS("symlinkat"), ALWAYS("sync"), ALWAYS("sync_file_range"), ALWAYS("syncfs"), ALWAYS("sysinfo"),
    ALWAYS("tee"), ALWAYS("tgkill"), ALWAYS("time"), ALWAYS("timer_create"), ALWAYS("timer_delete"),
    ALWAYS("timer_getoverrun"), ALWAYS("timer_gettime"), ALWAYS("timer_settime"), ALWAYS("timerfd_create"),
    ALWAYS("timerfd_gettime"), ALWAYS("timerfd_settime"), ALWAYS("times"), ALWAYS("tkill"),
    ALWAYS("truncate"), ALWAYS("umask"), ALWAYS("uname"), ALWAYS("unlink"), ALWAYS("unlinkat"),
    ALWAYS("utime"), ALWAYS("utimensat"), ALWAYS("utimes"), ALWAYS("vfork"), ALWAYS("vmsplice"),
    ALWAYS("wait4"), ALWAYS("waitid"), ALWAYS("write"), ALWAYS("writev"),
    NEWER("cachestat", 451), NEWER("fchmodat2", 452), NEWER("map_shadow_stack", 453),
    NEWER("futex_wake", 454), NEWER("futex_wait", 455), NEWER("futex_requeue", 456), NEWER("mseal", 462),
    NEWER("setxattrat", 463), NEWER("getxattrat", 464), NEWER("listxattrat", 465),
    NEWER("removexattrat", 466),
    WITH("fanotify_init", CAP_SYS_ADMIN), WITH("fsconfig", CAP_SYS_ADMIN), WITH("fsmount", CAP_SYS_ADMIN),
    WITH("fsopen", CAP_SYS_ADMIN), WITH("fspick", CAP_SYS_ADMIN), WITH("mount", CAP_SYS_ADMIN),
    WITH("mount_setattr", CAP_SYS_ADMIN), WITH("move_mount", CAP_SYS_ADMIN),
    WITH("open_tree", CAP_SYS_ADMIN), WITH("quotactl", CAP_SYS_ADMIN), WITH("quotactl_fd", CAP_SYS_ADMIN),
    WITH("setdomainname", CAP_SYS_ADMIN), WITH("sethostname", CAP_SYS_ADMIN), WITH("setns", CAP_SYS_ADMIN),
    WITH("umount2", CAP_SYS_ADMIN), WITH("unshare", CAP_SYS_ADMIN),
    WITH("reboot", CAP_SYS_BOOT),
    WITH("chroot", CAP_SYS_CHROOT),
    WITH("acct", CAP_SYS_PACCT),
    WITH("kcmp", CAP_SYS_PTRACE), WITH("pidfd_getfd", CAP_SYS_PTRACE),
    WITH("process_madvise", CAP_SYS_PTRACE),
    WITH("vhangup", CAP_SYS_TTY_CONFIG),
    WITH("get_mempolicy", CAP_SYS_NICE), WITH("mbind", CAP_SYS_NICE), WITH("set_mempolicy", CAP_SYS_NICE),
    WITH("set_mempolicy_home_node", CAP_SYS_NICE),
    WITH("clock_settime", CAP_SYS_TIME), WITH("settimeofday", CAP_SYS_TIME),
    SYSTEM("add_key"), SYSTEM("keyctl"), SYSTEM("request_key"), SYSTEM("pivot_root"), SYSTEM("clone3"),
    {"statmount", 457, true, NSPACE_CAP_NONE}, {"listmount", 458, true, NSPACE_CAP_NONE},
};
/* clang-format on */
const unsigned nspace_nsyscalls = ARRAY_LEN(nspace_syscalls);
