/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which layers a zone was installed from, kept in its own folder: the archive may change or go afterwards, the zone's
 * root does not. Only roots made of unpacked layers have one; host and dir: are what they are at each start. */
#include "base/auto.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define ROOT_FILE "root"
#define ROOT_MAX (64u << 10)

static bool kept(const char *image)
{
    return strcmp(image, "host") != 0 && !str_starts(image, "dir:");
}

int stor_zone_root_save(const struct stor_pool *p, const char *zone, const struct stor_root_plan *r,
                        bool sync, struct err *e)
{
    if (!kept(r->image))
        return 0;
    auto_fd int dir = stor_zone_fd(p, zone, e);
    if (dir < 0)
        return dir;
    auto_js json *j = stor_root_to_json(r);
    auto_free char *text = js_dump(j, false);
    return file_replace(dir, ROOT_FILE, text, strlen(text), 0600, sync, e);
}

bool stor_zone_root_load(const struct stor_pool *p, const char *zone, const char *image,
                         struct stor_root_plan *out)
{
    auto_free char *text = NULL;
    size_t n = 0;
    struct stor_root_plan r = {0};
    auto_fd int dir = kept(image) ? stor_zone_fd(p, zone, NULL) : -1;
    if (dir < 0 || file_read(dir, ROOT_FILE, ROOT_MAX, &text, &n, NULL) < 0)
        return false;
    auto_js json *j = js_parse(text, n, NULL);
    if (!j || stor_root_from_json(j, &r, NULL) < 0)
        return false;
    bool whole = !strcmp(r.image, image) && r.lowers;
    for (char **l = r.lowers; whole && *l; l++)
        whole = file_exists(p->layers_fd, *l);
    if (!whole || !out) {
        stor_root_done(&r);
        return whole;
    }
    *out = r;
    return true;
}

int stor_zone_root_copy(int from_zone, int to_zone, struct err *e)
{
    auto_free char *text = NULL;
    size_t n = 0;
    struct err re = {0};
    int r = file_read(from_zone, ROOT_FILE, ROOT_MAX, &text, &n, &re);
    if (r == -ENOENT)
        return 0;
    return r < 0 ? err_set(e, re.kind, re.code, "%s", re.text)
                 : file_create(to_zone, ROOT_FILE, text, n, 0600, e);
}
