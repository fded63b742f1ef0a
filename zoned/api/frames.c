/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames of an upgraded connection. A length is checked before a byte of its payload is kept, so a peer can
 * make us hold no more than one buffer. Knows nothing of what the frames mean. */
#include "zoned/api/api.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

void api_frame_head(unsigned char head[API_FRAME_HEAD], enum api_frame_type type, uint32_t length)
{
    head[0] = (unsigned char)type;
    head[1] = head[2] = head[3] = 0;
    head[4] = (unsigned char)(length >> 24);
    head[5] = (unsigned char)(length >> 16);
    head[6] = (unsigned char)(length >> 8);
    head[7] = (unsigned char)length;
}

int api_frame_parse(const unsigned char head[API_FRAME_HEAD], enum api_frame_type *type, uint32_t *length)
{
    uint32_t n = (uint32_t)head[4] << 24 | (uint32_t)head[5] << 16 | (uint32_t)head[6] << 8 | head[7];
    if (head[0] >= API_TYPE_MAX || head[1] || head[2] || head[3] || n > API_FRAME_MAX)
        return -EPROTO;
    *type = (enum api_frame_type)head[0];
    *length = n;
    return 0;
}

static ssize_t send_some(int fd, struct iovec *iov, unsigned n)
{
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = n};
    ssize_t r = sendmsg(fd, &m, MSG_NOSIGNAL);
    return r < 0 && errno == ENOTSOCK ? writev(fd, iov, (int)n) : r;
}

int api_frame_send(int fd, enum api_frame_type type, const void *payload, uint32_t length)
{
    unsigned char head[API_FRAME_HEAD];
    if (type >= API_TYPE_MAX || length > API_FRAME_MAX)
        return -EINVAL;
    api_frame_head(head, type, length);
    size_t done = 0, all = API_FRAME_HEAD + (size_t)length;
    while (done < all) {
        struct iovec iov[2];
        unsigned n = 0;
        if (done < API_FRAME_HEAD)
            iov[n++] = (struct iovec){head + done, API_FRAME_HEAD - done};
        size_t skip = done > API_FRAME_HEAD ? done - API_FRAME_HEAD : 0;
        if (length > skip)
            iov[n++] = (struct iovec){(unsigned char *)payload + skip, length - skip};
        ssize_t r = send_some(fd, iov, n);
        if (r < 0 && errno == EAGAIN) {
            struct pollfd p = {fd, POLLOUT, 0};
            if (poll(&p, 1, -1) < 0 && errno != EINTR)
                return -errno;
            continue;
        }
        if (r < 0 && errno != EINTR)
            return -errno;
        done += r > 0 ? (size_t)r : 0;
    }
    return 0;
}

/* 1: a whole frame is in the buffer; 0: not yet; -EPROTO. */
static int frame_ready(struct api_frames *f, enum api_frame_type *type, const unsigned char **payload,
                       uint32_t *length)
{
    enum api_frame_type t;
    uint32_t n;
    if (f->have < API_FRAME_HEAD)
        return 0;
    if (api_frame_parse(f->buf, &t, &n) < 0)
        return -EPROTO;
    if (f->have < API_FRAME_HEAD + n)
        return 0;
    *type = t;
    *payload = f->buf + API_FRAME_HEAD;
    *length = n;
    f->used = API_FRAME_HEAD + n;
    return 1;
}

int api_frames_next(struct api_frames *f, int fd, enum api_frame_type *type, const unsigned char **payload,
                    uint32_t *length)
{
    if (f->used) {
        f->have -= f->used;
        memmove(f->buf, f->buf + f->used, f->have);
        f->used = 0;
    }
    int r = frame_ready(f, type, payload, length);
    while (r == 0) {
        size_t room = sizeof(f->buf) - f->have;
        ssize_t got = recv(fd, f->buf + f->have, room, MSG_DONTWAIT);
        if (got < 0 && errno == ENOTSOCK)
            got = read(fd, f->buf + f->have, room);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN ? 0 : -errno;
        if (!got)
            return f->have ? -EPROTO : -EPIPE;
        f->have += (uint32_t)got;
        r = frame_ready(f, type, payload, length);
    }
    return r;
}
