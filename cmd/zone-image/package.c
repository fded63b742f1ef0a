/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The jobs of application-zone packages: what an image says of itself, and a zone made into one. */
#include "specs/package.h"
#include "base/auto.h"
#include "base/path.h"
#include "base/str.h"
#include "cmd/zone-image/worker.h"
#include <errno.h>

/* The image's own document, as text, and the image ready to be a root. */
int op_package(struct job *j, json **result, struct err *e)
{
    const char *ref;
    struct img_desc d;
    struct img_image i auto_done(img_image_done) = {0};
    int r = job_text(j, "ref", true, &ref, e);
    r = r < 0 ? r : img_find(j->store, ref, &d, e);
    r = r < 0 ? r : img_resolve(j->store, d.digest, NULL, &i, e); /* the name may be another's by now */
    r = r < 0 ? r : img_unpack(j->store, &d, &i, NULL, e);
    if (r < 0)
        return r;
    const char *text =
        js_get_str(js_get(js_get(i.config_json, "config"), "Labels"), SPEC_PACKAGE_LABEL, NULL);
    if (!text) {
        err_set(e, ERR_INVALID, EINVAL, "%.200s is an ordinary image, no package", ref);
        return err_hint(e, "zonectl create NAME --image %s", ref);
    }
    *result = js_object();
    js_set_str(*result, "digest", i.manifest.digest);
    js_set_str(*result, "package", text);
    return 0;
}

int op_pack(struct job *j, json **result, struct err *e)
{
    const char *zone, *ref, *path;
    struct stor_root_plan root = {0};
    struct img_desc d;
    int r = job_text(j, "zone", true, &zone, e);
    r = r < 0 ? r : job_text(j, "ref", true, &ref, e);
    r = r < 0 ? r : job_text(j, "path", false, &path, e);
    if (r == 0 && path && !path_is_clean_absolute(path))
        r = err_set(e, ERR_INVALID, EINVAL, "path: must be absolute, without . and ..");
    r = r < 0 ? r : stor_root_from_json(js_get(j->args, "root"), &root, e);
    r = r < 0 ? r : img_commit(j->store, zone, &root, js_get(j->args, "config"), "zonectl pack", ref, &d, e);
    stor_root_done(&root);
    if (r == 0 && path)
        r = img_export(j->store, ref, IMG_OCI_ARCHIVE, path, e);
    if (r < 0)
        return r;
    *result = js_object();
    js_set_str(*result, "ref", ref);
    js_set_str(*result, "digest", d.digest);
    js_set_str(*result, "path", path);
    return 0;
}
