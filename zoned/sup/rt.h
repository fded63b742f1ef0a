/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of zoned/sup: what the rooms of one supervisor share. `struct rt` is all that steps write; `struct
 * sup` is the process. Not for includers outside this folder. */
#pragma once
#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/vec.h"
#include "cgroups/cgroups.h"
#include "namespaces/namespaces.h"
#include "zoned/api/api.h"
#include "zoned/sup/sup.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

struct sup;
struct session;

/* Our ends of somebody's standard streams. With a terminal `out` is the pty's master and also takes input. */
struct sup_io {
    int in, out, err;
    bool tty;
};
#define SUP_IO_NONE ((struct sup_io){-1, -1, -1, false})

struct rt {
    struct stor_pool *pool;
    int zone_dirfd;           /* O_PATH, the zone's data folder */
    struct stor_root_fds fds; /* until SPAWN is done */
    struct nspace_root root;  /* detached mounts, until SPAWN is done */
    struct nspace_mount *mounts;
    unsigned nmounts;
    struct cg_group *cg;
    int oom_fd;
    short oom_events;
    int devpts_fd;
    struct sup_io io;
    int stdio[3];              /* the zone's ends, until SPAWN is done */
    struct nspace_child child; /* until GO is done */
    bool blocked;              /* child is cloned and not let go */
    pid_t pid;                 /* PID 1, 0 = none */
    int pidfd;
    int status_fd; /* zone-init says its exit status there, then ends; -1 = none */
    int told;      /* what it said, -1 = nothing yet */
    bool reaped;   /* PID 1 has ended and was waited for: nobody to look for */
    bool adopted;  /* PID 1 is not our child */
    struct net_ctx *net;
    uint64_t net_close_at; /* CLOCK_MONOTONIC µs, 0 = none */
    bool net_left;         /* the links are being deleted */
    int hold[64];
    unsigned nhold;
};

/* A child process of ours that somebody waits for; or one that is to be born in the zone: then pid and pidfd are its worker's
 * first, and begun is called once, e NULL when it runs. */
struct job;
typedef void (*enter_fn)(struct sup *s, struct job *j, const struct err *e);
struct job {
    pid_t pid;
    int pidfd;
    uint64_t deadline; /* CLOCK_MONOTONIC µs, 0 = none; then SIGKILL */
    bool timed_out;
    void (*done)(struct sup *s, struct job *j, int wait_status);
    void *arg;
    int out_fd;       /* read end of what it says, or -1 */
    int64_t reply_id; /* of the request whose answer is due, or -1; … */
    uint64_t asked;   /* … and the connection by which it came */
    enter_fn begun;   /* NULL: it runs, or nobody wants it any more */
    struct nspace_entry entry;
    struct nspace_child child;
    bool groups;
};

enum session_kind { SESSION_ZONE, SESSION_EXEC };
struct session {
    enum session_kind kind;
    int fd; /* stream of frames, -1 = detached */
    bool want_stdin, origin, ended, dead;
    struct api_frames *in; /* 64 kB: only while the session lives */
    struct str out;        /* unsent bytes */
    size_t sent;
    struct sup_io io; /* SESSION_EXEC */
    int devpts_fd;
    pid_t pid;
    int pidfd;
    char *pend; /* input that the program did not take yet */
    size_t pend_len, pend_off;
    bool pend_eof;
};

enum sup_state { SUP_STARTING, SUP_RUNNING, SUP_PAUSED, SUP_RESTARTING, SUP_STOPPING, SUP_STOPPED };

struct watch {
    void (*fn)(struct sup *s, void *arg, short revents);
    void *arg;
};

struct sup_log {
    int dirfd, fd;
    uint64_t size, max;
    unsigned files;
};

struct sup_health {
    int value; /* -1 unknown, 0, 1 */
    unsigned failures;
    uint64_t next, started, until;
    bool busy;
};

struct sup {
    struct nspace_kit *kit; /* the fork server's */
    struct cg_host *cgh;
    char *zone;
    struct plan *plan;
    struct plan *next; /* recovery: of an update that was cut off; NET's undo takes its links away too */
    char **exec_env;   /* what every command of exec inherits: the plan's and the spec's environment */
    struct rt rt;
    int lock_fd, run_dirfd, conn, listen_fd, journal_fd;
    uint64_t conns; /* how many there were: which one conn is */
    enum sup_state state;
    unsigned done; /* steps applied */
    enum plan_step step;
    int exit_status; /* -1 = never ran */
    bool held;       /* paused for as long as zoned is connected */
    bool oom, stop_asked, failed, bye, ran, powered_off, again;
    unsigned rows, cols; /* of the session that starts it */
    int health_act;      /* enum spec_health_action carried out at PID 1's end */
    struct err error;    /* of a start that failed */
    json *leftover;
    uint64_t restarts, started_us;
    uint64_t warn_next, oom_tell; /* CLOCK_MONOTONIC µs, 0 = none */
    bool warned;
    uint64_t up_since, stop_deadline, restart_at, bye_deadline;
    struct sup_health health;
    struct sup_log log;
    VEC(struct session *) sessions;
    VEC(struct job *) jobs;
    VEC(struct pollfd) polls;
    VEC(struct watch) watches;
};

