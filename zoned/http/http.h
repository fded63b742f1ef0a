/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The HTTP server on the Unix socket: peer credentials and roles, limits, decoding, routing by a table,
 * answers now or later, streams, upgraded connections. Knows nothing of zones. libmicrohttpd and sd-event
 * stay behind it. */
#pragma once
#include "base/err.h"
#include "base/json.h"
#include <stdbool.h>
#include <sys/types.h>

struct zd; /* the daemon, opaque here: handed to handlers */
struct sd_event;
struct zd_server;
struct zd_request;
enum zd_role { ROLE_NONE, ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN };
enum zd_body { BODY_NONE, BODY_JSON, BODY_SPOOL /* into an unnamed file */ };

/* What a body or a query may hold. The door checks it before the handler runs: a handler reads no type twice. null stands for a
 * field that is absent, but for one that is required. */
enum zd_type {
    ZD_ANY, /* of name "*": every field; who reads the body checks it by a schema of its own */
    ZD_BOOL,
    ZD_INT, /* 0 or more */
    ZD_TEXT,
    ZD_TEXTS,
    ZD_OBJECT, /* with the fields of `of`, NULL: of any */
    ZD_OBJECTS
};
struct zd_field {
    const char *name; /* NULL: the table's end */
    enum zd_type type;
    bool required;
    const struct zd_field *of;
};

/* A handler answers by one zd_reply_* call, now or later, or returns a negative errno with e (and r's
 * problems) filled and is answered for. A request stays valid until it is answered. */
typedef int (*zd_handler)(struct zd *d, struct zd_request *r, struct err *e);
struct zd_route {
    const char *method,
        *pattern; /* "/v1/zones/{name}/start": {name} is one path part, percent-decoded; {ref} may hold slashes */
    enum zd_role role;
    enum zd_body body;
    zd_handler handle;
    const char *operation;                 /* operationId of the OpenAPI document */
    const struct zd_field *fields, *query; /* NULL: none */
};

const char *zd_param(const struct zd_request *r, unsigned i);                 /* i-th {…} of the pattern */
const char *zd_query(const struct zd_request *r, const char *key);            /* NULL if absent */
bool zd_query_flag(const struct zd_request *r, const char *key, bool absent); /* 1, true; 0, false */
char *const *zd_query_all(struct zd_request *r, const char *key);             /* borrowed strv */
const json *zd_body_of(const struct zd_request *r);                           /* an object, or NULL */
int zd_body_fd(const struct zd_request *r); /* BODY_SPOOL: at offset 0, borrowed */
bool zd_wants_upgrade(const struct zd_request *r);
struct problems *zd_problems(struct zd_request *r); /* details of the error answer */
uint64_t zd_request_id(const struct zd_request *r); /* of this request alone, also after its end */
void zd_peer(const struct zd_request *r, uid_t *uid, pid_t *pid);
enum zd_role zd_role_of(const struct zd_request *r);
/* Called when the client has gone before the answer; the handler may stop waiting, and still answers (which
 * frees). */
void zd_on_gone(struct zd_request *r, void (*fn)(struct zd_request *r, void *arg), void *arg);

void zd_reply_json(struct zd_request *r, int status, json *body /* stolen */);
void zd_reply_text(struct zd_request *r, int status, const char *content_type, char *text /* stolen */);
void zd_reply_fd(struct zd_request *r, const char *content_type, int fd /* taken; whole file */);
void zd_reply_error(struct zd_request *r, const struct err *e, const struct problems *ps);
/* 101; then take(arg, fd) with a duplicate of the connection (blocking, close-on-exec) that is the callee's;
 * fd -1 when the client has gone. The server forgets the connection without shutting it down. */
void zd_reply_upgrade(struct zd_request *r, void (*take)(void *arg, int fd), void *arg);
/* A streamed answer: bounded queue (1 MiB); a client that does not read is cut off. closed() once, at its
 * end. */
struct zd_stream;
struct zd_stream *zd_reply_stream(struct zd_request *r, const char *content_type, void (*closed)(void *arg),
                                  void *arg);
void zd_stream_write(struct zd_stream *s, const void *data, size_t n);
void zd_stream_begin(struct zd_stream *s, const void *data,
                     size_t n); /* what is there already: not counted */
/* The other way: fill(arg of the stream) is called when all was sent, writes some more by zd_stream_begin, or ends the
 * stream, or neither: then zd_stream_more calls for it. What nobody reads is never made. */
void zd_stream_pull(struct zd_stream *s, void (*fill)(void *arg));
void zd_stream_more(struct zd_stream *s);
void zd_stream_end(struct zd_stream *s); /* flushes, then closed() */

/* Listens on socket_path (0666 in a folder that only root may write: whoever connects is told his role, or
 * 403), or on listen_fd >= 0 (socket activation). tmp_dirfd: where bodies are spooled. limits: 3 MiB of JSON (a spec of 1 MiB, escaped),
 * 4 GiB spooled, 32 kB of head, 256 connections a user and 1,024 in all, 10 s for an incomplete request. */
int zd_server_new(struct zd *d, struct sd_event *event, const char *socket_path, int listen_fd, int tmp_dirfd,
                  const struct zd_route *routes, unsigned nroutes, struct zd_server **out, struct err *e);
void zd_server_free(struct zd_server *s);
