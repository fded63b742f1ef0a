/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The headers of a tar that holds an image: names, places, sizes. Plain ustar, base-256 sizes, pax path, linkpath and size, GNU
 * long names. Pure reading, bounded, fuzzed; contents are not looked at. Source: POSIX pax, tar(5). */
#include "base/auto.h"
#include "base/mem.h"
#include "storage/source.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 512u
#define MEMBERS_MAX 1000000u
#define EXTRA_MAX 65536u /* a pax header or a long name */
#define NAME_LEN 4096u

struct reader {
    int fd;
    uint64_t at, end;
    char *long_name, *long_link;
    uint64_t pax_size;
    bool has_pax_size;
};

static int damaged(struct err *e, uint64_t at, const char *why)
{
    return err_set(e, ERR_INVALID, EINVAL, "the archive is damaged at byte %llu: %s", (unsigned long long)at,
                   why);
}

static bool read_number(const unsigned char *p, size_t n, uint64_t *out)
{
    uint64_t v = 0;
    size_t i = 0;
    if (p[0] & 0x80) { /* base 256 */
        v = p[0] & 0x7f;
        for (i = 1; i < n; i++) {
            if (v >> 55)
                return false;
            v = v << 8 | p[i];
        }
    } else {
        while (i < n && p[i] == ' ')
            i++;
        for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
            v = v << 3 | (unsigned)(p[i] - '0');
        if (i < n && p[i] && p[i] != ' ')
            return false;
    }
    *out = v;
    return v <= (1ull << 46);
}

static bool checksum_ok(const unsigned char *h)
{
    uint64_t want;
    unsigned sum = 0;
    for (unsigned i = 0; i < BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : h[i];
    return read_number(h + 148, 8, &want) && want == sum;
}

/* "LEN KEY=VALUE\n" after one another. */
static bool read_pax(struct reader *r, const char *text, size_t n)
{
    for (size_t at = 0; at < n;) {
        size_t len = 0, digits = 0;
        while (at + digits < n && text[at + digits] >= '0' && text[at + digits] <= '9' && digits < 9)
            len = len * 10 + (size_t)(text[at + digits++] - '0');
        if (!digits || len < digits + 4 || len > n - at || text[at + digits] != ' ' ||
            text[at + len - 1] != '\n')
            return false;
        const char *key = text + at + digits + 1, *eq = memchr(key, '=', len - digits - 2);
        if (!eq)
            return false;
        size_t klen = (size_t)(eq - key), vlen = (size_t)(text + at + len - 1 - (eq + 1));
        auto_free char *value = xstrndup(eq + 1, vlen);
        if (klen == 4 && !memcmp(key, "path", 4)) {
            free(r->long_name);
            r->long_name = take_ptr(&value);
        } else if (klen == 8 && !memcmp(key, "linkpath", 8)) {
            free(r->long_link);
            r->long_link = take_ptr(&value);
        } else if (klen == 4 && !memcmp(key, "size", 4)) {
            if (parse_u64(value, 1ull << 46, &r->pax_size) < 0)
                return false;
            r->has_pax_size = true;
        }
        at += len;
    }
    return true;
}

static int read_extra(struct reader *r, char type, uint64_t size, struct err *e)
{
    if (size > EXTRA_MAX)
        return damaged(e, r->at, "a header of more than 65,536 bytes");
    auto_free char *text = xcalloc(1, size + 1);
    if (pread(r->fd, text, size, (off_t)r->at) != (ssize_t)size)
        return damaged(e, r->at, "cut short");
    if (type == 'x')
        return read_pax(r, text, size) ? 0 : damaged(e, r->at, "a pax header");
    if (type == 'L' || type == 'K') {
        char **to = type == 'L' ? &r->long_name : &r->long_link;
        free(*to);
        *to = xstrdup(text);
    }
    return 0;
}

static char *header_name(const unsigned char *h)
{
    const char *prefix = !memcmp(h + 257, "ustar", 6) ? (const char *)h + 345 : "";
    return *prefix ? xasprintf("%.155s/%.100s", prefix, (const char *)h)
                   : xasprintf("%.100s", (const char *)h);
}

/* "./a/b" and "a/b" are one. */
static char *tidy(char *name)
{
    char *p = name;
    while (p[0] == '.' && p[1] == '/')
        p += 2 + strspn(p + 2, "/");
    char *out = xstrdup(p);
    free(name);
    return out;
}

static int add_member(struct reader *r, const unsigned char *h, uint64_t size, struct img_source *s,
                      struct err *e)
{
    char type = (char)h[156];
    char *name = tidy(r->long_name ? r->long_name : header_name(h));
    char *link = r->long_link ? r->long_link : xasprintf("%.100s", (const char *)h + 157);
    r->long_name = r->long_link = NULL;
    r->has_pax_size = false;
    bool file = type == '0' || !type || type == '7', is_link = type == '1' || type == '2';
    int k = strlen(name) > NAME_LEN || strlen(link) > NAME_LEN
                ? damaged(e, r->at, "a name of more than 4,096 bytes")
            : s->members.len >= MEMBERS_MAX
                ? err_set(e, ERR_LIMIT, EFBIG, "more than %u members", MEMBERS_MAX)
                : 0;
    if (k < 0 || (!file && !is_link)) {
        free(name);
        free(link);
        return k;
    }
    struct img_member *m = vec_add(&s->members);
    *m = (struct img_member){.name = name, .at = r->at, .size = file ? size : 0};
    if (is_link)
        m->link = link;
    else
        free(link);
    return 0;
}

static int read_one(struct reader *r, struct img_source *s, bool *end, struct err *e)
{
    unsigned char h[BLOCK];
    uint64_t size;
    static const unsigned char zero[BLOCK];
    if (r->at + BLOCK > r->end || pread(r->fd, h, BLOCK, (off_t)r->at) != BLOCK)
        return damaged(e, r->at, "cut short");
    *end = !memcmp(h, zero, BLOCK);
    if (*end)
        return 0;
    if (!checksum_ok(h) || !read_number(h + 124, 12, &size))
        return r->at ? damaged(e, r->at, "no header where one should be") : -EINVAL;
    char type = (char)h[156];
    bool extra = type == 'x' || type == 'g' || type == 'L' || type == 'K';
    if (r->has_pax_size && !extra)
        size = r->pax_size;
    if (type == '1' || type == '2' || type == '5')
        size = 0;
    r->at += BLOCK;
    if (size > r->end - r->at)
        return damaged(e, r->at, "cut short");
    int k = extra ? read_extra(r, type, size, e) : add_member(r, h, size, s, e);
    r->at += (size + BLOCK - 1) / BLOCK * BLOCK;
    return k;
}

int img_tar_index(int fd, uint64_t size, struct img_source *s, struct err *e)
{
    struct reader r = {.fd = fd, .end = size};
    bool end = size < BLOCK;
    int k = end ? -EINVAL : 0;
    while (k == 0 && !end && r.at < r.end)
        k = read_one(&r, s, &end, e);
    free(r.long_name);
    free(r.long_link);
    return k;
}
