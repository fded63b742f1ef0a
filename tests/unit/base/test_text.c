/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strings, numbers with units, errors, JSON: what comes from outside is bounded and strict. */
#include "base/auto.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>

static void test_numbers(void)
{
    static const struct {
        const char *text;
        int want;
        uint64_t value;
    } plain[] = {{"0", 0, 0},
                 {"007", 0, 7},
                 {"18446744073709551615", -ERANGE, 0},
                 {"100", 0, 100},
                 {"101", -ERANGE, 0},
                 {"18446744073709551616", -ERANGE, 0},
                 {"", -EINVAL, 0},
                 {"-1", -EINVAL, 0},
                 {"+1", -EINVAL, 0},
                 {" 1", -EINVAL, 0},
                 {"1 ", -EINVAL, 0},
                 {"0x10", -EINVAL, 0},
                 {"1.0", -EINVAL, 0},
                 {"\xef\xbc\x91", -EINVAL, 0}},
      sizes[] = {{"512M", 0, 512u << 20},
                 {"1.5G", 0, 3ull << 29},
                 {"8T", 0, 8ull << 40},
                 {"1", 0, 1},
                 {"0", 0, 0},
                 {"16777216T", -ERANGE, 0},
                 {"1.5", -EINVAL, 0},
                 {"M", -EINVAL, 0},
                 {"1MB", -EINVAL, 0},
                 {"1m", -EINVAL, 0},
                 {"-1M", -EINVAL, 0},
                 {"1.M", -EINVAL, 0},
                 {"16777215.9999T", 0, 0xfffffffff9724745ull},
                 {"1e3", -EINVAL, 0}},
      times[] = {
          {"10s", 0, 10000}, {"500ms", 0, 500},  {"2m", 0, 120000},  {"1.5h", 0, 5400000},
          {"0", 0, 0},       {"10", -EINVAL, 0}, {"1d", -EINVAL, 0}, {"99999999999999999999s", -ERANGE, 0}};
    uint64_t v = 0;
    for (unsigned i = 0; i < ARRAY_LEN(plain); i++)
        ok(parse_u64(plain[i].text, 100, &v) == plain[i].want && (plain[i].want || v == plain[i].value),
           "number \"%s\"", plain[i].text);
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        int r = parse_size(sizes[i].text, &v);
        ok(r == sizes[i].want && (r || v >> 20 == sizes[i].value >> 20), "size \"%s\" (%d, %llx)",
           sizes[i].text, r, (unsigned long long)v);
    }
    for (unsigned i = 0; i < ARRAY_LEN(times); i++)
        ok(parse_time(times[i].text, &v) == times[i].want && (times[i].want || v == times[i].value),
           "time \"%s\"", times[i].text);
    is_int(parse_u64(NULL, 1, &v), -EINVAL, "nothing at all");
    ok(parse_rate("100M", &v) == 0 && v == 100000000, "rates are decimal");
}

/* What is printed is read back as the same. */
static void test_round(void)
{
    static const uint64_t values[] = {0, 1, 1023, 1024, 1536, 1u << 30, (1ull << 40) + 1, UINT64_MAX};
    char buf[24];
    unsigned wrong = 0;
    for (unsigned i = 0; i < ARRAY_LEN(values); i++) {
        uint64_t v = 0;
        print_size(values[i], buf);
        wrong += parse_size(buf, &v) < 0 || v != values[i];
        print_rate(values[i], buf);
        wrong += parse_rate(buf, &v) < 0 || v != values[i];
        print_time(values[i], buf);
        wrong += parse_time(buf, &v) < 0 || v != values[i];
    }
    is_int(wrong, 0, "sizes, rates, times come back");
    print_size(512u << 20, buf);
    is_str(buf, "512M", "shortest");
}

static void test_strings(void)
{
    struct str s = {0};
    auto_free char *empty = str_take(&s);
    is_str(empty, "", "the empty one");
    for (int i = 0; i < 10000; i++)
        str_addf(&s, "%d,", i);
    str_addn(&s, "a\0b", 3);
    is_int(s.len, 48893, "grows, also with a NUL in it");
    str_done(&s);
    str_done(&s);
    str_addu(&s, 0);
    str_add(&s, " ");
    str_addu(&s, UINT64_MAX);
    is_str(s.p, "0 18446744073709551615", "numbers");
    str_done(&s);
    char **v = str_split(",,a,b,,c,", ",");
    is_int(strv_len(v), 3, "split drops empty parts");
    auto_free char *j = strv_join(v, "+");
    is_str(j, "a+b+c", "joined");
    strv_remove(v, "b");
    ok(strv_len(v) == 2 && !strv_has(v, "b") && strv_has(v, "c"), "removed");
    char **w = strv_copy(v);
    ok(strv_eq(v, w) && strv_eq(NULL, NULL) && !strv_eq(v, NULL), "copied");
    strv_free(v);
    strv_free(w);
    strv_free(NULL);
    ok(str_eq(NULL, NULL) && !str_eq(NULL, "") && str_starts("abc", "ab") && str_ends("abc", "bc") &&
           !str_starts(NULL, "a") && !str_ends("c", "bc"),
       "comparisons");
}

