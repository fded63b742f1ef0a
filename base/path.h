/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths under a root. Rule R1: inside a tree that a zone or an image controls nothing is ever opened by a
 * plain path, only by these (openat2, RESOLVE_IN_ROOT or RESOLVE_BENEATH, no magic links), then by
 * descriptor. Source: openat2(2). */
#pragma once
#include "base/err.h"
#include <fcntl.h>
#include <stdint.h>
#include <sys/types.h>

/* Opens path as if rootfd were "/": symlinks inside are followed and cannot leave. Close-on-exec. fd or
 * -errno. */
int path_open_in(int rootfd, const char *path, int flags, mode_t mode);
/* Opens path below dirfd and follows no symlink in any component (RESOLVE_BENEATH|NO_SYMLINKS|NO_MAGICLINKS).
 */
int path_open_beneath(int dirfd, const char *path, int flags, mode_t mode);
/* Makes all folders of path inside rootfd (existing ones are kept, symlinks resolved in the root); returns an
 * O_PATH|O_DIRECTORY fd of the last one, or -errno. */
int path_mkdirs_in(int rootfd, const char *path, mode_t mode, struct err *e);
/* mkdir -p on the host's own paths; mode for the folders that it makes. 0 or -errno. */
int path_mkdirs(const char *path, mode_t mode, struct err *e);
/* Deletes dirfd/name and all below it by openat2 with RESOLVE_NO_XDEV, following nothing; never crosses a
 * mount
 * (-EXDEV names it). Missing is success. Sets itself the permissions it needs. Any depth with a bounded number of
 * descriptors. */
int path_remove_tree(int dirfd, const char *name, struct err *e);
/* The same for at most *budget entries, which are counted down; -EAGAIN (e untouched) where there are more. */
int path_remove_some(int dirfd, const char *name, unsigned long *budget, struct err *e);
char *path_join(const char *a,
                const char *b); /* malloc'd "a/b" without a doubled slash; b may start with / */
/* One component, not "." or "..", no '/', 1–255 bytes, no control characters. */
bool path_is_component(const char *name);
/* Absolute, no "." or ".." component, no control characters, at most 4095 bytes. */
bool path_is_clean_absolute(const char *path);
