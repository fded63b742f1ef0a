/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the verb image share. */
#pragma once
#include "cmd/zonectl/zonectl.h"

struct transfer_options {
    const char *platform, *ca; /* ca: a file; NULL: where docker and containers keep them */
    bool insecure;
};
struct image_args {
    struct ctl *c;
    const char *format;
    const char *recipe, *tag; /* build */
    bool no_cache, reproducible;
    struct transfer_options transfer;
    char **names; /* what follows the word; NULL behind the last */
    unsigned n;
};
/* zoned has another working folder: the absolute path of a file that is there, or that is to be written. 0 or the exit status. */
int ctl_file_path(struct ctl *c, const char *path, char **out, const char *what);
int ctl_new_file_path(struct ctl *c, const char *path, char **out, const char *what);
char *ctl_image_path(const char *ref, const char *tail); /* of the API; tail may be NULL */
int image_pull(struct image_args *a);
int image_push(struct image_args *a);
int image_build(struct image_args *a);
/* As ctl_job; an image that it lacks (the detail of the key image names it) is pulled, and it is asked again. body is stolen. */
int ctl_job_pull(struct ctl *c, const char *path, json *body, json **result, const char *what);
/* The reference that a request lacks, from the detail of the key image; malloc'd, or NULL. */
char *ctl_absent_image(const struct err *e, const struct problems *details);
/* 0 with *result {ref, digest}, or the exit status; progress is shown. */
int ctl_pull(struct ctl *c, const char *ref, const struct transfer_options *o, json **result);
