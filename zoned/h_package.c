/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handlers of application-zone packages: install, back, pack. What an image says of itself is read by zone-image; what it may do is
 * decided here, after all is merged. */
#include "base/path.h"
#include "base/str.h"
#include "zoned/handlers.h"
#include "zoned/images.h"
#include "zoned/ops.h"
#include "zoned/package.h"
#include "zoned/save.h"
#include <errno.h>

/* ---- install ---- */
struct install_job {
    struct zd *d;
    char *ref, *name, *digest; /* digest: of what was shown; NULL: not said */
    json *set;
    char **allow;
    bool dry_run;
};

static void install_job_free(struct install_job *j)
{
    free(j->ref);
    free(j->name);
    free(j->digest);
    js_free(j->set);
    strv_free(j->allow);
    free(j);
}

static int zone_name(const struct install_job *j, const struct spec_package *p, const char **name,
                     struct err *e)
{
    *name = j->name ? j->name : p->name;
    if (*name)
        return 0;
    err_set(e, ERR_INVALID, EINVAL, "the package names no zone: give it a name");
    return err_hint(e, "zonectl install %s NAME", j->ref);
}

static int installed(struct install_job *j, const json *found, json **out, struct problems *ps, struct err *e)
{
    auto_package struct spec_package *p = NULL;
    const char *text = js_get_str(found, "package", "");
    struct install in = {
        .ref = j->ref, .digest = js_get_str(found, "digest", ""), .set = j->set, .allow = j->allow};
    if (j->digest && strcmp(j->digest, in.digest) != 0) {
        err_set(e, ERR_CONFLICT, ESTALE, "%.200s is another package now than the one that was shown", j->ref);
        return err_hint(e, "look at it again: zonectl install --dry-run %s", j->ref);
    }
    if (spec_package_parse(text, strlen(text), j->ref, &p, ps) < 0)
        return problems_to_err(ps, e, j->ref);
    in.package = p;
    int r = zone_name(j, p, &in.name, e);
    if (r < 0)
        return r;
    if (!j->dry_run)
        return install_do(j->d, &in, out, ps, e);
    *out = install_look(j->d, &in, ps, e);
    return *out ? 0 : -EINVAL;
}

static void package_known(struct image_job *job, const json *result, const struct err *e, void *arg)
{
    struct install_job *j = arg;
    struct err own = *e;
    struct problems ps = {0};
    json *out = NULL;
    if (!err_is(&own) && installed(j, result, &out, &ps, &own) < 0 && !err_is(&own))
        err_set(&own, ERR_INTERNAL, EIO, "install of %s failed", j->ref);
    image_finish(job, out, &own, &ps);
    problems_done(&ps);
    js_free(out);
    install_job_free(j);
}

/* {name: text}; numbers and truth values as JSON writes them. */
static int values_of(const json *body, json **out, struct err *e)
{
    json *given = js_get(body, "set");
    auto_js json *values = js_object();
    for (void *it = given ? js_iter(given) : NULL; it; it = js_next(given, it)) {
        const json *v = js_iter_value(it);
        enum js_type t = js_type_of(v);
        if (t != JS_STRING && t != JS_INT && t != JS_BOOL)
            return err_set(e, ERR_INVALID, EINVAL, "set: the value of %.60s must be a string",
                           js_iter_key(it));
        auto_free char *text = t == JS_STRING ? xstrdup(js_str_of(v, "")) : js_dump(v, false);
        js_set_str(values, js_iter_key(it), text);
    }
    *out = take_ptr(&values);
    return 0;
}

static int words_of(const json *body, char ***out, struct err *e)
{
    static char *const known[] = {
        (char *)"network", (char *)"binds",      (char *)"volumes", (char *)"capabilities",
        (char *)"devices", (char *)"privileges", (char *)"seccomp", NULL};
    char **words = js_get_strv(body, "allow");
    for (char **w = words; w && *w; w++)
        if (!strv_has(known, *w)) {
            auto_free char *all = strv_join(known, ", ");
            err_set(e, ERR_INVALID, EINVAL, "allow: \"%.60s\" is not known (%s)", *w, all);
            strv_free(words);
            return -EINVAL;
        }
    *out = words;
    return 0;
}

