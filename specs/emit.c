/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values as YAML or JSON text for spec_edit. Plain where every YAML reader agrees what it means, else in
 * double quotes, in which YAML and JSON agree. */
#include "specs/edit.h"
#include <stdio.h>
#include <string.h>

#define NUMERIC "0123456789.:_+-eExXabcdefABCDEF"

static bool one_of(const char *value, const char *const *words, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (!strcasecmp(value, words[i]))
            return true;
    return false;
}

/* YAML 1.1 takes all of these for something else than text. */
static bool looks_like_a_word_of_yaml(const char *v)
{
    static const char *const words[] = {"", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n"};
    return one_of(v, words, ARRAY_LEN(words));
}

static bool looks_numeric(const char *v)
{
    return strchr("0123456789.+-", *v) && strspn(v, NUMERIC) == strlen(v);
}

/* Can stand unquoted anywhere, in flow style too. */
static bool plain_safe(const char *v)
{
    size_t n = strlen(v);
    if (!n || strchr("-?:,[]{}#&*!|>'\"%@` ", v[0]) || v[n - 1] == ' ' || v[n - 1] == ':' || v[n - 1] == '\\')
        return n > 1 && v[0] == '-' && strchr("0123456789", v[1]) && strspn(v + 1, "0123456789.") == n - 1;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)v[i];
        if (c < 0x20 || c >= 0x7f || strchr(",[]{}", c) || (c == '#' && v[i - 1] == ' ') ||
            (c == ':' && (v[i + 1] == ' ' || v[i + 1] == '?'))) /* ":?" ends a text in a flow list */
            return false;
    }
    return strncmp(v, "...", 3) != 0; /* the end of a document */
}

static bool json_literal(const char *v)
{
    static const char *const words[] = {"true", "false", "null"};
    if (one_of(v, words, ARRAY_LEN(words)))
        return *v >= 'a';
    size_t digits = strspn(v, "0123456789"), n = strlen(v);
    if (!digits || (digits > 1 && v[0] == '0') || digits > 15)
        return false;
    return digits == n ||
           (v[digits] == '.' && v[digits + 1] && strspn(v + digits + 1, "0123456789") == n - digits - 1);
}

/* The characters that libyaml refuses raw, or folds as line breaks, or that an editor does not show. */
static unsigned must_escape(const unsigned char *s, unsigned *len)
{
    static const struct {
        const char *bytes;
        unsigned code;
    } three[] = {{"\xe2\x80\xa8", 0x2028},
                 {"\xe2\x80\xa9", 0x2029},
                 {"\xef\xbb\xbf", 0xfeff},
                 {"\xef\xbf\xbe", 0xfffe},
                 {"\xef\xbf\xbf", 0xffff}};
    *len = 1;
    if (*s < 0x20 || *s == 0x7f)
        return *s;
    *len = 2;
    if (s[0] == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0)
        return s[1];
    *len = 3;
    for (unsigned i = 0; i < ARRAY_LEN(three); i++)
        if (!strncmp((const char *)s, three[i].bytes, 3))
            return three[i].code;
    return 0;
}

static void emit_quoted(struct str *out, const char *v)
{
    str_add(out, "\"");
    while (*v) {
        unsigned len, code = must_escape((const unsigned char *)v, &len);
        if (code) {
            if (code == '\n' || code == '\t')
                str_add(out, code == '\n' ? "\\n" : "\\t");
            else
                str_addf(out, "\\u%04x", code);
            v += len;
            continue;
        }
        if (*v == '"' || *v == '\\')
            str_add(out, "\\");
        str_addn(out, v++, 1);
    }
    str_add(out, "\"");
}

void spec_emit_scalar(struct str *out, const char *value, bool plain, bool text, bool as_json)
{
    bool bare;
    if (as_json)
        bare = plain && !text && json_literal(value);
    else if (text)
        bare = plain && plain_safe(value) && !looks_like_a_word_of_yaml(value) && !looks_numeric(value);
    else
        bare = plain && plain_safe(value) && !(strchr(value, ':') && looks_numeric(value));
    if (bare)
        str_add(out, value);
    else
        emit_quoted(out, value);
}

void spec_emit_flow(struct str *out, const struct spec_node *n, bool text, bool as_json)
{
    if (n->kind == SPEC_SCALAR) {
        if (!text && spec_node_null(n))
            str_add(out, "null");
        else
            spec_emit_scalar(out, n->text, n->plain, text, as_json);
        return;
    }
    str_add(out, n->kind == SPEC_MAP ? "{" : "[");
    for (const struct spec_node *c = n->first; c; c = c->next) {
        if (c != n->first)
            str_add(out, ", ");
        if (c->key) {
            spec_emit_scalar(out, c->key, true, true, as_json);
            str_add(out, ": ");
        }
        spec_emit_flow(out, c, text, as_json);
    }
    str_add(out, n->kind == SPEC_MAP ? "}" : "]");
}
