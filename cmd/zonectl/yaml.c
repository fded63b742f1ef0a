/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON values as YAML, block style, for -o yaml. A string stands plain only where no YAML reader, of 1.1
 * or 1.2, could take it for anything else. Pure. */
#include "cmd/zonectl/zonectl.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool plain_ok(const char *s)
{
    static const char *const words[] = {"true", "false", "yes",  "no", "on",   "off",
                                        "y",    "n",     "null", "~",  ".inf", ".nan"};
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char inner[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+- ";
    if (!*s || (!strchr(letters, *s) && *s != '/'))
        return false;
    if (strspn(s, inner) != strlen(s) || s[strlen(s) - 1] == ' ')
        return false;
    for (unsigned i = 0; i < ARRAY_LEN(words); i++)
        if (!strcasecmp(s, words[i]))
            return false;
    return true;
}

static void add_string(const char *s, struct str *out)
{
    if (plain_ok(s)) {
        str_add(out, s);
        return;
    }
    auto_free char *q = ctl_quote(s);
    str_add(out, q);
}

static void indent(struct str *out, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        str_add(out, "  ");
}

static bool is_block(const json *j)
{
    return (js_type_of(j) == JS_OBJECT || js_type_of(j) == JS_ARRAY) && js_len(j);
}

static void add_scalar(const json *j, struct str *out)
{
    if (js_type_of(j) == JS_STRING) {
        add_string(js_str_of(j, ""), out);
    } else {
        auto_free char *text = js_dump(j, false);
        str_add(out, text ? text : "null");
    }
}

static void emit(const json *j, struct str *out, unsigned depth, bool after_dash);

static void emit_object(const json *j, struct str *out, unsigned depth, bool after_dash)
{
    for (void *it = js_iter((json *)j); it; it = js_next((json *)j, it)) {
        if (!after_dash)
            indent(out, depth);
        after_dash = false;
        add_string(js_iter_key(it), out);
        json *v = js_iter_value(it);
        str_add(out, is_block(v) ? ":\n" : ": ");
        emit(v, out, js_type_of(v) == JS_ARRAY ? depth : depth + 1, false);
    }
}

static void emit(const json *j, struct str *out, unsigned depth, bool after_dash)
{
    if (!is_block(j)) {
        add_scalar(j, out);
        str_add(out, "\n");
    } else if (js_type_of(j) == JS_OBJECT) {
        emit_object(j, out, depth, after_dash);
    } else {
        for (size_t i = 0; i < js_len(j); i++) {
            if (!after_dash || i)
                indent(out, depth);
            str_add(out, "- ");
            emit(js_at(j, i), out, depth + 1, true);
        }
    }
}

void ctl_yaml(const json *j, struct str *out)
{
    emit(j, out, 0, false);
}
