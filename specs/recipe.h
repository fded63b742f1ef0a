/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A recipe: how an image, or an application-zone package, is made. Pure text: what it names is looked for by whoever builds. */
#pragma once
#include "specs/package.h"

struct spec_recipe_copy { /* a file or folder from beside the recipe, or a text */
    char *from, *text;    /* one of them; from: relative, nothing above the recipe's folder */
    char *to;             /* absolute, in the image */
    char *owner;          /* "UID:GID", default 0:0 */
    char *mode;           /* octal; NULL: as the file is */
};
struct spec_recipe {
    struct spec_package package; /* name, version, description, zone, parameters */
    char *from;                  /* debian:SUITE, an image, tar:/PATH, dir:/PATH, scratch */
    char *mirror;                /* of debian: NULL: what this host uses */
    char **packages;             /* of Debian */
    VEC(struct spec_recipe_copy) copy;
    char **run; /* shell commands, each to the end with status 0 */
    struct {
        char **entrypoint, **cmd, **expose, **volumes, **healthcheck;
        spec_map env, labels;
        char *user, *workdir;
        int stop_signal; /* 0: not given */
    } config;
};
void spec_recipe_free(struct spec_recipe *r);
DEFINE_AUTO(struct spec_recipe, spec_recipe_free);
#define auto_recipe auto_of(spec_recipe_free)
int spec_recipe_parse(const char *text, size_t n, const char *file, struct spec_recipe **out,
                      struct problems *ps);
bool spec_recipe_is_package(const struct spec_recipe *r); /* it has a zone part or parameters */
/* The OCI config object that it asks for, its package's document in a label. */
json *spec_recipe_config(const struct spec_recipe *r);
/* All that it says; equal texts mean equal steps. */
json *spec_recipe_to_json(const struct spec_recipe *r);
int spec_recipe_owner(const char *text, unsigned *uid, unsigned *gid); /* "0:0" */
char *spec_recipe_reference(void); /* of all keys, as troff for recipe.yaml(5); malloc'd */
