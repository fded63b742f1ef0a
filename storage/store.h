/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rooms of the image store share. Folder POOL/images: oci-layout, index.json, blobs/ALGORITHM/HEX, and
 * staging/ALGORITHM-HEX.part, which lives on over restarts so that a transfer goes on where it stopped. */
#pragma once
#include "base/str.h"
#include "storage/images.h"
#include <openssl/evp.h>

struct img_store {
    int fd; /* images/ */
    int staging_fd;
    void (*progress)(void *arg, const struct img_progress *p);
    void *progress_arg;
};
/* A digest that is computed piece by piece. */
struct img_hash {
    EVP_MD_CTX *ctx;
    char algorithm[8]; /* sha256, sha512 */
};
int img_hash_start(struct img_hash *h, const char *digest_or_algorithm,
                   struct err *e); /* again: from nothing */
void img_hash_add(struct img_hash *h, const void *data, size_t n);
void img_hash_end(struct img_hash *h, char out[IMG_DIGEST_MAX]);
void img_hash_done(struct img_hash *h);
/* blobs/ALGORITHM/HEX of a checked digest. */
int img_blob_path(const char *digest, char out[IMG_DIGEST_MAX + 16], struct err *e);
