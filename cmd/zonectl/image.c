/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verb image: what the store has, in and out of it. */
#include "cmd/zonectl/image.h"
#include "base/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { O_FORMAT = 256, O_PLATFORM, O_INSECURE, O_CA, O_NO_CACHE, O_REPRODUCIBLE };

char *ctl_image_path(const char *ref, const char *tail)
{
    auto_free char *q = api_quote(ref);
    return xasprintf("/images/%s%s%s", q, tail ? "/" : "", tail ? tail : "");
}

/* zoned has another working folder. Only the folder must be there where a file is to be written. */
static int absolute(const char *path, bool to_write, char **out, struct err *e)
{
    auto_free char *dir = xstrdup(path);
    char *slash = strrchr(dir, '/'), *real;
    const char *base = NULL;
    if (to_write) {
        base = slash ? path + (slash - dir) + 1 : path;
        if (!*base || !strcmp(base, ".") || !strcmp(base, ".."))
            return err_set(e, ERR_INVALID, EINVAL, "%s: the name of a file is wanted", path);
        if (slash)
            slash[slash == dir] = '\0';
        else
            strcpy(dir, "."); /* NOLINT: a name has at least one byte */
    }
    real = realpath(dir, NULL);
    if (!real)
        return err_sys(e, "%s", dir);
    *out = base ? xasprintf("%s/%s", strcmp(real, "/") ? real : "", base) : xstrdup(real);
    free(real);
    return 0;
}

int ctl_file_path(struct ctl *c, const char *path, char **out, const char *what)
{
    struct err e = {0};
    return absolute(path, false, out, &e) < 0 ? ctl_fail(c, &e, NULL, what) : 0;
}

int ctl_new_file_path(struct ctl *c, const char *path, char **out, const char *what)
{
    struct err e = {0};
    return absolute(path, true, out, &e) < 0 ? ctl_fail(c, &e, NULL, what) : 0;
}

/* docker.io/library/nginx:1 is nginx:1 to people. */
static const char *short_name(const char *ref)
{
    if (str_starts(ref, "docker.io/library/"))
        return ref + strlen("docker.io/library/");
    return str_starts(ref, "docker.io/") ? ref + strlen("docker.io/") : ref;
}

static int image_list(struct image_args *a)
{
    static const struct ctl_column cols[] = {{"name", "IMAGE", false},      {"short", "ID", false},
                                             {"created", "CREATED", false}, {"platform", "PLATFORM", false},
                                             {"size", "SIZE", true},        {"shared", "SHARED", true},
                                             {"own", "OWN", true}};
    auto_js json *list = NULL;
    int status = ctl_call(a->c, "GET", "/images", NULL, &list, "image list");
    if (status || ctl_print_data(a->c, list))
        return status;
    for (size_t i = 0; i < js_len(list); i++) {
        json *o = js_at(list, i);
        auto_free char *id = xstrndup(js_get_str(o, "id", "-"), 12);
        js_set_str(o, "name", short_name(js_get_str(o, "ref", "-")));
        js_set_str(o, "short", id);
        if (!js_get_str(o, "created", NULL))
            js_set_str(o, "created", "-");
    }
    ctl_rows(list, cols, ARRAY_LEN(cols));
    return 0;
}

static int image_show(struct image_args *a)
{
    int first = 0;
    for (unsigned i = 0; i < a->n; i++) {
        auto_free char *path = ctl_image_path(a->names[i], NULL),
                       *what = xasprintf("image show %s", a->names[i]);
        auto_js json *o = NULL;
        int status = ctl_call(a->c, "GET", path, NULL, &o, what);
        first = first ? first : status;
        if (!status && !ctl_print_data(a->c, o))
            ctl_pairs(o, "");
    }
    return first;
}

static int image_delete(struct image_args *a)
{
    int first = 0;
    for (unsigned i = 0; i < a->n; i++) {
        auto_free char *path = ctl_image_path(a->names[i], NULL),
                       *what = xasprintf("image delete %s", a->names[i]);
        int status = ctl_call(a->c, "DELETE", path, NULL, NULL, what);
        first = first ? first : status;
    }
    return first;
}

static int image_tag(struct image_args *a)
{
    auto_free char *path = ctl_image_path(a->names[0], "tag"),
                   *what = xasprintf("image tag %s %s", a->names[0], a->names[1]);
    json *body = js_object();
    js_set_str(body, "name", a->names[1]);
    return ctl_call(a->c, "POST", path, body, NULL, what);
}

/* zoned reads and writes files: standard input and output go by way of one. */
static int temporary(char **path, struct err *e)
{
    const char *dir = getenv("TMPDIR");
    *path = xasprintf("%s/zonectl-image.XXXXXX", dir && *dir ? dir : "/var/tmp");
    int fd = mkostemp(*path, O_CLOEXEC);
    return fd < 0 ? err_sys(e, "%s", *path) : fd;
}

