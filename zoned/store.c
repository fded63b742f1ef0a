/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Spec files: the truth of what is configured. Written durably (R10); nothing of a running zone. */
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "zoned/images.h"
#include "zoned/networks.h"
#include "zoned/package.h"
#include "zoned/statistics.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

char *store_path(struct zd *d, const struct zone *z)
{
    return z->ephemeral ? xasprintf("%s/zones/%s/spec.yaml", d->run_dir, z->name)
                        : xasprintf("%s/zones/%s.yaml", d->etc_dir, z->name);
}

int store_read_text(struct zd *d, const struct zone *z, char **text, struct err *e)
{
    auto_free char *path = store_path(d, z);
    return file_read(AT_FDCWD, path, SPEC_TEXT_MAX, text, NULL, e);
}

int store_write_text(struct zd *d, const struct zone *z, const char *text, struct err *e)
{
    auto_free char *path = store_path(d, z);
    int r = file_replace(AT_FDCWD, path, text, strlen(text), 0600, !z->ephemeral, e);
    return r < 0 ? err_prefix(e, "spec of zone %s", z->name) : 0;
}

/* Which file is there: each write of ours is a new one, by inode; an editor's differs in time or size. 0: none. */
static uint64_t stamp_of(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return 0;
    uint64_t time = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
    return st.st_ino ^ (uint64_t)st.st_size << 40 ^ time;
}

static int read_spec(struct zone *z, const char *path, struct spec **out, struct problems *ps, struct err *e)
{
    auto_free char *text = NULL;
    size_t n;
    int r = file_read(AT_FDCWD, path, SPEC_TEXT_MAX, &text, &n, e);
    if (r < 0)
        return err_prefix(e, "zone %s", z->name);
    r = spec_parse(text, n, path, out, ps);
    if (r < 0)
        return problems_to_err(ps, e, path);
    if ((*out)->zone && strcmp((*out)->zone, z->name)) {
        r = err_set(e, ERR_INVALID, EINVAL, "%s names zone %s", path, (*out)->zone);
        spec_free(*out);
    }
    return r;
}

int store_reload(struct zd *d, struct zone *z, struct problems *ps, struct err *e)
{
    auto_free char *path = store_path(d, z);
    struct spec *s = NULL;
    bool was_bad = z->file_bad;
    z->read_stamp = stamp_of(path);
    int r = read_spec(z, path, &s, ps, e);
    z->file_bad = r < 0;
    if (r < 0)
        return r;
    if (was_bad)
        zone_set_error(z, NULL);
    spec_free(z->spec);
    z->spec = s;
    zone_judge(z);
    sample_stale(z);
    return 0;
}

/* The same for who only looks: what is wrong, with its lines, is the zone's error. */
static int reload_told(struct zd *d, struct zone *z)
{
    struct problems ps = {0};
    struct err e = {0};
    int r = store_reload(d, z, &ps, &e);
    if (r < 0 && ps.len) {
        err_clear(&e);
        (void)problems_to_line(&ps, &e);
    }
    if (r < 0)
        zone_set_error(z, e.text);
    problems_done(&ps);
    return r;
}

void store_fresh(struct zd *d, struct zone *z)
{
    auto_free char *path = store_path(d, z);
    uint64_t now = stamp_of(path);
    if (!now || now == z->read_stamp) /* a file that is gone is told to who needs it */
        return;
    if (z->op != OP_NONE ||
        z->updating) /* what is under way goes by the spec that it began with; the next look takes it */
        return;
    if (reload_told(d, z) < 0)
        z->pending = z->plan != NULL;
}

bool store_names(struct zd *d, struct zone *z, bool (*names)(const struct spec *s, const char *what),
                 const char *what)
{
    store_fresh(d, z);
    return names(z->spec, what);
}

void store_locate(struct zd *d, const struct zone *z, struct problems *ps)
{
    auto_free char *path = store_path(d, z), *text = NULL;
    if (ps->len && file_read(AT_FDCWD, path, SPEC_TEXT_MAX, &text, NULL, NULL) == 0)
        spec_locate(text, path, ps);
}

int store_delete(struct zd *d, const struct zone *z, struct err *e)
{
    auto_free char *path = store_path(d, z);
    if (unlink(path) < 0 && errno != ENOENT)
        return err_sys(e, "delete %s", path);
    return 0;
}

int store_add_text(struct zd *d, const char *name, const char *text, struct err *e)
{
    auto_free char *path = xasprintf("zones/%s.yaml", name);
    if (file_exists(d->etc_fd, path))
        return err_set(e, ERR_CONFLICT, EEXIST, "%s/%s is there already", d->etc_dir, path);
    int r = file_replace(d->etc_fd, path, text, strlen(text), 0600, true, e);
    return r < 0 ? err_prefix(e, "spec of zone %s", name) : 0;
}

void store_drop_text(struct zd *d, const char *name)
{
    auto_free char *path = xasprintf("zones/%s.yaml", name);
    (void)unlinkat(d->etc_fd, path, 0);
}

/* ---- all at start ---- */
static void load_one(struct zd *d, const char *name)
{
    struct zone *z = registry_add(d, name);
    z->state = ZONE_CONFIGURED;
    struct err pe = {0};
    stor_zone_unstage(d->pool, name);
    if (stor_zone_staged(d->pool, name) && package_finish(d, name, &pe) < 0) /* a kill has cut it off */
        log_warning("%s", pe.text);
    (void)reload_told(d, z);
    struct err le = {0};
    if (lease_load(d, z, &le) == 0) {
        z->state = ZONE_INSTALLED;
        struct stor_root_plan root = {0};
        if (z->spec && stor_zone_root_load(d->pool, name, z->spec->image, &root))
            zone_know_image(z, root.config);
        stor_root_done(&root);
        auto_fd int dir = stor_zone_fd(d->pool, name, NULL);
        json *last = NULL;
        if (dir >= 0 && sup_history_last(dir, &last) == 0 && last) {
            z->start_no = (uint64_t)js_get_int(last, "start_no", 0);
            z->exit_status = (int)js_get_int(last, "exit_status", -1);
            z->oom = js_get_bool(last, "oom", false);
            z->operator_stop = js_get_bool(last, "operator", false);
            if (js_get_bool(last, "failed", false)) {
                z->state = ZONE_FAILED;
                zone_set_error(z, js_get_str(last, "error", "the last start failed"));
            }
        }
        js_free(last);
    } else if (le.code != ENOENT) {
        zone_set_error(z, le.text);
    }
}

int store_load_all(struct zd *d, struct err *e)
{
    int fd = openat(d->etc_fd, "zones", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return err_sys(e, "%s/zones", d->etc_dir);
    for (struct dirent *ent; (ent = readdir(dir));) {
        if (str_ends(ent->d_name, ".yaml.new")) /* a write that was killed before its rename */
            (void)unlinkat(fd, ent->d_name, 0);
        if (!str_ends(ent->d_name, ".yaml"))
            continue;
        auto_free char *name = xstrndup(ent->d_name, strlen(ent->d_name) - 5);
        if (spec_check_name("zone", name, NULL) == 0)
            load_one(d, name);
        else
            log_warning("%s/zones/%s: not a zone's name, left alone", d->etc_dir, ent->d_name);
    }
    return 0;
}