static void test_errors(void)
{
    struct err e = {0};
    char *big = xcalloc(5000, 1);
    memset(big, 'x', 4999);
    is_int(err_set(&e, ERR_LIMIT, ENOSPC, "%s", big), -ENOSPC, "a text that is too long");
    ok(strlen(e.text) < sizeof(e.text), "is cut");
    free(big);
    is_int(err_set(&e, ERR_BUSY, EBUSY, "second"), -EBUSY, "a second one");
    ok(e.kind == ERR_LIMIT && e.code == ENOSPC, "the first stays");
    err_clear(&e);
    is_int(err_set(&e, ERR_INVALID, 0, "no code"), -EINVAL, "code 0 is none");
    is_int(err_sysk(NULL, ERR_INVALID, EPERM, "x"), -EPERM, "nobody wants the text");
    unsigned wrong = 0;
    for (int k = 1; k < ERR_KIND_MAX; k++)
        wrong += err_kind_from_name(err_kind_name((enum err_kind)k)) != (enum err_kind)k ||
                 err_exit_status((enum err_kind)k) < 1 || err_http_status((enum err_kind)k) < 400;
    is_int(wrong, 0, "kinds have names, exit and HTTP statuses");
    struct problems ps = {0};
    for (int i = 0; i < 200; i++)
        problem_add(&ps, ERR_INVALID, "f", i, "k", "wrong");
    is_int(ps.len, 100, "at most 100 problems");
    problems_done(&ps);
    struct err refused = {0};
    ok(problems_to_err(&ps, &refused, "the pool") < 0, "a refusal without a word is an error too");
    is_str(refused.text, "the pool is refused", "... that names the thing");
}

static json *deep(unsigned n)
{
    struct str s = {0};
    for (unsigned i = 0; i < n; i++)
        str_add(&s, "[");
    for (unsigned i = 0; i < n; i++)
        str_add(&s, "]");
    json *j = js_parse(s.p, s.len, NULL);
    str_done(&s);
    return j;
}

static void test_json(void)
{
    static const char *const bad[] = {"",
                                      "{",
                                      "{\"a\":1,\"a\":2}",
                                      "{} x",
                                      "[1,]",
                                      "{'a':1}",
                                      "\"\xff\xfe\"",
                                      "\"\\ud800\"",
                                      "nul",
                                      "01",
                                      "1e999",
                                      "[\"a\nb\"]",
                                      "{\"a\":99999999999999999999}"};
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e = {0};
        auto_js json *j = js_parse(bad[i], strlen(bad[i]), &e);
        ok(!j && e.kind == ERR_INVALID && strstr(e.text, "line"), "refused %u: %s", i, e.text);
    }
    auto_js json *nul = js_parse("\"a\\u0000b\"", 10, NULL);
    ok(!nul, "a string with NUL, which C would cut");
    auto_js json *far = deep(100), *too = deep(100000);
    ok(far && !too, "depth is bounded: 100 yes, 100,000 no");
    static const char whole[] = "{\"s\":\"x\",\"i\":7,\"r\":0.1,\"b\":true,\"n\":null,\"v\":[\"a\",1,\"b\"]}";
    auto_js json *o = js_parse(whole, strlen(whole), NULL);
    ok(js_get_int(o, "s", -1) == -1 && js_get_bool(o, "i", false) == false && !js_get_str(o, "n", NULL) &&
           js_get_int(NULL, "i", 3) == 3 && js_at(o, 0) == NULL && js_len(NULL) == 0,
       "a wrong type gives the default");
    char **v = js_get_strv(o, "v");
    is_int(strv_len(v), 2, "a list of strings skips the others");
    strv_free(v);
    auto_free char *text = js_dump(o, false);
    is_str(text, whole, "comes back");
    auto_js json *latin = js_string("caf\xe9"), *inf = js_real(HUGE_VAL);
    ok(str_eq(js_str_of(latin, NULL), "caf?") && js_type_of(inf) == JS_NULL, "what JSON cannot say");
}

int main(void)
{
    test_numbers();
    test_round();
    test_strings();
    test_errors();
    test_json();
    return done_testing();
}
