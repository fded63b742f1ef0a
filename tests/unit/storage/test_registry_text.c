/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pure half of the registry client: challenges, tokens, addresses, retries, ranges, error texts. */
#include "base/auto.h"
#include "base/mem.h"
#include "storage/registry.h"
#include "tests/unit/tap.h"
#include <errno.h>

static void challenge(const char *header, enum reg_scheme scheme, const char *realm, const char *service,
                      const char *scope)
{
    struct reg_challenge c auto_done(reg_challenge_done) = {0};
    is_int(reg_challenge_add(&c, header, NULL), 0, "taken: %.60s", header);
    is_int(c.scheme, scheme, "  scheme");
    is_str(c.realm, realm, "  realm");
    is_str(c.service, service, "  service");
    is_str(c.scope, scope, "  scope");
}

static void malformed(const char *header)
{
    struct reg_challenge c auto_done(reg_challenge_done) = {0};
    struct err e = {0};
    ok(reg_challenge_add(&c, header, &e) < 0 && e.kind == ERR_INVALID && !c.realm, "malformed: %.60s",
       header);
}

static void challenges(void)
{
    challenge("Bearer "
              "realm=\"https://auth.docker.io/"
              "token\",service=\"registry.docker.io\",scope=\"repository:library/nginx:pull\"",
              REG_BEARER, "https://auth.docker.io/token", "registry.docker.io",
              "repository:library/nginx:pull");
    challenge("basic realm=\"Registry Realm\"", REG_BASIC, "Registry Realm", NULL, NULL);
    challenge("Basic realm=x, Bearer realm=\"https://t\" , service = s,scope=\"a,b c\"", REG_BEARER,
              "https://t", "s", "a,b c");
    challenge("Bearer realm=\"https://t\", Basic realm=x", REG_BEARER, "https://t", NULL, NULL);
    challenge("Negotiate, Basic realm=\"q\\\"uo\\\\te\"", REG_BASIC, "q\"uo\\te", NULL, NULL);
    challenge("Negotiate YWJj==, NTLM abc= , basic realm=x", REG_BASIC, "x", NULL, NULL);
    challenge("Digest realm=\"d\", nonce=\"n,\", Basic realm=\"b\"", REG_BASIC, "b", NULL, NULL);
    challenge("Digest realm=\"d\"", REG_NO_SCHEME, NULL, NULL, NULL);
    challenge("", REG_NO_SCHEME, NULL, NULL, NULL);
    challenge(" , ,Basic", REG_BASIC, NULL, NULL, NULL);
    malformed("Bearer");
    malformed("Bearer realm=\"https://t");
    malformed("Bearer realm=\"https://t\\");
    malformed("Bearer realm=a,realm=b");
    malformed("Bearer realm=\"a\" service=\"b\"");
    malformed("Bearer realm=\"a\"service=\"b\"");
    malformed("=x");
    malformed("\"Bearer\" realm=x");
    char *longest = xcalloc(1, 9001);
    memset(longest, 'a', 9000);
    malformed(longest);
    free(longest);
    struct reg_challenge two auto_done(reg_challenge_done) = {0};
    reg_challenge_add(&two, "Bearer realm=\"https://t\"", NULL);
    reg_challenge_add(&two, "Basic realm=\"b\"", NULL);
    is_str(two.realm, "https://t", "two header lines: Bearer stays");
}

