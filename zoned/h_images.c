/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handlers of images: each is one job of zone-image. */
#include "base/path.h"
#include "base/str.h"
#include "zoned/handlers.h"
#include "zoned/images.h"
#include "zoned/zoned.h"
#include <errno.h>

/* An image's name as it is in the path; what may be one is the store's to say. */
static json *args_of(const struct zd_request *r)
{
    json *o = js_object();
    js_set_str(o, "ref", zd_param(r, 0));
    return o;
}

static int path_of(const struct zd_request *r, const char **out, struct err *e)
{
    *out = js_get_str(zd_body_of(r), "path", NULL);
    if (path_is_clean_absolute(*out))
        return 0;
    return err_set(e, ERR_INVALID, EINVAL, "path: must be absolute, without . and ..");
}

int h_list_images(struct zd *d, struct zd_request *r, struct err *e)
{
    return image_run(d, "list", NULL, IMAGE_RESULT, r, NULL, NULL, e);
}

int h_get_image(struct zd *d, struct zd_request *r, struct err *e)
{
    return image_run(d, "show", args_of(r), IMAGE_RESULT, r, NULL, NULL, e);
}

int h_delete_image(struct zd *d, struct zd_request *r, struct err *e)
{
    return image_run(d, "delete", args_of(r), IMAGE_RESULT, r, NULL, NULL, e);
}

int h_tag_image(struct zd *d, struct zd_request *r, struct err *e)
{
    json *args = args_of(r);
    js_set_str(args, "name", js_get_str(zd_body_of(r), "name", NULL));
    return image_run(d, "tag", args, IMAGE_RESULT, r, NULL, NULL, e);
}

int h_import_image(struct zd *d, struct zd_request *r, struct err *e)
{
    const char *path, *ref = js_get_str(zd_body_of(r), "ref", NULL);
    int k = path_of(r, &path, e);
    if (k < 0)
        return k;
    json *args = js_object();
    js_set_str(args, "path", path);
    if (ref)
        js_set_str(args, "ref", ref);
    return image_run(d, "import", args, IMAGE_STREAM, r, NULL, NULL, e);
}

int h_export_image(struct zd *d, struct zd_request *r, struct err *e)
{
    const char *path, *format = js_get_str(zd_body_of(r), "format", NULL);
    int k = path_of(r, &path, e);
    if (k < 0)
        return k;
    json *args = args_of(r);
    js_set_str(args, "path", path);
    if (format)
        js_set_str(args, "format", format);
    return image_run(d, "export", args, IMAGE_STREAM, r, NULL, NULL, e);
}

int h_prune_images(struct zd *d, struct zd_request *r, struct err *e)
{
    return image_run(d, "prune", NULL, IMAGE_RESULT, r, NULL, NULL, e);
}

int h_verify_images(struct zd *d, struct zd_request *r, struct err *e)
{
    return image_run(d, "verify", NULL, IMAGE_STREAM, r, NULL, NULL, e);
}
