/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decompression as a stream, descriptor to descriptor: gzip by ISA-L (three times zlib's speed, which decides how fast an image
 * is unpacked), zstd, or nothing. Runs in the cage. What the content says counts, not what a media type says. Bounded by bytes
 * and by ratio: a bomb ends before it fills the disk. Sources: RFC 1952, RFC 8878. */
#include "base/fd.h"
#include "base/mem.h"
#include "storage/internal.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#define IN_SIZE (256u << 10)
#define OUT_SIZE (1u << 20)
#define BOMB_BYTES (256ull << 20) /* from here on the ratio counts */
#define BOMB_RATIO 400            /* deflate's own limit is 1,032 */

struct flow {
    int in_fd, out_fd;
    uint64_t in_bytes, out_bytes, limit;
    bool any_ratio;
    unsigned char *in, *out;
    size_t have; /* in in */
    struct err *e;
};

static ssize_t fill(struct flow *f)
{
    ssize_t n = fd_read_full(f->in_fd, f->in, IN_SIZE);
    if (n < 0)
        return err_sysk(f->e, ERR_INTERNAL, (int)-n, "reading the archive");
    f->in_bytes += (uint64_t)n;
    f->have = (size_t)n;
    return n;
}

static int flush(struct flow *f, size_t n)
{
    f->out_bytes += n;
    if (f->out_bytes > f->limit)
        return err_set(f->e, ERR_LIMIT, EFBIG, "the archive expands to more than %llu bytes",
                       (unsigned long long)f->limit);
    if (!f->any_ratio && f->out_bytes > BOMB_BYTES && f->out_bytes / BOMB_RATIO > f->in_bytes)
        return err_set(f->e, ERR_LIMIT, EFBIG, "the archive expands more than %d times: a decompression bomb",
                       BOMB_RATIO);
    int r = fd_write_full(f->out_fd, f->out, n);
    return r < 0 ? err_sysk(f->e, ERR_INTERNAL, -r, "the archive's reader ended") : 0;
}

static int damaged(struct flow *f, const char *what)
{
    return err_set(f->e, ERR_INVALID, EINVAL, "the archive is damaged or cut short (%s)", what);
}

