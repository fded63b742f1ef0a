/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handlers of images that come from a registry or go to one. The login is the caller's own, for this transfer: it goes into the
 * job, which is memory, and nowhere else. */
#include "base/str.h"
#include "zoned/handlers.h"
#include "zoned/images.h"
#include "zoned/zoned.h"
#include <errno.h>

static int copy(json *to, const json *body, const char *key, enum js_type type, const char *wanted,
                struct err *e)
{
    json *v = js_get(body, key);
    if (!v || js_type_of(v) == JS_NULL)
        return 0;
    if (js_type_of(v) != type)
        return err_set(e, ERR_INVALID, EINVAL, "%s: must be %s", key, wanted);
    js_set(to, key, js_ref(v));
    return 0;
}

static int transfer(struct zd *d, struct zd_request *r, const char *op, json *args, struct err *e)
{
    const json *body = zd_body_of(r);
    int k = copy(args, body, "platform", JS_STRING, "a string", e);
    k = k < 0 ? k : copy(args, body, "insecure", JS_BOOL, "true or false", e);
    k = k < 0 ? k : copy(args, body, "ca", JS_STRING, "the text of certificates", e);
    k = k < 0 ? k : copy(args, body, "credential", JS_OBJECT, "an object", e);
    k = k < 0 ? k : copy(args, body, "parallel", JS_INT, "a number", e);
    if (k < 0) {
        js_free(args);
        return k;
    }
    return image_run(d, op, args, IMAGE_STREAM, r, NULL, NULL, e);
}

int h_pull_image(struct zd *d, struct zd_request *r, struct err *e)
{
    json *args = js_object();
    int k = copy(args, zd_body_of(r), "ref", JS_STRING, "a string", e);
    if (k == 0 && !js_get(args, "ref"))
        k = err_set(e, ERR_INVALID, EINVAL, "ref: is missing");
    if (k < 0) {
        js_free(args);
        return k;
    }
    return transfer(d, r, "pull", args, e);
}

int h_push_image(struct zd *d, struct zd_request *r, struct err *e)
{
    json *args = js_object();
    js_set_str(args, "ref", zd_param(r, 0));
    int k = copy(args, zd_body_of(r), "target", JS_STRING, "a string", e);
    if (k < 0) {
        js_free(args);
        return k;
    }
    return transfer(d, r, "push", args, e);
}
