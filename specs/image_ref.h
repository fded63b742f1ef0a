/* SPDX-License-Identifier: GPL-2.0-or-later */
/* OCI references as text. Pure. Sources: github.com/distribution/reference, image-spec 1.1 (descriptor). */
#pragma once
#include "base/err.h"

struct img_ref { /* registry/repository[:tag][@digest]; short names as Docker resolves them */
    char *registry, *repository, *tag,
        *digest; /* tag "latest" where neither is given; digest NULL if absent */
};
int img_ref_parse(const char *text, struct img_ref *out, struct err *e); /* invalid */
char *img_ref_print(const struct img_ref *r); /* canonical: docker.io/library/nginx:1; malloc'd */
void img_ref_done(struct img_ref *r);
bool img_digest_ok(const char *digest); /* sha256:… or sha512:…, lower-case hex of the right length */
