/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plan's codec: a round trip changes nothing, and what steps rely on is checked. */
#include "base/file.h"
#include "tests/unit/tap.h"
#include "zoned/sup/rt.h"
#include <fcntl.h>

static json *sample(void)
{
    static const char text[] =
        "{\"zone\":\"web\",\"image\":\"dir:/srv/root\",\"process\":{\"args\":[\"/bin/true\"]},"
        "\"network\":[{\"link\":\"none\"}]}";
    struct problems ps = {0};
    struct plan *p auto_of(plan_free) = xcalloc(1, sizeof(*p));
    ok(spec_parse(text, strlen(text), "t", &p->spec, &ps) == 0, "spec");
    p->format = PLAN_FORMAT;
    p->instance = xstrdup("zoned");
    p->zone = xstrdup("web");
    p->start_no = 7;
    p->run_dir = xstrdup("/run/zoned/zones/web");
    p->data_dir = xstrdup("/var/lib/zoned");
    p->keeper_socket = xstrdup("/run/zoned/keeper.sock");
    p->cgroup_parent = xstrdup("zoned.slice");
    p->cgroup_name = xstrdup("web");
    p->uid_base = 1u << 24;
    p->root.image = xstrdup("dir:/srv/root");
    p->root.lower_dir = xstrdup("/srv/root");
    strv_add(&p->root.lowers, "root");
    *vec_add(&p->files) = (struct stor_file){xstrdup("etc/hosts"), xstrdup("127.0.0.1 localhost\n"), 0644};
    strv_add(&p->env, "A=b");
    p->log_size = 1 << 20;
    p->log_files = 3;
    json *d = plan_describe(p);
    is_int(js_len(d), STEP_COUNT, "described step by step");
    js_free(d);
    return plan_to_json(p);
}

static void refused(const json *good, const char *key, json *value)
{
    struct plan *p = NULL;
    struct err e = {0};
    auto_free char *text = js_dump(good, false);
    auto_js json *j = js_parse(text, strlen(text), NULL);
    js_set(j, key, value);
    ok(plan_from_json(j, &p, &e) < 0 && e.code, "%s: refused: %s", key, e.text);
    plan_free(p);
}

/* The fuzzer starts from plans that are taken: were they refused, it would not get past the door. */
static void seeds(void)
{
    static const char *const names[] = {"web", "a", "b", "c"};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        struct err e = {0};
        struct plan *p auto_of(plan_free) = NULL;
        auto_free char *text = NULL, *path = xasprintf("tests/fuzz/corpus/fuzz_plan/good-%s.json", names[i]);
        size_t n = 0;
        int r = file_read(AT_FDCWD, path, 1u << 20, &text, &n, &e);
        auto_js json *j = r == 0 ? js_parse(text, n, &e) : NULL;
        ok(j && plan_from_json(j, &p, &e) == 0, "%s is a plan %s", path, e.text);
    }
}

int main(void)
{
    auto_js json *a = sample();
    struct plan *p auto_of(plan_free) = NULL;
    struct err e = {0};
    is_int(plan_from_json(a, &p, &e), 0, "decoded %s", e.text);
    if (p) {
        auto_js json *b = plan_to_json(p);
        auto_free char *x = js_dump(a, false);
        auto_free char *y = js_dump(b, false);
        is_str(y, x, "round trip");
    }
    refused(a, "format", js_int(2));
    refused(a, "uid_base", js_int(0));
    refused(a, "uid_base", js_string("x"));
    refused(a, "zone", js_string("../etc"));
    refused(a, "run_dir", js_string("relative"));
    refused(a, "data_dir", js_string("/a/../b"));
    refused(a, "cgroup_name", js_string("a/b"));
    refused(a, "log_size", js_int(-1));
    refused(a, "log_files", js_int(0));
    refused(a, "spec", js_null());
    refused(a, "root", js_array());
    seeds();
    json *env = js_array();
    js_add(env, js_string("novalue"));
    refused(a, "env", env);
    return done_testing();
}
