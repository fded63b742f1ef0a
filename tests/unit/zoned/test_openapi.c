/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The route table and the OpenAPI document, held against each other in both directions. Runs in the source
 * tree. */
#include "base/file.h"
#include "tests/unit/tap.h"
#include "zoned/zoned.h"
#include <ctype.h>
#include <fcntl.h>

static json *operation(json *paths, const char *path, const char *method)
{
    char lower[16] = "";
    for (unsigned i = 0; i < 15 && method[i]; i++)
        lower[i] = (char)tolower(method[i]);
    return js_get(js_get(paths, path), lower);
}

static bool has_route(const char *path, const char *method)
{
    for (unsigned i = 0; i < zd_nroutes; i++)
        if (!strcmp(zd_routes[i].pattern, path) && !strcasecmp(zd_routes[i].method, method))
            return true;
    return false;
}

int main(void)
{
    char *text = NULL;
    size_t n;
    struct err e = {0};
    if (!ok(file_read(AT_FDCWD, "specs/openapi.json", 4u << 20, &text, &n, &e) == 0,
            "the document is there: %s", e.text))
        return done_testing();
    json *doc = js_parse(text, n, &e);
    ok(doc != NULL, "it is JSON");
    is_str(js_get_str(doc, "openapi", ""), "3.1.0", "OpenAPI 3.1");
    json *paths = js_get(doc, "paths");
    for (unsigned i = 0; i < zd_nroutes; i++) {
        json *op = operation(paths, zd_routes[i].pattern, zd_routes[i].method);
        is_str(js_get_str(op, "operationId", "(missing)"), zd_routes[i].operation, "%s %s is described",
               zd_routes[i].method, zd_routes[i].pattern);
    }
    for (void *p = js_iter(paths); p; p = js_next(paths, p))
        for (void *m = js_iter(js_iter_value(p)); m; m = js_next(js_iter_value(p), m))
            if (strcmp(js_iter_key(m), "parameters"))
                ok(has_route(js_iter_key(p), js_iter_key(m)), "%s %s has a route", js_iter_key(m),
                   js_iter_key(p));
    js_free(doc);
    free(text);
    return done_testing();
}
