/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The recipe's table of keys and what rows alone cannot see. */
#include "specs/recipe.h"
#include "base/mem.h"
#include "base/path.h"
#include "specs/package_internal.h"
#include <errno.h>
#include <string.h>

#define ROWS(rows, type)                                                                                     \
    {                                                                                                        \
        rows, ARRAY_LEN(rows), sizeof(type), "recipe.yaml(5)", NULL                                          \
    }
#define SUITE_MAX 32

static const char *check_from(const char *t)
{
    static const char complaint[] =
        "is not a beginning (debian:SUITE, an image like nginx:1, tar:/PATH, dir:/PATH or scratch)";
    if (!strcmp(t, "scratch"))
        return NULL;
    if (str_starts(t, "debian:")) {
        size_t n = strspn(t + 7, "abcdefghijklmnopqrstuvwxyz0123456789-");
        return n && !t[7 + n] && n <= SUITE_MAX && t[7] != '-' ? NULL : complaint;
    }
    return strcmp(t, "host") && !spec_check_image(t) ? NULL : complaint;
}

static const char *check_mirror(const char *t)
{
    bool http = str_starts(t, "http://") || str_starts(t, "https://");
    bool printable = true; /* apt's sources are lines of words: no byte may end one */
    for (const char *p = t; *p; p++)
        printable = printable && (unsigned char)*p > ' ' && *p != 0x7f;
    return http && printable && strlen(t) < 256 && !strpbrk(t, "\"'\\")
               ? NULL
               : "is not an http:// or https:// address";
}

static const char *check_package(const char *t)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789",
                      more[] = "abcdefghijklmnopqrstuvwxyz0123456789+.-:=~_ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t n = strlen(t);
    return n && n < 128 && strchr(first, t[0]) && strspn(t, more) == n
               ? NULL
               : "is not the name of a package (like nginx, or nginx=1.22.1-9)";
}

