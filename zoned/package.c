/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The record of a zone's package, and its change carried through. The zone's folder holds the truth of what it is made of; the
 * spec file is written from it at the end of a change, so that a kill at any instant leaves the old or the new, whole. */
#include "zoned/package.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>

void zone_package_done(struct zone_package *p)
{
    free(p->image);
    free(p->digest);
    spec_package_free(p->package);
    js_free(p->values);
    strv_free(p->allow);
    *p = (struct zone_package){0};
}

int zone_package_load(struct zd *d, const char *zone, struct zone_package *out)
{
    auto_free char *text = NULL;
    int r = stor_zone_note_get(d->pool, zone, "package", &text);
    auto_js json *j = r < 0 ? NULL : js_parse(text, strlen(text), NULL);
    if (!j || js_get_int(j, "format", 0) != 1)
        return r < 0 ? r : -EINVAL;
    auto_free char *document = js_dump(js_get(j, "package"), false);
    struct zone_package p = {0};
    if (!document || spec_package_parse(document, strlen(document), "package", &p.package, NULL) < 0)
        return -EINVAL;
    p.image = xstrdup(js_get_str(j, "image", ""));
    p.digest = xstrdup(js_get_str(j, "digest", ""));
    p.values = js_type_of(js_get(j, "values")) == JS_OBJECT ? js_ref(js_get(j, "values")) : js_object();
    p.allow = js_get_strv(j, "allow");
    *out = p;
    return 0;
}

char *zone_package_text(const struct zone_package *p)
{
    auto_js json *o = js_object();
    js_set_int(o, "format", 1);
    js_set_str(o, "image", p->image);
    js_set_str(o, "digest", p->digest);
    js_set(o, "package", spec_package_to_json(p->package));
    js_set(o, "values", js_ref(p->values));
    js_set_strv(o, "allow", p->allow);
    return js_dump(o, false);
}

json *zone_package_view(struct zd *d, const char *zone)
{
    struct zone_package p = {0};
    if (zone_package_load(d, zone, &p) < 0)
        return NULL;
    json *o = js_object();
    js_set_str(o, "name", p.package->name);
    js_set_str(o, "version", p.package->version);
    js_set_str(o, "image", p.image);
    js_set_str(o, "digest", p.digest);
    js_set_bool(o, "back", stor_zone_has_previous(d->pool, zone));
    zone_package_done(&p);
    return o;
}

int package_finish(struct zd *d, const char *zone, struct err *e)
{
    auto_free char *text = NULL, *path = xasprintf("%s/zones/%s.yaml", d->etc_dir, zone);
    int r = stor_zone_switch(d->pool, zone, &text, e);
    r = r < 0 ? r : file_replace(AT_FDCWD, path, text, strlen(text), 0600, true, e);
    r = r < 0 ? r : stor_zone_switched(d->pool, zone, e);
    return r < 0 ? err_prefix(e, "zone %s", zone) : 0;
}
