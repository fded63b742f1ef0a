/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as "METHOD ADDRESS\nBODY". What is decoded holds no NUL, no slash and no control character within
 * a part, and matches a route only with as many parameters as its pattern has. */
#include "base/mem.h"
#include "zoned/http/impl.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct zd_route routes[] = {
    {"GET", "/v1/zones", ROLE_VIEWER, BODY_NONE, NULL, NULL, NULL, NULL},
    {"POST", "/v1/zones", ROLE_ADMIN, BODY_JSON, NULL, NULL, NULL, NULL},
    {"GET", "/v1/zones/{name}", ROLE_VIEWER, BODY_NONE, NULL, NULL, NULL, NULL},
    {"POST", "/v1/zones/{name}/start", ROLE_OPERATOR, BODY_JSON, NULL, NULL, NULL, NULL},
    {"GET", "/v1/images/{ref}", ROLE_VIEWER, BODY_NONE, NULL, NULL, NULL, NULL},
    {"GET", "/v1/{a}/{b}/{c}", ROLE_VIEWER, BODY_NONE, NULL, NULL, NULL, NULL},
};

static void check_url(const char *method, const char *uri)
{
    struct zd_url u = {0};
    struct err e = {0};
    int r = zd_url_parse(uri, &u, &e);
    if ((r < 0) != err_is(&e) || u.nparts > ZD_PARTS_MAX || u.npairs > ZD_PAIRS_MAX)
        abort();
    if (r < 0 && (u.nparts || u.npairs))
        abort();
    for (unsigned i = 0; i < u.nparts; i++)
        for (const char *p = u.part[i]; *p; p++)
            if ((unsigned char)*p < ' ' || *p == 0x7f)
                abort();
    for (unsigned i = 0; i < u.npairs; i++)
        if (!u.pair[i].key || !u.pair[i].value)
            abort();
    unsigned param[ZD_PARTS_MAX] = {0};
    auto_free char *allow = NULL;
    const struct zd_route *found = NULL;
    if (r == 0)
        found = zd_route_find(routes, ARRAY_LEN(routes), method, &u, param, &allow, &e);
    if (r == 0 && (found == NULL) != err_is(&e))
        abort();
    int params = found ? zd_url_match(&u, found->pattern, param) : 0, want = 0;
    for (const char *p = found ? found->pattern : ""; *p; p++)
        want += *p == '{';
    if (params != want)
        abort();
    for (int i = 0; i < params; i++)
        if (param[i] >= u.nparts || !u.part[param[i]][0] ||
            (strchr(u.part[param[i]], '/') && !strstr(found->pattern, "{ref}")))
            abort();
    zd_url_done(&u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    auto_free char *text = xstrndup((const char *)data, n);
    size_t len = strlen(text), first = strcspn(text, "\n");
    char *body = first < len ? text + first + 1 : text + len;
    text[first] = '\0';
    char *uri = strchr(text, ' ');
    if (uri)
        *uri++ = '\0';
    check_url(text, uri ? uri : text);
    auto_js json *j = NULL;
    struct err e = {0};
    int r = zd_body_parse(body, strlen(body), &j, &e);
    if ((r < 0) != err_is(&e) || (j && js_type_of(j) != JS_OBJECT) || (r < 0 && j))
        abort();
    return 0;
}
