/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The route table and the OpenAPI document, held against each other in both directions, with the fields of bodies and queries. Runs in the source
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

/* $ref within the document; the schema itself where there is none. */
static json *resolved(json *doc, json *o)
{
    const char *at = js_get_str(o, "$ref", NULL);
    while (at) {
        auto_free char *path = xstrdup(at + 2);
        char *save = NULL;
        o = doc;
        for (char *part = strtok_r(path, "/", &save); part; part = strtok_r(NULL, "/", &save))
            o = js_get(o, part);
        at = js_get_str(o, "$ref", NULL);
    }
    return o;
}

/* The one type of a schema: {"type": ["string", "null"]} and anyOf with null are it, too. */
static json *without_null(json *doc, json *schema)
{
    json *any = js_get(schema, "anyOf");
    return resolved(doc, any ? js_at(any, 0) : schema);
}

static const char *type_of(json *schema)
{
    json *t = js_get(schema, "type");
    return js_str_of(js_type_of(t) == JS_ARRAY ? js_at(t, 0) : t, "");
}

static const char *type_name(enum zd_type t)
{
    static const char *const names[] = {
        [ZD_ANY] = "object",  [ZD_BOOL] = "boolean",  [ZD_INT] = "integer",  [ZD_TEXT] = "string",
        [ZD_TEXTS] = "array", [ZD_OBJECT] = "object", [ZD_OBJECTS] = "array"};
    return names[t];
}

static const struct zd_field *field(const struct zd_field *of, const char *name)
{
    for (; of && of->name; of++)
        if (!strcmp(of->name, name))
            return of;
    return NULL;
}

static bool holds(json *list, const char *text)
{
    for (size_t i = 0; i < js_len(list); i++)
        if (!strcmp(js_str_of(js_at(list, i), ""), text))
            return true;
    return false;
}

/* A table and an object's schema name the same fields, of one type, required or not alike. */
static void same_fields(json *doc, const struct zd_field *of, json *schema, const char *where)
{
    json *properties = js_get(schema, "properties");
    for (const struct zd_field *f = of; f && f->name; f++) {
        json *s = without_null(doc, js_get(properties, f->name));
        is_str(s ? type_of(s) : "(missing)", type_name(f->type), "%s: %s is described", where, f->name);
        is_int(holds(js_get(schema, "required"), f->name), f->required, "... and required or not");
        json *items = resolved(doc, js_get(s, "items"));
        if (f->type == ZD_TEXTS || f->type == ZD_OBJECTS)
            is_str(type_of(items), f->type == ZD_TEXTS ? "string" : "object", "... of such items");
        if (f->type == ZD_INT)
            ok(js_get(s, "minimum"), "... of a least value");
        if (f->of)
            same_fields(doc, f->of, items ? items : s, f->name);
    }
    ok(!js_get_bool(schema, "additionalProperties", true), "%s: and no other", where);
    for (void *p = properties ? js_iter(properties) : NULL; p; p = js_next(properties, p))
        ok(field(of, js_iter_key(p)), "%s: %s is taken", where, js_iter_key(p));
}

/* An object whose keys a schema of its own knows has only to be there. */
static void same_body(json *doc, const struct zd_route *r, json *op)
{
    json *body = js_get(op, "requestBody");
    json *content = js_get(js_get(body, "content"), "application/json");
    json *schema = resolved(doc, js_get(content, "schema"));
    bool required = false;
    for (const struct zd_field *f = r->fields; f && f->name; f++)
        required = required || f->required;
    is_int(schema != NULL, r->body == BODY_JSON, "%s: a body of JSON", r->operation);
    ok(!required || js_get_bool(body, "required", false), "... that is required where a field is");
    if (schema && (!r->fields || r->fields->type != ZD_ANY))
        same_fields(doc, r->fields, schema, r->operation);
}

static void same_query(json *doc, const struct zd_route *r, json *op, json *common)
{
    unsigned n = 0;
    for (unsigned list = 0; list < 2; list++)
        for (size_t i = 0; i < js_len(list ? common : js_get(op, "parameters")); i++) {
            json *p = resolved(doc, js_at(list ? common : js_get(op, "parameters"), i));
            json *schema = js_get(p, "schema");
            if (strcmp(js_get_str(p, "in", ""), "query"))
                continue;
            const struct zd_field *f = field(r->query, js_get_str(p, "name", ""));
            n++;
            is_str(f ? type_name(f->type) : "(missing)", type_of(schema), "%s?%s", r->operation,
                   js_get_str(p, "name", ""));
            is_int(f && f->required, js_get_bool(p, "required", false), "... required or not");
        }
    unsigned fields = 0;
    for (const struct zd_field *f = r->query; f && f->name; f++)
        fields++;
    is_int(n, fields, "%s: no other in its query", r->operation);
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
        same_body(doc, &zd_routes[i], op);
        same_query(doc, &zd_routes[i], op, js_get(js_get(paths, zd_routes[i].pattern), "parameters"));
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
