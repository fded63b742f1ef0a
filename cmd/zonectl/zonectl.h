/* SPDX-License-Identifier: GPL-2.0-or-later */
/* zonectl: argv becomes one request, the answer becomes text and an exit status. It decides nothing. */
#pragma once
#include "base/auto.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "zoned/api/api.h"

#define CTL_SOCKET "/run/zoned/zoned.sock"
#define CTL_OWN_FAILURE 125 /* of run, exec, login and attach, as in Docker */

enum ctl_format { CTL_PLAIN, CTL_TABLE, CTL_JSON, CTL_YAML }; /* CTL_PLAIN: -o was not given */

/* One option. id: its letter, or >= 256 without one. key: the spec's key that create and run set (options.c).
 */
struct ctl_opt {
    const char *name;
    int id;
    const char *arg; /* its argument's name in the help, NULL = none */
    const char *help;
    const char *key;
    enum { CTL_KEY_PLAIN, CTL_KEY_STRING } kind;
};

struct ctl;
struct ctl_verb {
    const char *name, *aliases; /* aliases: "ls list2" or NULL */
    const char *args, *help, *group;
    const struct ctl_opt *opts;
    int (*run)(struct ctl *c, int argc, char **argv); /* exit status */
    const char *note;                                 /* more lines of help, or NULL */
};
extern const struct ctl_verb ctl_verbs[];
const struct ctl_verb *ctl_find_verb(const char *name);

int ctl_unknown_verb(struct ctl *c, const char *word); /* the usage error, with what was meant */

struct ctl {
    const char *socket;
    enum ctl_format format;
    int own_failure; /* CTL_OWN_FAILURE or 0 */
    struct api_client *client;
    const struct ctl_verb *verb;
    const char *called; /* the verb as it was typed, without "zonectl" */
};

/* ---- args.c: options ---- */
enum {
    CTL_ORDER_ANY,
    CTL_ORDER_GIVEN,
    CTL_ORDER_STOP
}; /* positionals: after all, where they stand, first one ends */
#define CTL_POSITIONAL 1
#define CTL_END (-1)
#define CTL_BAD (-2)
#define CTL_HELP (-3)
struct ctl_args {
    int argc;
    char **argv; /* [0] is the verb */
    const struct ctl_opt *opts;
    int order;
    const char *value; /* of the option just given */
    const char *socket;
    enum ctl_format *format;
    bool own_o; /* -o is the verb's own; --output stays */
};
/* The next option's id; CTL_POSITIONAL with its value (order GIVEN); CTL_END: positionals from *rest on;
 * CTL_BAD with e. */
int ctl_next(struct ctl_args *a, int *rest, struct err *e);
/* The same for a verb: help is printed and errors are reported; then CTL_BAD is returned and *status is the
 * exit status. */
int ctl_option(struct ctl *c, struct ctl_args *a, int *rest, int *status);
/* A verb with no options of its own. Gives the index of the first positional or -1 with *status. most < 0: no
 * limit. */
