/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small files: bounded read, plain write, durable replace. dirfd may be AT_FDCWD. */
#pragma once
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The whole file, NUL-terminated (not counted in *len, which may be NULL). Larger than max: -EFBIG, kind
 * invalid. Only regular files and /proc, /sys, cgroup files: a fifo or device gives -EINVAL and never blocks.
 */
int file_read(int dirfd, const char *path, size_t max, char **text, size_t *len, struct err *e);
/* Writes into an existing file (a /sys, cgroup or /proc file) in one write(2); no O_CREAT, no truncation
 * trouble. */
int file_write(int dirfd, const char *path, const char *text, struct err *e);
/* New content by temporary file and rename; with sync also fsync of file and folder (R10). */
int file_replace(int dirfd, const char *path, const void *data, size_t n, mode_t mode, bool sync,
                 struct err *e);
/* Creates (O_EXCL) and writes; -EEXIST if there. */
int file_create(int dirfd, const char *path, const void *data, size_t n, mode_t mode, struct err *e);
int file_fsync_dir(int dirfd);
bool file_exists(int dirfd, const char *path); /* lstat */
