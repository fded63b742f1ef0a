/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strings, string vectors, and the units of the contract. Pure. */
#include "base/str.h"
#include "base/mem.h"
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reserve(struct str *s, size_t more)
{
    size_t need = s->len + more + 1;
    if (need <= s->cap)
        return;
    s->cap = s->cap * 2 > need ? s->cap * 2 : need + 32;
    s->p = xrealloc(s->p, s->cap, 1);
}

void str_addn(struct str *s, const void *data, size_t n)
{
    reserve(s, n);
    if (n)
        memcpy(s->p + s->len, data, n);
    s->len += n;
    s->p[s->len] = '\0';
}

void str_add(struct str *s, const char *text)
{
    str_addn(s, text, strlen(text));
}

void str_addf(struct str *s, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n > 0) {
        reserve(s, (size_t)n);
        vsnprintf(s->p + s->len, (size_t)n + 1, fmt, again);
        s->len += (size_t)n;
    }
    va_end(again);
}

void str_addu(struct str *s, uint64_t v)
{
    char buf[20], *p = buf + sizeof(buf);
    do
        *--p = (char)('0' + v % 10);
    while ((v /= 10));
    str_addn(s, p, (size_t)(buf + sizeof(buf) - p));
}

char *str_take(struct str *s)
{
    char *p = s->p ? s->p : xstrdup("");
    memset(s, 0, sizeof(*s));
    return p;
}

void str_done(struct str *s)
{
    free(s->p);
    memset(s, 0, sizeof(*s));
}

bool str_eq(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

bool str_starts(const char *s, const char *prefix)
{
    return s && !strncmp(s, prefix, strlen(prefix));
}

bool str_ends(const char *s, const char *suffix)
{
    size_t n = s ? strlen(s) : 0, m = strlen(suffix);
    return s && n >= m && !strcmp(s + n - m, suffix);
}

unsigned strv_len(char *const *v)
{
    unsigned n = 0;
    while (v && v[n])
        n++;
    return n;
}

void strv_take(char ***v, char *s)
{
    unsigned n = strv_len(*v);
    *v = xrealloc(*v, n + 2, sizeof(char *));
    (*v)[n] = s;
    (*v)[n + 1] = NULL;
}

void strv_add(char ***v, const char *s)
{
    strv_take(v, xstrdup(s));
}

char **strv_copy(char *const *v)
{
    if (!v)
        return NULL;
    unsigned n = strv_len(v);
    char **c = xcalloc(n + 1, sizeof(char *));
    for (unsigned i = 0; i < n; i++)
        c[i] = xstrdup(v[i]);
    return c;
}

bool strv_has(char *const *v, const char *s)
{
    for (; v && *v; v++)
        if (!strcmp(*v, s))
            return true;
    return false;
}

void strv_remove(char **v, const char *s)
{
    char **keep = v;
    for (; v && *v; v++) {
        if (!strcmp(*v, s))
            free(*v);
        else
            *keep++ = *v;
    }
    if (keep)
        *keep = NULL;
}

bool strv_eq(char *const *a, char *const *b)
{
    unsigned n = strv_len(a);
    if (n != strv_len(b))
        return false;
    for (unsigned i = 0; i < n; i++)
        if (strcmp(a[i], b[i]))
            return false;
    return true;
}

void strv_free(char **v)
{
    for (char **p = v; p && *p; p++)
        free(*p);
    free(v);
}

char *strv_join(char *const *v, const char *sep)
{
    struct str s = {0};
    for (unsigned i = 0; v && v[i]; i++) {
        if (i)
            str_add(&s, sep);
        str_add(&s, v[i]);
    }
    return str_take(&s);
}

char **str_split(const char *s, const char *separators)
{
    char **v = NULL;
    while (s && *s) {
        size_t n = strcspn(s, separators);
        if (n)
            strv_take(&v, xstrndup(s, n));
        s += n;
        if (*s)
            s++;
    }
    return v;
}

static int parse_digits(const char **s, uint64_t *out)
{
    uint64_t v = 0;
    const char *p = *s;
    if (*p < '0' || *p > '9')
        return -EINVAL;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
            return -ERANGE;
    *s = p;
    *out = v;
    return 0;
}

int parse_u64(const char *s, uint64_t max, uint64_t *out)
{
    uint64_t v;
    if (!s)
        return -EINVAL;
    int r = parse_digits(&s, &v);
    if (r < 0)
        return r;
    if (*s)
        return -EINVAL;
    if (v > max)
        return -ERANGE;
    *out = v;
    return 0;
}

struct unit {
    const char *suffix;
    uint64_t factor;
};
static const struct unit size_units[] = {
    {"", 1}, {"B", 1}, {"K", 1ull << 10}, {"M", 1ull << 20}, {"G", 1ull << 30}, {"T", 1ull << 40}, {NULL, 0}};
static const struct unit rate_units[] = {{"", 1}, {"K", 1000}, {"M", 1000000}, {"G", 1000000000}, {NULL, 0}};
static const struct unit time_units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 0}};

/* digits [. digits] unit; the fraction is kept to nine places. */
static int parse_with_unit(const char *s, const struct unit *units, uint64_t *out)
{
    uint64_t whole, frac = 0, scale = 1, result;
    if (!s)
        return -EINVAL;
    int r = parse_digits(&s, &whole);
    if (r < 0)
        return r;
    if (*s == '.') {
        const char *p = ++s;
        for (; *p >= '0' && *p <= '9' && scale < 1000000000; p++, scale *= 10)
            frac = frac * 10 + (uint64_t)(*p - '0');
        if (p == s)
            return -EINVAL;
        s = p;
    }
    const struct unit *u = units;
    while (u->suffix && strcmp(u->suffix, s))
        u++;
    if (!u->suffix || (frac && u->factor == 1))
        return -EINVAL;
    if (__builtin_mul_overflow(whole, u->factor, &result) ||
        __builtin_add_overflow(result, (uint64_t)((__uint128_t)frac * u->factor / scale), &result))
        return -ERANGE;
    *out = result;
    return 0;
}

int parse_size(const char *s, uint64_t *bytes)
{
    return parse_with_unit(s, size_units, bytes);
}

int parse_rate(const char *s, uint64_t *bits)
{
    return parse_with_unit(s, rate_units, bits);
}

int parse_time(const char *s, uint64_t *ms)
{
    if (s && !strcmp(s, "0")) {
        *ms = 0;
        return 0;
    }
    return parse_with_unit(s, time_units, ms);
}

static void print_with_unit(uint64_t v, const struct unit *units, char buf[24])
{
    const struct unit *best = units;
    for (const struct unit *u = units; v && u->suffix; u++)
        if (v % u->factor == 0 && u->factor > best->factor)
            best = u;
    snprintf(buf, 24, "%" PRIu64 "%s", v / best->factor, best->suffix);
}

void print_size(uint64_t bytes, char buf[24])
{
    print_with_unit(bytes, size_units, buf);
}

void print_rate(uint64_t bits, char buf[24])
{
    print_with_unit(bits, rate_units, buf);
}

void print_time(uint64_t ms, char buf[24])
{
    if (!ms)
        snprintf(buf, 24, "0s");
    else
        print_with_unit(ms, time_units, buf);
}

void hex_encode(const void *data, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *d = data;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[d[i] >> 4];
        out[2 * i + 1] = digits[d[i] & 15];
    }
    out[2 * n] = '\0';
}

uint64_t hash64(const void *data, size_t n)
{
    const unsigned char *d = data;
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ d[i]) * 0x100000001b3u;
    return h;
}
