/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The jobs: arguments in, one call of the store, a result out. */
#include "base/auto.h"
#include "base/path.h"
#include "base/str.h"
#include "cmd/zone-image/worker.h"
#include <errno.h>

#define PRUNE_WAIT_MS 30000

int op_list(struct job *j, json **result, struct err *e)
{
    return img_list(j->store, result, e);
}

int op_show(struct job *j, json **result, struct err *e)
{
    const char *ref;
    int r = job_text(j, "ref", true, &ref, e);
    return r < 0 ? r : img_show(j->store, ref, result, e);
}

static int path_arg(struct job *j, const char **path, struct err *e)
{
    int r = job_text(j, "path", true, path, e);
    if (r == 0 && !path_is_clean_absolute(*path))
        r = err_set(e, ERR_INVALID, EINVAL, "path: must be absolute, without . and ..");
    return r;
}

int op_import(struct job *j, json **result, struct err *e)
{
    const char *path, *ref;
    char **names = NULL;
    int r = path_arg(j, &path, e);
    r = r < 0 ? r : job_text(j, "ref", false, &ref, e);
    r = r < 0 ? r : img_import(j->store, path, ref, &names, e);
    if (r < 0)
        return r;
    *result = js_object();
    js_set_strv(*result, "names", names);
    strv_free(names);
    return 0;
}

static int format_arg(struct job *j, enum img_format *f, struct err *e)
{
    static const char *const names[] = {[IMG_OCI_ARCHIVE] = "oci-archive",
                                        [IMG_OCI_DIR] = "oci",
                                        [IMG_DOCKER_ARCHIVE] = "docker-archive",
                                        [IMG_ROOTFS_TAR] = "root"};
    const char *text = js_get_str(j->args, "format", "oci-archive");
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (!strcmp(names[i], text)) {
            *f = (enum img_format)i;
            return 0;
        }
    return err_set(e, ERR_INVALID, EINVAL, "format %.60s is unknown (oci-archive, oci, docker-archive, root)",
                   text);
}

/* Of an image, or of a zone's root as it is. */
int op_export(struct job *j, json **result, struct err *e)
{
    const char *path, *ref, *zone;
    enum img_format f = IMG_OCI_ARCHIVE;
    struct stor_root_plan root = {0};
    int r = path_arg(j, &path, e);
    r = r < 0 ? r : job_text(j, "zone", false, &zone, e);
    r = r < 0 ? r : job_text(j, "ref", !zone, &ref, e);
    r = r < 0 ? r : format_arg(j, &f, e);
    if (r == 0 && zone) {
        r = stor_root_from_json(js_get(j->args, "root"), &root, e);
        r = r < 0 ? r : img_export_zone(j->store, zone, &root, path, e);
        stor_root_done(&root);
    } else if (r == 0) {
        r = img_export(j->store, ref, f, path, e);
    }
    if (r == 0) {
        *result = js_object();
        js_set_str(*result, "path", path);
    }
    return r;
}

int op_tag(struct job *j, json **result, struct err *e)
{
    const char *ref, *name;
    struct img_desc d;
    int r = job_text(j, "ref", true, &ref, e);
    r = r < 0 ? r : job_text(j, "name", true, &name, e);
    r = r < 0 ? r : img_find(j->store, ref, &d, e);
    return r < 0 ? r : img_tag(j->store, name, &d, e);
}

int op_delete(struct job *j, json **result, struct err *e)
{
    const char *ref;
    int r = job_text(j, "ref", true, &ref, e);
    return r < 0 ? r : img_untag(j->store, ref, e);
}

int op_prune(struct job *j, json **result, struct err *e)
{
    return img_prune(j->store, PRUNE_WAIT_MS, result, e);
}

int op_verify(struct job *j, json **result, struct err *e)
{
    return img_verify(j->store, result, e);
}

int op_commit(struct job *j, json **result, struct err *e)
{
    const char *zone, *ref;
    struct stor_root_plan root = {0};
    struct img_desc d;
    int r = job_text(j, "zone", true, &zone, e);
    r = r < 0 ? r : job_text(j, "ref", true, &ref, e);
    r = r < 0 ? r : stor_root_from_json(js_get(j->args, "root"), &root, e);
    r = r < 0 ? r
              : img_commit(j->store, zone, &root, js_get(j->args, "config"), "zonectl commit", ref, &d, e);
    stor_root_done(&root);
    if (r == 0) {
        *result = js_object();
        js_set_str(*result, "digest", d.digest);
    }
    return r;
}