static int copy_all(int from, int to, struct err *e)
{
    static char buf[65536];
    for (;;) {
        ssize_t n = fd_read_full(from, buf, sizeof(buf));
        int r = n > 0 ? fd_write_full(to, buf, (size_t)n) : (int)n;
        if (n < 0 || r < 0)
            return err_sysk(e, ERR_INTERNAL, -r, "copy of the archive");
        if (n < (ssize_t)sizeof(buf))
            return 0;
    }
}

static int from_stdin(struct ctl *c, char **path, const char *what)
{
    struct err e = {0};
    auto_fd int fd = temporary(path, &e);
    int r = fd < 0 ? fd : copy_all(0, fd, &e);
    if (r < 0 && fd >= 0)
        (void)unlink(*path);
    return r < 0 ? ctl_fail(c, &e, NULL, what) : 0;
}

static int to_stdout(struct ctl *c, const char *path, const char *what)
{
    struct err e = {0};
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    int r = fd < 0 ? err_sys(&e, "%s", path) : copy_all(fd, 1, &e);
    return r < 0 ? ctl_fail(c, &e, NULL, what) : 0;
}

static int image_import(struct image_args *a)
{
    auto_free char *path = NULL, *what = xasprintf("image import %s", a->names[0]);
    auto_js json *result = NULL;
    bool piped = !strcmp(a->names[0], "-");
    int status = piped ? from_stdin(a->c, &path, what) : ctl_file_path(a->c, a->names[0], &path, what);
    if (status)
        return status;
    json *body = js_object();
    js_set_str(body, "path", path);
    if (a->n > 1)
        js_set_str(body, "ref", a->names[1]);
    status = ctl_job(a->c, "/images/import", body, &result, what);
    if (piped)
        (void)unlink(path);
    if (status || ctl_print_data(a->c, result))
        return status;
    for (size_t i = 0; i < js_len(js_get(result, "names")); i++)
        puts(js_str_of(js_at(js_get(result, "names"), i), ""));
    return 0;
}

static int image_export(struct image_args *a)
{
    auto_free char *path = NULL, *to = ctl_image_path(a->names[0], "export"),
                   *what = xasprintf("image export %s", a->names[0]);
    auto_js json *result = NULL;
    struct err e = {0};
    bool piped = !strcmp(a->names[1], "-");
    if (piped && str_eq(a->format, "oci"))
        return ctl_usage(a->c, "a folder does not fit into a pipe: another --format is wanted");
    auto_fd int fd = piped ? temporary(&path, &e) : -1;
    int status = !piped   ? ctl_new_file_path(a->c, a->names[1], &path, what)
                 : fd < 0 ? ctl_fail(a->c, &e, NULL, what)
                          : 0;
    if (status)
        return status;
    json *body = js_object();
    js_set_str(body, "path", path);
    if (a->format)
        js_set_str(body, "format", a->format);
    status = ctl_job(a->c, to, body, &result, what);
    if (!status && piped)
        status = to_stdout(a->c, path, what);
    else if (!status)
        ctl_print_data(a->c, result);
    if (piped)
        (void)unlink(path);
    return status;
}

int ctl_export_root(struct ctl *c, const char *zone, const char *file)
{
    auto_free char *path = NULL, *to = ctl_zone_path(zone, "export"), *what = xasprintf("export %s", zone);
    auto_js json *result = NULL;
    int status = ctl_new_file_path(c, file, &path, what);
    if (status)
        return status;
    json *body = js_object();
    js_set_str(body, "path", path);
    status = ctl_job(c, to, body, &result, what);
    if (!status)
        ctl_print_data(c, result);
    return status;
}

int ctl_commit(struct ctl *c, int argc, char **argv)
{
    int status, at = ctl_positionals(c, argc, argv, 2, 2, &status);
    if (at < 0)
        return status;
    auto_free char *path = ctl_zone_path(argv[at], "commit"), *what = xasprintf("commit %s", argv[at]);
    auto_js json *result = NULL;
    json *body = js_object();
    js_set_str(body, "ref", argv[at + 1]);
    status = ctl_job(c, path, body, &result, what);
    if (!status && !ctl_print_data(c, result))
        puts(js_get_str(result, "digest", ""));
    return status;
}

static int image_prune(struct image_args *a)
{
    auto_js json *o = NULL;
    char size[24];
    int status = ctl_call(a->c, "POST", "/images/prune", NULL, &o, "image prune");
    if (status || ctl_print_data(a->c, o))
        return status;
    ctl_size(js_get_int(o, "bytes", 0), size);
    printf("freed %s: %lld images, %lld blobs, %lld layers\n", size, (long long)js_get_int(o, "images", 0),
           (long long)js_get_int(o, "blobs", 0), (long long)js_get_int(o, "layers", 0));
    return 0;
}

