/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses of the distribution API: where a registry is, what a Location leads to, who may be given a credential. Pure; the
 * parsing of URLs is libcurl's, so that what is checked is what is fetched. Sources: OCI distribution-spec 1.1, curl_url_get(3). */
#include "base/auto.h"
#include "base/mem.h"
#include "storage/registry.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define URL_MAX 8192

static void url_done(CURLU **u)
{
    curl_url_cleanup(*u);
}
static void text_done(char **t)
{
    curl_free(*t);
}
#define auto_url __attribute__((cleanup(url_done)))
#define auto_text __attribute__((cleanup(text_done)))

bool reg_is_loopback(const char *registry)
{
    char host[256];
    struct in_addr a;
    const char *colon = strrchr(registry, ':');
    size_t n = strlen(registry);
    if (*registry == '[')
        return str_starts(registry, "[::1]") && (!registry[5] || registry[5] == ':');
    if (colon)
        n = (size_t)(colon - registry);
    if (!n || n >= sizeof(host))
        return false;
    memcpy(host, registry, n);
    host[n] = '\0';
    if (inet_pton(AF_INET, host, &a) == 1)
        return (ntohl(a.s_addr) >> 24) == 127;
    return !strcasecmp(host, "localhost") || (n > 10 && !strcasecmp(host + n - 10, ".localhost"));
}

char *reg_base(const char *registry, bool plain)
{
    const char *host = !strcmp(registry, "docker.io") || !strcmp(registry, "index.docker.io")
                           ? "registry-1.docker.io"
                           : registry;
    return xasprintf("%s://%s", plain ? "http" : "https", host);
}

char *reg_url(const char *base, const char *repository, const char *what, const char *name)
{
    return xasprintf("%s/v2/%s/%s/%s", base, repository, what, name);
}

char *reg_url_add_query(const char *url, const char *key, const char *value)
{
    return xasprintf("%s%s%s=%s", url, strchr(url, '?') ? "&" : "?", key, value);
}

static char *part_of(CURLU *u, CURLUPart what)
{
    char *text = NULL;
    return curl_url_get(u, what, &text, what == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0) == CURLUE_OK ? text
                                                                                                      : NULL;
}

static bool same_part(CURLU *a, CURLU *b, CURLUPart what)
{
    auto_text char *x = part_of(a, what);
    auto_text char *y = part_of(b, what);
    return x && y && !strcasecmp(x, y);
}

static bool has_part(CURLU *u, CURLUPart what)
{
    auto_text char *t = part_of(u, what);
    return t != NULL;
}

static bool scheme_is(CURLU *u, const char *scheme)
{
    auto_text char *t = part_of(u, CURLUPART_SCHEME);
    return t && !strcmp(t, scheme);
}

static bool is_web(CURLU *u)
{
    return (scheme_is(u, "https") || scheme_is(u, "http")) && !has_part(u, CURLUPART_USER) &&
           !has_part(u, CURLUPART_PASSWORD);
}

static bool parse(CURLU *u, const char *text)
{
    return u && strlen(text) <= URL_MAX && curl_url_set(u, CURLUPART_URL, text, 0) == CURLUE_OK;
}

int reg_follow(const char *from, const char *location, char **to, bool *same_host, struct err *e)
{
    auto_url CURLU *a = curl_url();
    auto_url CURLU *b = curl_url();
    if (!parse(a, from) || !parse(b, from) || !parse(b, location) || !is_web(b))
        return err_set(e, ERR_INVALID, EPROTO, "the registry leads to an address that is none");
    if (scheme_is(a, "https") && !scheme_is(b, "https"))
        return err_set(e, ERR_DENIED, EPROTO, "the registry leads from TLS to plain HTTP");
    curl_url_set(b, CURLUPART_FRAGMENT, NULL, 0);
    auto_text char *text = part_of(b, CURLUPART_URL);
    if (!text)
        return err_set(e, ERR_INVALID, EPROTO, "the registry leads to an address that is none");
    *same_host = same_part(a, b, CURLUPART_SCHEME) && same_part(a, b, CURLUPART_HOST) &&
                 same_part(a, b, CURLUPART_PORT);
    *to = xstrdup(text);
    return 0;
}

char *reg_url_public(const char *url)
{
    auto_url CURLU *u = curl_url();
    if (!parse(u, url))
        return xstrdup("(an address that is none)");
    curl_url_set(u, CURLUPART_QUERY, NULL, 0);
    curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
    curl_url_set(u, CURLUPART_USER, NULL, 0);
    curl_url_set(u, CURLUPART_PASSWORD, NULL, 0);
    auto_text char *text = NULL;
    return curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK ? xstrdup(text)
                                                                 : xstrdup("(an address that is none)");
}

int reg_realm_check(const char *base, const char *realm, struct err *e)
{
    auto_url CURLU *b = curl_url();
    auto_url CURLU *r = curl_url();
    if (!parse(b, base) || !parse(r, realm) || !is_web(r))
        return err_set(e, ERR_INVALID, EPROTO, "the registry names a token server that is no web address");
    if (scheme_is(r, "http") && !scheme_is(b, "http"))
        return err_set(e, ERR_DENIED, EPROTO, "the registry names a token server without TLS");
    return 0;
}