int ctl_positionals(struct ctl *c, int argc, char **argv, int least, int most, int *status);
int ctl_usage(struct ctl *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *ctl_nearest(const char *word, const char *const *words, unsigned n);
bool ctl_has_word(const char *list, const char *word); /* list: words with a space between, or NULL */
/* elsewhere.c: what to type here for another manager's verb (of ""), or second word or option of a verb; or NULL. */
const char *ctl_elsewhere(const char *of, const char *word);
bool ctl_prints_data(const struct ctl_verb *v); /* takes --output */
void ctl_help_verb(const struct ctl_verb *v, FILE *to);
int ctl_help(struct ctl *c, int argc, char **argv);

/* ---- call.c: requests and failures ---- */
/* Prints details, "zonectl: what: why" and the hint; gives the exit status. */
int ctl_fail(struct ctl *c, const struct err *e, const struct problems *details, const char *what);
int ctl_connect(struct ctl *c, struct err *e);
/* One call; on failure it is reported with "zonectl: what: …" and the exit status is returned, else 0. body
 * is stolen. */
int ctl_call(struct ctl *c, const char *method, const char *path, json *body, json **answer,
             const char *what);
char *ctl_zone_path(const char *name, const char *tail); /* "/zones/NAME/tail" */
void ctl_messages(const json *answer);                   /* the answer's messages, on standard error */
void ctl_messages_of(const json *answer, const char *zone /* of several, or NULL */);
/* Text of a file, "-" is standard input; at most 1 MiB. {file, text} or NULL with e. */
json *ctl_source(const char *file, struct err *e);

/* ---- print.c, yaml.c: data out ---- */
bool ctl_colours(int fd);
/* JSON or YAML by c->format; false: the caller prints its table. */
bool ctl_print_data(const struct ctl *c, const json *j);
void ctl_yaml(const json *j, struct str *out);
void ctl_size(int64_t bytes, char buf[24]);
int ctl_seconds(const char *text, uint64_t *ms); /* "2", "0.5", "500ms"; 0.1 s to an hour */
void ctl_duration(int64_t seconds, char buf[24]);
void ctl_value(const json *j, struct str *out); /* one line: a scalar as it is, the rest as compact JSON */
/* Columns as wide as their text. Cells are copied; control characters become '?'. */
struct ctl_table {
    unsigned columns;
    char **cells; /* strv; first row: heads */
};
void ctl_cell(struct ctl_table *t, const char *text);
void ctl_cellf(struct ctl_table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void ctl_table_print(struct ctl_table *t, FILE *to); /* and empties it */

struct ctl_column {
    const char *key, *head;
    bool size; /* bytes, for people */
};
void ctl_rows(const json *list, const struct ctl_column *cols, unsigned n); /* objects as a table */

/* ---- progress.c: a job whose answer is a stream of lines ---- */
/* Shows progress (bars on a terminal, lines elsewhere) and notes on standard error; 0 with *result, else the exit status. body is
 * stolen. */
int ctl_job(struct ctl *c, const char *path, json *body, json **result, const char *what);

/* ---- options.c: create and run, pure ---- */
struct ctl_create {
    const char *name, *file, *one_cpu; /* one_cpu: --cpus was this number alone */
    char **set;
    bool rm, detach, stdin_, tty, start, publish_all;
};
extern const struct ctl_opt ctl_create_opts[], ctl_run_opts[], ctl_network_opts[];
/* 0; CTL_BAD with e; CTL_HELP. */
int ctl_parse_create(struct ctl_args *a, bool run, struct ctl_create *out, struct err *e);
json *ctl_create_body(const struct ctl_create *k, json *source, bool run, int rows, int cols);
void ctl_create_done(struct ctl_create *k);
char *ctl_quote(const char *text);    /* a YAML double-quoted scalar that is JSON too */
char *ctl_quote_list(char *const *v); /* a flow sequence of them */
int ctl_parse_volume(const char *text, char **edit, struct err *e);

/* ---- stream.c: upgraded connections ---- */
struct ctl_session {
    bool tty, stdin_, escape; /* escape: "~." at the start of a line leaves */
    const char *what;
};
/* Runs until the exit frame; the exit status. Takes fd. */
int ctl_stream(struct ctl *c, int fd, const struct ctl_session *s);
int ctl_need_terminal(struct ctl *c);  /* of -i with -t: 0 if standard input is one, else the exit status */
void ctl_window(int *rows, int *cols); /* 24x80 where there is no terminal */
/* Keys on their way out: handles "~." and "~~". Returns bytes put into out (room for n + 1); *leave: "~." was
 * typed. */
struct ctl_escape {
    bool started, in_line, tilde;
};
size_t ctl_escape_keys(struct ctl_escape *s, const char *in, size_t n, char *out, bool *leave);

/* "cpu.shares: 100 -> 200 (applied live)" for each of the answer's changes. */
void ctl_print_changes(const json *answer, const char *prefix, bool planned);
/* ---- interval.c: use between two answers of /stats, pure ---- */
/* {seconds, rows: [{name, state, cpu, memory, tasks, io, network}]}; was NULL: only what one look tells. */
json *ctl_interval(const json *was, const json *is);
void ctl_interval_high(json *high, const json *interval); /* keeps the greater numbers in high.rows */
void ctl_interval_total(json *average);                   /* rates become amounts */
/* `now` with all that was used since the first answer, for reports over several intervals: of zones that started anew, or
 * have ended, too. */
json *ctl_interval_seen(const json *before, const json *now);

/* ---- stats.c ---- */
char *ctl_stats_path(char **names, bool use_now); /* use_now: cpu.use is asked for, too */

/* ---- screen.c: a full-screen view ---- */
#define CTL_KEY_NONE (-1)
#define CTL_KEY_END (-2)    /* the terminal is gone */
#define CTL_KEY_WINDOW (-3) /* another size */
int ctl_screen_begin(void); /* -ENOTTY without a terminal */
void ctl_screen_end(void);  /* the terminal as before; idempotent, also called by signals */
int ctl_screen_show(const struct str *lines, int rows);
int ctl_screen_key(int timeout_ms); /* a byte, or CTL_KEY_* */

/* ---- verbs ---- */
void ctl_pairs(const json *obj, const char *prefix); /* KEY: VALUE lines, nested keys dotted */
/* The usage error for an unknown second word, with the nearest of what there is. */
int ctl_subverb(struct ctl *c, const char *word, const char *const *words, unsigned n);
int ctl_create(struct ctl *c, int argc, char **argv);
int ctl_run(struct ctl *c, int argc, char **argv);
int ctl_start(struct ctl *c, int argc, char **argv);
int ctl_stop(struct ctl *c, int argc, char **argv);
int ctl_simple(struct ctl *c, int argc, char **argv); /* restart, pause, resume, clear */
int ctl_kill(struct ctl *c, int argc, char **argv);
int ctl_delete(struct ctl *c, int argc, char **argv);
int ctl_rename(struct ctl *c, int argc, char **argv); /* and clone */
int ctl_wait(struct ctl *c, int argc, char **argv);
int ctl_exec(struct ctl *c, int argc, char **argv);
int ctl_login(struct ctl *c, int argc, char **argv);
int ctl_attach(struct ctl *c, int argc, char **argv); /* and console */
int ctl_list(struct ctl *c, int argc, char **argv);
int ctl_show(struct ctl *c, int argc, char **argv);
int ctl_set(struct ctl *c, int argc, char **argv);
int ctl_edit(struct ctl *c, int argc, char **argv);
int ctl_apply(struct ctl *c, int argc, char **argv);
int ctl_verify(struct ctl *c, int argc, char **argv);
int ctl_export(struct ctl *c, int argc, char **argv);
int ctl_logs(struct ctl *c, int argc, char **argv);
int ctl_events(struct ctl *c, int argc, char **argv);
int ctl_ps(struct ctl *c, int argc, char **argv);
int ctl_stats(struct ctl *c, int argc, char **argv);
int ctl_top(struct ctl *c, int argc, char **argv);
int ctl_why(struct ctl *c, int argc, char **argv);
int ctl_cp(struct ctl *c, int argc, char **argv);
int ctl_diff(struct ctl *c, int argc, char **argv);
int ctl_holders(struct ctl *c, int argc, char **argv);
int ctl_volume(struct ctl *c, int argc, char **argv);
int ctl_pool(struct ctl *c, int argc, char **argv);
int ctl_plan(struct ctl *c, int argc, char **argv);
int ctl_network(struct ctl *c, int argc, char **argv);
int ctl_image(struct ctl *c, int argc, char **argv);
int ctl_commit(struct ctl *c, int argc, char **argv);
/* image.c: exports a zone's root into a file. The exit status. */
int ctl_export_root(struct ctl *c, const char *zone, const char *file);
int ctl_install(struct ctl *c, int argc, char **argv);
int ctl_pack(struct ctl *c, int argc, char **argv);
int ctl_doctor(struct ctl *c, int argc, char **argv);
int ctl_df(struct ctl *c, int argc, char **argv);
int ctl_version(struct ctl *c, int argc, char **argv);
int ctl_completion(struct ctl *c, int argc, char **argv);
