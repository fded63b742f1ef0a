/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Layers of an image onto the disk: one process decompresses, one writes, both caged; this one is between them and holds the
 * bytes against the diff id without looking into them. So the time is the larger of decompressing and writing. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"
#include "storage/store.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#define PIPE_SIZE (1 << 20)

struct flow {
    struct img_store *store;
    const struct img_layer *layer;
    const struct stor_bounds *bounds;
    int blob; /* the decompressor reads it; its offset is the progress */
    int from[2], to[2];
    struct img_hash hash;
    uint64_t told_us;
    char item[16];
    struct stor_unpack_stats stats;
};

static void tell(struct flow *f, bool end)
{
    uint64_t now = clock_mono_us();
    if (!end && now - f->told_us < 100000)
        return;
    f->told_us = now;
    off_t at = end ? (off_t)f->layer->blob.size : lseek(f->blob, 0, SEEK_CUR);
    img_tell(f->store, f->item, "unpack", at < 0 ? 0 : (uint64_t)at, f->layer->blob.size);
}

/* tee hands the pages on without a copy; the read that takes them out of the first pipe is for the hash. 1: the writer has
 * ended before its time and says why. */
static int pass_on(struct flow *f, struct err *e)
{
    auto_free char *buf = xcalloc(1, PIPE_SIZE);
    for (;;) {
        ssize_t n = tee(f->from[0], f->to[1], PIPE_SIZE, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EPIPE ? 1 : err_sys(e, "pipe");
        if (n == 0)
            return 0;
        if (fd_read_full(f->from[0], buf, (size_t)n) != n)
            return err_sys(e, "pipe");
        img_hash_add(&f->hash, buf, (size_t)n);
        tell(f, false);
    }
}

static int check_diff_id(struct flow *f, struct err *e)
{
    char got[IMG_DIGEST_MAX];
    img_hash_end(&f->hash, got);
    if (!strcmp(got, f->layer->diff_id))
        return 0;
    return err_set(e, ERR_INVALID, EBADMSG, "wrong diff id: the bytes are %.24s…, the config says %.24s…",
                   got, f->layer->diff_id);
}

static int run_flow(struct flow *f, int dirfd, struct err *e)
{
    struct stor_bounds bounds;
    struct stor_cage in = STOR_CAGE_NONE, out = STOR_CAGE_NONE;
    struct err why = {0}, source = {0};
    stor_default_bounds(dirfd, f->bounds, &bounds);
    struct stor_unpack_job write_job = {
        .in_fd = f->to[0], .dirfd = dirfd, .progress_fd = -1, .bounds = &bounds, .layer = true};
    struct stor_unpack_job read_job = {
        .in_fd = f->blob, .dirfd = dirfd, .progress_fd = f->from[1], .bounds = &bounds};
    int r = stor_cage_start(&out, CAGE_UNPACK, &write_job, e);
    r = r < 0 ? r : stor_cage_start(&in, CAGE_INFLATE, &read_job, e);
    close_fd(&f->from[1]);
    close_fd(&f->to[0]);
    if (r == 0)
        r = pass_on(f, e);
    close_fd(&f->to[1]);
    close_fd(&f->from[0]);
    int k = r == 0 ? stor_cage_wait(&in, NULL, &source) : 0;
    int w = r < 0 || out.pid < 0 ? 0 : stor_cage_wait(&out, &f->stats, &why);
    stor_cage_kill(&in);
    stor_cage_kill(&out);
    if (r < 0)
        return r;
    /* Where the source ended early the writer saw a short archive: the source's word is the reason. */
    if (k < 0 || w < 0)
        return err_set(e, k < 0 ? source.kind : why.kind, k < 0 ? source.code : why.code, "%s",
                       k < 0 ? source.text : why.text);
    return r > 0 ? err_set(e, ERR_INTERNAL, EPIPE, "the unpacking process ended early") : check_diff_id(f, e);
}

static int fill_layer(void *arg, int dirfd, struct err *e)
{
    struct flow *f = arg;
    f->blob = img_blob_open(f->store, &f->layer->blob, e);
    if (f->blob < 0)
        return f->blob;
    auto_fd int blob = f->blob;
    if (pipe2(f->from, O_CLOEXEC) < 0 || pipe2(f->to, O_CLOEXEC) < 0)
        return err_sys(e, "pipe");
    (void)fcntl(f->from[1], F_SETPIPE_SZ, PIPE_SIZE);
    (void)fcntl(f->to[1], F_SETPIPE_SZ, PIPE_SIZE);
    int r = img_hash_start(&f->hash, f->layer->diff_id, e);
    if (r == 0)
        r = run_flow(f, dirfd, e);
    img_hash_done(&f->hash);
    fd_close_all(f->from, 2);
    fd_close_all(f->to, 2);
    if (r == 0)
        tell(f, true);
    return r;
}

void img_layer_key(const char *diff_id, char out[LAYER_KEY_SIZE])
{
    snprintf(out, LAYER_KEY_SIZE, "%.30s", diff_id + 7);
}

/* ---- layers/KEY.json: what was unpacked, and in which boot as long as it is not surely on the disk ---- */
int img_mark_save(struct img_store *s, const char *key, const char *diff_id,
                  const struct stor_unpack_stats *st, struct err *e)
{
    char path[64];
    auto_js json *o = js_object();
    auto_free char *boot = proc_boot_id();
    js_set_str(o, "diff_id", diff_id);
    js_set_int(o, "entries", (int64_t)st->entries);
    js_set_int(o, "bytes", (int64_t)st->bytes);
    js_set_int(o, "skipped_devices", (int64_t)st->skipped_devices);
    js_set_int(o, "implied", (int64_t)st->implied);
    js_set_str(o, "boot", boot);
    auto_free char *text = js_dump(o, false);
    snprintf(path, sizeof(path), "layers/%s.json", key);
    return file_replace(s->fd, path, text, strlen(text), 0600, false, e);
}

int img_mark_load(const struct img_store *s, const char *key, json **out, struct err *e)
{
    char path[64];
    auto_free char *text = NULL;
    size_t n = 0;
    snprintf(path, sizeof(path), "layers/%s.json", key);
    int r = file_read(s->fd, path, 4096, &text, &n, e);
    json *j = r < 0 ? NULL : js_parse(text, n, e);
    if (!j)
        return r < 0 ? r : -EINVAL;
    *out = j;
    return 0;
}

static int fill_and_mark(void *arg, int dirfd, struct err *e)
{
    struct flow *f = arg;
    char key[LAYER_KEY_SIZE];
    img_layer_key(f->layer->diff_id, key);
    int r = fill_layer(f, dirfd, e);
    return r < 0 ? r : img_mark_save(f->store, key, f->layer->diff_id, &f->stats, e);
}

static int check_mark(struct img_store *s, const char *key, const struct img_layer *l, struct err *e)
{
    auto_js json *mark = NULL;
    int r = img_mark_load(s, key, &mark, e);
    if (r == 0 && strcmp(js_get_str(mark, "diff_id", ""), l->diff_id) != 0)
        r = err_set(e, ERR_CONFLICT, EEXIST, "its folder is taken by %.24s…",
                    js_get_str(mark, "diff_id", ""));
    return r;
}

static int unpack_layer(struct img_store *s, const struct img_layer *l, const struct stor_bounds *b,
                        struct err *e)
{
    char key[LAYER_KEY_SIZE];
    struct flow f = {.store = s, .layer = l, .bounds = b, .from = {-1, -1}, .to = {-1, -1}};
    img_layer_key(l->diff_id, key);
    snprintf(f.item, sizeof(f.item), "%.12s", l->blob.digest + 7);
    int r = stor_layer_make(s->pool, key, false, fill_and_mark, &f, e);
    r = r < 0 ? r : check_mark(s, key, l, e);
    if (r == 0 && f.stats.skipped_devices)
        img_note(s, "layer %s: %llu device nodes below /dev were left out: a zone has its own", f.item,
                 (unsigned long long)f.stats.skipped_devices);
    return r < 0 ? err_prefix(e, "layer %s", f.item) : 0;
}

int img_unpack(struct img_store *s, const struct img_desc *d, const struct img_image *i,
               const struct stor_bounds *b, struct err *e)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    int r = i->nlayers ? 0 : err_set(e, ERR_INVALID, EINVAL, "the image has no layers");
    sigaction(SIGPIPE, &ignore, &before);
    for (unsigned k = 0; r == 0 && k < i->nlayers; k++)
        r = unpack_layer(s, &i->layers[k], b, e);
    sigaction(SIGPIPE, &before, NULL);
    r = r < 0 ? r : img_patch_make(s, i, e);
    return r < 0 ? r : img_root_save(s, d, i, e);
}