void sup_release(struct sup *s); /* request.c: a zone that was held runs again */
/* step.c: the table; apply and undo of each step */
struct step {
    const char *name;
    int (*apply)(struct sup *s, struct err *e);
    int (*undo)(struct sup *s, struct err *e); /* idempotent: "not there" is success */
};
extern const struct step sup_steps[STEP_COUNT];
void rt_init(struct rt *rt);
/* Neither parent nor pidfd: the journal's pid and start time tell whether that process still is PID 1. */
void rt_find_pid1(struct sup *s);
int rt_open_pool(struct sup *s, struct err *e);
int step_rootfs(struct sup *s, struct err *e); /* rootfs.c */
int step_rootfs_undo(struct sup *s, struct err *e);
/* The zone's root and filesystems as detached mounts in rt, whose pool is open; what is open on failure goes with
 * rootfs_release. */
struct rootfs_want {
    const char *zone;
    const struct spec *spec;
    const struct stor_root_plan *root;
};
int rootfs_open(struct rt *rt, const struct rootfs_want *w, struct err *e);
void rootfs_release(struct rt *rt);
/* The beginning of NET's undo, as soon as PID 1 is ending: the kernel takes a millisecond to unmount what it saw. */
int net_leave(struct sup *s, struct err *e);
/* The context of the network, made at first use. Its sockets are needed for milliseconds, but who closes an nft socket waits
 * for the grace period of an earlier deletion, another socket's too (10 to 30 ms, 6.18: nf_tables flushes its destroy work): so
 * they are closed a second after the last use, when nobody waits for an answer. */
int net_open(struct sup *s, struct err *e);
void net_close_later(struct sup *s);
void net_tick(struct sup *s, uint64_t now); /* CLOCK_MONOTONIC µs */

/* apply.c */
int sup_apply(struct sup *s, struct err *e);
/* Undoes everything; what cannot be undone is put into s->leftover. 0, or the first failure. */
int sup_undo(struct sup *s, unsigned from, struct err *e);

/* journal.c */
int journal_open(int run_dirfd, bool fresh, struct err *e);
void journal_write(int fd, const char *verb, enum plan_step step, const json *facts);
struct journal_state {
    unsigned begun, done; /* bit sets of steps that are not undone */
    int64_t pid;
    uint64_t pid_start;
    unsigned restarts; /* by the policy */
    bool again;        /* all is undone, and the next start is due */
    bool stop;         /* somebody asked it to stop: no policy begins anew */
};
void journal_parse(const char *text, size_t n, struct journal_state *out);
int journal_read(int run_dirfd, struct journal_state *out, struct err *e);
/* Fault points of test builds: true = this step must fail. */
bool journal_fault(const struct sup *s, enum plan_step step, const char *where);

/* keep.c: the supervisor's side of the fork server's keeper */
void keep_all(struct sup *s);
void keep_drop(struct sup *s);
struct kept {
    char **names;
    int fds[FD_MSG_MAX_FDS];
    unsigned n;
    int wait_status;
    bool ended;
};
int keep_fetch(const char *keeper_socket, const char *zone, struct kept *out, struct err *e);
int kept_take(struct kept *k, const char *name); /* fd or -1 */
void kept_done(struct kept *k);

/* wire.c */
int sup_listen_at(int dirfd, const char *name, struct err *e);

/* log.c */
void log_open(struct sup_log *l, int zone_dirfd, uint64_t max, unsigned files);
void log_write(struct sup_log *l, const char *stream, const char *data, size_t n);
void log_close(struct sup_log *l);

/* console.c */
int console_pipes(struct sup_io *io, int stdio[3], bool with_stdin, bool keep_open, uint32_t owner,
                  struct err *e);
int console_pty(int devpts_fd, uint32_t uid_base, struct sup_io *io, int stdio[3], struct err *e);
void console_resize(const struct sup_io *io, unsigned rows, unsigned cols);
void console_watch(struct sup *s);
void console_drain(struct sup *s);
void console_reopen(struct sup *s); /* the read ends of PID 1's pipes, where nobody kept them */
void io_close(struct sup_io *io);

