/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames: every bad head, frames cut anywhere, and both ends of a stream. */
#include "tests/unit/tap.h"
#include "zoned/api/api.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void heads(void)
{
    unsigned char h[API_FRAME_HEAD];
    enum api_frame_type t;
    uint32_t n;
    for (int type = 0; type < API_TYPE_MAX; type++) {
        api_frame_head(h, (enum api_frame_type)type, API_FRAME_MAX);
        ok(api_frame_parse(h, &t, &n) == 0 && (int)t == type && n == API_FRAME_MAX, "type %d", type);
    }
    for (int type = API_TYPE_MAX; type < 256; type++) {
        api_frame_head(h, API_STDIN, 1);
        h[0] = (unsigned char)type;
        if (api_frame_parse(h, &t, &n) != -EPROTO)
            ok(false, "type %d is refused", type);
    }
    for (int i = 1; i < 4; i++) {
        api_frame_head(h, API_STDOUT, 1);
        h[i] = 1;
        is_int(api_frame_parse(h, &t, &n), -EPROTO, "padding byte %d", i);
    }
    static const uint32_t lengths[] = {API_FRAME_MAX + 1, 0x00ffffff, 0x80000000u, 0xffffffffu, 0xfffffff8u};
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        api_frame_head(h, API_STDOUT, lengths[i]);
        is_int(api_frame_parse(h, &t, &n), -EPROTO, "length %u", lengths[i]);
    }
    is_int(api_frame_send(-1, API_STDIN, "", API_FRAME_MAX + 1), -EINVAL, "too long to send");
    is_int(api_frame_send(-1, API_TYPE_MAX, "", 0), -EINVAL, "unknown type to send");
}

static void bytewise(void)
{
    int s[2];
    struct api_frames *f = calloc(1, sizeof(*f));
    enum api_frame_type t;
    const unsigned char *p;
    uint32_t n;
    unsigned char wire[64];
    unsigned len = 0;
    is_int(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0, "pair");
    api_frame_head(wire, API_STDOUT, 3);
    memcpy(wire + 8, "abc", 3);
    api_frame_head(wire + 11, API_EOF, 0);
    len = 19;
    int frames = 0, early = 0;
    for (unsigned i = 0; i < len; i++) {
        if (write(s[0], wire + i, 1) != 1)
            ok(false, "write");
        int r = api_frames_next(f, s[1], &t, &p, &n);
        if (r == 1) {
            frames++;
            early += i != 10 && i != 18;
            if (i == 10)
                ok(t == API_STDOUT && n == 3 && !memcmp(p, "abc", 3), "first frame");
            is_int(api_frames_next(f, s[1], &t, &p, &n), 0, "then no more");
        }
    }
    ok(frames == 2 && !early, "two frames, each at its last byte");
    if (write(s[0], wire, 19) != 19)
        ok(false, "write");
    is_int(api_frames_next(f, s[1], &t, &p, &n), 1, "two at once: one");
    is_int(api_frames_next(f, s[1], &t, &p, &n), 1, "and the other");
    ok(t == API_EOF && n == 0, "which is the end of file");
    close(s[0]);
    is_int(api_frames_next(f, s[1], &t, &p, &n), -EPIPE, "end of the connection");
    close(s[1]);
    free(f);
}

static void broken(void)
{
    int s[2];
    struct api_frames *f = calloc(1, sizeof(*f));
    enum api_frame_type t;
    const unsigned char *p;
    uint32_t n;
    is_int(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0, "pair");
    if (write(s[0], "\0\0\0\0\0\0\0\5ab", 10) != 10)
        ok(false, "write");
    is_int(api_frames_next(f, s[1], &t, &p, &n), 0, "half a frame");
    close(s[0]);
    is_int(api_frames_next(f, s[1], &t, &p, &n), -EPROTO, "cut within a frame");
    close(s[1]);
    memset(f, 0, sizeof(*f));
    is_int(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0, "pair");
    if (write(s[0], "HTTP/1.1", 8) != 8)
        ok(false, "write");
    is_int(api_frames_next(f, s[1], &t, &p, &n), -EPROTO, "no frame at all");
    close(s[0]);
    close(s[1]);
    free(f);
}

/* A sender on a non-blocking socket waits for room and sends all. */
static void full_size(void)
{
    int s[2];
    struct api_frames *f = calloc(1, sizeof(*f));
    unsigned char *big = malloc(API_FRAME_MAX);
    memset(big, 'x', API_FRAME_MAX);
    is_int(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0, "pair");
    pid_t pid = fork();
    if (pid == 0) {
        int bad = fcntl(s[0], F_SETFL, O_NONBLOCK) < 0;
        for (int i = 0; i < 40; i++)
            bad |= api_frame_send(s[0], API_STDERR, big, API_FRAME_MAX) != 0;
        _exit(bad);
    }
    close(s[0]);
    enum api_frame_type t;
    const unsigned char *p;
    uint32_t n;
    int r, frames = 0, bad = 0;
    while ((r = api_frames_next(f, s[1], &t, &p, &n)) >= 0) {
        if (r == 0) {
            usleep(1000);
            continue;
        }
        frames++;
        bad += t != API_STDERR || n != API_FRAME_MAX || p[0] != 'x' || p[n - 1] != 'x';
    }
    ok(frames == 40 && !bad && r == -EPIPE, "40 frames of the largest size (%d)", frames);
    close(s[1]);
    free(big);
    free(f);
}

int main(void)
{
    heads();
    bytewise();
    broken();
    full_size();
    is_int(api_frame_send(open("/dev/null", O_WRONLY), API_STDOUT, "x", 1), 0, "no socket: plain write");
    return done_testing();
}
