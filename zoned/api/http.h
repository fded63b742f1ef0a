/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The wire below client.c: one connection, a bounded buffer, heads and bodies of HTTP/1.1 answers. Source:
 * RFC 9112. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX 16384u

struct api_head {
    int status;
    int64_t length; /* Content-Length, -1 = not given */
    bool chunked, close, upgrade;
    char type[64]; /* media type, lower case, without parameters */
};
/* text: from the status line to the empty line, inclusive. 0 or -EPROTO. Pure. */
int api_head_parse(const char *text, size_t n, struct api_head *h);
/* "1a;ext\r\n" without the line end → size; -EPROTO. Pure. */
int api_chunk_parse(const char *line, size_t n, uint64_t *size);

struct api_wire {
    int fd;
    size_t pos, have;
    char buf[HTTP_HEAD_MAX];
};
/* Reads one answer's head; 1xx other than 101 are skipped. With exact nothing behind the head is read from
 * the socket. -EPIPE: closed before the first byte; -EPROTO: garbage; -ECONNRESET: closed within. */
int api_wire_head(struct api_wire *w, struct api_head *h, bool exact);

struct api_body {
    enum { API_BODY_LENGTH, API_BODY_CHUNKED, API_BODY_TO_END } mode;
    uint64_t left; /* of the length or of this chunk */
    bool in_chunk, ended;
};
void api_body_start(struct api_body *b, const struct api_head *h);
/* 1: a piece (into w's buffer, valid until the next call); 0: the end; -errno. */
int api_body_next(struct api_wire *w, struct api_body *b, const char **piece, size_t *n);
