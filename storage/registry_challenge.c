/* SPDX-License-Identifier: GPL-2.0-or-later */
/* WWW-Authenticate: schemes with parameters, several in one line. Pure text. Source: RFC 9110 section 11.6.1. */
#include "base/auto.h"
#include "base/mem.h"
#include "storage/registry.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define HEADER_MAX 8192

void reg_secret_free(char **secret)
{
    if (*secret)
        explicit_bzero(*secret, strlen(*secret));
    free(*secret);
    *secret = NULL;
}

void reg_challenge_done(struct reg_challenge *c)
{
    free(c->realm);
    free(c->service);
    free(c->scope);
    memset(c, 0, sizeof(*c));
}

static size_t token_length(const char *p)
{
    size_t n = 0;
    while (p[n] && (isalnum((unsigned char)p[n]) || strchr("!#$%&'*+-.^_`|~", p[n])))
        n++;
    return n;
}

static const char *skip(const char *p, const char *what)
{
    return p + strspn(p, what);
}

/* "…" with \-escapes, or a token. NULL: neither. */
static const char *read_value(const char *p, char **value)
{
    struct str s = {0};
    if (*p != '"') {
        size_t n = token_length(p);
        *value = xstrndup(p, n);
        return n ? p + n : NULL;
    }
    for (p++; *p && *p != '"'; p++) {
        if (*p == '\\' && !*++p)
            break;
        str_addn(&s, p, 1);
    }
    *value = str_take(&s);
    return *p == '"' ? p + 1 : NULL;
}

/* NAME = VALUE at p: after it, NULL if it is none. *bad: it begins as one and is malformed. */
static const char *read_param(const char *p, struct reg_challenge *into, bool *bad)
{
    auto_free char *value = NULL;
    size_t n = token_length(p);
    const char *at = skip(p + n, " \t");
    if (!n || *at != '=')
        return NULL;
    at = skip(at + 1, " \t");
    if (*at == '=' || *at == ',' || !*at)
        return NULL; /* the padding of a token68 */
    char **slot = n == 5 && !strncasecmp(p, "realm", n)     ? &into->realm
                  : n == 7 && !strncasecmp(p, "service", n) ? &into->service
                  : n == 5 && !strncasecmp(p, "scope", n)   ? &into->scope
                                                            : NULL;
    const char *after = read_value(at, &value);
    *bad = !after || (slot && *slot);
    if (*bad)
        return NULL;
    if (slot)
        *slot = take_ptr(&value);
    return after;
}

static enum reg_scheme scheme_named(const char *p, size_t n)
{
    if (n == 6 && !strncasecmp(p, "bearer", n))
        return REG_BEARER;
    return n == 5 && !strncasecmp(p, "basic", n) ? REG_BASIC : REG_NO_SCHEME;
}

/* One scheme with all of its parameters. */
static const char *read_challenge(const char *p, struct reg_challenge *one)
{
    bool bad = false;
    size_t n = token_length(p);
    if (!n)
        return NULL;
    one->scheme = scheme_named(p, n);
    p = p + n;
    if (*p && !strchr(" \t,", *p))
        return NULL;
    p = skip(p, " \t");
    for (const char *next = read_param(p, one, &bad); next; next = read_param(p, one, &bad)) {
        const char *comma = skip(next, " \t");
        if (*comma && *comma != ',')
            return NULL;
        p = skip(comma, " \t,");
    }
    if (bad)
        return NULL;
    size_t word = strcspn(p, ", \t"); /* a token68 stands alone before a comma */
    const char *end = skip(p + word, " \t");
    if (one->scheme != REG_BEARER && !one->realm && word && (!*end || *end == ','))
        p = end;
    return p;
}

int reg_challenge_add(struct reg_challenge *c, const char *header, struct err *e)
{
    const char *p = skip(header, " \t,");
    if (strlen(header) > HEADER_MAX)
        return err_set(e, ERR_INVALID, E2BIG,
                       "the registry's WWW-Authenticate header is longer than %d bytes", HEADER_MAX);
    while (*p) {
        struct reg_challenge one auto_done(reg_challenge_done) = {0};
        p = read_challenge(p, &one);
        if (!p || (one.scheme == REG_BEARER && !one.realm))
            return err_set(e, ERR_INVALID, EINVAL, "the registry's WWW-Authenticate header is malformed");
        if (one.scheme > c->scheme) {
            reg_challenge_done(c);
            *c = one;
            memset(&one, 0, sizeof(one));
        }
        p = skip(p, " \t,");
    }
    return 0;
}