int h_install(struct zd *d, struct zd_request *r, struct err *e)
{
    const json *body = zd_body_of(r);
    const char *ref = js_get_str(body, "ref", NULL), *name = js_get_str(body, "name", NULL);
    const char *digest = js_get_str(body, "digest", NULL);
    if (name && spec_check_name("zone", name, e) < 0)
        return -EINVAL;
    struct install_job *j = xcalloc(1, sizeof(*j));
    *j = (struct install_job){.d = d, .ref = xstrdup(ref), .name = xstrdup(name), .digest = xstrdup(digest)};
    j->dry_run = js_get_bool(body, "dry_run", false);
    int k = values_of(body, &j->set, e);
    k = k < 0 ? k : words_of(body, &j->allow, e);
    if (k == 0) {
        json *args = js_object();
        js_set_str(args, "ref", ref);
        k = image_run(d, "package", args, IMAGE_STREAM, r, package_known, j, e);
    }
    if (k < 0)
        install_job_free(j);
    return k;
}

int h_back_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    struct zone *z;
    json *out = NULL;
    int k = zone_to_change(d, r, &z, e);
    k = k < 0 ? k : install_back(d, z, &out, zd_problems(r), e);
    if (k == 0)
        zd_reply_json(r, 200, out);
    return k;
}

/* ---- pack ---- */
/* The document: what the caller says of the package, and the zone as it is where he says nothing. */
static int document_of(struct zd *d, struct zone *z, const json *source, struct spec_package **out,
                       unsigned *hidden, struct problems *ps, struct err *e)
{
    struct zone_package had = {0};
    const char *file = js_get_str(source, "file", "(request)"), *text = js_get_str(source, "text", NULL);
    struct spec_package *said = NULL;
    bool known = zone_package_load(d, z->name, &had) == 0;
    if (text && spec_package_parse(text, strlen(text), file, &said, ps) < 0) {
        zone_package_done(&had);
        return problems_to_err(ps, e, file);
    }
    auto_js json *o = said    ? spec_package_to_json(said)
                      : known ? spec_package_to_json(had.package)
                              : js_object();
    if (!js_get(o, "name"))
        js_set_str(o, "name", z->name);
    if (!said || !said->zone)
        js_set(o, "zone", spec_to_package_zone(z->spec, known ? had.package : NULL, had.values, hidden));
    if (said && !said->zone && !said->parameters.len && known && had.package->parameters.len) {
        auto_js json *before = spec_package_to_json(had.package);
        js_set(o, "parameters", js_ref(js_get(before, "parameters")));
    }
    auto_free char *whole = js_dump(o, false);
    int r = spec_package_parse(whole, strlen(whole), file, out, ps);
    spec_package_free(said);
    zone_package_done(&had);
    return r < 0 ? problems_to_err(ps, e, file) : 0;
}

static json *config_of(const struct spec_package *p)
{
    json *config = js_object(), *labels = js_object();
    auto_js json *document = spec_package_to_json(p);
    auto_free char *text = js_dump(document, false);
    js_set_str(labels, SPEC_PACKAGE_LABEL, text);
    if (p->version)
        js_set_str(labels, "org.opencontainers.image.version", p->version);
    if (p->description)
        js_set_str(labels, "org.opencontainers.image.description", p->description);
    js_set(config, "Labels", labels);
    return config;
}

/* localhost/NAME:VERSION, where the version can be a tag. */
static char *default_ref(const struct spec_package *p)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    const char *v = p->version;
    bool tag = v && *v && strlen(v) <= 128 && strspn(v, letters) == strlen(v) && *v != '.' && *v != '-';
    return xasprintf("localhost/%s:%s", p->name, tag ? v : "latest");
}

int h_pack_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    struct zone *z;
    const json *body = zd_body_of(r);
    const char *path = js_get_str(body, "path", NULL), *ref = js_get_str(body, "ref", NULL);
    auto_package struct spec_package *p = NULL;
    unsigned hidden = 0;
    int k = registry_get(d, zd_param(r, 0), &z, e);
    if (k == 0 && !z->spec)
        k = err_set(e, ERR_INVALID, EINVAL, "the spec of zone %s cannot be read", z->name);
    if (k == 0 && path && !path_is_clean_absolute(path))
        k = err_set(e, ERR_INVALID, EINVAL, "path: must be absolute, without . and ..");
    k = k < 0 ? k : document_of(d, z, js_get(body, "source"), &p, &hidden, zd_problems(r), e);
    if (k < 0)
        return k;
    json *args = js_object();
    auto_free char *own = ref ? NULL : default_ref(p);
    js_set_str(args, "ref", ref ? ref : own);
    if (path)
        js_set_str(args, "path", path);
    js_set(args, "config", config_of(p));
    char *note =
        hidden ? xasprintf("%u values of the spec hold a secret parameter's value and were left out", hidden)
               : NULL;
    return save_zone(d, r, "pack", args, note, e);
}
