/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as what an image says of itself: manifest, index, config, reference (the first byte chooses). Never a crash, an error
 * has a word, and what is taken is within its bounds and makes a spec that a plan can carry. */
#include "base/mem.h"
#include "base/str.h"
#include "specs/specs.h"
#include "storage/store.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fine)
{
    if (!fine)
        abort();
}

static void manifest(const char *text, size_t n)
{
    struct img_image i auto_done(img_image_done) = {0};
    struct err e = {0};
    int r = img_manifest_parse(text, n, NULL, &i, &e);
    must((r < 0) == err_is(&e) && i.nlayers <= 128);
    for (unsigned k = 0; r == 0 && k < i.nlayers; k++)
        must(img_digest_ok(i.layers[k].blob.digest));
}

static void index_of(const char *text, size_t n)
{
    struct img_platform p = {"linux", "arm64", "v8"};
    struct img_desc d;
    struct err e = {0};
    int r = img_index_pick(text, n, &p, &d, &e);
    must((r < 0) == err_is(&e) && (r < 0 || img_digest_ok(d.digest)));
}

/* What the spec says already must stay. */
static void apply(const json *config)
{
    static const char spec[] = "{\"zone\": \"z\", \"image\": \"x\", \"process\": {\"cwd\": \"/kept\"}}";
    auto_spec struct spec *s = NULL, *back = NULL;
    struct problems ps = {0};
    char **env = NULL;
    must(spec_parse(spec, strlen(spec), "spec", &s, &ps) == 0);
    spec_apply_image(s, config, &env, &ps);
    must(str_eq(s->process.cwd, "/kept"));
    auto_js json *j = spec_to_json(s);
    must(ps.len || spec_from_json(j, &back, NULL) == 0);
    for (char **p = env; p && *p; p++)
        must(strchr(*p, '=') > *p);
    strv_free(env);
    problems_done(&ps);
}

static void config(const char *text, size_t n)
{
    struct img_image i auto_done(img_image_done) = {.nlayers = 2, .layers = xcalloc(2, sizeof(*i.layers))};
    struct err e = {0};
    int r = img_config_parse(text, n, &i, &e);
    must((r < 0) == err_is(&e));
    if (r == 0)
        must(img_digest_ok(i.layers[0].diff_id) && img_digest_ok(i.layers[1].diff_id));
    if (i.config_json)
        apply(js_get(i.config_json, "config"));
}

static void reference(const char *text, size_t n)
{
    struct img_ref a auto_done(img_ref_done) = {0}, b auto_done(img_ref_done) = {0};
    struct err e = {0};
    auto_free char *t = xstrndup(text, n);
    int r = img_ref_parse(t, &a, &e);
    must((r < 0) == err_is(&e));
    if (r < 0)
        return;
    auto_free char *canonical = img_ref_print(&a);
    must(img_ref_parse(canonical, &b, NULL) == 0);
    auto_free char *again = img_ref_print(&b);
    must(!strcmp(canonical, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const all[])(const char *, size_t) = {manifest, index_of, config, reference};
    if (!size)
        return 0;
    auto_free char *text = xcalloc(1, size);
    memcpy(text, data + 1, size - 1);
    all[data[0] % ARRAY_LEN(all)](text, size - 1);
    return 0;
}
