/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone's changes as an image: its upper folder as one layer, compressed with the fastest gzip, on top of the layers that its
 * image has, whose blobs are named as they are; a root that is no image (tar:, dir:) becomes a layer too. Files that every start
 * writes are left out. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "storage/pack.h"
#include "storage/store.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define PIECE (1u << 18)

/* What a start writes itself and another zone must not have. */
static char *const written_by_us[] = {
    (char *)"etc/hostname",   (char *)"etc/hosts", (char *)"etc/resolv.conf",
    (char *)"etc/machine-id", (char *)"run",       NULL};

struct layer {
    struct img_store *s;
    int fd; /* compressed, unnamed */
    z_stream z;
    unsigned char *out;
    struct img_hash plain, packed;
    uint64_t size, done;
};

static int deflate_more(struct layer *l, const void *data, size_t n, int flush, struct err *e)
{
    l->z.next_in = (Bytef *)data;
    l->z.avail_in = (uInt)n;
    do {
        l->z.next_out = l->out;
        l->z.avail_out = PIECE;
        (void)deflate(&l->z, flush);
        size_t made = PIECE - l->z.avail_out;
        img_hash_add(&l->packed, l->out, made);
        l->size += made;
        int r = fd_write_full(l->fd, l->out, made);
        if (r < 0)
            return err_sysk(e, r == -ENOSPC ? ERR_LIMIT : ERR_INTERNAL, -r, "writing the layer");
    } while (l->z.avail_out == 0);
    return 0;
}

static int sink(void *arg, const void *data, size_t n, struct err *e)
{
    struct layer *l = arg;
    img_hash_add(&l->plain, data, n);
    l->done += n;
    img_tell(l->s, "layer", "pack", l->done, 0);
    return deflate_more(l, data, n, Z_NO_FLUSH, e);
}

static int pack(struct layer *l, int tree, char *const *skip, struct err *e)
{
    const struct stor_pack_options o = {
        .layer = true, .skip = skip, .has_epoch = l->s->has_epoch, .epoch = l->s->epoch};
    int r = stor_pack_tree(tree, &o, sink, l, e);
    return r < 0 ? r : deflate_more(l, NULL, 0, Z_FINISH, e);
}

static int copy_in(struct img_store *s, int fd, const struct img_desc *d, struct err *e)
{
    struct img_writer *w = NULL;
    uint64_t have = 0;
    auto_free char *buf = xcalloc(1, PIECE);
    ssize_t n;
    int r = img_writer_open(s, d, &w, &have, e);
    if (r == -EEXIST)
        return 0;
    if (r == 0 && lseek(fd, (off_t)have, SEEK_SET) < 0)
        r = err_sys(e, "layer");
    while (r == 0 && (n = read(fd, buf, PIECE)) > 0)
        r = img_writer_write(w, buf, (size_t)n, e);
    if (r == 0)
        r = img_writer_commit(w, e);
    img_writer_free(w);
    return r;
}