static const char *check_source(const char *t)
{
    if (!*t || *t == '/' || strlen(t) > 1024)
        return "is not a path beside the recipe (relative, without ..)";
    for (const char *p = t; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
        if (!strncmp(p, "..", 2) && (!p[2] || p[2] == '/'))
            return "leads out of the recipe's folder";
    return spec_check_line(t);
}

int spec_recipe_owner(const char *text, unsigned *uid, unsigned *gid)
{
    const char *colon = strchr(text, ':');
    uint64_t u, g;
    auto_free char *first = xstrndup(text, colon ? (size_t)(colon - text) : 0);
    if (!colon || parse_u64(first, 65534, &u) < 0 || parse_u64(colon + 1, 65534, &g) < 0)
        return -EINVAL;
    *uid = (unsigned)u;
    *gid = (unsigned)g;
    return 0;
}

static const char *check_owner(const char *t)
{
    unsigned u, g;
    return spec_recipe_owner(t, &u, &g) < 0 ? "is not UID:GID (numbers up to 65534, like 0:0)" : NULL;
}

static const char *check_mode(const char *t)
{
    size_t n = strlen(t);
    return n >= 3 && n <= 5 && strspn(t, "01234567") == n && (n < 5 || *t == '0')
               ? NULL
               : "is not a mode (octal, like 0644)";
}

static const char *check_expose(const char *t)
{
    uint64_t port;
    auto_free char *number = xstrndup(t, strcspn(t, "/"));
    const char *proto = t + strlen(number);
    bool known = !*proto || !strcmp(proto, "/tcp") || !strcmp(proto, "/udp");
    return known && parse_u64(number, 65535, &port) == 0 && port ? NULL : "is not a port (80, 53/udp)";
}

static const char *check_any(const char *t)
{
    return strlen(t) > 65536 ? "is longer than 64 KiB" : NULL;
}

/* clang-format off */
#define C(m) offsetof(struct spec_recipe_copy, m)
static const struct spec_row copy_rows[] = {
    {.key = "from", .type = SPEC_T_STR, .offset = C(from), .check = check_source,
     .doc = "A file or folder beside the recipe. Exactly one of from and text is given."},
    {.key = "text", .type = SPEC_T_STR, .offset = C(text), .check = check_any,
     .doc = "The file's content itself."},
    {.key = "to", .type = SPEC_T_STR, .offset = C(to), .check = spec_check_abs,
     .doc = "Where it goes in the image. Required."},
    {.key = "owner", .type = SPEC_T_STR, .offset = C(owner), .check = check_owner, .def = "0:0",
     .doc = "UID:GID of all that is copied."},
    {.key = "mode", .type = SPEC_T_STR, .offset = C(mode), .check = check_mode,
     .doc = "The mode of a file, octal; not given: as it is, and 0644 for a text."},
};
static const struct spec_table copy_table = ROWS(copy_rows, struct spec_recipe_copy);

#define R(m) offsetof(struct spec_recipe, m)
static const struct spec_row recipe_rows[] = {
    {.key = "recipe", .type = SPEC_T_VERSION, .min = 1, .max = 1, .def = "1",
     .doc = "The version of this format."},
    {.key = "name", .type = SPEC_T_STR, .offset = R(package.name), .check = spec_check_zone,
     .doc = "The image's and the package's name. Required."},
    {.key = "version", .type = SPEC_T_STR, .offset = R(package.version), .check = spec_check_line,
     .doc = "The image's tag where it can be one (latest), and the package's version."},
    {.key = "description", .type = SPEC_T_STR, .offset = R(package.description), .check = spec_check_line,
     .doc = "What it is, in a line."},
    {.key = "from", .type = SPEC_T_STR, .offset = R(from), .check = check_from,
     .doc = "What it begins with: debian:SUITE (made by mmdebstrap), an image, tar:/PATH or dir:/PATH of a root, or scratch. Required."},
    {.key = "mirror", .type = SPEC_T_STR, .offset = R(mirror), .check = check_mirror,
     .doc = "Where debian:SUITE comes from; not given: the mirror that this host's apt uses."},
    {.key = "packages", .type = SPEC_T_STRV, .offset = R(packages), .check = check_package,
     .doc = "Packages that apt-get installs, without what they merely recommend."},
    {.key = "copy", .type = SPEC_T_ITEMS, .offset = R(copy), .max = 256, .items = &copy_table,
     .doc = "Files that are put in, after the packages."},
    {.key = "run", .type = SPEC_T_STRV, .offset = R(run), .check = spec_check_arg,
     .doc = "Commands for /bin/sh -e, run as root in a zone with a network, after the files."},
    {.key = "config.entrypoint", .type = SPEC_T_STRV, .offset = R(config.entrypoint), .check = spec_check_arg,
     .doc = "The program that every start runs."},
    {.key = "config.cmd", .type = SPEC_T_STRV, .offset = R(config.cmd), .check = spec_check_arg,
     .doc = "Its arguments, or the program where there is no entrypoint; what a start may replace."},
    {.key = "config.env", .type = SPEC_T_MAP, .offset = R(config.env), .check = spec_check_arg, .check_key = spec_check_env_key,
     .doc = "Environment variables."},
    {.key = "config.user", .type = SPEC_T_STR, .offset = R(config.user), .check = spec_check_user,
     .doc = "NAME or UID, with an optional :GROUP."},
    {.key = "config.workdir", .type = SPEC_T_STR, .offset = R(config.workdir), .check = spec_check_abs,
     .doc = "Working folder."},
    {.key = "config.expose", .type = SPEC_T_STRV, .offset = R(config.expose), .check = check_expose,
     .doc = "Ports that the program listens on."},
    {.key = "config.volumes", .type = SPEC_T_STRV, .offset = R(config.volumes), .check = spec_check_abs,
     .doc = "Folders whose content is data."},
    {.key = "config.healthcheck", .type = SPEC_T_STRV, .offset = R(config.healthcheck), .check = spec_check_arg,
     .doc = "A command that tells whether it is well."},
    {.key = "config.stop_signal", .type = SPEC_T_SIGNAL, .offset = R(config.stop_signal),
     .doc = "The signal that asks it to stop."},
    {.key = "config.labels", .type = SPEC_T_MAP, .offset = R(config.labels), .check = spec_check_line, .check_key = spec_check_label_key,
     .doc = "Names and values."},
    {.key = "zone", .type = SPEC_T_TREE, .offset = R(package.zone),
     .doc = "For a package: the zone's spec, as in zone.yaml(5), without zone and image; ${NAME} is a parameter."},
    {.key = "parameters", .type = SPEC_T_ITEMS, .offset = R(package.parameters), .max = SPEC_PARAMS_MAX, .items = &spec_table_param,
     .doc = "For a package: what an operator is asked."},
};
/* clang-format on */
const struct spec_table spec_table_recipe = ROWS(recipe_rows, struct spec_recipe);

void spec_recipe_free(struct spec_recipe *r)
{
    if (!r)
        return;
    spec_table_done(&spec_table_recipe, r);
    free(r);
}

json *spec_recipe_to_json(const struct spec_recipe *r)
{
    json *o = js_object();
    spec_write_map(&spec_table_recipe, r, o);
    return o;
}

bool spec_recipe_is_package(const struct spec_recipe *r)
{
    return r->package.zone || r->package.parameters.len;
}

/* ---- checks ---- */
static void need(struct spec_load *l, const struct spec_node *root, const char *key, const void *value,
                 const char *what)
{
    struct spec_where w = {NULL, key, -1};
    if (!value)
        spec_bad(l, root->line, &w, "is missing (%s)", what);
}

static void check_copies(struct spec_load *l, const struct spec_recipe *r, const struct spec_node *root)
{
    const struct spec_node *list = spec_node_get(root, "copy"), *n = list ? list->first : NULL;
    struct spec_where where = {NULL, "copy", -1};
    for (unsigned i = 0; i < r->copy.len; i++, n = n ? n->next : NULL) {
        const struct spec_recipe_copy *c = &r->copy.at[i];
        struct spec_where w = {&where, NULL, (int)i};
        if (!c->from == !c->text)
            spec_bad(l, n ? n->line : 0, &w, "has %s from and text (wanted: one of them)",
                     c->from ? "both" : "neither");
        if (!c->to)
            spec_bad(l, n ? n->line : 0, &w, "has no to (wanted: a path in the image)");
        else if (!strcmp(c->to, "/") && c->text)
            spec_bad(l, n ? n->line : 0, &w, "writes a text over /");
    }
}

static void check_all(struct spec_load *l, const struct spec_recipe *r, const struct spec_node *root)
{
    struct spec_where mirror = {NULL, "mirror", -1}, packages = {NULL, "packages", -1};
    need(l, root, "name", r->package.name, "the image's name");
    need(l, root, "from", r->from, "debian:SUITE, an image, tar:/PATH, dir:/PATH or scratch");
    if (r->mirror && r->from && !str_starts(r->from, "debian:"))
        spec_bad(l, spec_line_of(root, "mirror"), &mirror, "is for debian:SUITE alone (leave it out)");
    if (r->from && !strcmp(r->from, "scratch") && (r->packages || r->run))
        spec_bad(l, spec_line_of(root, r->packages ? "packages" : "run"), r->packages ? &packages : NULL,
                 "nothing can run in an empty root (begin with debian:SUITE or an image)");
    check_copies(l, r, root);
    spec_package_check(l, &r->package, root);
}

int spec_recipe_parse(const char *text, size_t n, const char *file, struct spec_recipe **out,
                      struct problems *ps)
{
    struct spec_load l = {.file = file, .ps = ps};
    struct spec_doc d = {0};
    struct spec_recipe *r = xcalloc(1, sizeof(*r));
    const struct spec_node *root = NULL;
    if (n > SPEC_TEXT_MAX)
        spec_bad(&l, 0, NULL, "is larger than %u KiB", SPEC_TEXT_MAX >> 10);
    else
        root = spec_doc_mapping(&d, text, n, "recipe", &l);
    if (root) {
        spec_read_map(&l, &spec_table_recipe, r, root, NULL);
        if (!l.bad)
            check_all(&l, r, root);
    }
    spec_doc_done(&d);
    if (!l.bad) {
        *out = r;
        return 0;
    }
    spec_recipe_free(r);
    return -EINVAL;
}

/* ---- as OCI says it ---- */
static void set_list(json *o, const char *key, char *const *v)
{
    if (v)
        js_set_strv(o, key, v);
}

static void set_keys(json *o, const char *key, char *const *v, const char *suffix)
{
    json *keys = js_object();
    for (; v && *v; v++) {
        auto_free char *name = xasprintf("%s%s", *v, strchr(*v, '/') ? "" : suffix);
        js_set(keys, name, js_object());
    }
    if (js_len(keys))
        js_set(o, key, keys);
    else
        js_free(keys);
}

static void set_health(json *o, char *const *command)
{
    if (!command)
        return;
    json *h = js_object(), *test = js_array();
    js_add(test, js_string("CMD"));
    for (; *command; command++)
        js_add(test, js_string(*command));
    js_set(h, "Test", test);
    js_set(o, "Healthcheck", h);
}

static json *labels_of(const struct spec_recipe *r)
{
    json *labels = js_object();
    for (unsigned i = 0; i < r->config.labels.len; i++)
        js_set_str(labels, r->config.labels.at[i].key, r->config.labels.at[i].value);
    if (r->package.version)
        js_set_str(labels, "org.opencontainers.image.version", r->package.version);
    if (r->package.description)
        js_set_str(labels, "org.opencontainers.image.description", r->package.description);
    if (spec_recipe_is_package(r)) {
        auto_js json *p = spec_package_to_json(&r->package);
        auto_free char *text = js_dump(p, false);
        js_set_str(labels, SPEC_PACKAGE_LABEL, text);
    }
    return labels;
}

json *spec_recipe_config(const struct spec_recipe *r)
{
    json *o = js_object(), *env = js_array(), *labels = labels_of(r);
    set_list(o, "Entrypoint", r->config.entrypoint);
    set_list(o, "Cmd", r->config.cmd);
    for (unsigned i = 0; i < r->config.env.len; i++) {
        auto_free char *pair = xasprintf("%s=%s", r->config.env.at[i].key, r->config.env.at[i].value);
        js_add(env, js_string(pair));
    }
    if (js_len(env))
        js_set(o, "Env", js_ref(env));
    js_free(env);
    if (r->config.user)
        js_set_str(o, "User", r->config.user);
    if (r->config.workdir)
        js_set_str(o, "WorkingDir", r->config.workdir);
    if (r->config.stop_signal)
        js_set_str(o, "StopSignal", spec_signal_name(r->config.stop_signal));
    set_keys(o, "ExposedPorts", r->config.expose, "/tcp");
    set_keys(o, "Volumes", r->config.volumes, "");
    set_health(o, r->config.healthcheck);
    if (js_len(labels))
        js_set(o, "Labels", js_ref(labels));
    js_free(labels);
    return o;
}
