/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image pull and push, and the pull of an image that a create or run has not found. The logins and private authorities are those
 * of the user who asks: read here, with his rights, and handed over for this one transfer. */
#include "base/fd.h"
#include "base/file.h"
#include "cmd/zonectl/image.h"
#include "specs/image_ref.h"
#include "zoned/api/credentials.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define CA_MAX (1u << 20)

static int read_ca(const char *path, bool may_lack, char **text, struct err *e)
{
    size_t n;
    int r = file_read(AT_FDCWD, path, CA_MAX, text, &n, may_lack ? NULL : e);
    if (r == 0 && !strstr(*text, "-----BEGIN CERTIFICATE-----"))
        r = err_set(e, ERR_INVALID, EINVAL, "%s holds no certificate (PEM is wanted)", path);
    return r == -ENOENT && may_lack ? 0 : r;
}

/* As docker and containers keep them: certs.d/REGISTRY/ca.crt. */
static int find_ca(const struct img_ref *ref, char **text, struct err *e)
{
    const char *home = getenv("HOME");
    auto_free char *own = xasprintf("%s/.config/containers/certs.d", home ? home : "/root");
    const char *dirs[] = {own, "/etc/containers/certs.d", "/etc/docker/certs.d"};
    int r = 0;
    for (unsigned i = 0; r == 0 && !*text && i < ARRAY_LEN(dirs); i++) {
        auto_free char *path = xasprintf("%s/%s/ca.crt", dirs[i], ref->registry);
        r = read_ca(path, true, text, e);
        if (r < 0)
            return err_sysk(e, ERR_DENIED, -r, "%s", path); /* what was said before stays */
    }
    return r;
}

static int body_of(const struct transfer_options *o, const char *ref, json **out, struct err *e)
{
    struct img_ref parsed auto_done(img_ref_done) = {0};
    auto_free char *ca = NULL;
    json *credential = NULL;
    int r = img_ref_parse(ref, &parsed, e);
    r = r < 0 ? r : o->ca ? read_ca(o->ca, false, &ca, e) : find_ca(&parsed, &ca, e);
    if (r == 0) {
        char **files = cred_files();
        auto_free char *repository = xasprintf("%s/%s", parsed.registry, parsed.repository);
        r = cred_find(files, repository, &credential, e);
        strv_free(files);
    }
    if (r < 0)
        return r;
    *out = js_object();
    if (o->platform)
        js_set_str(*out, "platform", o->platform);
    if (o->insecure)
        js_set_bool(*out, "insecure", true);
    if (ca)
        js_set_str(*out, "ca", ca);
    if (credential)
        js_set(*out, "credential", credential);
    return 0;
}

char *ctl_absent_image(const struct err *e, const struct problems *details)
{
    for (unsigned i = 0; e->kind == ERR_NOT_FOUND && i < details->len; i++) {
        const char *m = details->at[i].message;
        if (str_eq(details->at[i].key, "image") && m && strchr(m, ' '))
            return xstrndup(m, strcspn(m, " "));
    }
    return NULL;
}

int ctl_pull(struct ctl *c, const char *ref, const struct transfer_options *o, json **result)
{
    struct err e = {0};
    json *body = NULL;
    auto_free char *what = xasprintf("pull of %s", ref);
    if (body_of(o, ref, &body, &e) < 0)
        return ctl_fail(c, &e, NULL, what);
    js_set_str(body, "ref", ref);
    return ctl_job(c, "/images/pull", body, result, what);
}

int image_pull(struct image_args *a)
{
    int first = 0;
    for (unsigned i = 0; i < a->n; i++) {
        auto_js json *result = NULL;
        int status = ctl_pull(a->c, a->names[i], &a->transfer, &result);
        first = first ? first : status;
        if (!status && !ctl_print_data(a->c, result))
            printf("%s@%s\n", js_get_str(result, "ref", a->names[i]), js_get_str(result, "digest", ""));
    }
    return first;
}

int image_push(struct image_args *a)
{
    const char *ref = a->names[0], *target = a->n > 1 ? a->names[1] : NULL;
    struct err e = {0};
    json *body = NULL;
    auto_js json *result = NULL;
    auto_free char *path = ctl_image_path(ref, "push"),
                   *what = xasprintf("push of %s%s%s", ref, target ? " to " : "", target ? target : "");
    if (body_of(&a->transfer, target ? target : ref, &body, &e) < 0)
        return ctl_fail(a->c, &e, NULL, what);
    if (target)
        js_set_str(body, "target", target);
    int status = ctl_job(a->c, path, body, &result, what);
    if (!status && !ctl_print_data(a->c, result))
        printf("%s@%s\n", js_get_str(result, "ref", ref), js_get_str(result, "digest", ""));
    return status;
}