static int make_layer(struct img_store *s, int tree, char *const *skip, struct img_layer *out, struct err *e)
{
    struct layer l = {.s = s};
    l.fd = openat(s->staging_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    auto_fd int fd = l.fd;
    auto_free unsigned char *buf = l.out = xcalloc(1, PIECE);
    if (fd < 0)
        return err_sys(e, "image store: staging");
    int r = img_hash_start(&l.plain, "sha256", e);
    r = r < 0 ? r : img_hash_start(&l.packed, "sha256", e);
    if (r == 0 && deflateInit2(&l.z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        r = err_set(e, ERR_INTERNAL, ENOMEM, "gzip");
    if (r == 0) {
        r = pack(&l, tree, skip, e);
        (void)deflateEnd(&l.z);
    }
    if (r == 0) {
        *out = (struct img_layer){.blob.size = l.size};
        snprintf(out->blob.media_type, sizeof(out->blob.media_type), IMG_LAYER_TYPE "+gzip");
        img_hash_end(&l.plain, out->diff_id);
        img_hash_end(&l.packed, out->blob.digest);
        r = copy_in(s, fd, &out->blob, e);
    }
    img_hash_done(&l.plain);
    img_hash_done(&l.packed);
    return r;
}

static int upper_layer(struct img_store *s, const char *zone, struct img_layer *out, struct err *e)
{
    auto_free char *path = xasprintf("%s/upper", zone);
    auto_fd int upper = path_open_beneath(s->pool->zones_fd, path, O_RDONLY | O_DIRECTORY, 0);
    return upper < 0 ? err_sysk(e, ERR_NOT_FOUND, -upper, "data of zone %s", zone)
                     : make_layer(s, upper, written_by_us, out, e);
}

/* ---- the image below ---- */
/* Without what is mounted below it: so does the zone see it. */
int img_open_folder(const char *path, struct err *e)
{
    auto_fd int dir = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    auto_fd int tree = dir < 0 ? -1 : open_tree(dir, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    int fd = tree < 0 ? -1 : openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? err_sys(e, "%s", path) : fd;
}

static int add_layer(struct img_store *s, struct img_image *to, int tree, struct err *e)
{
    auto_fd int fd = tree;
    to->layers = xrealloc(to->layers, to->nlayers + 1, sizeof(*to->layers));
    int r = make_layer(s, fd, NULL, &to->layers[to->nlayers], e);
    to->nlayers += r == 0;
    return r;
}

/* A folder of the host, or the layers that an archive was unpacked to. */
static int make_base(struct img_store *s, const struct stor_root_plan *root, struct img_image *base,
                     struct err *e)
{
    int r = 0;
    if (root->host_usr) {
        err_set(e, ERR_UNSUPPORTED, ENOTSUP,
                "the root of this zone is the host's (image: host): it is no image");
        return err_hint(e,
                        "create the zone from an image; zonectl image build makes one of Debian's packages");
    }
    if (root->lower_dir) {
        int fd = img_open_folder(root->lower_dir, e);
        r = fd < 0 ? fd : add_layer(s, base, fd, e);
    }
    for (size_t k = root->lowers ? strv_len(root->lowers) : 0; r == 0 && k-- > 0;) {
        int fd = openat(s->pool->layers_fd, root->lowers[k], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        r = fd < 0 ? err_sys(e, "layer %s", root->lowers[k]) : add_layer(s, base, fd, e);
    }
    return r;
}

static int load_base(struct img_store *s, const struct stor_root_plan *root, struct img_image *base,
                     struct err *e)
{
    char path[IMG_DIGEST_MAX + 16];
    struct stat st = {0};
    struct img_desc d = {0};
    if (!root->manifest)
        return make_base(s, root, base, e);
    snprintf(d.digest, sizeof(d.digest), "%s", root->manifest);
    int r = img_blob_path(d.digest, path, e);
    if (r == 0 && fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        r = err_set(e, ERR_NOT_FOUND, ENOENT, "the image of this zone (%s) is no longer in the store",
                    root->image);
    d.size = r < 0 ? 0 : (uint64_t)st.st_size;
    return r < 0 ? r : img_load(s, &d, base, e);
}

int img_commit(struct img_store *s, const char *zone, const struct stor_root_plan *root, const json *said,
               const char *created_by, const char *ref, struct img_desc *out, struct err *e)
{
    struct img_image base auto_done(img_image_done) = {0}, made auto_done(img_image_done) = {0};
    struct img_layer top;
    struct img_ref parsed auto_done(img_ref_done) = {0};
    int r = img_ref_parse(ref, &parsed, e);
    r = r < 0 ? r : load_base(s, root, &base, e);
    if (r == 0 && base.nlayers >= 128)
        r = err_set(e, ERR_LIMIT, E2BIG, "the image has 128 layers already");
    r = r < 0 ? r : upper_layer(s, zone, &top, e);
    r = r < 0 ? r : img_make_on(s, &base, &top, said, created_by, out, e);
    r = r < 0 ? r : img_load(s, out, &made, e);
    r = r < 0 ? r : img_unpack(s, out, &made, NULL, e);
    r = r < 0 ? r : img_tag(s, ref, out, e);
    return r < 0 ? err_prefix(e, "commit of %s", zone) : 0;
}