/* A store with problems is an error, told one a line. */
static int image_verify(struct image_args *a)
{
    auto_js json *o = NULL;
    int status = ctl_job(a->c, "/images/verify", NULL, &o, "image verify");
    if (status)
        return status;
    json *problems = js_get(o, "problems");
    bool printed = ctl_print_data(a->c, o);
    for (size_t i = 0; !printed && i < js_len(problems); i++)
        fprintf(stderr, "%s\n", js_str_of(js_at(problems, i), ""));
    if (js_len(problems)) {
        struct err e = {0};
        err_set(&e, ERR_INVALID, EBADMSG, "the store has %zu problems", js_len(problems));
        err_hint(&e, "delete the images that are named, then image prune, then pull or import them again");
        return ctl_fail(a->c, &e, NULL, "image verify");
    }
    if (!printed)
        printf("%lld images, %lld blobs, %lld layers: all as they should be\n",
               (long long)js_get_int(o, "images", 0), (long long)js_get_int(o, "blobs", 0),
               (long long)js_get_int(o, "layers", 0));
    return 0;
}

static const struct image_verb {
    const char *name, *alias, *args;
    unsigned least, most;
    int (*run)(struct image_args *a);
} image_verbs[] = {
    {"list", "ls", "", 0, 0, image_list},
    {"show", NULL, "REF…", 1, UINT_MAX, image_show},
    {"pull", NULL, "REF…", 1, UINT_MAX, image_pull},
    {"push", NULL, "REF [TARGET]", 1, 2, image_push},
    {"build", NULL, "-f RECIPE", 0, 0, image_build},
    {"import", "load", "FILE|DIR [REF]", 1, 2, image_import},
    {"export", "save", "REF FILE|DIR", 2, 2, image_export},
    {"tag", NULL, "REF NEW", 2, 2, image_tag},
    {"delete", "rm", "REF…", 1, UINT_MAX, image_delete},
    {"prune", NULL, "", 0, 0, image_prune},
    {"verify", NULL, "", 0, 0, image_verify},
};

static int unknown_word(struct ctl *c, const char *word)
{
    const char *words[ARRAY_LEN(image_verbs)];
    for (unsigned i = 0; i < ARRAY_LEN(image_verbs); i++)
        words[i] = image_verbs[i].name;
    return ctl_subverb(c, word, words, ARRAY_LEN(words));
}

static void take_option(struct image_args *a, int id, const char *value)
{
    if (id == O_FORMAT)
        a->format = value;
    else if (id == O_PLATFORM)
        a->transfer.platform = value;
    else if (id == O_CA)
        a->transfer.ca = value;
    else if (id == O_INSECURE)
        a->transfer.insecure = true;
    else if (id == 'f')
        a->recipe = value;
    else if (id == 't')
        a->tag = value;
    else if (id == O_NO_CACHE)
        a->no_cache = true;
    else if (id == O_REPRODUCIBLE)
        a->reproducible = true;
}

static int check_options(const struct image_args *a, const struct image_verb *v)
{
    bool transfer = a->transfer.platform || a->transfer.ca || a->transfer.insecure;
    if (a->format && v->run != image_export)
        return ctl_usage(a->c, "--format belongs to image export");
    if ((a->recipe || a->tag || a->no_cache || a->reproducible) && v->run != image_build)
        return ctl_usage(a->c, "-f, -t, --no-cache and --reproducible belong to image build");
    if (transfer && v->run != image_pull && v->run != image_push)
        return ctl_usage(a->c, "--platform, --ca and --insecure belong to image pull and push");
    return 0;
}

int ctl_image(struct ctl *c, int argc, char **argv)
{
    struct ctl_args args = {.argc = argc, .argv = argv, .opts = c->verb->opts, .format = &c->format};
    struct image_args a = {.c = c};
    int id, at, status = 0;
    while ((id = ctl_option(c, &args, &at, &status)) != CTL_END) {
        if (id == CTL_BAD)
            return status;
        take_option(&a, id, args.value);
    }
    const char *word = at < argc ? argv[at++] : "list";
    a.names = argv + at;
    a.n = (unsigned)(argc - at);
    for (unsigned i = 0; i < ARRAY_LEN(image_verbs); i++) {
        const struct image_verb *v = &image_verbs[i];
        if (strcmp(v->name, word) != 0 && !str_eq(v->alias, word))
            continue;
        if (a.n < v->least || a.n > v->most)
            return ctl_usage(c, "image %s %s is wanted", v->name, v->args);
        status = check_options(&a, v);
        return status ? status : v->run(&a);
    }
    return unknown_word(c, word);
}
