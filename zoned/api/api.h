/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What zonectl and zoned say to each other: HTTP/1.1 + JSON on a Unix socket, and frames on upgraded connections.
 * zonectl links this folder, specs and base, nothing else of ours. Source: contract.md, "API".
 *
 * Routes (all under /v1; "→" what a 2xx body holds; a request body is JSON unless said). Z = zone object of the contract.
 *  GET    /zones?label=K=V            → [Z]                       viewer
 *  POST   /zones                      {name, source:{file,text}|null, set:["key=value"…], start, publish_all} → Z (201; with start 200)   admin
 *  POST   /run (Upgrade, or detach)   {name|null, source, set, rm, detach, tty, stdin, rows, cols} → 101 or Z      admin
 *  GET    /zones/{name}               → Z                         viewer
 *  PATCH  /zones/{name}               {set:[…]} → {changes:[{key,before,after,when:"live"|"next boot"|"start"}], messages} admin
 *  PUT    /zones/{name}               {source:{file,text}} (edit, apply) → the same                                admin
 *  DELETE /zones/{name}?force=1       → {}                        admin
 *  GET    /zones/{name}/spec          → text/yaml, the file as it is     viewer
 *  POST   /zones/{name}/start         {dry_run:bool, timeout_ms} → Z + "messages":[…]; dry_run → {plan:[{step, does:[…]}]}   operator
 *  POST   /zones/{name}/stop          {timeout_ms|null, force}    → Z + messages    operator
 *  POST   /zones/{name}/restart {timeout_ms|null}, pause|resume|clear {} → Z + messages  operator
 *  POST   /zones/{name}/kill          {signal:"TERM"} → Z         operator
 *  POST   /zones/{name}/rename        {new} → Z                   admin
 *  POST   /zones/{name}/clone         {new} → Z (201)             admin
 *  POST   /zones/{name}/exec (Upgrade unless detach) {args, env:["K=V"], user, cwd, login, tty, stdin, rows, cols, detach}
 *  POST   /zones/{name}/attach, /console (Upgrade)  {stdin, rows, cols}                                           admin
 *  GET    /zones/{name}/logs?tail=N&since=US&follow=1&timestamps=1 → text/plain, a stream with follow             viewer
 *  GET    /zones/{name}/stats, /stats?zone=A&zone=B → {host:{…}, zones:[{name,state,cpu:{…},memory:{…},…}]}       viewer
 *  GET    /zones/{name}/ps            → [{pid, host_pid, user, command, cpu_usec, rss}]                           viewer
 *  GET    /zones/{name}/holders       → [{what,pid,name,fd,path}]  viewer
 *  GET    /zones/{name}/diff          → [{kind:"A|C|D", path}]     viewer
 *  GET    /zones/{name}/archive?path=P → application/x-tar;  PUT …?path=P body tar → {}                           admin
 *  POST   /zones/{name}/commit {ref} → {digest}, /zones/{name}/export {path} → {path}: streams as of /images/import     admin
 *  GET    /zones/{name}/wait?for=running|stopped|healthy&timeout_ms=N → Z                                        viewer
 *  POST   /verify                     {source, set} → {ok, spec}   viewer
 *  POST   /apply                      {sources:[{file,text}], dry_run} → {zones:[{name, action, changes, messages}]} admin
 *  GET    /volumes → [{name, bytes, used_by}]; POST {name} (201); GET/DELETE /volumes/{name}
 *  GET    /images → [{ref, id, digest, created, platform, layers, size, shared, own}]; GET/DELETE /images/{ref}
 *  POST   /images/import {path, ref} → {names}, /images/{ref}/export {path, format} → {path}, /images/verify → {images, blobs,
 *         layers, bytes, problems}: streams of lines {progress:{item, phase, done, total}}, {note}, last {result} or {error} admin
 *  POST   /images/pull {ref, platform, insecure, ca, credential}, /images/{ref}/push {target, …} → {ref, digest}, likewise     admin
 *  POST   /images/build {source:{file,text}, folder, ref, epoch, no_cache, env} → {ref, digest, steps, cached}, likewise     admin
 *  POST   /images/{ref}/tag {name} → {}, /images/prune → {images, blobs, layers, bytes}                       admin
 *  POST   /install {ref, name, set:{}, allow:[], dry_run} → a stream of lines; result: Z + messages; dry_run: {name, ref, digest,
 *         package, version, parameters, missing, wants:[{what, value, allow}], denied, new, changes, kept, messages, refused}  admin
 *  POST   /zones/{name}/pack {path, ref, source:{file,text}} → lines, {ref, digest, path}; /zones/{name}/back → Z + messages  admin
 *  GET    /networks → [{name, bridge, subnet4, subnet6, zones}]; GET /networks/{name}
 *  GET    /events?follow=1            → one JSON object a line {time, event, zone, …}    viewer
 *  GET    /metrics (Prometheus text), /host ({kernel, cgroups, cpus, memory, network, version, …}),
 *         /doctor ([{check, ok, problem, remedy}]), /df, /version, /openapi.json                     viewer
 *  POST   /shutdown {timeout_ms} → {}: stops all zones in reverse order of depends                admin
 * Errors: {"error": {kind, message, hint, details}} with the status of err_http_status.
 *
 * Upgraded connections ("Upgrade: zoned-stream/1"): frames of an 8-byte head and payload, both ways. */
