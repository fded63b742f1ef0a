/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From bytes of the client to paths, queries, routes and objects: pure functions, no HTTP library, fuzzed. */
#include "base/mem.h"
#include "zoned/http/impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A part of a path may hold no control character, whatever it is encoded as; nothing a NUL. */
static int decode(const char *in, size_t n, bool path, char **out, struct err *e)
{
    auto_free char *text = xcalloc(n + 1, 1);
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)in[i];
        if (c == '%') {
            int hi = n - i > 2 ? hex_of(in[i + 1]) : -1;
            int lo = hi >= 0 ? hex_of(in[i + 2]) : -1;
            if (hi < 0 || lo < 0)
                return err_set(e, ERR_INVALID, EINVAL, "the address has a %% without two hexadecimal digits");
            c = (unsigned char)(hi * 16 + lo);
            i += 2;
        }
        if (c == '\0' || (path && (c < ' ' || c == 0x7f)))
            return err_set(e, ERR_INVALID, EINVAL,
                           "the address has an encoded character (%%%02X) that is not allowed there", c);
        text[len++] = (char)c;
    }
    *out = take_ptr(&text);
    return 0;
}

static int parse_query(const char *q, struct zd_url *u, struct err *e)
{
    while (*q) {
        size_t n = strcspn(q, "&");
        if (n > 0) {
            if (u->npairs == ZD_PAIRS_MAX)
                return err_set(e, ERR_INVALID, E2BIG, "the address has more than %u parameters",
                               ZD_PAIRS_MAX);
            const char *eq = memchr(q, '=', n);
            size_t key = eq ? (size_t)(eq - q) : n, from = eq ? key + 1 : n;
            u->pair = xrealloc(u->pair, u->npairs + 1, sizeof(*u->pair));
            struct zd_pair *p = &u->pair[u->npairs++];
            *p = (struct zd_pair){0};
            int r = decode(q, key, false, &p->key, e);
            if (r == 0)
                r = decode(q + from, n - from, false, &p->value, e);
            if (r < 0)
                return r;
        }
        q += n + (q[n] == '&');
    }
    return 0;
}

int zd_url_parse(const char *uri, struct zd_url *u, struct err *e)
{
    struct zd_url out = {0};
    const char *p = uri;
    int r = 0;
    if (*p != '/')
        return err_set(e, ERR_INVALID, EINVAL, "the address must start with /");
    while (r == 0 && *p == '/') {
        size_t n = strcspn(++p, "/?");
        if (out.nparts == ZD_PARTS_MAX)
            r = err_set(e, ERR_NOT_FOUND, ENOENT, "no such address: it has more than %u parts", ZD_PARTS_MAX);
        else if ((r = decode(p, n, true, &out.part[out.nparts], e)) == 0)
            out.nparts++;
        p += n;
    }
    if (r == 0 && *p == '?')
        r = parse_query(p + 1, &out, e);
    if (r < 0) {
        zd_url_done(&out);
        return r;
    }
    *u = out;
    return 0;
}

void zd_url_done(struct zd_url *u)
{
    for (unsigned i = 0; i < u->nparts; i++)
        free(u->part[i]);
    for (unsigned i = 0; i < u->npairs; i++) {
        free(u->pair[i].key);
        free(u->pair[i].value);
    }
    free(u->pair);
    memset(u, 0, sizeof(*u));
}

int zd_url_match(const struct zd_url *u, const char *pattern, unsigned param[ZD_PARTS_MAX])
{
    int params = 0;
    unsigned i = 0;
    const char *p = pattern;
    for (; *p == '/' && i < u->nparts; i++) {
        size_t n = strcspn(++p, "/");
        if (*p == '{') {
            /* an encoded slash belongs to image references and to nothing else */
            if (u->part[i][0] == '\0' || (strchr(u->part[i], '/') && strncmp(p, "{ref}", n) != 0))
                return -1;
            param[params++] = i;
        } else if (strncmp(u->part[i], p, n) != 0 || u->part[i][n] != '\0')
            return -1;
        p += n;
    }
    return *p == '\0' && i == u->nparts ? params : -1;
}

const struct zd_route *zd_route_find(const struct zd_route *routes, unsigned n, const char *method,
                                     const struct zd_url *u, unsigned param[ZD_PARTS_MAX], char **allow,
                                     struct err *e)
{
    struct str methods = {0};
    for (unsigned i = 0; i < n; i++) {
        if (zd_url_match(u, routes[i].pattern, param) < 0)
            continue;
        if (str_eq(routes[i].method, method)) {
            str_done(&methods);
            return &routes[i];
        }
        str_addf(&methods, "%s%s", methods.len ? ", " : "", routes[i].method);
    }
    if (methods.len) {
        err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, "%s is not possible there, only %s", method, methods.p);
        *allow = str_take(&methods);
    } else {
        err_set(e, ERR_NOT_FOUND, ENOENT, "no such address");
        err_hint(e, "GET /v1/openapi.json lists them all");
    }
    return NULL;
}

int zd_body_parse(const char *text, size_t n, json **out, struct err *e)
{
    if (n == 0) {
        *out = NULL;
        return 0;
    }
    auto_js json *j = js_parse(text, n, e);
    if (!j)
        return err_prefix(e, "the body of the request");
    if (js_type_of(j) != JS_OBJECT)
        return err_set(e, ERR_INVALID, EINVAL, "the body of the request must be a JSON object");
    *out = take_ptr(&j);
    return 0;
}
