/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers with and without units, booleans, words: strict, decimal, range-checked by the row. Must never
 * guess: "1e3", "0x10", "NaN", " 5" and "5 " are no numbers. */
#include "specs/number.h"
#include "base/mem.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FRACTION_MAX 6 /* digits: few enough that 15 significant ones always give the same double again */

int spec_word_find(const struct spec_word *words, const char *text)
{
    for (int i = 0; words[i].name; i++)
        if (!strcmp(words[i].name, text))
            return i;
    return -1;
}

const char *spec_word_name(const struct spec_word *words, int value)
{
    for (; words->name; words++)
        if (words->value == value)
            return words->name;
    return NULL;
}

char *spec_word_list(const struct spec_word *words)
{
    struct str s = {0};
    for (int i = 0; words[i].name; i++) {
        if (i)
            str_add(&s, words[i + 1].name ? ", " : " or ");
        str_add(&s, words[i].name);
    }
    return str_take(&s);
}

/* "1.5" to hundredths precision and beyond; 0, -EINVAL, -ERANGE. */
static int parse_cpus(const char *s, double *out)
{
    size_t whole = strspn(s, "0123456789"), frac = 0;
    if (!whole)
        return -EINVAL;
    if (whole > 9)
        return -ERANGE;
    if (s[whole] == '.') {
        frac = strspn(s + whole + 1, "0123456789");
        if (!frac || frac > FRACTION_MAX)
            return -EINVAL;
        frac++;
    }
    if (s[whole + frac])
        return -EINVAL;
    double v = 0, scale = 1;
    for (size_t i = 0; i < whole + frac; i++)
        if (s[i] != '.') {
            v = v * 10 + (s[i] - '0');
            scale *= i > whole ? 10 : 1;
        }
    *out = v / scale;
    return 0;
}

static int parse_percent(const char *s, uint64_t *out)
{
    char digits[8];
    size_t n = strlen(s);
    if (n < 2 || n > sizeof(digits) || s[n - 1] != '%')
        return -EINVAL;
    memcpy(digits, s, n - 1);
    digits[n - 1] = '\0';
    return parse_u64(digits, UINT64_MAX, out);
}

static int parse_whole(enum spec_type t, const char *s, uint64_t *out)
{
    switch (t) {
    case SPEC_T_PERCENT:
        return parse_percent(s, out);
    case SPEC_T_SIZE:
    case SPEC_T_SOURCE:
        return parse_size(s, out);
    case SPEC_T_RATE:
        return parse_rate(s, out);
    case SPEC_T_TIME:
        return parse_time(s, out);
    default:
        return parse_u64(s, UINT64_MAX, out);
    }
}

static void print_whole(enum spec_type t, uint64_t v, char buf[24])
{
    switch (t) {
    case SPEC_T_PERCENT:
        snprintf(buf, 24, "%" PRIu64 "%%", v);
        break;
    case SPEC_T_SIZE:
    case SPEC_T_SOURCE:
        print_size(v, buf);
        break;
    case SPEC_T_RATE:
        print_rate(v, buf);
        break;
    case SPEC_T_TIME:
        print_time(v, buf);
        break;
    default:
        snprintf(buf, 24, "%" PRIu64, v);
    }
}

void spec_range(const struct spec_row *r, char buf[80])
{
    char low[24], high[24];
    uint64_t min = r->type == SPEC_T_SOURCE ? 4096 : r->min;
    if (r->type == SPEC_T_CPUS) {
        snprintf(buf, 80, "%g to %g CPUs", (double)r->min / 100, (double)r->max / 100);
        return;
    }
    print_whole(r->type, min, low);
    print_whole(r->type, r->max, high);
    if (!min && r->type != SPEC_T_INT)
        snprintf(buf, 80, "at most %s", high);
    else
        snprintf(buf, 80, "%s to %s", low, high);
}

static const char *example(enum spec_type t)
{
    switch (t) {
    case SPEC_T_PERCENT:
        return "is not a percentage like 80%";
    case SPEC_T_RATE:
        return "is not a rate like 100M";
    case SPEC_T_TIME:
        return "is not a time like 10s (ms, s, m, h)";
    case SPEC_T_CPUS:
        return "is not a number of CPUs like 1.5";
    default:
        return "is not a whole number";
    }
}

/* 64m, 64MB and 64Mi as they are spelt here (64M); 512M for what is nothing of that kind. */
static void spelt_size(const char *s, char out[24])
{
    size_t n = strspn(s, "0123456789.");
    const char *unit = n && s[n] ? strchr("kKmMgGtT", s[n]) : NULL, *rest = unit ? s + n + 1 : "";
    const char *dot = memchr(s, '.', n);
    bool number =
        n && s[0] != '.' && s[n - 1] != '.' && (!dot || !memchr(dot + 1, '.', (size_t)(s + n - dot - 1)));
    bool known = unit && n < 20 && number &&
                 (!*rest || !strcasecmp(rest, "b") || !strcasecmp(rest, "i") || !strcasecmp(rest, "ib"));
    snprintf(out, 24, "%.*s%c", known ? (int)n : 3, known ? s : "512",
             known ? toupper((unsigned char)*unit) : 'M');
}

