/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is the store what it says: every blob's bytes, every reference, every unpacked layer. And when unpacked layers are on the disk
 * for sure: they are adopted before that, marked with the boot, because they can be made again and nobody shall wait. */
#include "base/auto.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/proc.h"
#include "storage/store.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (1u << 20)

/* ---- layers: how many nodes, how many bytes in files ---- */
struct size {
    int64_t nodes, bytes;
};

static int add_size(void *arg, const struct stor_entry *ent)
{
    struct size *z = arg;
    z->nodes++;
    if (S_ISREG(ent->st->st_mode))
        z->bytes += ent->st->st_size;
    return S_ISDIR(ent->st->st_mode);
}

static int measure(const struct stor_pool *p, const char *key, struct size *z)
{
    struct stor_visitor v = {.enter = add_size, .arg = z};
    auto_fd int fd = openat(p->layers_fd, key, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    *z = (struct size){0};
    return fd < 0 ? -errno : stor_walk(fd, &v);
}

static int each_mark(struct img_store *s,
                     int (*fn)(struct img_store *, const char *key, json *mark, void *arg), void *arg,
                     struct err *e)
{
    int fd = openat(s->fd, "layers", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d)
        return err_sys(e, "image store: layers");
    for (struct dirent *ent; r == 0 && (ent = readdir(d));) {
        auto_js json *mark = NULL;
        auto_free char *key = xstrdup(ent->d_name);
        size_t n = strlen(key);
        if (n != LAYER_KEY_SIZE - 1 + 5 || strcmp(key + n - 5, ".json") != 0)
            continue;
        key[n - 5] = '\0';
        if (img_mark_load(s, key, &mark, NULL) == 0)
            r = fn(s, key, mark, arg);
    }
    return r;
}

static int settle(struct img_store *s, const char *key, json *mark, void *arg)
{
    struct size z;
    char path[64];
    if (!js_get_str(mark, "boot", NULL) || measure(s->pool, key, &z) < 0)
        return 0;
    js_del(mark, "boot");
    js_set_int(mark, "nodes", z.nodes);
    js_set_int(mark, "size", z.bytes);
    auto_free char *text = js_dump(mark, false);
    snprintf(path, sizeof(path), "layers/%s.json", key);
    return file_replace(s->fd, path, text, strlen(text), 0600, false, arg);
}

int img_sync(struct img_store *s, struct err *e)
{
    auto_fd int lock = img_index_lock(s, e);
    if (lock < 0)
        return lock;
    return syncfs(s->fd) < 0 ? err_sys(e, "image store: sync") : each_mark(s, settle, e, e);
}

/* ---- verify ---- */
struct check {
    struct img_store *s;
    json *problems;
    int64_t blobs, layers, images, bytes;
    const char *image;
    char *buf;
};

__attribute__((format(printf, 2, 3))) static void problem(struct check *c, const char *fmt, ...)
{
    va_list ap;
    char text[400];
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    js_add(c->problems, js_string(text));
}

static void check_blob(struct check *c, int dirfd, const char *algorithm, const char *name)
{
    char want[IMG_DIGEST_MAX], got[IMG_DIGEST_MAX] = "";
    struct img_hash h = {0};
    struct stat st;
    uint64_t done = 0;
    ssize_t n = -1;
    snprintf(want, sizeof(want), "%s:%.128s", algorithm, name);
    auto_fd int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (!img_digest_ok(want) || fd < 0 || fstat(fd, &st) < 0 || img_hash_start(&h, want, NULL) < 0)
        return problem(c, "blob %.90s cannot be read", want);
    while ((n = read(fd, c->buf, PIECE)) > 0) {
        img_hash_add(&h, c->buf, (size_t)n);
        done += (uint64_t)n;
        img_tell(c->s, name, "verify", done, (uint64_t)st.st_size);
    }
    img_hash_end(&h, got);
    img_hash_done(&h);
    c->blobs++;
    c->bytes += (int64_t)done;
    if (n < 0 || strcmp(got, want) != 0)
        problem(c, "blob %.90s is damaged", want);
}

static void check_blobs(struct check *c, const char *algorithm)
{
    auto_free char *path = xasprintf("blobs/%s", algorithm);
    int fd = openat(c->s->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d)
        return problem(c, "%s: %s", path, strerror(errno));
    for (struct dirent *ent; (ent = readdir(d));)
        if (ent->d_name[0] != '.')
            check_blob(c, fd, algorithm, ent->d_name);
}

static int check_need(void *arg, const struct img_desc *d, const struct img_image *of)
{
    struct check *c = arg;
    if (!img_blob_have(c->s, d))
        problem(c, "image %.200s needs blob %.24s…, which is missing or of another size", c->image,
                d->digest);
    return 0;
}

static void check_images(struct check *c, const json *index)
{
    const json *all = js_get(index, "manifests");
    for (size_t k = 0; k < js_len(all); k++) {
        struct img_desc d;
        struct err e = {0};
        const char *name = img_entry_name(js_at(all, k));
        c->image = name ? name : js_get_str(js_at(all, k), "digest", "?");
        c->images++;
        if (img_entry_desc(js_at(all, k), &d, &e) < 0 || img_each_blob(c->s, &d, 0, check_need, c, &e) < 0)
            problem(c, "image %.200s: %s", c->image, e.text);
    }
}

static int check_layer(struct img_store *s, const char *key, json *mark, void *arg)
{
    struct check *c = arg;
    struct size z;
    if (!file_exists(s->pool->layers_fd, key))
        return 0; /* a kill between layer and mark, or a prune's: nothing relies on it */
    c->layers++;
    if (measure(s->pool, key, &z) < 0)
        problem(c, "layer %s cannot be read", key);
    else if (js_get(mark, "nodes") &&
             (js_get_int(mark, "nodes", 0) != z.nodes || js_get_int(mark, "size", 0) != z.bytes))
        problem(c, "layer %s was changed: %lld nodes with %lld bytes, %lld with %lld were unpacked", key,
                (long long)z.nodes, (long long)z.bytes, (long long)js_get_int(mark, "nodes", 0),
                (long long)js_get_int(mark, "size", 0));
    return 0;
}

int img_verify(struct img_store *s, json **report, struct err *e)
{
    auto_js json *index = NULL;
    int r = img_index_load(s->fd, &index, e);
    if (r < 0)
        return r;
    auto_free char *buf = xcalloc(1, PIECE);
    struct check c = {.s = s, .problems = js_array(), .buf = buf};
    check_blobs(&c, "sha256");
    check_blobs(&c, "sha512");
    check_images(&c, index);
    r = each_mark(s, check_layer, &c, e);
    json *o = js_object();
    js_set_int(o, "images", c.images);
    js_set_int(o, "blobs", c.blobs);
    js_set_int(o, "layers", c.layers);
    js_set_int(o, "bytes", c.bytes);
    js_set(o, "problems", c.problems);
    if (r < 0)
        js_free(o);
    else
        *report = o;
    return r;
}

/* ---- at the daemon's start ---- */
struct old {
    char boot[64];
    struct stor_pool *pool;
};

static int drop_unsure(struct img_store *s, const char *key, json *mark, void *arg)
{
    const struct old *o = arg;
    const char *boot = js_get_str(mark, "boot", NULL);
    if (boot && strcmp(boot, o->boot) != 0)
        (void)renameat(s->pool->layers_fd, key, s->pool->tmp_fd, key);
    return 0;
}

void img_recover(struct stor_pool *p)
{
    struct img_store *s = NULL;
    struct old o = {.pool = p};
    auto_free char *boot = proc_boot_id();
    if (!*boot || !file_exists(p->fd, "images") || img_store_open(p, &s, NULL) < 0)
        return;
    snprintf(o.boot, sizeof(o.boot), "%s", boot);
    (void)each_mark(s, drop_unsure, &o, NULL);
    img_store_free(s);
}
