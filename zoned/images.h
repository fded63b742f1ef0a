/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a zone's root comes from: images and the jobs on them, the root's installation, its volumes. */
#pragma once
#include "zoned/zoned.h"

/* imagespec.c */
/* May a zone be made of it? A client that can pull is told what: the problem of the key image begins with the reference. */
int image_check(struct zd *d, const char *image, struct problems *ps, struct err *e);
void image_volume_name(const char *zone, const char *target, char out[SPEC_NAME_MAX + 1]);
void zone_know_image(struct zone *z, const json *config);
json *zone_labels(const struct zone *z); /* the spec's over the image's */

/* images.c: one job of the program zone-image in a process of its own. args (stolen) are completed by op and pool. How r is
 * answered: not at all, by the result alone, or by a stream of its lines ({"progress"}, {"note"}, and last {"result"} or
 * {"error"}; an error before any other line is an ordinary error answer). When the client has gone the worker is killed.
 * done, where given, is called once with the result or the error and must call image_finish, now or later. */
enum image_answer { IMAGE_QUIET, IMAGE_RESULT, IMAGE_STREAM };
struct image_job;
typedef void (*image_done)(struct image_job *j, const json *result, const struct err *e, void *arg);
int image_run(struct zd *d, const char *op, json *args, enum image_answer how, struct zd_request *r,
              image_done done, void *arg, struct err *e);
/* The same; *pid is the worker's, whose requests are known by it. */
int image_run_known(struct zd *d, const char *op, json *args, enum image_answer how, struct zd_request *r,
                    image_done done, void *arg, pid_t *pid, struct err *e);
void image_note(struct image_job *j, const char *text);
void image_finish(
    struct image_job *j, const json *result, const struct err *e,
    const struct problems *ps /* details of the error, or NULL */); /* j may be gone afterwards */

/* install.c: what the zone's root is made of, kept with it. Slow unless ready: then prepare calls done later, unless
 * the zone is gone. */
int zone_root(struct zd *d, const struct zone *z, struct stor_root_plan *out, struct err *e);
int zone_root_check(struct zd *d, const struct zone *z, struct err *e);
/* s as a start would take it: with what the zone's image says. The caller's. */
struct spec *zone_effective(struct zd *d, const struct zone *z, const struct spec *s);
void zone_judge(struct zone *z); /* z->pending: its file says something else than it runs with */
bool zone_root_ready(struct zd *d, const struct zone *z);
int zone_root_prepare(struct zone *z, void (*done)(struct zone *z, const struct err *e, void *arg), void *arg,
                      struct err *e);
/* For a zone that is being made: its binds are there (not_found, denied); its volumes are made where they are not, with a
 * note. made (caller frees) tells by index which; drop is the undo. */
int mounts_check(struct zd *d, const struct spec *s, struct err *e);
bool volume_is_used(const struct zone *z, const char *volume); /* h_volumes.c: by its spec, or as it runs */
int mounts_make_volumes(struct zd *d, struct zone *z, bool **made, struct err *e);
/* A one-off zone's volumes that its image named go with it: marked when they are made, dropped at its end. */
int mounts_own(struct zd *d, const struct zone *z, const bool *made, struct err *e);
void mounts_drop_own(struct zd *d, const struct zone *z);
bool mounts_want_fill(struct zd *d, const struct spec *s); /* a volume is new */
int mounts_fill(struct zd *d, const struct spec *s, const struct stor_root_plan *root,
                struct err *e); /* in a worker */
void mounts_drop_volumes(struct zd *d, const struct spec *s, const bool *made);
int op_install(struct zd *d, struct zone *z, struct zd_request *r, struct err *e); /* answers a create */
void install_undo(struct zd *d,
                  struct zone *z); /* takes away a zone that was just made, with its new volumes */

/* h_build.c: takes away zones of builds that have ended, or were a former daemon's, as soon as it can. wanted: a zone that a
 * build under way names. check: for a spec that a zone is to get; the label of builds is for such zones alone. conflict. */
void build_clear(struct zd *d);
bool build_is_wanted(const struct zd *d, const char *zone);
/* Does a zone of this name, which r's sender wants to make, change or run something in, belong to a build under way that is not the
 * sender? Then busy. r NULL: nobody. */
int build_permits(const struct zd *d, const struct zd_request *r, const char *zone, struct err *e);
/* registry_get and that, for the zone that r's path names. */
int zone_to_change(struct zd *d, const struct zd_request *r, struct zone **out, struct err *e);
int build_zone_check(const struct zd *d, const char *zone, const struct spec *s, struct err *e);
