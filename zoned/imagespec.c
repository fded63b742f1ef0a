/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an image adds to the text of a zone that is made from it, where the text says nothing else: its volumes, and its ports if
 * they are asked for. Once, at create, so that the spec says what the zone has. The image's words choose no more than a place in the
 * zone and a port of the zone (R7). */
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "specs/image_ref.h"
#include "zoned/h_spec.h"
#include "zoned/images.h"
#include "zoned/networks.h"
#include <errno.h>
#include <stdio.h>

#define ADDITIONS_MAX 64 /* of a kind; no image has so many */
#define PORT_FIRST 32768
#define PORT_LAST 60999

void image_volume_name(const char *zone, const char *target, char out[SPEC_NAME_MAX + 1])
{
    struct str s = {0};
    str_addf(&s, "%s", zone);
    for (const char *p = target; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9');
        if (plain)
            str_addn(&s, p, 1);
        else if (s.len && s.p[s.len - 1] != '-')
            str_add(&s, "-");
    }
    if (s.len > SPEC_NAME_MAX || s.p[s.len - 1] == '-')
        snprintf(out, SPEC_NAME_MAX + 1, "%.23s-%08x", zone, (unsigned)hash64(target, strlen(target)));
    else
        snprintf(out, SPEC_NAME_MAX + 1, "%s", s.p);
    str_done(&s);
}

static bool covered(const struct spec *s, const char *target)
{
    for (unsigned i = 0; i < s->filesystems.len; i++)
        if (!strcmp(s->filesystems.at[i].target, target))
            return true;
    return false;
}

static void add_volumes(const struct spec *s, json *volumes, char ***edits)
{
    char name[SPEC_NAME_MAX + 1];
    unsigned n = 0;
    for (void *it = volumes ? js_iter(volumes) : NULL; it && n < ADDITIONS_MAX; it = js_next(volumes, it)) {
        auto_free char *target = xstrdup(js_iter_key(it));
        size_t len = strlen(target);
        while (len > 1 && target[len - 1] == '/')
            target[--len] = '\0';
        if (!path_is_clean_absolute(target) || len < 2 || covered(s, target))
            continue;
        image_volume_name(s->zone, target, name);
        auto_js json *o = js_object();
        js_set_str(o, "target", target);
        js_set_str(o, "volume", name);
        auto_free char *text = js_dump(o, false);
        strv_take(edits, xasprintf("filesystems[]=%s", text));
        n++;
    }
}

/* "8080", "8080/tcp", "53/udp" */
static bool read_exposed(const char *text, struct spec_port *out)
{
    auto_free char *number = xstrndup(text, strcspn(text, "/"));
    const char *proto = strchr(text, '/');
    uint64_t port;
    if (parse_u64(number, 65535, &port) < 0 || !port)
        return false;
    *out = (struct spec_port){.zone_first = (uint16_t)port, .proto = SPEC_TCP};
    if (proto && !strcmp(proto, "/udp"))
        out->proto = SPEC_UDP;
    else if (proto && strcmp(proto, "/tcp") != 0)
        return false;
    return true;
}

static bool published(const struct spec *s, const struct spec_port *p)
{
    for (unsigned i = 0; i < s->network.len; i++)
        for (unsigned k = 0; k < s->network.at[i].ports.len; k++) {
            const struct spec_port *has = &s->network.at[i].ports.at[k];
            unsigned last = has->zone_first + (unsigned)(has->host_last - has->host_first);
            if (has->proto == p->proto && p->zone_first >= has->zone_first && p->zone_first <= last)
                return true;
        }
    return false;
}

static int add_ports(struct zd *d, const struct spec *s, json *exposed, char ***edits, json *notes,
                     struct err *e)
{
    uint16_t next = PORT_FIRST;
    unsigned n = 0;
    for (void *it = exposed ? js_iter(exposed) : NULL; it && n < ADDITIONS_MAX; it = js_next(exposed, it)) {
        struct spec_port p;
        if (!read_exposed(js_iter_key(it), &p) || published(s, &p))
            continue;
        int r = ports_find_free(d, p.proto, next, PORT_LAST, &p.host_first, e);
        if (r < 0)
            return r;
        next = (uint16_t)(p.host_first + 1);
        p.host_last = p.host_first;
        auto_free char *text = spec_print_port(&p);
        strv_take(edits, xasprintf("network[0].ports[]=\"%s\"", text));
        auto_free char *note = xasprintf("port %u/%s is published as %u", p.zone_first,
                                         p.proto == SPEC_UDP ? "udp" : "tcp", p.host_first);
        js_add(notes, js_string(note));
        n++;
    }
    if (!n)
        js_add(notes, js_string("the image names no port that is not published already"));
    return 0;
}

int spec_add_image(struct zd *d, const char *file, bool publish_all, char **text, json *notes,
                   struct problems *ps, struct err *e)
{
    auto_spec struct spec *s = NULL;
    auto_js json *config = NULL;
    char **edits = NULL, *more = NULL;
    bool lost;
    if (spec_parse(*text, strlen(*text), file, &s, ps) < 0)
        return problems_to_err(ps, e, file);
    int r = stor_image_config(d->pool, s->image, &config, e);
    if (r < 0)
        return r;
    add_volumes(s, js_get(config, "Volumes"), &edits);
    if (publish_all)
        r = add_ports(d, s, js_get(config, "ExposedPorts"), &edits, notes, e);
    if (r == 0 && edits) {
        r = spec_edit(*text, file, edits, &more, &lost, ps);
        if (r < 0)
            r = problems_to_err(ps, e, file);
    }
    strv_free(edits);
    if (r == 0 && more) {
        free(*text);
        *text = more;
    }
    return r;
}

/* ---- labels ---- */
void zone_know_image(struct zone *z, const json *config)
{
    json *labels = js_get(config, "Labels");
    js_free(z->image_labels);
    z->image_labels = js_type_of(labels) == JS_OBJECT ? js_ref(labels) : NULL;
}

json *zone_labels(const struct zone *z)
{
    json *o = js_object(), *image = z->image_labels;
    for (void *it = image ? js_iter(image) : NULL; it; it = js_next(image, it))
        js_set_str(o, js_iter_key(it), js_str_of(js_iter_value(it), ""));
    for (unsigned i = 0; z->spec && i < z->spec->labels.len; i++)
        js_set_str(o, z->spec->labels.at[i].key, z->spec->labels.at[i].value);
    return o;
}

int image_check(struct zd *d, const char *image, struct problems *ps, struct err *e)
{
    struct err own = {0};
    struct img_ref ref auto_done(img_ref_done) = {0};
    int r = stor_image_check(d->pool, image, &own);
    if (r < 0 && own.kind == ERR_NOT_FOUND && img_ref_parse(image, &ref, NULL) == 0) {
        auto_free char *name = img_ref_print(&ref);
        problem_add(ps, ERR_NOT_FOUND, NULL, 0, "image", "%s is not in the store", name);
    }
    if (r < 0 && e)
        *e = own;
    return r;
}
