/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The jobs that meet a registry. What is told of a login is used for this transfer and forgotten. */
#include "base/auto.h"
#include "base/str.h"
#include "cmd/zone-image/worker.h"
#include <errno.h>

#define PARALLEL_MAX 16

struct transfer {
    struct img_transfer_options o;
    struct img_platform platform;
    struct img_credential credential;
};

static int read_credential(const json *c, struct img_credential *out, struct err *e)
{
    static const struct {
        const char *key;
        int kind;
    } kinds[] = {{"password", IMG_PASSWORD},
                 {"identity_token", IMG_IDENTITY_TOKEN},
                 {"registry_token", IMG_REGISTRY_TOKEN}};
    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
        out->secret = js_get_str(c, kinds[i].key, NULL);
        out->user = js_get_str(c, "username", NULL);
        out->kind = kinds[i].kind; /* NOLINT */
        if (out->secret)
            return out->kind != IMG_PASSWORD || out->user
                       ? 0
                       : err_set(e, ERR_INVALID, EINVAL, "credential: username is missing");
    }
    return err_set(e, ERR_INVALID, EINVAL,
                   "credential: username and password, identity_token or registry_token are wanted");
}

static int read_options(const struct job *j, struct transfer *t, struct err *e)
{
    const char *platform = js_get_str(j->args, "platform", NULL);
    const json *credential = js_get(j->args, "credential");
    int64_t parallel = js_get_int(j->args, "parallel", 0);
    t->o.insecure = js_get_bool(j->args, "insecure", false);
    t->o.ca_pem = js_get_str(j->args, "ca", NULL);
    if (parallel < 0 || parallel > PARALLEL_MAX)
        return err_set(e, ERR_INVALID, EINVAL, "parallel: 1 to %d are wanted", PARALLEL_MAX);
    t->o.parallel = (unsigned)parallel;
    int r = platform ? img_platform_parse(platform, &t->platform, e) : 0;
    if (platform)
        t->o.platform = &t->platform;
    if (r == 0 && js_type_of(credential) == JS_OBJECT) {
        r = read_credential(credential, &t->credential, e);
        t->o.credential = &t->credential;
    }
    return r;
}

int op_pull(struct job *j, json **result, struct err *e)
{
    const char *ref;
    struct transfer t = {0};
    struct img_image i auto_done(img_image_done) = {0};
    struct img_desc d;
    int r = job_text(j, "ref", true, &ref, e);
    r = r < 0 ? r : read_options(j, &t, e);
    r = r < 0 ? r : img_pull(j->store, ref, &t.o, &d, e);
    r = r < 0 ? r : img_resolve(j->store, ref, t.o.platform, &i, e);
    if (r == 0 && !t.o.platform) /* nothing of another platform runs here: it is kept as it came */
        r = img_unpack(j->store, &d, &i, NULL, e);
    if (r < 0)
        return r;
    struct img_ref parsed auto_done(img_ref_done) = {0};
    (void)img_ref_parse(ref, &parsed, NULL);
    auto_free char *name = img_ref_print(&parsed);
    *result = js_object();
    js_set_str(*result, "ref", name);
    js_set_str(*result, "digest", d.digest);
    return 0;
}

int op_push(struct job *j, json **result, struct err *e)
{
    const char *ref, *target;
    struct transfer t = {0};
    struct img_image i auto_done(img_image_done) = {0};
    int r = job_text(j, "ref", true, &ref, e);
    r = r < 0 ? r : job_text(j, "target", false, &target, e);
    r = r < 0 ? r : read_options(j, &t, e);
    r = r < 0 ? r : img_push(j->store, ref, target, &t.o, e);
    r = r < 0 ? r : img_resolve(j->store, ref, t.o.platform, &i, e);
    if (r < 0)
        return r;
    *result = js_object();
    js_set_str(*result, "ref", target ? target : ref);
    js_set_str(*result, "digest", i.manifest.digest);
    return 0;
}
