/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strings: a growing buffer, NULL-terminated vectors of strings, strict number and unit parsing. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
    char *p; /* always NUL-terminated once non-NULL */
    size_t len, cap;
};
void str_add(struct str *s, const char *text);
void str_addn(struct str *s, const void *data, size_t n);
void str_addf(struct str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void str_addu(struct str *s, uint64_t v); /* decimal, ten times as fast as str_addf */
char *str_take(struct str *s);            /* the text, never NULL; s is empty after */
void str_done(struct str *s);

bool str_eq(const char *a, const char *b); /* NULL equals NULL only */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* strv: NULL-terminated array of owned strings; NULL is the empty one. */
unsigned strv_len(char *const *v);
void strv_add(char ***v, const char *s); /* copies s */
void strv_take(char ***v, char *s);      /* owns s */
char **strv_copy(char *const *v);
bool strv_has(char *const *v, const char *s);
void strv_remove(char **v, const char *s); /* all equal ones */
bool strv_eq(char *const *a, char *const *b);
void strv_free(char **v);
char *strv_join(char *const *v, const char *sep);        /* never NULL */
char **str_split(const char *s, const char *separators); /* empty parts are dropped */

/* Strict: digits only, whole string, no sign, no space, no overflow, <= max. 0 or -EINVAL/-ERANGE. */
int parse_u64(const char *s, uint64_t max, uint64_t *out);
/* "512M": K M G T (and KiB-like KB forms are not taken) = 2^10n; a plain integer is bytes; "1.5G" is taken.
 */
int parse_size(const char *s, uint64_t *bytes);
/* "100M": K M G = 10^3n bits per second. */
int parse_rate(const char *s, uint64_t *bits);
/* "10s" "500ms" "2m" "1h"; a unit is required, "0" alone is taken. */
int parse_time(const char *s, uint64_t *ms);
void print_size(uint64_t bytes, char buf[24]); /* shortest exact: 536870912 -> "512M" */
void print_rate(uint64_t bits, char buf[24]);
void print_time(uint64_t ms, char buf[24]);
void hex_encode(const void *data, size_t n, char *out); /* 2n+1 bytes */
uint64_t hash64(const void *data, size_t n);            /* FNV-1a, for names, not for security */