/* session.c */
struct session *session_add(struct sup *s, enum session_kind kind, int fd, bool want_stdin);
void session_watch(struct sup *s, struct session *x);
void session_send(struct sup *s, struct session *x, enum api_frame_type type, const void *data, size_t n);
void session_exit(struct sup *s, struct session *x, int status, const struct err *e);
void session_broadcast(struct sup *s, enum api_frame_type type, const void *data, size_t n);
bool session_blocks_console(const struct sup *s);
void session_exec_output(struct sup *s, struct session *x);
void sessions_sweep(struct sup *s);
bool sessions_pending(const struct sup *s);
void sessions_end_zone(struct sup *s); /* API_EXIT to all that wait for PID 1 */

/* exec.c */
int exec_request(struct sup *s, const json *m, int session_fd, int64_t reply_id, struct err *e);
void exec_setup(struct sup *s, struct nspace_exec *x);

/* jobs.c */
struct job *job_add(struct sup *s, pid_t pid, int pidfd, void (*done)(struct sup *, struct job *, int),
                    void *arg);
/* Somebody enters the zone, by x, which is needed no longer; done and deadline are for begun to set. groups: the zone's. */
struct job *job_enter(struct sup *s, const struct nspace_exec *x, bool groups, enter_fn begun, void *arg,
                      struct err *e);
void job_drop(struct job *j); /* kills it; nobody is told */
/* Its answer is due to this request, of the zoned that is connected now; to no other. extra is stolen. */
void job_asked(struct sup *s, struct job *j, int64_t reply_id);
void job_reply(struct sup *s, const struct job *j, json *extra, const struct err *e);
void job_overdue(struct sup *s, struct job *j);
void jobs_look(struct sup *s);
void jobs_watch(struct sup *s);
void jobs_reap(struct sup *s);
void jobs_forget(struct sup *s, void *arg);
/* Of the zoned that is connected now; not for programs, which are answered when they begin. */
void jobs_cancel(struct sup *s, int64_t reply_id);

/* archive.c */
int archive_request(struct sup *s, const json *m, int data_fd, int64_t reply_id, struct err *e);

/* health.c */
void health_start(struct sup *s);
void health_tick(struct sup *s, uint64_t now);
void health_stop(struct sup *s);

/* memory.c */
void memory_start(struct sup *s); /* also after another spec */
void memory_tick(struct sup *s, uint64_t now);
void memory_oom(struct sup *s);
void memory_tell_oom(struct sup *s); /* if there is something to tell */

/* restart.c: pure */
enum restart_verdict { RESTART_NEVER, RESTART_AGAIN, RESTART_GAVE_UP };
enum restart_verdict restart_decide(const struct spec_restart *r, bool system, int wait_status, bool forced,
                                    uint64_t restarts, uint64_t *delay_ms);

/* event.c: what zoned is told */
json *sup_status(const struct sup *s);
void sup_event(struct sup *s, const char *event, json *extra, const int *fds, unsigned nfds);
void sup_reply(struct sup *s, int64_t id, json *extra, const struct err *e, const int *fds, unsigned nfds);

/* request.c */
void request_read(struct sup *s, void *arg, short revents);
void request_accept(struct sup *s, void *arg, short revents);
void sup_stop(struct sup *s, bool force, uint64_t timeout_ms);

/* refresh.c: files of ours in a running zone, where they differ; does not wait */
void refresh_files(struct sup *s, const struct plan *from, const struct plan *to);
/* What is being rewritten is, a second at most: before anybody enters to read it. */
void refresh_await(struct sup *s);

/* update.c: a new plan for a running zone; the one before, which is the caller's, where it was carried out */
int sup_update(struct sup *s, const json *plan, struct plan **was, struct err *e);
void hold_again(struct sup *s);      /* the sockets of the published ports; a conflict is only logged */
void update_load(struct sup *s);     /* s->next, if an update was cut off */
void update_put_back(struct sup *s); /* links and limits as the plan says */
void update_forget(struct sup *s);   /* what it had begun is undone */

/* life.c: from start to stop */
void sup_begin(struct sup *s);                       /* apply, then "running" or the failure */
void sup_pid1_ended(struct sup *s, int wait_status); /* undo, then policy */
void sup_recover_end(struct sup *s); /* undo all that the names in the plan tell, then "stopped" */
void sup_kill(struct sup *s);
int sup_wait_pid1(struct sup *s, uint64_t timeout_ms, int *wait_status);
int pid1_status(struct sup *s, int *wait_status); /* 1, 0 = not yet */
void pid1_told(struct sup *s);                    /* reads what zone-init said */

/* sup.c */
void sup_watch(struct sup *s, int fd, short events, void (*fn)(struct sup *, void *, short), void *arg);
enum sup_mode { SUP_MODE_START, SUP_MODE_ADOPT, SUP_MODE_RECOVER };
/* Main of a forked supervisor; never returns. */
_Noreturn void sup_main(struct nspace_kit *kit, struct cg_host *cgh, enum sup_mode mode, const json *m,
                        int lock_fd, int run_dirfd, int conn, int session_fd);
