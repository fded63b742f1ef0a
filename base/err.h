/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One error, by value: what went wrong, of which kind, and what the user can do about it.
 *
 * Convention of the whole house: a function that can fail takes `struct err *e` last, returns 0 (or >= 0)
 * on success and a negative errno on failure, and leaves its out-parameters untouched on failure. The first
 * error stays: setting a second one on the same struct changes nothing. `kind` is the stable interface (exit
 * code, HTTP status, "kind" in JSON); `text` is for people. The struct is far below PIPE_BUF, so one write
 * carries it whole from a child to its parent. `e` may be NULL where the caller does not want the text. */
#pragma once
#include <stdarg.h>
#include <stdbool.h>

enum err_kind {
    ERR_NONE = 0,
    ERR_INTERNAL,    /* a fault of ours or of the kernel              exit  1, HTTP 500 */
    ERR_USAGE,       /* the command line                              exit  2, HTTP 400 */
    ERR_NOT_FOUND,   /* no such zone, file, volume                    exit  3, HTTP 404 */
    ERR_CONFLICT,    /* exists already, or wrong state                exit  4, HTTP 409 */
    ERR_DENIED,      /* the peer may not                              exit  5, HTTP 403 */
    ERR_BUSY,        /* another operation is under way, or in use     exit  6, HTTP 423 */
    ERR_INVALID,     /* a spec or a value                             exit  7, HTTP 422 */
    ERR_LIMIT,       /* a limit or admission refused                  exit  8, HTTP 429 */
    ERR_UNSUPPORTED, /* this host cannot                              exit  9, HTTP 501 */
    ERR_UNREACHABLE, /* zoned does not answer                         exit 10, HTTP 503 */
    ERR_KIND_MAX,
};

struct err {
    int code; /* positive errno; 0 = no error */
    enum err_kind kind;
    char text[560];
    char hint[320]; /* one remedy, or empty */
};

/* Sets kind, errno and text (first one wins); returns -code. code 0 becomes EINVAL. */
int err_set(struct err *e, enum err_kind kind, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* From errno: text is "fmt: strerror", kind follows from errno (ENOENT not_found, EPERM/EACCES denied, EBUSY
 * busy, EEXIST conflict, EINVAL invalid, ENOSPC/EDQUOT/EMFILE limit, ENOSYS/EOPNOTSUPP unsupported, else
 * internal). */
int err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same with a given positive errno and a kind of the caller's choice. */
int err_sysk(struct err *e, enum err_kind kind, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Puts "fmt: " before the text of an error that is set; returns -e->code. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Sets the remedy if none is there yet; returns -e->code so that it can stand in a return. */
int err_hint(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The analyzer sees one file at a time and would follow "the error was 0" into every caller. */
#if defined(__clang_analyzer__) && !defined(ERR_DEFINED_HERE)
static inline int err_negative_(int r)
{
    if (r >= 0)
        __builtin_unreachable();
    return r;
}
#define err_set(...) err_negative_((err_set)(__VA_ARGS__))
#define err_sys(...) err_negative_((err_sys)(__VA_ARGS__))
#define err_sysk(...) err_negative_((err_sysk)(__VA_ARGS__))
#define err_prefix(...) err_negative_((err_prefix)(__VA_ARGS__))
#define err_hint(...) err_negative_((err_hint)(__VA_ARGS__))
#endif
void err_clear(struct err *e);
bool err_is(const struct err *e);

const char *err_kind_name(enum err_kind kind); /* "invalid", "not_found", … */
enum err_kind err_kind_from_name(const char *name);
int err_exit_status(enum err_kind kind);
int err_http_status(enum err_kind kind);

/* All problems of one input at once: each with file, line (0 = none), key and message. */
#define PROBLEM_SET "set" /* in place of a file: it came with an edit KEY=VALUE, no line of a file holds it */
struct problem {
    char *file;
    int line;
    char *key;
    char *message;
    enum err_kind kind;
    char *hint; /* the remedy, or NULL */
};
struct problems {
    struct problem *at;
    unsigned len, cap;
};
/* At most 100 are kept; the rest is counted by len staying at 100. file and key may be NULL. */
void problem_add(struct problems *ps, enum err_kind kind, const char *file, int line, const char *key,
                 const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* The remedy of the problem that was added last. */
void problem_hint(struct problems *ps, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void problems_done(struct problems *ps);
/* "FILE:LINE: KEY: message" into buf (truncated); empty parts are left out. */
void problem_print(const struct problem *p, char *buf, unsigned size);
/* Fills e from the problems of something that was refused: one problem gives its own text, several a summary; kind of the
 * first, the first remedy that one has; what may be NULL. Negative always, also where nobody named a problem. */
int problems_to_err(const struct problems *ps, struct err *e, const char *what);
/* The same for who shows no list beside it: "FILE:LINE: KEY: message" of the first, and how many more. */
int problems_to_line(const struct problems *ps, struct err *e);
#if defined(__clang_analyzer__) && !defined(ERR_DEFINED_HERE)
#define problems_to_err(...) err_negative_((problems_to_err)(__VA_ARGS__))
#define problems_to_line(...) err_negative_((problems_to_line)(__VA_ARGS__))
#endif
