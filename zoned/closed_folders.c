/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Folders that are given to no zone: this daemon's own, and those of the others on this machine. Each tells its own in
 * RUN/folders; who the others are is known from the list of uid ranges, which all of them share. */
#include "base/auto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/storage.h"
#include "zoned/zoned.h"
#include <fcntl.h>
#include <string.h>

#define FOLDERS_FILE "folders"
#define FOLDERS_MAX (4 * 4096) /* three paths, with what JSON adds */

/* A full disk keeps no zoned from its zones: then the others know of the run folder alone. */
void closed_folders_tell(struct zd *d)
{
    struct err e = {0};
    auto_js json *o = js_object();
    js_set_strv(o, "folders", (char *[]){d->run_dir, d->etc_dir, d->lib_dir, NULL});
    auto_free char *text = js_dump(o, false), *was = NULL;
    if (file_read(d->run_fd, FOLDERS_FILE, FOLDERS_MAX, &was, NULL, NULL) == 0 && !strcmp(was, text))
        return;
    if (file_replace(d->run_fd, FOLDERS_FILE, text, strlen(text), 0600, false, &e) < 0)
        log_warning("other daemons are not told of our folders: %s", e.text);
}

/* What another daemon tells; one that is older tells nothing. */
static void add_told(char ***closed, const char *run_dir)
{
    size_t n;
    auto_free char *path = path_join(run_dir, FOLDERS_FILE), *text = NULL;
    auto_js json *o =
        file_read(AT_FDCWD, path, FOLDERS_MAX, &text, &n, NULL) < 0 ? NULL : js_parse(text, n, NULL);
    char **told = js_get_strv(o, "folders");
    for (char **t = told; t && *t; t++)
        if (**t == '/' && !strv_has(*closed, *t))
            strv_add(closed, *t);
    strv_free(told);
}

static bool wants_a_folder(const struct spec *s)
{
    for (unsigned i = 0; i < s->filesystems.len; i++)
        if (s->filesystems.at[i].kind == SPEC_MOUNT_BIND)
            return true;
    return s->image && str_starts(s->image, "dir:");
}

void closed_folders_refresh(struct zd *d, const struct spec *s)
{
    if (s && !wants_a_folder(s))
        return;
    char **others = ranges_others(d->ranges);
    strv_free(d->closed_folders);
    d->closed_folders = strv_copy((char *[]){d->run_dir, d->etc_dir, NULL});
    for (char **o = others; o && *o; o++) {
        strv_add(&d->closed_folders, *o);
        add_told(&d->closed_folders, *o);
    }
    strv_free(others);
    stor_pool_never(d->pool, d->closed_folders);
}
