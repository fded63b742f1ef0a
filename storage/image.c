/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a zone's root comes from: host, dir:, tar:. Makes layers, once per content, adopted by one rename. */
#include "base/auto.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/images.h"
#include "storage/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

json *stor_root_to_json(const struct stor_root_plan *r)
{
    json *o = js_object();
    js_set_str(o, "image", r->image);
    js_set_strv(o, "lowers", r->lowers);
    js_set_str(o, "lower_dir", r->lower_dir);
    js_set_bool(o, "host_usr", r->host_usr);
    if (r->manifest)
        js_set_str(o, "manifest", r->manifest);
    if (r->config)
        js_set(o, "config", js_ref(r->config));
    return o;
}

int stor_root_from_json(const json *j, struct stor_root_plan *out, struct err *e)
{
    struct stor_root_plan r = {0};
    const char *image = js_get_str(j, "image", NULL), *dir = js_get_str(j, "lower_dir", NULL);
    if (!image || (dir && !path_is_clean_absolute(dir)))
        return err_set(e, ERR_INVALID, EINVAL, "plan: root is malformed");
    r.lowers = js_get_strv(j, "lowers");
    for (char **l = r.lowers; l && *l; l++)
        if (!path_is_component(*l)) {
            strv_free(r.lowers);
            return err_set(e, ERR_INVALID, EINVAL, "plan: a layer's name is malformed");
        }
    r.image = xstrdup(image);
    r.lower_dir = xstrdup(dir);
    r.host_usr = js_get_bool(j, "host_usr", false);
    r.manifest = xstrdup(js_get_str(j, "manifest", NULL));
    if (js_type_of(js_get(j, "config")) == JS_OBJECT)
        r.config = js_ref(js_get(j, "config"));
    *out = r;
    return 0;
}

void stor_root_done(struct stor_root_plan *r)
{
    free(r->image);
    free(r->lower_dir);
    strv_free(r->lowers);
    free(r->manifest);
    js_free(r->config);
    memset(r, 0, sizeof(*r));
}

/* ---- checks ---- */
static int check_dir(const char *path, struct err *e)
{
    struct stat st;
    if (!strcmp(path, "/"))
        return err_set(e, ERR_INVALID, EINVAL, "dir:/ is the host itself: use image: host");
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? err_set(e, ERR_NOT_FOUND, ENOENT, "dir:%s does not exist", path)
                               : err_sys(e, "dir:%s", path);
    if (S_ISLNK(st.st_mode))
        return err_set(e, ERR_INVALID, ELOOP, "dir:%s is a symbolic link: name the folder itself", path);
    if (!S_ISDIR(st.st_mode))
        return err_set(e, ERR_INVALID, ENOTDIR, "dir:%s is not a folder", path);
    auto_dir DIR *d = opendir(path);
    if (!d)
        return err_sys(e, "dir:%s", path);
    for (struct dirent *ent; (ent = readdir(d));)
        if (strcmp(ent->d_name, ".") && strcmp(ent->d_name, ".."))
            return 0;
    return err_set(e, ERR_INVALID, EINVAL, "dir:%s is empty", path);
}

static int check_tar(const char *path, struct err *e)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return errno == ENOENT ? err_set(e, ERR_NOT_FOUND, ENOENT, "tar:%s does not exist", path)
                               : err_sys(e, "tar:%s", path);
    if (!S_ISREG(st.st_mode) || !st.st_size)
        return err_set(e, ERR_INVALID, EINVAL, "tar:%s is %s", path,
                       S_ISREG(st.st_mode) ? "empty" : "not a regular file");
    return 0;
}

static bool in_store(const char *image)
{
    return strcmp(image, "host") != 0 && !str_starts(image, "dir:") && !str_starts(image, "tar:");
}

int stor_image_config(struct stor_pool *p, const char *image, json **config, struct err *e)
{
    *config = NULL;
    return in_store(image) ? img_root_config(p, image, config, e) : 0;
}

int stor_image_check(struct stor_pool *p, const char *image, struct err *e)
{
    if (!strcmp(image, "host"))
        return 0;
    if (str_starts(image, "dir:"))
        return check_dir(image + 4, e);
    if (str_starts(image, "tar:"))
        return check_tar(image + 4, e);
    return img_root_check(p, image, e);
}