static bool bad_number(struct spec_load *l, const struct spec_row *r, const struct spec_node *n,
                       const struct spec_where *w, int error)
{
    char range[80], show[SPEC_SHOW], size[24];
    spec_range(r, range);
    if (error == -ERANGE || (n->text[0] == '-' && n->text[1] >= '0' && n->text[1] <= '9'))
        spec_bad(l, n->line, w, "%s is out of range (%s)", spec_show(n->text, show), range);
    else if (error == -EPROTOTYPE)
        spec_bad(l, n->line, w, "\"%s\" is text, not a number (%s, without quotes)", spec_show(n->text, show),
                 range);
    else if (r->type == SPEC_T_SIZE || r->type == SPEC_T_SOURCE) {
        spelt_size(n->text, size);
        spec_bad(l, n->line, w, "\"%s\" is not a size like %s (%s)", spec_show(n->text, show), size, range);
    } else
        spec_bad(l, n->line, w, "\"%s\" %s (%s)", spec_show(n->text, show), example(r->type), range);
    return false;
}

static bool set_cpus(struct spec_load *l, const struct spec_row *r, void *base, const struct spec_node *n,
                     const struct spec_where *w)
{
    double v;
    int error = n->plain ? parse_cpus(n->text, &v) : -EPROTOTYPE;
    if (!error && (v < (double)r->min / 100 || v > (double)r->max / 100))
        error = -ERANGE;
    if (error)
        return bad_number(l, r, n, w, error);
    SPEC_FIELD(double, base, r) = v;
    return true;
}

static bool set_whole(struct spec_load *l, const struct spec_row *r, void *base, const struct spec_node *n,
                      const struct spec_where *w)
{
    uint64_t v, min = r->type == SPEC_T_SOURCE ? 4096 : r->min;
    bool bare = r->type == SPEC_T_INT || r->type == SPEC_T_VERSION;
    int error = bare && !n->plain ? -EPROTOTYPE : parse_whole(r->type, n->text, &v);
    if (!error && (v < min || v > r->max))
        error = -ERANGE;
    if (error)
        return bad_number(l, r, n, w, error);
    if (r->type == SPEC_T_SOURCE)
        ((struct spec_mount *)base)->size = v;
    else if (r->type != SPEC_T_VERSION)
        SPEC_FIELD(uint64_t, base, r) = v;
    return true;
}

static bool set_bool(struct spec_load *l, const struct spec_row *r, void *base, const struct spec_node *n,
                     const struct spec_where *w)
{
    static const char *const yes[] = {"true", "yes", "on"}, *const no[] = {"false", "no", "off"};
    for (unsigned i = 0; i < ARRAY_LEN(yes) && n->plain; i++) {
        bool v = !strcasecmp(n->text, yes[i]);
        if (v || !strcasecmp(n->text, no[i])) {
            SPEC_FIELD(bool, base, r) = v;
            return true;
        }
    }
    char show[SPEC_SHOW];
    spec_bad(l, n->line, w, "\"%s\" is neither true nor false (true or false, without quotes)",
             spec_show(n->text, show));
    return false;
}

static bool set_word(struct spec_load *l, const struct spec_row *r, void *base, const struct spec_node *n,
                     const struct spec_where *w)
{
    int i = spec_word_find(r->words, n->text);
    if (i < 0) {
        char show[SPEC_SHOW];
        auto_free char *allowed = spec_word_list(r->words);
        spec_bad(l, n->line, w, "\"%s\" is not known (%s)", spec_show(n->text, show), allowed);
        return false;
    }
    int value = r->words[i].value;
    if (r->type == SPEC_T_MODE)
        SPEC_FIELD(bool, base, r) = value;
    else
        memcpy((char *)base + r->offset, &value, sizeof(value)); /* an enum of the door header */
    return true;
}

bool spec_number_set(struct spec_load *l, const struct spec_row *r, void *base, const struct spec_node *n,
                     const struct spec_where *w)
{
    switch (r->type) {
    case SPEC_T_BOOL:
        return set_bool(l, r, base, n, w);
    case SPEC_T_CPUS:
        return set_cpus(l, r, base, n, w);
    case SPEC_T_WORD:
    case SPEC_T_MODE:
        return set_word(l, r, base, n, w);
    default:
        return set_whole(l, r, base, n, w);
    }
}

static json *get_cpus(double v)
{
    if (v < 0)
        return NULL;
    return v == (double)(int64_t)v ? js_int((int64_t)v) : js_real(v);
}

static json *get_whole(const struct spec_row *r, uint64_t v)
{
    char buf[24];
    if (v == r->unset && r->type != SPEC_T_SOURCE)
        return NULL;
    if (r->type == SPEC_T_INT)
        return js_int((int64_t)v);
    print_whole(r->type, v, buf);
    return js_string(buf);
}

json *spec_number_get(const struct spec_row *r, const void *base)
{
    int value;
    switch (r->type) {
    case SPEC_T_VERSION:
        return js_int((int64_t)r->max);
    case SPEC_T_BOOL:
        return js_bool(SPEC_CFIELD(bool, base, r));
    case SPEC_T_MODE:
        return js_string(spec_word_name(r->words, SPEC_CFIELD(bool, base, r)));
    case SPEC_T_CPUS:
        return get_cpus(SPEC_CFIELD(double, base, r));
    case SPEC_T_WORD:
        memcpy(&value, (const char *)base + r->offset, sizeof(value));
        return js_string(spec_word_name(r->words, value));
    case SPEC_T_SOURCE:
        return get_whole(r, ((const struct spec_mount *)base)->size);
    default:
        return get_whole(r, SPEC_CFIELD(uint64_t, base, r));
    }
}
