/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes: pidfds, exit status of processes that are not our children, a private /proc (rule R2). */
#pragma once
#include "base/err.h"
#include <stdint.h>
#include <sys/types.h>

int pidfd_open_pid(pid_t pid);      /* close-on-exec fd or -errno; pidfd_open(2) */
int pidfd_kill(int pidfd, int sig); /* 0 or -errno; pidfd_send_signal(2) */
/* The wait status of a process that ended, from anybody's pidfd. 1: *wait_status filled; 0: not ended or not
 * yet reaped; -EOPNOTSUPP below 6.15 (PIDFD_GET_INFO with the exit bit). */
int pidfd_exit_status(int pidfd, int *wait_status);
/* Exit status as a shell tells it: 0–255, or 128+signal. */
int exit_status_of(int wait_status);
/* Field 22 of /proc/PID/stat in clock ticks: identifies a pid for ever (with the boot). 0 or -errno. */
int proc_start_time(pid_t pid, uint64_t *ticks);
/* This boot of the host, as the kernel names it; "" where it does not say. malloc'd. */
char *proc_boot_id(void);

/* A detached mount of procfs for the caller's pid namespace, reachable by this fd only. fd or -errno. Falls
 * back to /proc after checking its filesystem magic where fsopen is refused. */
int procfs_open(struct err *e);
/* Writes text to path (relative) under a procfs fd: checks that the opened file is on procfs (magic, no
 * link). */
int procfs_write(int procfs, const char *path, const char *text, struct err *e);
int procfs_read(int procfs, const char *path, size_t max, char **text, struct err *e);

/* Moves standard streams to /dev/null where closed, so that fd numbers 0–2 are never something else. */
void proc_fix_stdio(void);
