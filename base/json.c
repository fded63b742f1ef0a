/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one room that knows jansson. */
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

json *js_object(void)
{
    return json_object();
}

json *js_array(void)
{
    return json_array();
}

json *js_string(const char *s)
{
    if (!s)
        return json_null();
    json_t *j = json_string(s);
    if (j)
        return j;
    auto_free char *ascii = xstrdup(s); /* not UTF-8: keep what is ASCII */
    for (char *p = ascii; *p; p++)
        if (*p & 0x80)
            *p = '?';
    return json_string(ascii);
}

json *js_int(int64_t v)
{
    return json_integer(v);
}

json *js_real(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

json *js_bool(bool v)
{
    return json_boolean(v);
}

json *js_null(void)
{
    return json_null();
}

json *js_ref(json *j)
{
    return json_incref(j);
}

void js_free(json *j)
{
    json_decref(j);
}

void js_set(json *obj, const char *key, json *value)
{
    (void)json_object_set_new_nocheck(obj, key, value);
}

void js_set_str(json *obj, const char *key, const char *s)
{
    js_set(obj, key, js_string(s));
}

void js_set_int(json *obj, const char *key, int64_t v)
{
    js_set(obj, key, js_int(v));
}

void js_set_real(json *obj, const char *key, double v)
{
    js_set(obj, key, js_real(v));
}

void js_set_bool(json *obj, const char *key, bool v)
{
    js_set(obj, key, js_bool(v));
}

void js_set_strv(json *obj, const char *key, char *const *v)
{
    json *a = json_array();
    for (; v && *v; v++)
        js_add(a, js_string(*v));
    js_set(obj, key, a);
}

void js_add(json *array, json *value)
{
    (void)json_array_append_new(array, value);
}

void js_insert(json *array, size_t at, json *value)
{
    (void)json_array_insert_new(array, at, value);
}

void js_add_all(json *array, const json *more)
{
    for (size_t i = 0; i < js_len(more); i++)
        js_add(array, js_ref(js_at(more, i)));
}

void js_del(json *obj, const char *key)
{
    (void)json_object_del(obj, key);
}

json *js_get(const json *obj, const char *key)
{
    return json_object_get(obj, key);
}

json *js_at(const json *array, size_t i)
{
    return json_array_get(array, i);
}

size_t js_len(const json *j)
{
    return json_is_array(j) ? json_array_size(j) : json_object_size(j);
}

const char *js_str_of(const json *j, const char *def)
{
    return json_is_string(j) ? json_string_value(j) : def;
}

int64_t js_int_of(const json *j, int64_t def)
{
    return json_is_integer(j) ? json_integer_value(j) : def;
}

double js_real_of(const json *j, double def)
{
    return json_is_number(j) ? json_number_value(j) : def;
}

bool js_is_true(const json *j)
{
    return json_is_true(j);
}

const char *js_get_str(const json *obj, const char *key, const char *def)
{
    return js_str_of(json_object_get(obj, key), def);
}

int64_t js_get_int(const json *obj, const char *key, int64_t def)
{
    return js_int_of(json_object_get(obj, key), def);
}

double js_get_real(const json *obj, const char *key, double def)
{
    return js_real_of(json_object_get(obj, key), def);
}

bool js_get_bool(const json *obj, const char *key, bool def)
{
    json *j = json_object_get(obj, key);
    return json_is_boolean(j) ? json_is_true(j) : def;
}

char **js_get_strv(const json *obj, const char *key)
{
    char **v = NULL;
    json *a = json_object_get(obj, key);
    for (size_t i = 0; i < json_array_size(a); i++)
        if (json_is_string(json_array_get(a, i)))
            strv_add(&v, json_string_value(json_array_get(a, i)));
    return v;
}

enum js_type js_type_of(const json *j)
{
    if (!j)
        return JS_NONE;
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        return JS_OBJECT;
    case JSON_ARRAY:
        return JS_ARRAY;
    case JSON_STRING:
        return JS_STRING;
    case JSON_INTEGER:
        return JS_INT;
    case JSON_REAL:
        return JS_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return JS_BOOL;
    default:
        return JS_NULL;
    }
}

void *js_iter(json *obj)
{
    return json_object_iter(obj);
}

void *js_next(json *obj, void *it)
{
    return json_object_iter_next(obj, it);
}

const char *js_iter_key(void *it)
{
    return json_object_iter_key(it);
}

json *js_iter_value(void *it)
{
    return json_object_iter_value(it);
}

json *js_parse(const char *text, size_t n, struct err *e)
{
    json_error_t je;
    json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
    if (!j)
        err_set(e, ERR_INVALID, EINVAL, "JSON, line %d: %s", je.line, je.text);
    return j;
}

char *js_dump(const json *j, bool pretty)
{
    /* 15 digits: 0.1 stays 0.1 (17, jansson's default, would print 0.10000000000000001) */
    return json_dumps(j,
                      JSON_ENCODE_ANY | JSON_REAL_PRECISION(15) | (pretty ? JSON_INDENT(2) : JSON_COMPACT));
}

json *js_from_err(const struct err *e, const struct problems *details)
{
    json *o = json_object();
    js_set_str(o, "kind", err_kind_name(e->kind));
    js_set_int(o, "errno", e->code);
    js_set_str(o, "message", e->text);
    if (e->hint[0])
        js_set_str(o, "hint", e->hint);
    json *list = json_array();
    for (unsigned i = 0; details && i < details->len; i++) {
        const struct problem *p = &details->at[i];
        json *d = json_object();
        if (p->file)
            js_set_str(d, "file", p->file);
        if (p->line > 0)
            js_set_int(d, "line", p->line);
        if (p->key)
            js_set_str(d, "key", p->key);
        js_set_str(d, "message", p->message);
        js_set_str(d, "kind", err_kind_name(p->kind));
        js_add(list, d);
    }
    js_set(o, "details", list);
    return o;
}

void js_to_err(const json *error, struct err *e, struct problems *details)
{
    int64_t code = js_get_int(error, "errno", EIO);
    err_set(e, err_kind_from_name(js_get_str(error, "kind", "internal")),
            code > 0 && code < 4096 ? (int)code : EIO, "%s", js_get_str(error, "message", "unknown error"));
    const char *hint = js_get_str(error, "hint", NULL);
    if (hint)
        err_hint(e, "%s", hint);
    json *list = js_get(error, "details");
    for (size_t i = 0; details && i < js_len(list); i++) {
        json *d = js_at(list, i);
        problem_add(details, err_kind_from_name(js_get_str(d, "kind", "invalid")),
                    js_get_str(d, "file", NULL), (int)js_get_int(d, "line", 0), js_get_str(d, "key", NULL),
                    "%s", js_get_str(d, "message", ""));
    }
}
