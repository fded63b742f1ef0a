/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prune: what neither a name in index.json nor a zone's root needs goes. Needs are gathered anew from what is there, never counted.
 * While it works nobody adopts anything. The index goes first, then what it named, so that a kill leaves too much, never too
 * little. What a build has made on the way to an image stays while that image does: its layers are there anyway. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "storage/store.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

struct prune {
    struct img_store *s;
    json *blobs, *layers, *records; /* sets of names that stay */
    json *used;                     /* manifests of zones' roots */
    json *named;                    /* the configs of images that people have named */
    int64_t bytes, nblobs, nlayers, nimages;
    bool hit; /* an unnamed image that a zone uses */
};

static int lock_out(struct img_store *s, unsigned wait_ms, struct err *e)
{
    uint64_t end = clock_mono_us() + (uint64_t)wait_ms * 1000;
    while (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_sys(e, "image store: lock");
        if (clock_mono_us() > end) {
            err_set(e, ERR_BUSY, EBUSY, "images are being added or removed");
            return err_hint(e, "wait until the pull, import or prune under way has ended");
        }
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return 0;
}

/* ---- what stays ---- */
/* What cannot be read might need anything: then nothing is taken away. */
static int need_of_root(struct prune *p, const char *zone, const char *at, struct err *e)
{
    auto_free char *path = xasprintf("%s/%sroot", zone, at), *text = NULL;
    size_t n = 0;
    struct stor_root_plan r = {0};
    struct err re = {0};
    int k = file_read(p->s->pool->zones_fd, path, 1u << 20, &text, &n, &re);
    if (k == -ENOENT)
        return 0;
    auto_js json *j = k < 0 ? NULL : js_parse(text, n, &re);
    if (!j || stor_root_from_json(j, &r, &re) < 0)
        return err_set(e, re.kind, re.code, "the root of zone %s: %s", zone, re.text);
    for (char **l = r.lowers; l && *l; l++)
        js_set_bool(p->layers, *l, true);
    if (r.manifest)
        js_set_bool(p->used, r.manifest, true);
    stor_root_done(&r);
    return 0;
}

/* A zone that can go back needs what it was made of before, too. */
static int need_of_zone(struct prune *p, const char *zone, struct err *e)
{
    static const char *const at[] = {"", "previous/", "next/", "aside/"};
    int r = 0;
    for (unsigned i = 0; r == 0 && i < ARRAY_LEN(at); i++)
        r = need_of_root(p, zone, at[i], e);
    return r;
}

static int is_used(void *arg, const struct img_desc *d, const struct img_image *of)
{
    struct prune *p = arg;
    p->hit = p->hit || js_get(p->used, d->digest);
    return 0;
}

/* The first elements of whole are part's. */
static bool begins_with(const json *whole, const json *part)
{
    for (size_t i = 0; i < js_len(part); i++) {
        auto_free char *a = js_dump(js_at(part, i), false), *b = js_dump(js_at(whole, i), false);
        if (!str_eq(a, b))
            return false;
    }
    return true;
}

/* The image of a build's step, from which more steps have made the other one. */
static bool led_to(const json *step, const json *config)
{
    const json *a = js_get(js_get(step, "rootfs"), "diff_ids"),
               *b = js_get(js_get(config, "rootfs"), "diff_ids");
    const json *was = js_get(step, "history"), *is = js_get(config, "history");
    return js_len(a) && js_len(was) < js_len(is) && begins_with(b, a) && begins_with(is, was);
}

/* Of an image that a build has made: its last step has the digest of what people have named. */
static bool build_needs(struct prune *p, const struct img_desc *d)
{
    struct img_image i auto_done(img_image_done) = {0};
    if (js_get(p->blobs, d->digest))
        return true;
    if (img_load(p->s, d, &i, NULL) < 0)
        return false;
    for (size_t k = 0; k < js_len(p->named); k++)
        if (led_to(i.config_json, js_at(p->named, k)))
            return true;
    return false;
}

static int keep_blob(void *arg, const struct img_desc *d, const struct img_image *of)
{
    struct prune *p = arg;
    char key[LAYER_KEY_SIZE];
    js_set_bool(p->blobs, d->digest, true);
    if (of) {
        img_patch_key(of, key);
        js_set_bool(p->layers, key, true);
        if (str_eq(d->digest, of->config.digest))
            js_add(p->named, js_ref(of->config_json));
    }
    for (unsigned k = 0; of && k < of->nlayers; k++) {
        img_layer_key(of->layers[k].diff_id, key);
        js_set_bool(p->layers, key, true);
    }
    return 0;
}

static int keep_image(struct prune *p, const struct img_desc *d, struct err *e)
{
    char key[IMG_DIGEST_MAX];
    int r = img_each_blob(p->s, d, 0, keep_blob, p, e);
    img_key(d->digest, key);
    js_set_bool(p->records, key, true);
    return r;
}

/* An image that cannot be read is kept: what it needs is unknown, so nothing is taken away. Those of builds come last: then it is
 * known what people have named. */
static int judge(struct prune *p, const json *entry, bool builds, bool *keep, struct err *e)
{
    struct img_desc d;
    const char *name = img_entry_name(entry);
    int r = img_entry_desc(entry, &d, e);
    p->hit = builds ? r == 0 && build_needs(p, &d) : name && !img_is_cache(name);
    if (r == 0 && !p->hit)
        r = img_each_blob(p->s, &d, 0, is_used, p, e);
    *keep = p->hit;
    if (r == 0 && p->hit)
        r = keep_image(p, &d, e);
    return r < 0 ? err_prefix(e, "image %s", name ? name : d.digest) : 0;
}

static int judge_all(struct prune *p, const json *all, bool builds, json *kept, struct err *e)
{
    int r = 0;
    for (size_t k = 0; r == 0 && k < js_len(all); k++) {
        bool keep = false;
        if (img_is_cache(img_entry_name(js_at(all, k))) != builds)
            continue;
        r = judge(p, js_at(all, k), builds, &keep, e);
        if (keep)
            js_add(kept, js_ref(js_at(all, k)));
    }
    return r;
}

static int gather(struct prune *p, struct err *e)
{
    char **zones = NULL;
    auto_js json *index = NULL, *kept = js_array();
    int r = stor_zone_list(p->s->pool, &zones, e);
    for (char **z = zones; r == 0 && z && *z; z++)
        r = need_of_zone(p, *z, e);
    strv_free(zones);
    r = r < 0 ? r : img_index_load(p->s->fd, &index, e);
    json *all = js_get(index, "manifests");
    r = r < 0 ? r : judge_all(p, all, false, kept, e);
    r = r < 0 ? r : judge_all(p, all, true, kept, e);
    if (r < 0)
        return err_hint(e, "image verify tells what is damaged; delete or pull that image again");
    p->nimages = (int64_t)(js_len(all) - js_len(kept));
    js_set(index, "manifests", js_ref(kept));
    return p->nimages ? img_index_save(p->s, index, e) : 0;
}

/* ---- what goes ---- */
/* Calls fn for each name in a folder below images/ or the pool. */
static int each_name(int at, const char *folder, int (*fn)(struct prune *p, int dirfd, const char *name),
                     struct prune *p, struct err *e)
{
    int fd = openat(at, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d)
        return err_sys(e, "prune: %s", folder);
    for (struct dirent *ent; (ent = readdir(d));)
        if (ent->d_name[0] != '.' && fn(p, fd, ent->d_name) < 0)
            return err_sys(e, "prune: %s/%.80s", folder, ent->d_name);
    return 0;
}

static int drop_file(struct prune *p, int dirfd, const char *name)
{
    struct stat st;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        p->bytes += (int64_t)st.st_blocks * 512;
    return unlinkat(dirfd, name, 0) < 0 && errno != ENOENT ? -1 : 0;
}

static int sweep_blob(struct prune *p, int dirfd, const char *name)
{
    char digest[IMG_DIGEST_MAX];
    snprintf(digest, sizeof(digest), "%s:%.128s", strlen(name) == 64 ? "sha256" : "sha512", name);
    if (js_get(p->blobs, digest))
        return 0;
    p->nblobs++;
    return drop_file(p, dirfd, name);
}

static int sweep_record(struct prune *p, int dirfd, const char *name)
{
    return js_get(p->records, name) ? 0 : drop_file(p, dirfd, name);
}

static int sweep_mark(struct prune *p, int dirfd, const char *name)
{
    auto_free char *key = xstrdup(name);
    key[strcspn(key, ".")] = '\0';
    return js_get(p->layers, key) ? 0 : drop_file(p, dirfd, name);
}

/* The sparse root's skeleton is everybody's and small. */
static int sweep_layer(struct prune *p, int dirfd, const char *name)
{
    uint64_t bytes = 0;
    char away[128];
    if (js_get(p->layers, name) || str_starts(name, "host-"))
        return 0;
    (void)stor_tree_usage(dirfd, name, &bytes);
    snprintf(away, sizeof(away), "%.80s.%" PRIx64, name, clock_boot_us());
    if (renameat(dirfd, name, p->s->pool->tmp_fd, away) < 0)
        return -1;
    p->bytes += (int64_t)bytes;
    p->nlayers++;
    return path_remove_tree(p->s->pool->tmp_fd, away, NULL) < 0 ? -1 : 0;
}

/* What a killed worker was unpacking; others use the folder too. */
static int sweep_staged(struct prune *p, int dirfd, const char *name)
{
    size_t hex = strspn(name, "p0123456789abcdef");
    uint64_t bytes = 0;
    if (hex != LAYER_KEY_SIZE - 1 || (strcmp(name + hex, ".d") != 0 && strcmp(name + hex, ".lock") != 0))
        return 0;
    (void)stor_tree_usage(dirfd, name, &bytes);
    p->bytes += (int64_t)bytes;
    return path_remove_tree(dirfd, name, NULL) < 0 ? -1 : 0;
}

static int sweep(struct prune *p, struct err *e)
{
    struct img_store *s = p->s;
    int r = each_name(s->fd, "roots", sweep_record, p, e);
    r = r < 0 ? r : each_name(s->fd, "staging", drop_file, p, e);
    r = r < 0 ? r : each_name(s->fd, "blobs/sha256", sweep_blob, p, e);
    r = r < 0 ? r : each_name(s->fd, "blobs/sha512", sweep_blob, p, e);
    r = r < 0 ? r : each_name(s->pool->fd, "staging", sweep_staged, p, e);
    r = r < 0 ? r : each_name(s->pool->fd, "layers", sweep_layer, p, e);
    return r < 0 ? r : each_name(s->fd, "layers", sweep_mark, p, e);
}

int img_prune(struct img_store *s, unsigned wait_ms, json **report, struct err *e)
{
    struct prune p = {.s = s,
                      .blobs = js_object(),
                      .layers = js_object(),
                      .records = js_object(),
                      .used = js_object(),
                      .named = js_array()};
    int r = lock_out(s, wait_ms, e);
    r = r < 0 ? r : gather(&p, e);
    r = r < 0 ? r : sweep(&p, e);
    if (r == 0) {
        json *o = js_object();
        js_set_int(o, "images", p.nimages);
        js_set_int(o, "blobs", p.nblobs);
        js_set_int(o, "layers", p.nlayers);
        js_set_int(o, "bytes", p.bytes);
        *report = o;
    }
    js_free(p.blobs);
    js_free(p.layers);
    js_free(p.records);
    js_free(p.used);
    js_free(p.named);
    (void)flock(s->lock_fd, LOCK_SH);
    return r;
}