#pragma once
#include "base/err.h"
#include "base/json.h"
#include <stdint.h>
#include <sys/types.h>

#define API_UPGRADE "zoned-stream/1"
#define API_FRAME_HEAD 8u
#define API_FRAME_MAX 65536u /* payload */
enum api_frame_type {
    API_STDIN = 0, /* client → zone */
    API_STDOUT = 1,
    API_STDERR = 2,
    API_RESIZE = 3, /* payload: rows, cols as two big-endian u16 */
    API_SIGNAL = 4, /* payload: one byte, the signal's number */
    API_EOF = 5,    /* client's standard input has ended */
    API_EXIT = 6,   /* last frame to the client: JSON {"exit_status":N, "error":{…}?} */
    API_TYPE_MAX
};
/* Head: type, three zero bytes, length as big-endian u32. */
void api_frame_head(unsigned char head[API_FRAME_HEAD], enum api_frame_type type, uint32_t length);
/* 0, or -EPROTO for an unknown type, non-zero padding or a length above API_FRAME_MAX. */
int api_frame_parse(const unsigned char head[API_FRAME_HEAD], enum api_frame_type *type, uint32_t *length);
/* One frame, blocking; 0 or -errno. */
int api_frame_send(int fd, enum api_frame_type type, const void *payload, uint32_t length);
/* A reader for non-blocking descriptors: feeds bytes, yields whole frames. */
struct api_frames {
    unsigned char buf[API_FRAME_HEAD + API_FRAME_MAX];
    uint32_t have, used; /* used: the frame given last, dropped by the next call */
};
/* Reads what is there. 1: a frame (payload points into f, valid until the next call); 0: need more; -EPIPE at end of file;
 * -EPROTO (also an end of file within a frame); -errno. Call until it gives 0. */
int api_frames_next(struct api_frames *f, int fd, enum api_frame_type *type, const unsigned char **payload,
                    uint32_t *length);

/* ---- client ---- */
struct api_client;
int api_open(const char *socket_path, struct api_client **out,
             struct err *e); /* unreachable (exit 10) with the remedy */
void api_close(struct api_client *c);
struct api_answer {
    int status; /* HTTP */
    json *body; /* parsed when application/json */
    char *text; /* otherwise */
    size_t text_len;
};
void api_answer_done(struct api_answer *a);
/* Paths are given without /v1. */
/* One request on the kept-alive connection; body may be NULL (stolen). An error object becomes e and details. */
int api_call(struct api_client *c, const char *method, const char *path, json *body, struct api_answer *a,
             struct err *e, struct problems *details);
/* Body from in_fd (sent with Content-Length or chunked), answer body to out_fd; either may be -1. */
int api_transfer(struct api_client *c, const char *method, const char *path, int in_fd, int out_fd,
                 struct err *e, struct problems *details);
/* Streams the answer's body line by line to the callback until it ends or the callback returns non-zero. */
int api_follow(struct api_client *c, const char *method, const char *path, json *body /* stolen, or NULL */,
               int (*line)(void *arg, const char *text, size_t n), void *arg, struct err *e,
               struct problems *details);
/* Upgrade: 0 with *fd, the connection (the caller's now), or 0 with *fd = -1 and an answer without upgrade in *a. */
int api_upgrade(struct api_client *c, const char *path, json *body, int *fd, struct api_answer *a,
                struct err *e, struct problems *details);
char *api_quote(const char *s); /* percent-encoding for a path or query part; malloc'd */
