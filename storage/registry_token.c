/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Docker's token flow without the network: what a token server is asked, and its answer. Basic credentials in a header.
 * Sources: docs.docker.com/registry/spec/auth/token and …/oauth, RFC 7617. */
#include "base/auto.h"
#include "base/json.h"
#include "base/mem.h"
#include "storage/registry.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>

#define TOKEN_MAX 65536

static void add_escaped(struct str *s, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (isalnum(*p) || strchr("-._~", *p))
            str_addn(s, p, 1);
        else
            str_addf(s, "%%%02X", *p);
}

static void add_field(struct str *s, const char *key, const char *value)
{
    str_addf(s, "%s%s=", s->len ? "&" : "", key);
    add_escaped(s, value);
}

static void add_scopes(struct str *s, const struct reg_challenge *c, char *const *scopes)
{
    for (char *const *p = scopes; p && *p; p++)
        add_field(s, "scope", *p);
    if (c->scope && !strv_has(scopes, c->scope))
        add_field(s, "scope", c->scope);
}

char *reg_token_url(const struct reg_challenge *c, char *const *scopes)
{
    struct str q = {0};
    if (c->service)
        add_field(&q, "service", c->service);
    add_scopes(&q, c, scopes);
    char *url = xasprintf("%s%s%s", c->realm, strchr(c->realm, '?') ? "&" : "?", q.p ? q.p : "");
    str_done(&q);
    return url;
}

char *reg_token_form(const struct reg_challenge *c, char *const *scopes, const char *identity_token)
{
    struct str f = {0}, joined = {0};
    auto_free char *mine = strv_join(scopes, " ");
    str_add(&joined, mine);
    if (c->scope && !strv_has(scopes, c->scope))
        str_addf(&joined, "%s%s", joined.len ? " " : "", c->scope);
    add_field(&f, "grant_type", "refresh_token");
    if (c->service)
        add_field(&f, "service", c->service);
    add_field(&f, "client_id", "zoned");
    add_field(&f, "scope", joined.p ? joined.p : "");
    add_field(&f, "refresh_token", identity_token);
    str_done(&joined);
    return str_take(&f);
}

/* A token goes into a header line: no spaces, no control characters. */
static bool token_is_clean(const char *t)
{
    size_t n = strlen(t);
    for (size_t i = 0; i < n; i++)
        if (t[i] <= ' ' || t[i] >= 0x7f)
            return false;
    return n > 0 && n <= TOKEN_MAX;
}

int reg_token_parse(const char *text, size_t n, char **token, struct err *e)
{
    auto_js json *j =
        js_parse(text, n, NULL); /* its complaint would quote the answer, which holds a secret */
    const char *t = js_get_str(j, "token", NULL);
    if (!t || !*t)
        t = js_get_str(j, "access_token", NULL);
    if (!t)
        return err_set(e, ERR_INVALID, EPROTO, "the token server's answer holds no token");
    if (!token_is_clean(t))
        return err_set(e, ERR_INVALID, EPROTO, "the token server's token is malformed");
    *token = xstrdup(t);
    return 0;
}

static char *base64(const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = strlen(text);
    char *out = xcalloc(n / 3 + 2, 4), *o = out;
    for (size_t i = 0; i < n; i += 3) {
        unsigned left = n - i < 3 ? (unsigned)(n - i) : 3;
        uint32_t v = (uint32_t)(unsigned char)text[i] << 16;
        v |= left > 1 ? (uint32_t)(unsigned char)text[i + 1] << 8 : 0;
        v |= left > 2 ? (uint32_t)(unsigned char)text[i + 2] : 0;
        *o++ = digits[v >> 18];
        *o++ = digits[v >> 12 & 63];
        *o++ = left > 1 ? digits[v >> 6 & 63] : '=';
        *o++ = left > 2 ? digits[v & 63] : '=';
    }
    return out;
}

char *reg_basic_header(const char *user, const char *password)
{
    char *pair = xasprintf("%s:%s", user, password);
    char *code = base64(pair);
    char *header = xasprintf("Authorization: Basic %s", code);
    reg_secret_free(&pair);
    reg_secret_free(&code);
    return header;
}
