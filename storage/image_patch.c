/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Layers are unpacked once for all images, and an archive need not name the folders that its files are in: such a folder is made,
 * marked as implied, and would cover with its own mode, owner, times and attributes those of the same folder in a layer below,
 * which may be another in each image. So an image with such folders gets one more layer on top that holds nothing but them, as
 * the uppermost archive that names them says. The mark is of overlay's private kind: nobody in a zone sees it. */
#include "base/auto.h"
#include "base/mem.h"
#include "base/path.h"
#include "storage/store.h"
#include "storage/unpack.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/xattr.h>

struct folder {
    char *path;
    int layer; /* whose folder it is, -1: nobody's */
};
struct patch {
    struct img_store *s;
    const struct img_image *image;
    VEC(struct folder) folders; /* those above before those below */
    struct err *e;
};

enum sight { ABSENT, NAMED, IMPLIED, HIDDEN };

static bool has_attr(int fd, const char *name)
{
    char value[4];
    return fgetxattr(fd, name, value, sizeof(value)) >= 0;
}

static int open_layer(const struct patch *p, unsigned layer)
{
    char key[LAYER_KEY_SIZE];
    img_layer_key(p->image->layers[layer].diff_id, key);
    return openat(p->s->pool->layers_fd, key, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* What one layer says of a folder. HIDDEN: it takes away what is below. */
static enum sight look(const struct patch *p, unsigned layer, const char *path)
{
    auto_free char *copy = xstrdup(path);
    auto_fd int at = open_layer(p, layer);
    bool opaque = false;
    char *save = NULL;
    for (char *part = strtok_r(copy, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
        opaque = opaque || has_attr(at, OVERLAY_OPAQUE);
        int next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0)
            return errno == ENOENT && !opaque ? ABSENT : HIDDEN;
        close_fd(&at);
        at = next;
    }
    return has_attr(at, IMPLIED_MARK) ? IMPLIED : NAMED;
}

/* The layer whose archive names the folder, seen from above; -1: none does, or it is not to be seen. *covered: implied in a layer
 * above that one. */
static int owner_of(const struct patch *p, const char *path, bool *covered)
{
    *covered = false;
    for (unsigned k = p->image->nlayers; k-- > 0;) {
        enum sight s = look(p, k, path);
        if (s == HIDDEN)
            return -1;
        if (s == NAMED)
            return (int)k;
        *covered = *covered || s == IMPLIED;
    }
    return -1;
}

static bool listed(const struct patch *p, const char *path)
{
    for (unsigned i = 0; i < p->folders.len; i++)
        if (!strcmp(p->folders.at[i].path, path))
            return true;
    return false;
}

/* With the folders above it, which the patch covers too. */
static void add_folder(struct patch *p, const char *path, int layer)
{
    bool covered;
    auto_free char *above = xstrdup(path);
    char *slash = strrchr(above, '/');
    if (listed(p, path))
        return;
    if (slash) {
        *slash = '\0';
        add_folder(p, above, owner_of(p, above, &covered));
    }
    *vec_add(&p->folders) = (struct folder){xstrdup(path), layer};
}

static int visit(void *arg, const struct stor_entry *ent)
{
    struct patch *p = arg;
    bool covered;
    if (!S_ISDIR(ent->st->st_mode))
        return 0;
    auto_fd int fd = openat(ent->dirfd, ent->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (has_attr(fd, IMPLIED_MARK) && !listed(p, ent->path)) {
        int layer = owner_of(p, ent->path, &covered);
        if (layer >= 0 && covered)
            add_folder(p, ent->path, layer);
    }
    return 1;
}

static int gather(struct patch *p)
{
    struct stor_visitor v = {.enter = visit, .arg = p};
    for (unsigned k = 1; k < p->image->nlayers; k++) {
        auto_fd int fd = open_layer(p, k);
        int r = fd < 0 ? -errno : stor_walk(fd, &v);
        if (r < 0)
            return err_sysk(p->e, ERR_INTERNAL, -r, "folders of layer %u", k + 1);
    }
    return 0;
}

static int copy_attrs(int from, int to)
{
    char list[XATTR_LIST_MAX], value[XATTR_SIZE_MAX];
    ssize_t n = flistxattr(from, list, sizeof(list));
    for (char *name = list; n > 0 && name < list + n; name += strlen(name) + 1) {
        ssize_t v = str_starts(name, "user.overlay.") ? -1 : fgetxattr(from, name, value, sizeof(value));
        if (v >= 0 && fsetxattr(to, name, value, (size_t)v, 0) < 0)
            return -errno;
    }
    return 0;
}

static int copy_folder(struct patch *p, int top, const struct folder *f)
{
    struct stat st;
    if (f->layer < 0)
        return 0;
    auto_fd int layer = open_layer(p, (unsigned)f->layer);
    auto_fd int from = path_open_beneath(layer, f->path, O_RDONLY | O_DIRECTORY, 0);
    auto_fd int to = path_open_beneath(top, f->path, O_RDONLY | O_DIRECTORY, 0);
    if (from < 0 || to < 0 || fstat(from, &st) < 0 || fchown(to, st.st_uid, st.st_gid) < 0 ||
        fchmod(to, st.st_mode & 07777) < 0 || copy_attrs(from, to) < 0)
        return err_sys(p->e, "folder %.200s", f->path);
    struct timespec t[2] = {st.st_mtim, st.st_mtim};
    return futimens(to, t) < 0 ? err_sys(p->e, "folder %.200s", f->path) : 0;
}

static int fill(void *arg, int dirfd, struct err *e)
{
    struct patch *p = arg;
    int r = 0;
    p->e = e;
    for (unsigned i = 0; r == 0 && i < p->folders.len; i++) {
        auto_free char *above = xstrdup(p->folders.at[i].path);
        char *slash = strrchr(above, '/');
        if (slash)
            *slash = '\0';
        auto_fd int dir = slash ? path_open_beneath(dirfd, above, O_RDONLY | O_DIRECTORY, 0) : dup(dirfd);
        if (dir < 0 || mkdirat(dir, slash ? slash + 1 : above, 0755) < 0)
            r = err_sys(e, "folder %.200s", p->folders.at[i].path);
    }
    for (unsigned i = p->folders.len; r == 0 && i-- > 0;) /* a folder in it changes its times */
        r = copy_folder(p, dirfd, &p->folders.at[i]);
    struct stor_unpack_stats none = {.entries = p->folders.len};
    char key[LAYER_KEY_SIZE];
    img_patch_key(p->image, key);
    return r < 0 ? r : img_mark_save(p->s, key, key, &none, e);
}

/* One name for one order of layers; no diff id begins with it. */
void img_patch_key(const struct img_image *i, char out[LAYER_KEY_SIZE])
{
    struct img_hash h = {0};
    char digest[IMG_DIGEST_MAX];
    (void)img_hash_start(&h, "sha256", NULL);
    for (unsigned k = 0; k < i->nlayers; k++)
        img_hash_add(&h, i->layers[k].diff_id, strlen(i->layers[k].diff_id) + 1);
    img_hash_end(&h, digest);
    img_hash_done(&h);
    snprintf(out, LAYER_KEY_SIZE, "p%.29s", digest + 7);
}

/* Only where a layer over another has implied folders at all. */
static bool wanted(struct img_store *s, const struct img_image *i)
{
    for (unsigned k = 1; k < i->nlayers; k++) {
        char key[LAYER_KEY_SIZE];
        auto_js json *mark = NULL;
        img_layer_key(i->layers[k].diff_id, key);
        if (img_mark_load(s, key, &mark, NULL) == 0 && js_get_int(mark, "implied", 0) > 0)
            return true;
    }
    return false;
}

int img_patch_make(struct img_store *s, const struct img_image *i, struct err *e)
{
    struct patch p = {.s = s, .image = i, .e = e};
    char key[LAYER_KEY_SIZE];
    if (!wanted(s, i))
        return 0;
    img_patch_key(i, key);
    int r = faccessat(s->pool->layers_fd, key, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : gather(&p);
    if (r == 0 && p.folders.len)
        r = stor_layer_make(s->pool, key, false, fill, &p, e);
    for (unsigned k = 0; k < p.folders.len; k++)
        free(p.folders.at[k].path);
    vec_done(&p.folders);
    return r;
}

char **img_lowers(const struct img_store *s, const struct img_image *i)
{
    char **lowers = NULL, key[LAYER_KEY_SIZE];
    img_patch_key(i, key);
    if (i->nlayers > 1 && faccessat(s->pool->layers_fd, key, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        strv_add(&lowers, key);
    for (unsigned k = i->nlayers; k-- > 0;) {
        img_layer_key(i->layers[k].diff_id, key);
        if (!strv_has(lowers, key)) /* two layers may be the same: overlay takes a folder once */
            strv_add(&lowers, key);
    }
    return lowers;
}
