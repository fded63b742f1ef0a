/* SPDX-License-Identifier: GPL-2.0-or-later */
/* zone-image: one job on the image store in a process of its own, so that zoned links no registry client and waits for nothing. The
 * job comes as one JSON object on descriptor 3: {"op": NAME, "pool": DIR, …}. What is told goes to standard output, a JSON object
 * a line: {"progress": {item, phase, done, total}} any number of times, {"note": TEXT}, then {"result": …} or {"error": {kind,
 * message, hint}} once. It may work on after that (writing to disk); killed at any instant it leaves a usable store. */
#pragma once
#include "base/err.h"
#include "base/json.h"
#include "storage/images.h"

struct job {
    struct stor_pool *pool;
    struct img_store *store;
    const json *args;
    void *prepared;
};
struct job_op {
    const char *name;
    int (*run)(struct job *j, json **result, struct err *e);
    int (*prepare)(struct job *j,
                   struct err *e); /* what must be before it is shut in; reads nothing of strangers */
    bool adds;                     /* layers: synced after the result */
    enum img_sockets sockets;      /* it speaks to zoned, or to a registry */
    bool mounts;                   /* it puts layers together */
};
extern const struct job_op job_ops[]; /* the last one has no name */
/* Opens the job's pool, if it is not yet open. */
int job_pool(struct job *j, struct err *e);
/* A text of the job; missing and required: invalid. */
int job_text(const struct job *j, const char *key, bool required, const char **out, struct err *e);
/* ops.c */
int op_list(struct job *j, json **result, struct err *e);
int op_show(struct job *j, json **result, struct err *e);
int op_import(struct job *j, json **result, struct err *e);
int op_export(struct job *j, json **result, struct err *e);
int op_tag(struct job *j, json **result, struct err *e);
int op_delete(struct job *j, json **result, struct err *e);
int op_prune(struct job *j, json **result, struct err *e);
int op_verify(struct job *j, json **result, struct err *e);
int op_commit(struct job *j, json **result, struct err *e);
/* transfer.c */
int op_pull(struct job *j, json **result, struct err *e);
int op_push(struct job *j, json **result, struct err *e);
/* package.c */
int op_package(struct job *j, json **result, struct err *e);
int op_pack(struct job *j, json **result, struct err *e);
void job_note(const char *text); /* a line for the person who waits */
/* build.c */
int op_build_prepare(struct job *j, struct err *e);
int op_build(struct job *j, json **result, struct err *e);
