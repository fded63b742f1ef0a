/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pack: a zone as one file that installs elsewhere, and that every tool reads as an image. */
#include "cmd/zonectl/image.h"
#include <stdio.h>
#include <string.h>

enum { O_TAG = 256 };

struct pack {
    const char *file, *tag, *document;
};

/* -o is the file here, unless it is one of the words that it is elsewhere. */
static void take_o(struct ctl *c, struct pack *p, const char *value)
{
    if (!strcmp(value, "json"))
        c->format = CTL_JSON;
    else if (!strcmp(value, "yaml"))
        c->format = CTL_YAML;
    else if (!strcmp(value, "table"))
        c->format = CTL_TABLE;
    else
        p->file = value;
}

static int send(struct ctl *c, const struct pack *p, const char *zone)
{
    struct err e = {0};
    auto_js json *result = NULL, *body = js_object();
    auto_free char *path = NULL, *to = ctl_zone_path(zone, "pack"), *what = xasprintf("pack %s", zone);
    json *source = p->document ? ctl_source(p->document, &e) : NULL;
    if (p->document && !source)
        return ctl_fail(c, &e, NULL, what);
    if (source)
        js_set(body, "source", source);
    int status = p->file ? ctl_new_file_path(c, p->file, &path, what) : 0;
    if (status)
        return status;
    if (path)
        js_set_str(body, "path", path);
    if (p->tag)
        js_set_str(body, "ref", p->tag);
    status = ctl_job(c, to, js_ref(body), &result, what);
    if (!status && !ctl_print_data(c, result))
        printf("%s@%s\n", js_get_str(result, "ref", ""), js_get_str(result, "digest", ""));
    return status;
}

int ctl_pack(struct ctl *c, int argc, char **argv)
{
    struct ctl_args args = {
        .argc = argc, .argv = argv, .opts = c->verb->opts, .format = &c->format, .own_o = true};
    struct pack p = {0};
    int id, at = argc, status = 0;
    while ((id = ctl_option(c, &args, &at, &status)) != CTL_END) {
        if (id == CTL_BAD)
            return status;
        if (id == 'o')
            take_o(c, &p, args.value);
        else if (id == 'f')
            p.document = args.value;
        else
            p.tag = args.value;
    }
    if (argc - at != 1)
        return ctl_usage(c, at == argc ? "the zone's name is missing" : "one zone is packed at a time");
    if (!p.file && !p.tag)
        return ctl_usage(c, "-o FILE or --tag REF is wanted");
    return send(c, &p, argv[at]);
}