/* ---- gzip: members one after the other ---- */
static int gzip_member(struct flow *f, struct inflate_state *s)
{
    isal_inflate_reset(s);
    s->crc_flag = ISAL_GZIP;
    while (s->block_state != ISAL_BLOCK_FINISH) {
        if (!s->avail_in) {
            ssize_t n = fill(f);
            if (n <= 0)
                return n < 0 ? (int)n : damaged(f, "gzip ends early");
            s->next_in = f->in;
            s->avail_in = (uint32_t)n;
        }
        s->next_out = f->out;
        s->avail_out = OUT_SIZE;
        int k = isal_inflate(s);
        if (k < 0 || k == ISAL_NEED_DICT)
            return damaged(f, k == ISAL_INCORRECT_CHECKSUM ? "gzip checksum" : "gzip data");
        int r = flush(f, OUT_SIZE - s->avail_out);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Zeros behind the last member are padding, as tapes and some tools leave it; anything else is none of ours. */
static int more_members(struct flow *f, struct inflate_state *s)
{
    for (;;) {
        while (s->avail_in && !*s->next_in) {
            s->next_in++;
            s->avail_in--;
        }
        if (s->avail_in)
            return *s->next_in == 0x1f ? 1 : damaged(f, "something follows the gzip data");
        ssize_t n = fill(f);
        if (n <= 0)
            return (int)n;
        s->next_in = f->in;
        s->avail_in = (uint32_t)n;
    }
}

static int inflate_gzip(struct flow *f)
{
    struct inflate_state *s = xcalloc(1, sizeof(*s));
    int r = 1;
    isal_inflate_init(s);
    s->next_in = f->in;
    s->avail_in = (uint32_t)f->have;
    while (r > 0) {
        r = gzip_member(f, s);
        if (r == 0)
            r = more_members(f, s);
    }
    free(s);
    return r;
}

/* ---- zstd: frames one after the other ---- */
static int inflate_zstd(struct flow *f)
{
    ZSTD_DStream *z = ZSTD_createDStream();
    int r = z ? 0 : err_set(f->e, ERR_LIMIT, ENOMEM, "zstd");
    ssize_t n = (ssize_t)f->have;
    size_t state = 1;
    while (r == 0 && n > 0) {
        ZSTD_inBuffer in = {f->in, (size_t)n, 0};
        ZSTD_outBuffer out;
        do {
            out = (ZSTD_outBuffer){f->out, OUT_SIZE, 0};
            state = ZSTD_decompressStream(z, &out, &in);
            r = ZSTD_isError(state) ? damaged(f, "zstd data") : flush(f, out.pos);
        } while (r == 0 && (in.pos < in.size || out.pos == out.size));
        n = r < 0 ? 0 : fill(f);
        r = n < 0 ? (int)n : r;
    }
    if (r == 0 && state != 0)
        r = damaged(f, "zstd ends early");
    ZSTD_freeDStream(z);
    return r;
}

static int copy_plain(struct flow *f)
{
    int r = 0;
    for (ssize_t n = (ssize_t)f->have; r == 0 && n > 0; n = r < 0 ? 0 : fill(f)) {
        f->any_ratio = true;
        unsigned char *out = f->out;
        f->out = f->in;
        r = flush(f, (size_t)n);
        f->out = out;
        if (r < 0)
            break;
    }
    return r;
}

/* bzip2 and xz: not of OCI, but roots come in them. */
static int inflate_other(struct flow *f)
{
    struct archive_entry *ent;
    la_ssize_t n = 0;
    int r = lseek(f->in_fd, 0, SEEK_SET) < 0 ? err_sys(f->e, "reading the archive") : 0;
    struct archive *a = archive_read_new();
    archive_read_support_format_raw(a);
    archive_read_support_filter_bzip2(a);
    archive_read_support_filter_xz(a);
    if (r == 0 && (archive_read_open_fd(a, f->in_fd, IN_SIZE) != ARCHIVE_OK ||
                   archive_read_next_header(a, &ent) != ARCHIVE_OK))
        r = damaged(f, archive_error_string(a));
    while (r == 0 && (n = archive_read_data(a, f->out, OUT_SIZE)) > 0) {
        f->in_bytes = (uint64_t)archive_filter_bytes(a, -1);
        r = flush(f, (size_t)n);
    }
    if (r == 0 && n < 0)
        r = damaged(f, archive_error_string(a));
    archive_read_free(a);
    return r;
}

static bool is_zstd(const unsigned char *p)
{
    static const unsigned char frame[4] = {0x28, 0xb5, 0x2f, 0xfd};
    return !memcmp(p, frame, 4) || ((p[0] & 0xf0) == 0x50 && p[1] == 0x2a && p[2] == 0x4d && p[3] == 0x18);
}

int stor_inflate(int in_fd, int out_fd, const struct stor_bounds *b, struct err *e)
{
    struct err own = {0};
    struct flow f = {.in_fd = in_fd, .out_fd = out_fd, .e = e ? e : &own};
    f.limit = b->bytes + b->bytes / 8 + (b->entries << 10); /* headers come on top of what files hold */
    f.in = xcalloc(1, IN_SIZE + 4);
    f.out = xcalloc(1, OUT_SIZE);
    ssize_t n = fill(&f);
    int r = n < 0                                ? (int)n
            : n == 0                             ? damaged(&f, "it is empty")
            : f.in[0] == 0x1f && f.in[1] == 0x8b ? inflate_gzip(&f)
            : n >= 5 && (!memcmp(f.in, "BZh", 3) || !memcmp(f.in,
                                                            "\xfd"
                                                            "7zXZ",
                                                            5))
                ? inflate_other(&f)
            : n >= 4 && is_zstd(f.in) ? inflate_zstd(&f)
                                      : copy_plain(&f);
    free(f.in);
    free(f.out);
    return r;
}
