/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone's package: the record in its folder, and the change from one to another. */
#pragma once
#include "specs/package.h"
#include "zoned/zoned.h"

/* zones/NAME/package: what the zone was made from. values hold secrets: the file is root's. */
struct zone_package {
    char *image, *digest;
    struct spec_package *package;
    json *values; /* text by parameter, as given */
    char **allow;
};
void zone_package_done(struct zone_package *p);
int zone_package_load(struct zd *d, const char *zone, struct zone_package *out); /* -ENOENT: none */
char *zone_package_text(const struct zone_package *p);
/* For the zone object: {name, version, image, digest, back}; NULL: the zone is of no package. */
json *zone_package_view(struct zd *d, const char *zone);
/* Carries a staged change through, also one that a kill has cut off; the zone is not in the registry then. */
int package_finish(struct zd *d, const char *zone, struct err *e);

/* What an install would do, or does. */
struct install {
    const char *name; /* of the zone */
    const char *ref;
    const struct spec_package *package;
    const char *digest;
    const json *set; /* values given now */
    char **allow;    /* words given now */
};
/* {name, ref, digest, package, parameters:[{name, type, value, …}], missing, wants, denied, new, changes, kept, messages, refused}; pure. */
json *install_look(struct zd *d, const struct install *in, struct problems *ps, struct err *e);
/* Makes the zone, or changes it; *out: the zone object with messages. */
int install_do(struct zd *d, const struct install *in, json **out, struct problems *ps, struct err *e);
int install_back(struct zd *d, struct zone *z, json **out, struct problems *ps, struct err *e);
/* install_wants.c: spec_wants, and what that means on this host; zone: whose own volumes are no news. */
json *install_wants(struct zd *d, const char *zone, const struct spec *s);
bool install_had(const json *wants, const json *w); /* w is among them */
/* The wants that need a word which is not in allow, and that the former package (before; NULL: none) did not have. */
json *install_denied(const json *wants, char *const *allow, const json *before);
