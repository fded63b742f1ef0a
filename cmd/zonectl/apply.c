/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apply: specs of files and folders in one request. A folder gives its *.yaml, *.yml and *.json, in the order
 * of names. */
#include "cmd/zonectl/zonectl.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int spec_files(const struct dirent *d)
{
    return d->d_name[0] != '.' &&
           (str_ends(d->d_name, ".yaml") || str_ends(d->d_name, ".yml") || str_ends(d->d_name, ".json"));
}

static int add_source(json *sources, const char *file, struct err *e)
{
    json *one = ctl_source(file, e);
    if (!one)
        return -e->code;
    js_add(sources, one);
    return 0;
}

static int add_folder(json *sources, const char *dir, struct err *e)
{
    struct dirent **list = NULL;
    int n = scandir(dir, &list, spec_files, alphasort), r = 0;
    if (n < 0)
        return err_sys(e, "%s", dir);
    if (n == 0)
        r = err_set(e, ERR_NOT_FOUND, ENOENT, "%s holds no *.yaml, *.yml or *.json", dir);
    for (int i = 0; i < n; i++) {
        auto_free char *file = xasprintf("%s%s%s", dir, str_ends(dir, "/") ? "" : "/", list[i]->d_name);
        r = r ? r : add_source(sources, file, e);
        free(list[i]);
    }
    free(list);
    return r;
}

static int add_path(json *sources, const char *path, struct err *e)
{
    struct stat st;
    bool dir = strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    return dir ? add_folder(sources, path, e) : add_source(sources, path, e);
}

static void print_zone(const json *z, bool dry)
{
    const char *name = js_get_str(z, "name", "?");
    printf("%s: %s%s\n", name,
           str_eq(js_get_str(z, "action", "none"), "none") ? "unchanged" : js_get_str(z, "action", ""),
           dry ? " (dry run)" : "");
    json *drift = js_get(z, "drift");
    for (size_t i = 0; i < js_len(drift); i++) {
        json *d = js_at(drift, i);
        const char *of = js_get_str(d, "of", NULL);
        printf("  %s%s%s: the kernel had %s, not %s (%s)\n", js_get_str(d, "key", "?"), of ? " of " : "",
               of ? of : "", js_get_str(d, "have", "?"), js_get_str(d, "want", "?"),
               dry ? "to be healed" : "healed");
    }
    ctl_print_changes(z, "  ", dry);
    ctl_messages_of(z, js_get_str(z, "name", NULL));
}

static int send(struct ctl *c, json *sources, bool dry)
{
    json *body = js_object();
    auto_js json *answer = NULL;
    js_set(body, "sources", sources);
    js_set_bool(body, "dry_run", dry);
    int status = ctl_call(c, "POST", "/apply", body, &answer, "apply");
    if (status || ctl_print_data(c, answer))
        return status;
    json *zones = js_get(answer, "zones");
    for (size_t i = 0; i < js_len(zones); i++)
        print_zone(js_at(zones, i), dry);
    ctl_messages(answer);
    return 0;
}

int ctl_apply(struct ctl *c, int argc, char **argv)
{
    struct ctl_args a = {.argc = argc, .argv = argv, .opts = c->verb->opts, .format = &c->format};
    auto_js json *sources = js_array();
    struct err e = {0};
    bool dry = false;
    int id, at, status = 0, r = 0;
    while ((id = ctl_option(c, &a, &at, &status)) != CTL_END) {
        if (id == CTL_BAD)
            return status;
        dry |= id == 'n';
        if (id == 'f' && r == 0)
            r = add_path(sources, a.value, &e);
    }
    for (; at < argc && r == 0; at++)
        r = add_path(sources, argv[at], &e);
    if (r < 0)
        return ctl_fail(c, &e, NULL, "apply");
    if (!js_len(sources))
        return ctl_usage(c, "-f FILE or -f DIR is missing");
    return send(c, js_ref(sources), dry);
}
