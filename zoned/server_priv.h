/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the server's rooms. */
#pragma once
#include "base/str.h"
#include "zoned/server.h"
#include <microhttpd.h>
#include <systemd/sd-event.h>

#define JSON_BODY_MAX (3u << 20) /* a spec of 1 MiB, escaped */
#define SPOOL_BODY_MAX (4ull << 30)
#define PARAMS_MAX 2

struct zd_server {
    struct zd *d;
    struct sd_event *event;
    sd_event_source *io, *timer, *defer;
    struct MHD_Daemon *mhd;
    int listen_fd, tmp_dirfd;
    const struct zd_route *routes;
    unsigned nroutes;
    char *socket_path;
};

struct zd_request {
    struct zd_server *server;
    struct MHD_Connection *conn;
    const struct zd_route *route;
    char *params[PARAMS_MAX];
    char **query_all;
    uid_t uid;
    pid_t pid;
    enum zd_role role;
    struct str text; /* JSON as it comes */
    json *body;
    int spool_fd;
    uint64_t received;
    struct problems problems;
    struct err early; /* refused while the body still comes */
    bool dispatched, suspended, gone, answered;
    struct MHD_Response *response;
    int status;
    sd_event_source *watch;
    void (*on_gone)(struct zd_request *r, void *arg);
    void *on_gone_arg;
    void (*take)(void *arg, int fd);
    void *take_arg;
};

enum zd_role zd_peer_role(int fd, uid_t *uid, pid_t *pid);
void zd_server_kick(struct zd_server *s);
/* Watches a suspended connection for the client's end. */
int zd_watch_client(struct zd_request *r, sd_event_io_handler_t fn, void *arg, sd_event_source **out);
void zd_answer(struct zd_request *r, int status, struct MHD_Response *response);
