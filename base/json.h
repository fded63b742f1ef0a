/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON values: the only place that knows jansson. `json` is reference-counted; js_set* and js_add* of a json
 * steal the reference, getters borrow. Getters accept NULL and wrong types and give the default. */
#pragma once
#include "base/auto.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct json_t json;

json *js_object(void);
json *js_array(void);
json *js_string(const char *s); /* NULL gives null; invalid UTF-8 bytes are replaced by '?' */
json *js_int(int64_t v);
json *js_real(double v);
json *js_bool(bool v);
json *js_null(void);
json *js_ref(json *j);
void js_free(json *j); /* drops one reference; NULL is fine */
DEFINE_AUTO(json, js_free);
#define auto_js auto_of(js_free)

void js_set(json *obj, const char *key, json *value);
void js_set_str(json *obj, const char *key, const char *s); /* NULL: null */
void js_set_int(json *obj, const char *key, int64_t v);
void js_set_real(json *obj, const char *key, double v);
void js_set_bool(json *obj, const char *key, bool v);
void js_set_strv(json *obj, const char *key, char *const *v);
void js_add(json *array, json *value);
void js_insert(json *array, size_t at, json *value); /* before the item that is there; at most at the end */
void js_add_all(json *array, const json *more); /* the items of an array, which keeps them too; NULL: none */
void js_del(json *obj, const char *key);

json *js_get(const json *obj, const char *key); /* borrowed, or NULL */
json *js_at(const json *array, size_t i);       /* borrowed, or NULL */
size_t js_len(const json *j);                   /* array or object size, else 0 */
const char *js_get_str(const json *obj, const char *key, const char *def);
int64_t js_get_int(const json *obj, const char *key, int64_t def);
double js_get_real(const json *obj, const char *key, double def);
bool js_get_bool(const json *obj, const char *key, bool def);
char **js_get_strv(const json *obj, const char *key); /* new strv; non-strings are skipped */
const char *js_str_of(const json *j, const char *def);
int64_t js_int_of(const json *j, int64_t def);
double js_real_of(const json *j, double def);
enum js_type { JS_NONE, JS_OBJECT, JS_ARRAY, JS_STRING, JS_INT, JS_REAL, JS_BOOL, JS_NULL };
enum js_type js_type_of(const json *j);
bool js_is_true(const json *j);
/* for (void *it = js_iter(obj); it; it = js_next(obj, it)) … js_iter_key(it), js_iter_value(it) (insertion
 * order) */
void *js_iter(json *obj);
void *js_next(json *obj, void *it);
const char *js_iter_key(void *it);
json *js_iter_value(void *it);

/* Depth and duplicate keys are checked; trailing data refused. NULL on error. */
json *js_parse(const char *text, size_t n, struct err *e);
char *js_dump(const json *j, bool pretty); /* malloc'd, insertion order, no trailing newline */

/* {"kind","message","hint","details":[…]}: the "error" object of the API, and back. */
json *js_from_err(const struct err *e, const struct problems *details);
void js_to_err(const json *error, struct err *e, struct problems *details);
