/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors: whole reads and writes, sealed memory files, messages with descriptors attached. All
 * EINTR-safe. */
#pragma once
#include "base/err.h"
#include <stddef.h>
#include <sys/types.h>

#define FD_MSG_MAX_FDS 16

/* Reads until n bytes or end of file; returns bytes read, or -errno. */
ssize_t fd_read_full(int fd, void *buf, size_t n);
/* Writes all; 0 or -errno. Not for non-blocking descriptors. */
int fd_write_full(int fd, const void *buf, size_t n);
/* A memory file with this content, sealed against every change, close-on-exec. Returns fd or -errno. */
int fd_memfd_sealed(const char *name, const void *data, size_t n, struct err *e);
/* One message on a SOCK_SEQPACKET or SOCK_DGRAM socket; fds are duplicated into it. 0 or -errno. No SIGPIPE.
 */
int fd_send(int sock, const void *data, size_t n, const int *fds, unsigned nfds);
/* One message: returns its length (0 = end of file), or -errno (-EMSGSIZE if truncated; its fds are closed
 * then). Received fds are close-on-exec and the caller's; *nfds in: room, out: count. flags: MSG_DONTWAIT or
 * 0. */
ssize_t fd_recv(int sock, void *buf, size_t size, int *fds, unsigned *nfds, int flags);
int fd_nonblock(int fd, bool on);
int fd_cloexec(int fd, bool on);
void fd_close_all(int *fds, unsigned n); /* sets them to -1 */