static void tokens(void)
{
    struct reg_challenge c auto_done(reg_challenge_done) = {0};
    char *const scopes[] = {(char *)"repository:library/nginx:pull", NULL};
    char *const two[] = {(char *)"repository:a:pull,push", (char *)"repository:b:pull", NULL};
    struct err e = {0};
    reg_challenge_add(
        &c, "Bearer realm=\"https://a/t\",service=\"r d\",scope=\"repository:library/nginx:pull\"", NULL);
    auto_free char *url = reg_token_url(&c, scopes);
    is_str(url, "https://a/t?service=r%20d&scope=repository%3Alibrary%2Fnginx%3Apull",
           "token url: a scope once");
    auto_free char *more = reg_token_url(&c, two);
    is_str(more,
           "https://a/"
           "t?service=r%20d&scope=repository%3Aa%3Apull%2Cpush&scope=repository%3Ab%3Apull&scope=repository%"
           "3Alibrary%2Fnginx%3Apull",
           "token url: every scope");
    auto_free char *form = reg_token_form(&c, scopes, "x&y=1");
    is_str(form,
           "grant_type=refresh_token&service=r%20d&client_id=zoned&scope=repository%3Alibrary%2Fnginx%3Apull&"
           "refresh_token=x%26y%3D1",
           "refresh form");
    static const struct {
        const char *text, *token;
    } answers[] = {
        {"{\"token\":\"abc\"}", "abc"},
        {"{\"access_token\":\"xyz\",\"expires_in\":300}", "xyz"},
        {"{\"token\":\"\",\"access_token\":\"xyz\"}", "xyz"},
        {"{\"token\":\"a b\"}", NULL},
        {"{\"token\":\"a\\r\\nX-Evil: 1\"}", NULL},
        {"{\"token\":7}", NULL},
        {"[]", NULL},
        {"secret garbage", NULL},
        {"", NULL},
    };
    for (unsigned i = 0; i < ARRAY_LEN(answers); i++) {
        auto_free char *t = NULL;
        err_clear(&e);
        int r = reg_token_parse(answers[i].text, strlen(answers[i].text), &t, &e);
        ok(answers[i].token ? r == 0 && t && !strcmp(t, answers[i].token) : r < 0 && !t, "token answer %u",
           i);
        ok(!strstr(e.text, "secret"), "  no word of it in the error");
    }
    auto_free char *b0 = reg_basic_header("Aladdin", "open sesame");
    is_str(b0, "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "basic: RFC 7617's example");
    auto_free char *b1 = reg_basic_header("u", "p");
    is_str(b1, "Authorization: Basic dTpw", "basic: no padding");
    auto_free char *b2 = reg_basic_header("test", "123\xc2\xa3");
    is_str(b2, "Authorization: Basic dGVzdDoxMjPCow==", "basic: UTF-8 of RFC 7617");
}

static void follow(const char *from, const char *location, const char *to, bool same)
{
    auto_free char *got = NULL;
    bool keep = !same;
    struct err e = {0};
    int r = reg_follow(from, location, &got, &keep, &e);
    ok(to ? r == 0 && !strcmp(got, to) && keep == same : r < 0 && !got && err_is(&e), "%s -> %.60s", from,
       location);
    if (r == 0 && to && strcmp(got, to))
        printf("#   got %s\n", got);
}

static void addresses(void)
{
    static const char *const near[] = {"localhost",  "localhost:5000", "127.0.0.1:80", "127.9.9.9",
                                       "[::1]:5000", "[::1]",          "a.localhost",  "LOCALHOST:1"};
    static const char *const far[] = {
        "docker.io", "localhost.evil.com", "127.0.0.1.evil.com", "10.0.0.1:5000",
        "[::2]:1",   "evillocalhost:1",    ".localhost.",        "",
        ":5000",     "0.0.0.0:1"};
    for (unsigned i = 0; i < ARRAY_LEN(near); i++)
        ok(reg_is_loopback(near[i]), "loopback: %s", near[i]);
    for (unsigned i = 0; i < ARRAY_LEN(far); i++)
        ok(!reg_is_loopback(far[i]), "not loopback: %s", far[i]);
    auto_free char *hub = reg_base("docker.io", false);
    auto_free char *plain = reg_base("localhost:5000", true);
    auto_free char *blob = reg_url(plain, "a/b", "blobs", "sha256:00");
    auto_free char *query = reg_url_add_query(blob, "digest", "x");
    auto_free char *query2 = reg_url_add_query(query, "y", "z");
    is_str(hub, "https://registry-1.docker.io", "Docker Hub");
    is_str(query2, "http://localhost:5000/v2/a/b/blobs/sha256:00?digest=x&y=z", "urls");
    follow("https://r/v2/x", "https://cdn/y?sig=1", "https://cdn/y?sig=1", false);
    follow("https://r/v2/x", "/v2/y", "https://r/v2/y", true);
    follow("https://r/v2/x", "y", "https://r/v2/y", true);
    follow("https://r/v2/x", "https://R:443/y", "https://R:443/y", true);
    follow("https://r/v2/x", "https://r:444/y", "https://r:444/y", false);
    follow("https://r/v2/x", "//other/y", "https://other/y", false);
    follow("http://localhost:5000/v2/x", "http://localhost:5001/y", "http://localhost:5001/y", false);
    follow("http://localhost:5000/v2/x", "https://localhost:5000/y", "https://localhost:5000/y", false);
    follow("https://r/v2/x", "http://r/y", NULL, false);
    follow("https://r/v2/x", "file:///etc/passwd", NULL, false);
    follow("https://r/v2/x", "ftp://r/y", NULL, false);
    follow("https://r/v2/x", "https://user:pw@r/y", NULL, false);
    follow("https://r/v2/x", "http://[", NULL, false);
    auto_free char *shown = reg_url_public("https://u:p@cdn/a/b?X-Amz-Signature=secret#f");
    is_str(shown, "https://cdn/a/b", "in messages: no user, no query");
    is_int(reg_realm_check("https://r", "https://auth.docker.io/token", NULL), 0, "realm with TLS");
    is_int(reg_realm_check("http://localhost:5000", "http://localhost:5001/token", NULL), 0,
           "a plain realm of a plain registry");
    ok(reg_realm_check("https://r", "http://auth/token", NULL) < 0,
       "a plain realm of a registry with TLS is refused");
    ok(reg_realm_check("https://r", "file:///etc/shadow", NULL) < 0, "a realm that is a file is refused");
    ok(reg_realm_check("https://r", "Registry Realm", NULL) < 0, "a realm that is a word is refused");
}

#define NOW 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */
static int64_t after(enum reg_failure f, int status, const char *asked, unsigned attempt, unsigned all,
                     bool reached)
{
    struct reg_outcome o = {f, status, asked, attempt, all, reached};
    return reg_retry_after(&o, NOW, 0);
}

static void retries(void)
{
    is_int(after(REG_ANSWERED, 500, NULL, 0, 0, true), 250, "500: soon again");
    is_int(after(REG_ANSWERED, 503, NULL, 3, 3, true), 2000, "503: later each time");
    is_int(after(REG_ANSWERED, 503, NULL, 4, 4, true), -1, "503: five times is enough");
    is_int(after(REG_ANSWERED, 429, "7", 0, 0, true), 7000, "429: as asked");
    is_int(after(REG_ANSWERED, 429, "Sun, 06 Nov 1994 08:49:47 GMT", 0, 0, true), 10000, "429: until a date");
    is_int(after(REG_ANSWERED, 429, "Sun, 06 Nov 1993 08:49:47 GMT", 0, 0, true), 250,
           "429: a date that is over");
    is_int(after(REG_ANSWERED, 429, "soon", 1, 1, true), 500, "429: no number");
    is_int(after(REG_ANSWERED, 429, "86400", 0, 0, true), -1, "429: a day is too long");
    static const int final[] = {400, 401, 403, 404, 405, 413, 501, 505, 302};
    for (unsigned i = 0; i < ARRAY_LEN(final); i++)
        is_int(after(REG_ANSWERED, final[i], NULL, 0, 0, true), -1, "%d is final", final[i]);
    is_int(after(REG_LOST, 0, NULL, 0, 0, false), 250, "a cut connection: again");
    is_int(after(REG_LOST, 0, NULL, 0, 199, true), -1, "a byte each time has an end");
    is_int(after(REG_UNREACHABLE, 0, NULL, 0, 0, false), -1, "nobody there: at once");
    is_int(after(REG_UNREACHABLE, 0, NULL, 0, 0, true), 250, "nobody there any more: again");
    is_int(after(REG_FATAL, 0, NULL, 0, 0, true), -1, "a wrong certificate is final");
    struct reg_outcome o = {REG_LOST, 0, NULL, 2, 2, true};
    ok(reg_retry_after(&o, NOW, 12345) >= 1000 && reg_retry_after(&o, NOW, 12345) <= 1250,
       "a quarter by chance");
}

static void ranges(void)
{
    static const struct {
        int status;
        const char *text;
        uint64_t have, total;
        enum reg_range want;
    } rows[] = {
        {200, NULL, 0, 100, REG_RANGE_CONTINUE},
        {200, NULL, 10, 100, REG_RANGE_RESTART},
        {206, "bytes 10-99/100", 10, 100, REG_RANGE_CONTINUE},
        {206, "bytes 10-99/*", 10, 100, REG_RANGE_CONTINUE},
        {206, "bytes 10-49/100", 10, 100, REG_RANGE_CONTINUE},
        {206, "bytes 0-99/100", 10, 100, REG_RANGE_REFUSED},
        {206, "bytes 10-99/101", 10, 100, REG_RANGE_REFUSED},
        {206, "bytes 10-100/100", 10, 100, REG_RANGE_REFUSED},
        {206, "bytes 10-100/*", 10, 100, REG_RANGE_REFUSED},
        {206, "bytes 10-99/100x", 10, 100, REG_RANGE_REFUSED},
        {206, "bytes +10-99/100", 10, 100, REG_RANGE_REFUSED},
        {206, "pages 10-99/100", 10, 100, REG_RANGE_REFUSED},
        {206, NULL, 10, 100, REG_RANGE_REFUSED},
        {416, "bytes */100", 100, 100, REG_RANGE_DONE},
        {416, NULL, 10, 100, REG_RANGE_RESTART},
        {204, NULL, 10, 100, REG_RANGE_REFUSED},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        is_int(reg_range_check(rows[i].status, rows[i].text, rows[i].have, rows[i].total), rows[i].want,
               "range %d %s have %d", rows[i].status, rows[i].text ? rows[i].text : "-", (int)rows[i].have);
    uint64_t next = 7;
    ok(reg_upload_range("0-1023", &next) == 0 && next == 1024, "upload: 1024 bytes are there");
    ok(reg_upload_range("bytes=0-9", &next) == 0 && next == 10, "upload: with a unit");
    ok(reg_upload_range("0-0", &next) == 0 && next == 0, "upload: none");
    ok(reg_upload_range(NULL, &next) == 0 && next == 0, "upload: nothing said");
    ok(reg_upload_range("5-9", &next) < 0 && reg_upload_range("0--1", &next) < 0 &&
           reg_upload_range("0-9x", &next) < 0 && reg_upload_range("0-99999999999999999999", &next) < 0,
       "upload: nonsense");
}

static void texts(void)
{
    struct err e = {0};
    const char *j = "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no\\u001b[31m\\nway\",\"detail\":{}}]}";
    auto_free char *t = reg_error_text(j, strlen(j));
    is_str(t, "DENIED: no [31m way", "a registry's words, cleaned");
    auto_free char *none = reg_error_text("<html>", 6);
    is_str(none, NULL, "a web page has none");
    is_int(reg_status_error(404, NULL, "localhost/x:1", false, &e), -ENOENT, "404");
    ok(e.kind == ERR_NOT_FOUND && strstr(e.text, "localhost/x:1") && strstr(e.text, "404"), "%s", e.text);
    err_clear(&e);
    reg_status_error(401, t, "x", false, &e);
    ok(e.kind == ERR_DENIED && strstr(e.hint, "log in first"), "%s (%s)", e.text, e.hint);
    err_clear(&e);
    reg_status_error(403, NULL, "x", true, &e);
    ok(e.kind == ERR_DENIED && strstr(e.hint, "does not take"), "%s (%s)", e.text, e.hint);
    err_clear(&e);
    reg_status_error(503, NULL, "x", true, &e);
    ok(e.kind == ERR_INTERNAL, "%s", e.text);
    err_clear(&e);
    reg_status_error(429, NULL, "x", true, &e);
    ok(e.kind == ERR_LIMIT, "%s", e.text);
}

int main(void)
{
    challenges();
    tokens();
    addresses();
    retries();
    ranges();
    texts();
    return done_testing();
}
