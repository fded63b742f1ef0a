/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an application-zone package says besides its image: the zone's spec, with ${NAME} where a parameter goes, and the
 * parameters that it declares. It travels as JSON text in the image's config (label SPEC_PACKAGE_LABEL), which every tool keeps.
 * Its values are a stranger's until an operator takes them: rendering works on the tree, never on text, and what comes out is
 * checked like any spec. Source: contract.md, "pack", "install". */
#pragma once
#include "specs/specs.h"

#define SPEC_PACKAGE_LABEL "org.zoned.package"
#define SPEC_PACKAGE_MAX (256u << 10) /* bytes of its text */

enum spec_param_type {
    SPEC_PARAM_STRING,
    SPEC_PARAM_INTEGER,
    SPEC_PARAM_BOOLEAN,
    SPEC_PARAM_PORT,
    SPEC_PARAM_SIZE,
    SPEC_PARAM_TIME
};
struct spec_param {
    char *name; /* [a-z][a-z0-9_]* */
    enum spec_param_type type;
    char *def; /* NULL: none */
    char *description;
    bool required, secret;
    char **choices;    /* empty: any */
    uint64_t min, max; /* of an integer; SPEC_UNSET */
};
struct spec_package {
    char *name, *version, *description; /* may be NULL */
    json *zone;                         /* a spec without zone and image; NULL: empty */
    VEC(struct spec_param) parameters;
};
void spec_package_free(struct spec_package *p);
DEFINE_AUTO(struct spec_package, spec_package_free);
#define auto_package auto_of(spec_package_free)

/* YAML or JSON text; every problem goes to ps. The zone part is rendered with sample values and checked as a spec. */
int spec_package_parse(const char *text, size_t n, const char *file, struct spec_package **out,
                       struct problems *ps);
json *spec_package_to_json(const struct spec_package *p);
const char *spec_param_type_name(enum spec_param_type t);

/* The spec of a zone made from the package: values maps parameters to text; what it lacks gets its default. A key whose value is
 * nothing but a parameter without a value is left out. Problems name parameters as "set NAME". missing (may be NULL) gets the
 * names of required ones without a value; they are no problem then, and *out stays untouched. */
int spec_package_render(const struct spec_package *p, const json *values, const char *zone, const char *image,
                        char **out, json *missing, struct problems *ps);
/* What a zone of this spec takes of the host: [{what, value, allow}]; allow: the word that --allow must have, or null. */
json *spec_wants(const struct spec *s);
void spec_want(json *list, const char *allow, const char *what, char *value /* stolen */); /* one more */
/* What an operator has changed (mine against base) put onto theirs. A list that both have changed stays the operator's: its key
 * goes to kept, an array. */
json *spec_merge(const struct spec *base, const struct spec *mine, const struct spec *theirs, json *kept);
/* The text of a file: YAML, one line a key; keys that are what they would be anyway are left out. */
char *spec_to_text(const json *spec);
/* The zone part of a package of this zone: the spec as it is without its names; a value that former (NULL: none) gives by a
 * parameter and that is still what values say is the parameter again. A secret's value never goes in: a place that former gave to
 * a secret has the parameter, whatever it says now; *hidden counts other places that hold a secret's value, left out. */
json *spec_to_package_zone(const struct spec *s, const struct spec_package *former, const json *values,
                           unsigned *hidden);
