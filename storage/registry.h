/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rooms of the registry client share. libcurl stays in registry_http.c and registry_url.c. What a registry says is
 * untrusted: bounded, checked, and cleaned of control characters before a person reads it. Sources: OCI distribution-spec 1.1,
 * docs.docker.com/registry/spec/auth/token, RFC 9110 (authentication, ranges, Retry-After). */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "storage/images.h"
#include <stdbool.h>
#include <stdint.h>

/* ---- registry_challenge.c: WWW-Authenticate ---- */
enum reg_scheme { REG_NO_SCHEME, REG_BASIC, REG_BEARER };
struct reg_challenge {
    enum reg_scheme scheme;
    char *realm, *service, *scope; /* scope may be NULL */
};
/* Adds what one header line offers: Bearer wins over Basic. Unknown schemes are skipped, malformed text is invalid. */
int reg_challenge_add(struct reg_challenge *c, const char *header, struct err *e);
void reg_challenge_done(struct reg_challenge *c);
void reg_secret_free(char **secret); /* overwrites, frees, sets to NULL */

/* ---- registry_token.c: what a token server is asked and answers ---- */
/* realm?service=…&scope=… (a scope each; the challenge's own is added if it is not among them). */
char *reg_token_url(const struct reg_challenge *c, char *const *scopes);
/* The form of an OAuth2 refresh with an identity token. */
char *reg_token_form(const struct reg_challenge *c, char *const *scopes, const char *identity_token);
int reg_token_parse(const char *text, size_t n, char **token, struct err *e);
char *reg_basic_header(const char *user, const char *password); /* "Authorization: Basic …" */

/* ---- registry_url.c ---- */
bool reg_is_loopback(const char *registry); /* localhost, *.localhost, 127/8, [::1], with or without port */
char *reg_base(const char *registry, bool plain); /* https://registry-1.docker.io for docker.io */
char *reg_url(const char *base, const char *repository, const char *what,
              const char *name); /* base/v2/repository/what/name */
char *reg_url_add_query(const char *url, const char *key, const char *value);
/* Where a Location of `from` leads. *same_host: scheme, host and port are the same, so credentials may go along. Refused:
 * anything but http(s), a user in the address, from TLS to plain HTTP. */
int reg_follow(const char *from, const char *location, char **to, bool *same_host, struct err *e);
char *reg_url_public(const char *url); /* for messages: without query, fragment and user */
/* May a credential for the registry at base be sent to the realm? TLS, or as plain as the registry itself is. */
int reg_realm_check(const char *base, const char *realm, struct err *e);

/* ---- registry_retry.c ---- */
enum reg_failure {
    REG_ANSWERED,
    REG_LOST /* cut, stalled, reset */,
    REG_UNREACHABLE /* refused, no route */,
    REG_FATAL
};
struct reg_outcome {
    enum reg_failure failure;
    int status;              /* HTTP, when answered */
    const char *retry_after; /* header or NULL */
    unsigned attempt;        /* without progress, from 0 */
    unsigned attempts;       /* in all, from 0 */
    bool reached_before;     /* the registry has answered in this session */
};
/* Milliseconds to wait before the next attempt, or -1: give up. now: seconds since the epoch, for dates. */
int64_t reg_retry_after(const struct reg_outcome *o, int64_t now, unsigned random);
enum reg_range { REG_RANGE_CONTINUE, REG_RANGE_RESTART, REG_RANGE_DONE, REG_RANGE_REFUSED };
/* What to do with an answer to a request for the bytes from `have` of `total`. */
enum reg_range reg_range_check(int status, const char *content_range, uint64_t have, uint64_t total);
int reg_upload_range(const char *range, uint64_t *next); /* "0-1023": 1024; "0-0" or absent: 0 */
/* "toomanyrequests: slow down", from {"errors": [{code, message}]}; else NULL. */
char *reg_error_text(const char *text, size_t n);
int reg_status_error(int status, const char *detail, const char *what, bool had_credential, struct err *e);