/* ---- layers ---- */
static int layer_key(const char *image, char key[80], struct err *e)
{
    return !strcmp(image, "host") ? stor_skeleton_key(key, e) : stor_tar_key(image + 4, key, e);
}

bool stor_image_ready(struct stor_pool *p, const char *image)
{
    char key[80];
    if (in_store(image))
        return img_root_load(p, image, NULL, NULL) == 0;
    return str_starts(image, "dir:") || (layer_key(image, key, NULL) == 0 && file_exists(p->layers_fd, key));
}

struct source {
    const char *image, *key;
    const struct stor_bounds *bounds;
    int progress_fd;
};

static int fill_layer(void *arg, int dirfd, struct err *e)
{
    const struct source *s = arg;
    const char *image = s->image;
    char now[80];
    struct stat st;
    if (!strcmp(image, "host"))
        return stor_skeleton_write(dirfd, e);
    auto_fd int in = open(image + 4, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (in < 0 || fstat(in, &st) < 0)
        return err_sys(e, "%s", image);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_INVALID, EINVAL, "%s is not a regular file", image);
    struct stor_unpack_job job = {.in_fd = in,
                                  .dirfd = dirfd,
                                  .progress_fd = s->progress_fd,
                                  .total = (uint64_t)st.st_size,
                                  .bounds = s->bounds};
    int r = stor_unpack_caged(&job, e);
    if (r < 0)
        return err_prefix(e, "%s", image);
    r = stor_tar_key(image + 4, now, e);
    if (r == 0 && strcmp(now, s->key))
        return err_set(e, ERR_CONFLICT, EAGAIN, "%s changed while it was read", image);
    return r;
}

static int prepare_dir(const struct stor_pool *p, const char *path, struct stor_root_plan *out, struct err *e)
{
    int r = check_dir(path, e);
    if (r < 0)
        return r;
    char *real = realpath(path, NULL);
    if (!real)
        return err_sys(e, "dir:%s", path);
    r = stor_not_ours(p, real, ERR_INVALID, e);
    if (r < 0) {
        free(real);
        return err_prefix(e, "dir:%s", path);
    }
    out->lower_dir = real;
    return 0;
}

int stor_image_prepare(struct stor_pool *p, const char *image, const struct stor_bounds *b, int progress_fd,
                       struct stor_root_plan *out, struct err *e)
{
    char key[80];
    struct stor_root_plan root = {0};
    int r = stor_image_check(p, image, e);
    if (r < 0)
        return r;
    if (in_store(image)) {
        r = img_root_prepare(p, image, b, &root, e);
    } else if (str_starts(image, "dir:")) {
        r = prepare_dir(p, image + 4, &root, e);
    } else {
        r = layer_key(image, key, e);
        struct source source = {image, key, b, progress_fd};
        if (r == 0)
            r = stor_layer_make(p, key, true, fill_layer, &source, e);
        if (r == 0)
            strv_add(&root.lowers, key);
    }
    if (r < 0)
        return r;
    root.image = xstrdup(image);
    root.host_usr = !strcmp(image, "host");
    *out = root;
    return 0;
}

/* ---- the key of a tar: sha-free, by what identifies the file and its content's first and last bytes ---- */
static uint64_t hash_range(int fd, off_t at, size_t n, uint64_t seed)
{
    char buf[65536];
    ssize_t r = pread(fd, buf, n < sizeof(buf) ? n : sizeof(buf), at);
    return seed * 31 + (r > 0 ? hash64(buf, (size_t)r) : 0);
}

int stor_tar_key(const char *path, char out[80], struct err *e)
{
    struct stat st;
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(e, "tar:%s", path);
    /* Inode, size and both times change with any rewrite; the ends of the content guard against a reused
     * inode. */
    uint64_t id[] = {st.st_dev,
                     st.st_ino,
                     (uint64_t)st.st_size,
                     (uint64_t)st.st_mtim.tv_sec,
                     (uint64_t)st.st_mtim.tv_nsec,
                     (uint64_t)st.st_ctim.tv_sec,
                     (uint64_t)st.st_ctim.tv_nsec};
    uint64_t h = hash_range(fd, 0, 65536, hash64(id, sizeof(id)));
    off_t tail = st.st_size > 65536 ? st.st_size - 65536 : 0;
    uint64_t h2 = hash_range(fd, tail, 65536, ~h);
    snprintf(out, 80, "tar-%016llx%016llx", (unsigned long long)h, (unsigned long long)h2);
    return 0;
}
