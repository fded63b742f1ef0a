/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image build: the recipe is read here, as the user who asks; its files are beside it. */
#include "base/clock.h"
#include "cmd/zonectl/image.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Proxies of whoever asks, for the steps; the image does not keep them. */
static json *proxies(void)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "no_proxy",
                                        "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"};
    json *env = js_array();
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        const char *v = getenv(names[i]);
        auto_free char *pair = v && *v ? xasprintf("%s=%s", names[i], v) : NULL;
        if (pair)
            js_add(env, js_string(pair));
    }
    return env;
}

/* SOURCE_DATE_EPOCH, or the recipe's own birth: a fixed one. */
static int epoch_of(struct ctl *c, uint64_t *epoch)
{
    const char *said = getenv("SOURCE_DATE_EPOCH");
    *epoch = 0;
    if (said && *said && parse_u64(said, 4102444800ull, epoch) < 0)
        return ctl_usage(c, "SOURCE_DATE_EPOCH=%s is no number of seconds", said);
    return 0;
}

static int body_of(struct image_args *a, json **out, const char *what)
{
    struct err e = {0};
    uint64_t epoch;
    json *source = ctl_source(a->recipe, &e);
    if (!source)
        return ctl_fail(a->c, &e, NULL, what);
    auto_js json *body = js_object();
    js_set(body, "source", source);
    if (strcmp(a->recipe, "-") != 0) {
        auto_free char *path = NULL;
        int status = ctl_file_path(a->c, a->recipe, &path, what);
        if (status)
            return status;
        char *slash = strrchr(path, '/');
        slash[slash == path] = '\0';
        js_set_str(body, "folder", path);
    }
    if (a->tag)
        js_set_str(body, "ref", a->tag);
    js_set_bool(body, "no_cache", a->no_cache);
    js_set(body, "env", proxies());
    if (a->reproducible) {
        int status = epoch_of(a->c, &epoch);
        if (status)
            return status;
        js_set_int(body, "epoch", (int64_t)epoch);
    }
    *out = take_ptr(&body);
    return 0;
}

int image_build(struct image_args *a)
{
    auto_js json *result = NULL;
    json *body = NULL;
    if (!a->recipe)
        return ctl_usage(a->c, "image build -f RECIPE is wanted");
    auto_free char *what = xasprintf("image build -f %s", a->recipe);
    int status = body_of(a, &body, what);
    if (!status)
        status = ctl_job_pull(a->c, "/images/build", body, &result, what);
    if (status || ctl_print_data(a->c, result))
        return status;
    printf("%s@%s\n", js_get_str(result, "ref", ""), js_get_str(result, "digest", ""));
    return 0;
}
