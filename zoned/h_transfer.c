/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handlers of images that come from a registry or go to one. The login is the caller's own, for this transfer: it goes into the
 * job, which is memory, and nowhere else. */
#include "base/str.h"
#include "zoned/handlers.h"
#include "zoned/images.h"
#include "zoned/zoned.h"
#include <errno.h>

static void copy(json *to, const json *body, const char *key)
{
    json *v = js_get(body, key);
    if (v && js_type_of(v) != JS_NULL)
        js_set(to, key, js_ref(v));
}

static int transfer(struct zd *d, struct zd_request *r, const char *op, json *args, struct err *e)
{
    static const char *const keys[] = {"platform", "insecure", "ca", "credential", "parallel"};
    for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
        copy(args, zd_body_of(r), keys[i]);
    return image_run(d, op, args, IMAGE_STREAM, r, NULL, NULL, e);
}

int h_pull_image(struct zd *d, struct zd_request *r, struct err *e)
{
    json *args = js_object();
    copy(args, zd_body_of(r), "ref");
    return transfer(d, r, "pull", args, e);
}

int h_push_image(struct zd *d, struct zd_request *r, struct err *e)
{
    json *args = js_object();
    js_set_str(args, "ref", zd_param(r, 0));
    copy(args, zd_body_of(r), "target");
    return transfer(d, r, "push", args, e);
}
