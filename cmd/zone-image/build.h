/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rooms of image build share. */
#pragma once
#include "cmd/zone-image/worker.h"
#include "specs/recipe.h"
#include "zoned/api/api.h"

#define KEY_SIZE 65 /* 64 hex digits, and the end */

struct build_host { /* a program of the host that waits to be started */
    pid_t pid;
    int go, messages, out;
};
struct build {
    struct job *job;
    struct spec_recipe *recipe;
    struct build_host host;
    char *mirror; /* of from: debian */
    const char *folder, *zone,
        *socket; /* zone: the name that a step's zone has; zoned deletes it if we are killed */
    char **env;  /* K=V for the steps, kept nowhere: proxies */
    bool no_cache, has_epoch;
    uint64_t epoch;
    struct api_client *api;
    unsigned steps, cached;
};
void build_note(struct build *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *
build_in_short(const char *what); /* the first line, or what a terminal has room for of it; the caller's */
/* The key of a step: what it begins with, what it is, and the time that it is given. */
void build_key(const struct build *b, const char *from, const char *what, const char *text,
               char key[KEY_SIZE]);
/* Names the image that a step has made by its key. */
int build_keep(struct build *b, const char *key, const struct img_desc *d, struct err *e);
/* build_base.c: what must be begun before this process may start no program any more. */
int build_host_prepare(struct build *b, struct err *e);
/* What the recipe begins with; *none: nothing (scratch). */
int build_base(struct build *b, struct img_desc *out, bool *none, struct err *e);
/* A tar of a root as an image, kept by key; what: its entry of history. */
int build_import(struct build *b, const char *path, const char *key, const char *what, struct img_desc *out,
                 struct err *e);
int build_import_fd(struct build *b, int fd, const char *key, const char *what, struct img_desc *out,
                    struct err *e);
int build_file(struct build *b, struct err *e); /* without a name: a kill leaves nothing; the caller's */
/* build_host.c: a program of the host, made now, that waits to be wanted. Its standard output goes to b->host.out; its /tmp is a
 * folder of the pool called as the zone. argv and env are copied by the fork. */
int build_host_start(struct build *b, char *const argv[], char *const env[], struct err *e);
/* Lets it go on and tells what it says until it ends; its last line is the error's: internal, limit where the disk is full. */
int build_host_run(struct build *b, const char *program, struct err *e);
void build_host_end(struct build_host *h); /* one that was never wanted ends */
/* build_zone.c: a step in a zone made from an image of the cache; its changes are a layer. */
struct build_step {
    const char *what;   /* its entry of history; the first line is told */
    const char *script; /* a shell command, or */
    int tar_fd;         /* files that are put in; -1: none */
};
int build_in_zone(struct build *b, const struct img_desc *from, const struct build_step *s, const char *key,
                  struct img_desc *out, struct err *e);
