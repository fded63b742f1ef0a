/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server's inside: what the server_*.c files and their tests share. Nobody else includes it. */
#pragma once
#include "base/str.h"
#include "zoned/http/http.h"
#include <microhttpd.h>
#include <stdint.h>
#include <systemd/sd-event.h>
#include <time.h>

#define ZD_PARTS_MAX 8u   /* of a path */
#define ZD_PAIRS_MAX 256u /* of a query */
/* MHD clears it whole between requests: 64 kB would cost a new connection 40 us and a kept one 64 kB. */
#define ZD_HEAD_MAX 32768u
#define ZD_STRANGERS_MAX 64u /* connections of peers without a role: they only ever read their 403 */

/* ---- decoding (decode.c): pure, fuzzed ---- */
struct zd_url {
    char *part[ZD_PARTS_MAX];
    unsigned nparts;
    struct zd_pair {
        char *key, *value;
    } * pair;
    unsigned npairs;
};
/* "/v1/zones/a%2Db?x=1": kind invalid for a broken encoding or a control character within a part,
 * not_found for too many parts. "+" is itself. A pair without "=" has the value "". */
int zd_url_parse(const char *uri, struct zd_url *u, struct err *e);
void zd_url_done(struct zd_url *u);
/* param[] gets the index of the part of each {…}; their number, or -1 if the pattern does not match. */
int zd_url_match(const struct zd_url *u, const char *pattern, unsigned param[ZD_PARTS_MAX]);
/* The route, or NULL with e: not_found, or unsupported with *allow (malloc'd) for a known path. */
const struct zd_route *zd_route_find(const struct zd_route *routes, unsigned n, const char *method,
                                     const struct zd_url *u, unsigned param[ZD_PARTS_MAX], char **allow,
                                     struct err *e);
/* No bytes: 0 and NULL. Anything but one object is invalid. */
int zd_body_parse(const char *text, size_t n, json **out, struct err *e);

/* ---- fields (fields.c): pure ---- */
/* ps: all that is wrong with a request's query and body, by the tables of its route. */
void zd_fields_check(const struct zd_route *route, const struct zd_url *u, json *body, struct problems *ps);
bool zd_is_flag(const char *text, bool *value);

/* ---- peers (peer.c) ---- */
struct zd_groups { /* gids of viewer, operator, admin; (gid_t)-1 where the host has no such group */
    gid_t gid[ROLE_ADMIN + 1];
    struct timespec read;
};
struct zd_peer {
    uid_t uid;
    gid_t gid;
    pid_t pid;
    enum zd_role role;
    bool foreign; /* of another user namespace */
};
/* Rereads /etc/group when it changed; local groups only, because a directory service may block. */
void zd_groups_refresh(struct zd_groups *g);
void zd_peer_of(int fd, const struct zd_groups *g, struct zd_peer *p);
const char *zd_role_name(enum zd_role role);
int zd_socket_open(const char *path, const struct zd_groups *g, struct err *e);

/* ---- server ---- */
struct zd_limits { /* from server.h; variables so that tests need not wait or fill them */
    uint64_t json, spool, stream, request_us, idle_us;
    unsigned per_user, in_all;
};
struct zd_conn {
    struct zd_server *server;
    struct MHD_Connection *mhd;
    int fd; /* MHD's */
    struct zd_peer peer;
    bool refused;
    uint64_t deadline; /* 0: none */
    struct zd_request *request;
    sd_event_source *watch; /* while suspended: has the client gone? */
    struct zd_conn *prev, *next;
};
struct zd_later { /* a call out of the house that must not happen inside MHD, which may hold its lock */
    void (*fn)(void *arg, int fd);
    void *arg;
    int fd;
    struct zd_later *next;
};
struct zd_server {
    struct zd *d;
    sd_event *event;
    struct MHD_Daemon *mhd;
    sd_event_source *io, *kick, *tick;
    const struct zd_route *routes;
    unsigned nroutes;
    int tmp_dirfd;
    uint64_t requests; /* so far */
    char *unlink_path;
    struct zd_groups groups;
    struct zd_limits limits;
    struct zd_conn *conns;
    unsigned nconns;
    struct zd_later *later, **later_end;
};
/* MHD has something to do: run it from the loop. */
void zd_kick(struct zd_server *s);
void zd_call_later(struct zd_server *s, void (*fn)(void *arg, int fd), void *arg, int fd);

/* ---- requests (request.c) ---- */
struct zd_request {
    struct zd_server *server; /* NULL: the server has gone, only the handler still holds it */
    struct zd_conn *conn;
    char *uri;
    uint64_t id;
    struct zd_url url;
    unsigned param[ZD_PARTS_MAX];
    int nparams;
    const struct zd_route *route;
    bool begun, handled, answered, suspended, upgrade;
    struct str body;
    json *object;
    int spool_fd;
    uint64_t received;
    struct problems problems;
    char ***lists; /* given out by zd_query_all */
    unsigned nlists;
    void (*gone)(struct zd_request *r, void *arg);
    void *gone_arg;
    int status;
    struct MHD_Response *response; /* ready, not yet queued */
    struct zd_stream *stream;
    void (*take)(void *arg, int fd);
    void *take_arg;
};
void *zd_on_uri(void *arg, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result zd_on_request(void *arg, struct MHD_Connection *mhd, const char *url, const char *method,
                              const char *version, const char *data, size_t *size, void **context);
void zd_on_completed(void *arg, struct MHD_Connection *mhd, void **context,
                     enum MHD_RequestTerminationCode how);
void zd_request_free(struct zd_request *r);
/* Suspends, and looks out for the end of the client meanwhile. */
void zd_conn_suspend(struct zd_conn *c);
void zd_conn_resume(struct zd_conn *c);
/* The server goes: nobody waits for this answer any more. */
void zd_conn_abandon(struct zd_conn *c);

/* ---- answers (reply.c, stream.c) ---- */
void zd_answer(struct zd_request *r, int status, const char *content_type, struct MHD_Response *response);
void zd_reply_error_status(struct zd_request *r, int status, const char *allow, const struct err *e,
                           const struct problems *ps);
/* Straight onto the socket, for when MHD cannot answer any more: in the middle of a body, or at accept. */
void zd_refuse_raw(int fd, int status, const struct err *e);
void zd_stream_cut(struct zd_stream *s);    /* the client has gone */
void zd_stream_forget(struct zd_stream *s); /* its request has gone */
