/* SPDX-License-Identifier: GPL-2.0-or-later */
/* zone-sup: one supervisor per running zone, and the fork server that they come from.
 *
 * `zone-sup --server RUN_DIR` is the fork server and keeper: libraries loaded, filters compiled, groups detected, once.
 * It listens on RUN_DIR/keeper.sock (SOCK_SEQPACKET, JSON messages with descriptors), forks a supervisor per start, and
 * keeps duplicates of what must not be lost (pidfd, console, log pipes, devpts). It is no parent of a zone's PID 1 and
 * survives zoned. Messages to it (one reply each):
 *   {"op":"hello"}                          -> {"ok":true,"protocol":1,"version":"…","pid":N}
 *   {"op":"start","zone":N,"session":bool,"session_tty":bool,"rows":R,"cols":C,"session_stdin":bool}
 *        + fds: lock, run_dir (O_PATH), conn [, session]         -> {"ok":true,"pid":N}; the supervisor then speaks on conn
 *   {"op":"adopt","zone":N} + fds: lock, run_dir, conn           -> forks a supervisor that takes over the kept descriptors
 *   {"op":"recover","zone":N} + fds: lock, run_dir, conn         -> forks one that only undoes all steps and says stopped
 *   {"op":"keep","zone":N,"names":["pidfd",…]} + fds             -> replaces what is kept for N
 *   {"op":"kept","zone":N} -> {"ok":true,"names":[…]} + fds;   {"op":"drop","zone":N}
 *   {"op":"quit"}          -> exits when it has answered (supervisors live on)
 *
 * A supervisor holds the flock on RUN/zones/NAME/lock (inherited with the descriptor), listens on its sup.sock, and takes
 * one zoned at a time (the newest). Requests carry "id" and get {"id","ok":true,…} or {"id","error":{…}}:
 *   stop {timeout_ms, force} (answered at once; the end is told by the event "stopped") · signal {signal} · resume
 *   pause {while_connected: it runs again when this connection ends}
 *   exec {args, env, user, cwd, login, tty, rows, cols, stdin, detach} + session fd unless detach -> {pid}
 *   attach {stdin, console} + session fd · update {plan: whole new plan; limits, links, ports, rates change, all or none}
 *   divide {cpu: the section that zoned has written into the group because others came or went}
 *   archive {direction: "get"|"put", path} + data fd -> answered when done · status -> the status object (+ pidfd)
 *   bye (after "stopped": zoned has done its bookkeeping; the supervisor answers its sessions and exits)
 * Events: {"event": …, "zone": N, …status}: running (+ pidfd) · exited {exit_status, oom} · restarting {in_ms} · paused ·
 *   resumed · oom {action, cap, process?, host_pid?, rss?} · memory_warning, memory_relieved {used, cap, percent} · health {healthy} · failed {error} · stopped {exit_status (null = never ran), oom, error?, leftover?}
 * Status object: {"protocol":1,"state":"starting|running|paused|restarting|stopping|stopped","pid","start_no",
 *   "started_us" (CLOCK_REALTIME), "exit_status","oom","healthy","restarts","step"}
 * After "stopped" nothing of the zone is in the kernel; the run folder's files but lock are removed by the supervisor, the
 * folder itself by zoned. */
#pragma once
#include "zoned/sup/plan.h"
#include <sys/types.h>

#define SUP_PROTOCOL 1
#define SUP_MESSAGE_MAX (160u * 1024)
#define KEEPER_SOCKET "keeper.sock"

/* Main of `zone-sup --server`. init_path: zone-init. Returns the exit status. */
int sup_server_main(const char *run_dir, const char *init_path);
/* The same; writes one byte to ready_fd (or -1) once it listens, and closes it. */
int sup_server_run(const char *run_dir, const char *init_path, int ready_fd);

/* ---- what zoned uses to talk to both; blocking for at most timeout_ms where they wait ---- */
int sup_connect(const char *socket_path,
                struct err *e); /* SOCK_SEQPACKET client, close-on-exec; fd or -errno */
int sup_send(int sock, const json *message, const int *fds, unsigned nfds, struct err *e);
/* One message: 1 and *out (fds the caller's), 0 at end of file, -EAGAIN when nothing is there (timeout 0), -errno. */
int sup_recv(int sock, int timeout_ms, json **out, int *fds, unsigned *nfds, struct err *e);
/* Request and its one reply (keeper). The reply's error becomes e. */
int sup_call(int sock, json *request /* stolen */, const int *fds, unsigned nfds, json **reply, int *rfds,
             unsigned *nrfds, int timeout_ms, struct err *e);
/* Last record of the zone's history: {"event":"start|end","start_no","exit_status","oom","failed","error","time_us"};
 * *out NULL where there is none. zone_dirfd: the zone's data folder. */
int sup_history_last(int zone_dirfd, json **out);
int sup_history_append(int zone_dirfd, const json *record, struct err *e);

/* Reads the rotated log from the cursor on ({0}: its oldest record), about budget bytes of it, and moves the cursor. 1: there is
 * more; 0: that was all so far. Whoever follows polls inotify on the folder and calls again. */
struct sup_log_cursor {
    uint64_t file, offset;
    bool lost; /* its file was rotated away: records between were not seen */
};
int sup_log_read(int log_dirfd, struct sup_log_cursor *cursor, size_t budget,
                 void (*emit)(void *arg, const char *stream, const char *time, const char *line, size_t n,
                              bool partial),
                 void *arg);

/* The cursor at a record about so many bytes before the end; false: at the oldest, there is not that much. */
bool sup_log_back(int log_dirfd, struct sup_log_cursor *cursor, uint64_t bytes);

/* cp with a zone that does not run: a process of its own gets the zone's root and filesystems, packs path to data_fd or
 * unpacks data_fd into it, and ends. Nothing of the zone is executed. Blocks until then: call it in a worker, whose
 * standard streams it takes; the zone must not start meanwhile. */
struct sup_visit {
    struct stor_pool *pool;
    const char *zone, *path;
    const struct spec *spec;
    const struct stor_root_plan *root;
    uint32_t uid_base;
    int data_fd;
    bool put;
};
int sup_visit(const struct sup_visit *v, struct err *e);

/* Who blocks a teardown: [{what: process|mount|loop|cgroup|netns, pid, name, fd, path}] for a zone's names in the plan. */
int sup_holders(const struct plan *p, json **out, struct err *e);
