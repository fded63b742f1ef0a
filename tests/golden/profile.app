CapAmb empty
CapEff as bounding
CapInh empty
CapPrm as bounding
Gid 0	0	0	0
Groups 
NoNewPrivs 1
Seccomp 2
Seccomp_filters 1
SigBlk 0000000000000000
SigIgn 0000000000000000
Uid 0	0	0	0
call _sysctl EPERM
call accept allow
call accept4 allow
call access allow
call acct EPERM
call add_key EPERM
call adjtimex allow
call afs_syscall EPERM
call alarm allow
call arch_prctl allow
call bind allow
call bpf EPERM
call brk allow
call cachestat allow
call capget allow
call capset allow
call chdir allow
call chmod allow
call chown allow
call chroot allow
call clock_adjtime allow
call clock_getres allow
call clock_gettime allow
call clock_nanosleep allow
call clock_settime EPERM
call clone allow
call clone flag CLONE_NEWCGROUP EPERM
call clone flag CLONE_NEWIPC EPERM
call clone flag CLONE_NEWNET EPERM
call clone flag CLONE_NEWNS EPERM
call clone flag CLONE_NEWPID EPERM
call clone flag CLONE_NEWUSER EPERM
call clone flag CLONE_NEWUTS EPERM
call clone flag none allow
call clone3 ENOSYS
call close allow
call close_range allow
call connect allow
call copy_file_range allow
call creat allow
call create_module EPERM
call delete_module EPERM
call dup allow
call dup2 allow
call dup3 allow
call epoll_create allow
call epoll_create1 allow
call epoll_ctl allow
call epoll_ctl_old allow
call epoll_pwait allow
call epoll_pwait2 allow
call epoll_wait allow
call epoll_wait_old allow
call eventfd allow
call eventfd2 allow
call execve allow
call execveat allow
call exit allow
call exit_group allow
call faccessat allow
call faccessat2 allow
call fadvise64 allow
call fallocate allow
call fanotify_init EPERM
call fanotify_mark allow
call fchdir allow
call fchmod allow
call fchmodat allow
call fchmodat2 allow
call fchown allow
call fchownat allow
call fcntl allow
call fdatasync allow
call fgetxattr allow
call file_getattr ENOSYS
call file_setattr ENOSYS
call finit_module EPERM
call flistxattr allow
call flock allow
call fork allow
call fremovexattr allow
call fsconfig EPERM
call fsetxattr allow
call fsmount EPERM
call fsopen EPERM
call fspick EPERM
call fstat allow
call fstatfs allow
call fsync allow
call ftruncate allow
call futex allow
call futex_requeue allow
call futex_wait allow
call futex_waitv allow
call futex_wake allow
call futimesat allow
call get_kernel_syms EPERM
call get_mempolicy EPERM
call get_robust_list allow
call get_thread_area allow
call getcpu allow
call getcwd allow
call getdents allow
call getdents64 allow
call getegid allow
call geteuid allow
call getgid allow
call getgroups allow
call getitimer allow
call getpeername allow
call getpgid allow
call getpgrp allow
call getpid allow
call getpid as i386 ENOSYS
call getpid as x32 ENOSYS
call getpmsg EPERM
call getppid allow
call getpriority allow
call getrandom allow
call getresgid allow
call getresuid allow
call getrlimit allow
call getrusage allow
call getsid allow
call getsockname allow
call getsockopt allow
call gettid allow
call gettimeofday allow
call getuid allow
call getxattr allow
call getxattrat allow
call init_module EPERM
call inotify_add_watch allow
call inotify_init allow
call inotify_init1 allow
call inotify_rm_watch allow
call io_cancel allow
call io_destroy allow
call io_getevents allow
call io_pgetevents allow
call io_setup allow
call io_submit allow
call io_uring_enter EPERM
call io_uring_register EPERM
call io_uring_setup EPERM
call ioctl 0x5412 EPERM, with garbage above EPERM
call ioctl 0x541c EPERM, with garbage above EPERM
call ioctl allow
call ioperm EPERM
call iopl EPERM
call ioprio_get allow
call ioprio_set allow
call kcmp EPERM
call kexec_file_load EPERM
call kexec_load EPERM
call keyctl EPERM
call kill allow
call landlock_add_rule allow
call landlock_create_ruleset allow
call landlock_restrict_self allow
call lchown allow
call lgetxattr allow
call link allow
call linkat allow
call listen allow
call listmount EPERM
call listxattr allow
call listxattrat allow
call llistxattr allow
call lookup_dcookie EPERM
call lremovexattr allow
call lseek allow
call lsetxattr allow
call lsm_get_self_attr EPERM
call lsm_list_modules EPERM
call lsm_set_self_attr EPERM
call lstat allow
call madvise allow
call map_shadow_stack allow
call mbind EPERM
call membarrier allow
call memfd_create allow
call memfd_secret allow
call migrate_pages EPERM
call mincore allow
call mkdir allow
call mkdirat allow
call mknod allow
call mknodat allow
call mlock allow
call mlock2 allow
call mlockall allow
call mmap allow
call modify_ldt allow
call mount EPERM
call mount_setattr EPERM
call move_mount EPERM
call move_pages EPERM
call mprotect allow
call mq_getsetattr allow
call mq_notify allow
call mq_open allow
call mq_timedreceive allow
call mq_timedsend allow
call mq_unlink allow
call mremap allow
call mseal allow
call msgctl allow
call msgget allow
call msgrcv allow
call msgsnd allow
call msync allow
call munlock allow
call munlockall allow
call munmap allow
call name_to_handle_at allow
call nanosleep allow
call newfstatat allow
call nfsservctl EPERM
call number 100000 ENOSYS
call open allow
call open_by_handle_at EPERM
call open_tree EPERM
call open_tree_attr ENOSYS
call openat allow
call openat2 allow
call pause allow
call perf_event_open EPERM
call personality 0 allow
call personality 0x100000000 EPERM
call personality 0x20000 allow
call personality 0x20008 allow
call personality 0x40000 EPERM
call personality 0x400000 EPERM
call personality 0x8 allow
call personality 0xffffffff allow
call personality allow
call pidfd_getfd EPERM
call pidfd_open allow
call pidfd_send_signal allow
call pipe allow
call pipe2 allow
call pivot_root EPERM
call pkey_alloc allow
call pkey_free allow
call pkey_mprotect allow
call poll allow
call ppoll allow
call prctl allow
call pread64 allow
call preadv allow
call preadv2 allow
call prlimit64 allow
call process_madvise EPERM
call process_mrelease allow
call process_vm_readv allow
call process_vm_writev allow
call pselect6 allow
call ptrace allow
call putpmsg EPERM
call pwrite64 allow
call pwritev allow
call pwritev2 allow
call query_module EPERM
call quotactl EPERM
call quotactl_fd EPERM
call read allow
call readahead allow
call readlink allow
call readlinkat allow
call readv allow
call reboot EPERM
call recvfrom allow
call recvmmsg allow
call recvmsg allow
call remap_file_pages allow
call removexattr allow
call removexattrat allow
call rename allow
call renameat allow
call renameat2 allow
call request_key EPERM
call restart_syscall allow
call rmdir allow
call rseq allow
call rt_sigaction allow
call rt_sigpending allow
call rt_sigprocmask allow
call rt_sigqueueinfo allow
call rt_sigreturn allow
call rt_sigsuspend allow
call rt_sigtimedwait allow
call rt_tgsigqueueinfo allow
call sched_get_priority_max allow
call sched_get_priority_min allow
call sched_getaffinity allow
call sched_getattr allow
call sched_getparam allow
call sched_getscheduler allow
call sched_rr_get_interval allow
call sched_setaffinity allow
call sched_setattr allow
call sched_setparam allow
call sched_setscheduler allow
call sched_yield allow
call seccomp allow
call security EPERM
call select allow
call semctl allow
call semget allow
call semop allow
call semtimedop allow
call sendfile allow
call sendmmsg allow
call sendmsg allow
call sendto allow
call set_mempolicy EPERM
call set_mempolicy_home_node EPERM
call set_robust_list allow
call set_thread_area allow
call set_tid_address allow
call setdomainname EPERM
call setfsgid allow
call setfsuid allow
call setgid allow
call setgroups allow
call sethostname EPERM
call setitimer allow
call setns EPERM
call setpgid allow
call setpriority allow
call setregid allow
call setresgid allow
call setresuid allow
call setreuid allow
call setrlimit allow
call setsid allow
call setsockopt allow
call settimeofday EPERM
call setuid allow
call setxattr allow
call setxattrat allow
call shmat allow
call shmctl allow
call shmdt allow
call shmget allow
call shutdown allow
call sigaltstack allow
call signalfd allow
call signalfd4 allow
call socket allow
call socket family 38 EAFNOSUPPORT, with garbage above EAFNOSUPPORT
call socket family 40 EAFNOSUPPORT, with garbage above EAFNOSUPPORT
call socketpair allow
call splice allow
call stat allow
call statfs allow
call statmount EPERM
call statx allow
call swapoff EPERM
call swapon EPERM
call symlink allow
call symlinkat allow
call sync allow
call sync_file_range allow
call syncfs allow
call sysfs EPERM
call sysinfo allow
call syslog EPERM
call tee allow
call tgkill allow
call time allow
call timer_create allow
call timer_delete allow
call timer_getoverrun allow
call timer_gettime allow
call timer_settime allow
call timerfd_create allow
call timerfd_gettime allow
call timerfd_settime allow
call times allow
call tkill allow
call truncate allow
call tuxcall EPERM
call umask allow
call umount2 EPERM
call uname allow
call unlink allow
call unlinkat allow
call unshare EPERM
call uselib EPERM
call userfaultfd EPERM
call ustat EPERM
call utime allow
call utimensat allow
call utimes allow
call vfork allow
call vhangup EPERM
call vmsplice allow
call vserver EPERM
call wait4 allow
call waitid allow
call write allow
call writev allow
capability cap_chown
capability cap_dac_override
capability cap_fowner
capability cap_fsetid
capability cap_kill
capability cap_net_bind_service
capability cap_setfcap
capability cap_setgid
capability cap_setpcap
capability cap_setuid
capability cap_sys_chroot
cgroup view read-only
cwd /
descriptor 0
descriptor 1
descriptor 2
device /dev/full char 1:7 0666 owner 0:0
device /dev/null char 1:3 0666 owner 0:0
device /dev/pts/ptmx char 5:2 0666 owner 65534:65534
device /dev/random char 1:8 0666 owner 0:0
device /dev/tty char 5:0 0666 owner 0:0
device /dev/urandom char 1:9 0666 owner 0:0
device /dev/zero char 1:5 0666 owner 0:0
environment HOME=/root
environment PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
environment PWD=/
environment container=zoned
folder /dev/mqueue 1777 owner 65534:65534
folder /dev/pts 0755 owner 0:0
folder /dev/shm 1777 owner 0:0
gid_map 0 to its own, 65536 ids, one range
limit core 0:0
limit memlock 65536:65536
limit nofile 1024:65536
limit tasks 4096
link /dev/core to /proc/kcore
link /dev/fd to /proc/self/fd
link /dev/ptmx to pts/ptmx
link /dev/stderr to /proc/self/fd/2
link /dev/stdin to /proc/self/fd/0
link /dev/stdout to /proc/self/fd/1
masked /proc/acpi empty
masked /proc/asound empty
masked /proc/interrupts by null
masked /proc/kallsyms by null
masked /proc/kcore by null
masked /proc/keys by null
masked /proc/kmsg by null
masked /proc/kpagecgroup by null
masked /proc/kpagecount by null
masked /proc/kpageflags by null
masked /proc/latency_stats by null
masked /proc/pagetypeinfo by null
masked /proc/sched_debug by null
masked /proc/scsi empty
masked /proc/slabinfo by null
masked /proc/timer_list by null
masked /proc/timer_stats by null
masked /proc/vmallocinfo by null
masked /sys/class/powercap empty
masked /sys/class/thermal empty
masked /sys/devices/virtual/powercap empty
masked /sys/devices/virtual/thermal empty
masked /sys/firmware empty
masked /sys/fs/bpf empty
masked /sys/fs/pstore empty
masked /sys/kernel/debug empty
masked /sys/kernel/notes by null
masked /sys/kernel/security empty
masked /sys/kernel/slab empty
masked /sys/kernel/tracing empty
mount / overlay rw,nosuid,nodev,relatime ; rw redirect_dir=nofollow userxattr
mount /dev tmpfs rw,nosuid,noexec,relatime ; rw size=4096k mode=755
mount /dev/mqueue mqueue rw,nosuid,nodev,noexec,relatime ; rw
mount /dev/pts devpts rw,nosuid,noexec,relatime ; rw mode=620 ptmxmode=666 max=1024
mount /dev/shm tmpfs rw,nosuid,nodev,noexec,relatime ; rw size=65536k
mount /probe of the host ro,nodev,idmapped
mount /proc proc rw,nosuid,nodev,noexec,relatime ; rw
mount /proc/cpuinfo fuse.lxcfs rw,nosuid,nodev,relatime
mount /proc/loadavg fuse.lxcfs rw,nosuid,nodev,relatime
mount /proc/meminfo fuse.lxcfs rw,nosuid,nodev,relatime
mount /proc/stat fuse.lxcfs rw,nosuid,nodev,relatime
mount /run tmpfs rw,nosuid,nodev,relatime ; rw size=65536k mode=755
mount /sys sysfs ro,nosuid,nodev,noexec,relatime ; rw
mount /sys/devices/system/cpu/online fuse.lxcfs rw,nosuid,nodev,relatime
mount /usr of the host ro,nosuid,nodev,idmapped
namespace cgroup own
namespace ipc own
namespace mnt own
namespace net own
namespace pid own
namespace time own
namespace user own
namespace uts own
oom_score_adj 0
read-only /proc/bus
read-only /proc/fs
read-only /proc/irq
read-only /proc/sys
read-only /proc/sysrq-trigger
setgroups allow
sysctl net/ipv4/ip_unprivileged_port_start 0
sysctl net/ipv4/ping_group_range 0	65535
sysctl net/ipv6/conf/default/accept_ra 0
sysctl user/max_inotify_instances 1024
sysctl user/max_inotify_watches 131072
sysctl user/max_mnt_namespaces 16
sysctl user/max_net_namespaces 16
sysctl user/max_pid_namespaces 16
sysctl user/max_user_namespaces 16
uid_map 0 to its own, 65536 ids, one range
umask 022
writable /proc/pressure/cpu
writable /proc/pressure/io
writable /proc/pressure/memory
writable /sys/devices/system/cpu/online