/* ---- registry_session.c: requests to one registry, several at once, with login, redirects and retries ---- */
struct reg_request {
    /* what is asked; strings owned by the request */
    const char *method; /* a literal */
    char *url, **headers;
    const char *what; /* for messages: borrowed */
    const void *body; /* in memory, borrowed; or body_fd from body_from, borrowed */
    int body_fd;
    uint64_t body_from, body_size;
    size_t text_max; /* the answer is kept in text up to so much; more is an error */
    bool ranged;     /* the answer goes to on_data; have of total bytes are there already */
    uint64_t have, total;
    int64_t retry_ms; /* with no_retry, after a failure: what the pause would be, -1: none */
    bool any_status;  /* 4xx that are final are no failure: the caller looks at status */
    bool no_retry, no_auth;
    int (*on_data)(struct reg_request *r, const void *p, size_t n, struct err *e);
    int (*on_restart)(struct reg_request *r, struct err *e); /* the source begins at byte 0 */
    void (*on_moved)(struct reg_request *r, uint64_t bytes); /* of this attempt's body, either way */
    void (*on_done)(struct reg_request *r); /* error.code tells; may submit others, may free r */
    void *arg;
    /* what came */
    int status;
    char *location, *content_type, *digest, *range, *retry_after, *chunk_min;
    struct str text;
    struct err error;
    /* the session's own */
    enum reg_state { REG_QUEUED, REG_RUNNING, REG_WAITS_TOKEN, REG_DONE } state;
    struct reg_session *session;
    struct reg_challenge challenge;
    struct err challenge_error;
    char *content_range;
    uint64_t not_before_us, body_sent, highest; /* highest: bytes that a former attempt has reached */
    size_t header_bytes;
    unsigned attempt, attempts, redirects, logins, auth_generation;
    bool foreign; /* redirected elsewhere: no credential */
    bool begun;   /* the first byte of an answer was accepted */
    bool is_token;
    char why[256]; /* libcurl's own words */
    void *easy, *header_list;
    struct reg_request *next;
};
void reg_request_init(struct reg_request *r, const char *method, char *url /* stolen */, const char *what);
void reg_request_header(struct reg_request *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void reg_request_done(struct reg_request *r);

struct reg_session {
    char *registry, *base; /* base: http(s)://host[:port] */
    char **scopes;
    const struct img_credential *credential;
    char *ca; /* PEM: the system's and the private one; NULL: the system's */
    unsigned parallel, stall_seconds, auth_generation;
    char *auth_header;
    bool reached, used_credential, stop; /* stop: drop all that is under way */
    void *multi;
    struct reg_request *requests, *token;
};
int reg_session_open(const struct img_ref *target, const struct img_transfer_options *o,
                     struct reg_session **out, struct err *e);
void reg_session_free(struct reg_session *s);
void reg_submit(struct reg_session *s, struct reg_request *r);
int reg_run(struct reg_session *s, struct err *e); /* until all are done; fails only of itself */
int reg_do(struct reg_session *s, struct reg_request *r, struct err *e); /* this one, alone */

/* ---- registry_http.c: one attempt of one request; the only room that knows libcurl's handles ---- */
int reg_http_open(struct reg_session *s, struct err *e);
void reg_http_close(struct reg_session *s);
int reg_http_start(struct reg_session *s, struct reg_request *r, struct err *e);
void reg_http_stop(struct reg_session *s, struct reg_request *r);
/* Moves bytes for at most wait_ms; calls finished for each attempt that ended, with how. */
int reg_http_turn(struct reg_session *s, int wait_ms,
                  void (*finished)(struct reg_session *, struct reg_request *, enum reg_failure),
                  struct err *e);

/* ---- registry_pull.c, registry_push.c: the transfers; run inside the cage ---- */
struct reg_job {
    struct img_store *store;
    const struct img_transfer_options *options;
    void (*report)(void *arg, const struct img_progress *p); /* any number of times */
    void *arg;
};
int reg_pull(const struct reg_job *j, const struct img_ref *ref, struct img_desc *manifest, struct err *e);
struct reg_push_plan {
    const struct img_image *image;
    const struct img_ref *target;
    const char *mount_from; /* a repository of the same registry that has the blobs, or NULL */
};
int reg_push(const struct reg_job *j, const struct reg_push_plan *p, struct err *e);
/* One bar of progress: at most ten reports a second, and the last. */
struct reg_bar {
    const struct reg_job *job;
    const char *phase;
    char item[16];
    uint64_t done, total, told_us;
};
void reg_bar_start(struct reg_bar *b, const struct reg_job *j, const char *phase, const struct img_desc *d,
                   uint64_t done);
void reg_bar_set(struct reg_bar *b, uint64_t done);
/* The blobs of an image, each once, by digest: all processes take blobs in one order. *n: how many; free() it. */
struct img_desc *reg_blobs(const struct img_image *i, unsigned *n);

/* ---- registry_cage.c: the process that meets the network ---- */
/* Runs work in a process without capabilities that writes nowhere but in the folder store_fd, starts no program and speaks to no
 * Unix socket. Its reports, its answer of at most 512 bytes and its error come back. */
int reg_in_cage(int store_fd, int (*work)(const struct reg_job *j, void *arg, void *answer, struct err *e),
                struct reg_job *j, void *arg, void *answer, size_t answer_size, struct err *e);
