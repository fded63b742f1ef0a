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
#include <errno.h>
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
static int add_told(char ***closed, const char *run_dir, struct err *e)
{
    size_t n;
    struct err own = {0};
    auto_free char *path = path_join(run_dir, FOLDERS_FILE), *text = NULL;
    int r = file_read(AT_FDCWD, path, FOLDERS_MAX, &text, &n, &own);
    if (r < 0)
        return r == -ENOENT ? 0 : err_set(e, own.kind, own.code, "%s", own.text);
    auto_js json *o = js_parse(text, n, NULL);
    char **told = js_get_strv(o, "folders");
    for (char **t = told; t && *t; t++)
        if (**t == '/' && !strv_has(*closed, *t))
            strv_add(closed, *t);
    strv_free(told);
    return 0;
}

static bool wants_a_folder(const struct spec *s)
{
    for (unsigned i = 0; i < s->filesystems.len; i++)
        if (s->filesystems.at[i].kind == SPEC_MOUNT_BIND)
            return true;
    return s->image && str_starts(s->image, "dir:");
}

static int look_around(struct zd *d, char ***closed, struct err *e)
{
    char **others = NULL;
    int r = ranges_others(d->ranges, &others, e);
    *closed = strv_copy((char *[]){d->run_dir, d->etc_dir, NULL});
    for (char **o = others; r == 0 && o && *o; o++) {
        strv_add(closed, *o);
        r = add_told(closed, *o, e);
    }
    strv_free(others);
    return r;
}

void closed_folders_refresh(struct zd *d, const struct spec *s)
{
    struct err e = {0};
    char **closed = NULL;
    if (s && !wants_a_folder(s))
        return;
    if (look_around(d, &closed, &e) < 0 && d->closed_folders) {
        log_warning("folders of other daemons are as known before: %s", e.text);
        strv_free(closed);
        return;
    }
    strv_free(d->closed_folders);
    d->closed_folders = closed;
    stor_pool_never(d->pool, closed);
}
