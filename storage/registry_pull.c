/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pull: manifest (through indexes, for one platform), then config and layers that the store lacks, several at once, each into
 * a writer that goes on where a former one stopped. Digests are checked by the store on every byte. Names nothing: the caller
 * tags when all is there. Source: OCI distribution-spec 1.1, image-spec 1.1. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "storage/registry.h"
#include <errno.h>
#include <string.h>

#define MANIFEST_MAX (4u << 20)
#define INDEX_DEPTH 4

void reg_bar_set(struct reg_bar *b, uint64_t done)
{
    uint64_t now = clock_mono_us();
    b->done = done;
    if (done != b->total && now - b->told_us < 100000)
        return;
    b->told_us = now;
    struct img_progress p = {b->item, b->phase, b->done, b->total};
    if (b->job->report)
        b->job->report(b->job->arg, &p);
}

void reg_bar_start(struct reg_bar *b, const struct reg_job *j, const char *phase, const struct img_desc *d,
                   uint64_t done)
{
    const char *hex = strchr(d->digest, ':');
    *b = (struct reg_bar){.job = j, .phase = phase, .total = d->size};
    snprintf(b->item, sizeof(b->item), "%.12s", hex ? hex + 1 : d->digest);
    reg_bar_set(b, done);
}

static int by_digest(const void *a, const void *b)
{
    return strcmp(((const struct img_desc *)a)->digest, ((const struct img_desc *)b)->digest);
}

struct img_desc *reg_blobs(const struct img_image *i, unsigned *n)
{
    struct img_desc *all = xcalloc(i->nlayers + 1, sizeof(*all));
    unsigned kept = 0, count = i->nlayers + 1;
    all[0] = i->config;
    for (unsigned k = 0; k < i->nlayers; k++)
        all[k + 1] = i->layers[k].blob;
    qsort(all, count, sizeof(*all), by_digest);
    for (unsigned k = 0; k < count; k++)
        if (!kept || by_digest(&all[kept - 1], &all[k]) != 0)
            all[kept++] = all[k];
    *n = kept;
    return all;
}

/* ---- manifests ---- */
static bool is_index(const char *media_type, const char *text, size_t n)
{
    auto_js json *j = js_parse(text, n, NULL);
    const char *said = js_get_str(j, "mediaType", media_type);
    if (said && (strstr(said, "image.index") || strstr(said, "manifest.list")))
        return true;
    return !(said && strstr(said, "manifest.v")) && js_type_of(js_get(j, "manifests")) == JS_ARRAY;
}

/* Checked against the digest that was promised, if one was, and in the store from here on. */
static int keep_manifest(const struct reg_job *j, const char *promised, const char *media_type,
                         const struct str *text, struct img_desc *d, struct err *e)
{
    struct img_writer *w = NULL;
    uint64_t have = 0;
    if (!promised)
        return img_blob_put(j->store, media_type, text->p, text->len, d, e);
    memset(d, 0, sizeof(*d));
    snprintf(d->media_type, sizeof(d->media_type), "%s", media_type);
    snprintf(d->digest, sizeof(d->digest), "%s", promised);
    d->size = text->len;
    int r = img_writer_open(j->store, d, &w, &have, e);
    if (r == -EEXIST)
        return 0;
    if (r == 0 && have)
        r = img_writer_restart(w, e);
    if (r == 0)
        r = img_writer_write(w, text->p, text->len, e);
    if (r == 0)
        r = img_writer_commit(w, e);
    img_writer_free(w);
    return r < 0 ? err_prefix(e, "manifest") : 0;
}

static const char accepted[] =
    "Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

/* promised: a digest that somebody trusted has named; else the registry's own word is held against what it sends. */
static int fetch_manifest(const struct reg_job *j, struct reg_session *s, const struct img_ref *ref,
                          const char *name, const char *promised, const char *what, struct img_desc *d,
                          char **text, struct err *e)
{
    struct reg_request r auto_done(reg_request_done) = {0};
    reg_request_init(&r, "GET", reg_url(s->base, ref->repository, "manifests", name), what);
    reg_request_header(&r, "%s", accepted);
    r.text_max = MANIFEST_MAX;
    int k = reg_do(s, &r, e);
    if (k < 0)
        return k;
    char *type = r.content_type ? r.content_type : (char *)"";
    type[strcspn(type, "; \t")] = '\0';
    if (!r.text.len)
        return err_set(e, ERR_INVALID, EPROTO, "%s: the registry's manifest is empty", what);
    if (strstr(type, "docker.distribution.manifest.v1"))
        return err_set(e, ERR_UNSUPPORTED, EPROTO, "%s: the registry has a manifest of schema 1 only", what);
    if (strlen(type) >= sizeof(d->media_type))
        return err_set(e, ERR_INVALID, EPROTO, "%s: the registry's media type is no manifest's", what);
    if (!promised && r.digest && !img_digest_ok(r.digest))
        return err_set(e, ERR_INVALID, EPROTO, "%s: the registry names a digest that is none", what);
    if (keep_manifest(j, promised ? promised : r.digest, type, &r.text, d, e) < 0)
        return err_prefix(e, "%s", what);
    *text = str_take(&r.text);
    return 0;
}

/* The index's choice: from the store, else from the registry; size and digest as the index says. */
static int follow_index(const struct reg_job *j, struct reg_session *s, const struct img_ref *ref,
                        const char *what, struct img_desc *d, char **text, struct err *e)
{
    struct img_desc chosen, got;
    int r = img_index_pick(*text, d->size, j->options->platform, &chosen, e);
    if (r < 0)
        return err_prefix(e, "%s", what);
    free(*text);
    *text = NULL;
    if (img_blob_have(j->store, &chosen))
        r = img_blob_read(j->store, &chosen, MANIFEST_MAX, text, e);
    else if ((r = fetch_manifest(j, s, ref, chosen.digest, chosen.digest, what, &got, text, e)) == 0 &&
             got.size != chosen.size)
        r = err_set(e, ERR_INVALID, EPROTO, "%s: the manifest has %llu bytes where the index says %llu", what,
                    (unsigned long long)got.size, (unsigned long long)chosen.size);
    if (r == 0)
        *d = chosen;
    return r;
}

static int find_image(const struct reg_job *j, struct reg_session *s, const struct img_ref *ref,
                      const char *what, struct img_image *image, struct err *e)
{
    auto_free char *text = NULL;
    struct img_desc d;
    int r = fetch_manifest(j, s, ref, ref->digest ? ref->digest : ref->tag, ref->digest, what, &d, &text, e);
    for (unsigned depth = 0; r == 0 && is_index(d.media_type, text, d.size); depth++) {
        if (depth == INDEX_DEPTH)
            return err_set(e, ERR_INVALID, ELOOP, "%s: more than %d indexes one in another", what,
                           INDEX_DEPTH);
        r = follow_index(j, s, ref, what, &d, &text, e);
    }
    if (r == 0 && (r = img_manifest_parse(text, d.size, d.media_type, image, e)) < 0)
        err_prefix(e, "%s", what);
    if (r == 0)
        image->manifest = d;
    return r;
}

/* ---- blobs ---- */
struct pull {
    const struct reg_job *job;
    struct reg_session *session;
    const struct img_ref *ref;
    struct item *items;
    unsigned n, next, running;
    struct err error;
};
struct item {
    struct pull *pull;
    struct img_desc blob;
    struct img_writer *writer;
    struct reg_request request;
    struct reg_bar bar;
    char what[160];
    bool continued; /* began on bytes that another run has left */
};
static void start_items(struct pull *p);

static void fail(struct pull *p, const struct err *e)
{
    if (!err_is(&p->error))
        p->error = *e;
    p->session->stop = true;
}

static int take(struct reg_request *r, const void *data, size_t n, struct err *e)
{
    struct item *i = r->arg;
    int k = img_writer_write(i->writer, data, n, e);
    return k < 0 ? err_prefix(e, "%s", i->what) : 0;
}

static int begin_again(struct reg_request *r, struct err *e)
{
    struct item *i = r->arg;
    i->continued = false;
    return img_writer_restart(i->writer, e);
}

static void moved(struct reg_request *r, uint64_t bytes)
{
    struct item *i = r->arg;
    reg_bar_set(&i->bar, r->have);
}

static void item_done(struct item *i)
{
    img_writer_free(take_ptr(&i->writer));
    i->pull->running--;
    start_items(i->pull);
}

static int open_item(struct item *i, uint64_t *have, struct err *e)
{
    int r = img_writer_open(i->pull->job->store, &i->blob, &i->writer, have, e);
    return r < 0 && r != -EEXIST ? err_prefix(e, "%s", i->what) : r;
}

static void request_item(struct item *i, uint64_t have);

/* The bytes are there. A wrong digest over bytes that another run has left: once more, from the first byte. */
static void adopt_item(struct item *i)
{
    struct err e = {0};
    uint64_t have = 0;
    int r = img_writer_commit(i->writer, &e);
    if (r < 0 && e.kind == ERR_INVALID && i->continued) {
        i->continued = false;
        img_writer_free(take_ptr(&i->writer));
        err_clear(&e);
        r = open_item(i, &have, &e);
        if (r == 0 && (!have || (r = img_writer_restart(i->writer, &e)) == 0)) {
            request_item(i, 0);
            return;
        }
    }
    if (r < 0 && r != -EEXIST) {
        err_prefix(&e, "%s", i->what);
        fail(i->pull, &e);
    }
    reg_bar_set(&i->bar, i->blob.size);
    item_done(i);
}

static void came(struct reg_request *r)
{
    struct item *i = r->arg;
    if (!err_is(&r->error)) {
        adopt_item(i);
        return;
    }
    fail(i->pull, &r->error);
    item_done(i);
}

static void request_item(struct item *i, uint64_t have)
{
    struct pull *p = i->pull;
    struct reg_request *r = &i->request;
    reg_request_done(r);
    reg_request_init(r, "GET", reg_url(p->session->base, p->ref->repository, "blobs", i->blob.digest),
                     i->what);
    r->ranged = true;
    r->have = have;
    r->total = i->blob.size;
    r->on_data = take;
    r->on_restart = begin_again;
    r->on_moved = moved;
    r->on_done = came;
    r->arg = i;
    reg_submit(p->session, r);
}

static void start_item(struct pull *p, struct item *i)
{
    struct err e = {0};
    uint64_t have = 0;
    int r = open_item(i, &have, &e);
    if (r == -EEXIST) {
        reg_bar_start(&i->bar, p->job, "exists", &i->blob, i->blob.size);
        return;
    }
    if (r < 0) {
        fail(p, &e);
        return;
    }
    p->running++;
    i->continued = have > 0;
    reg_bar_start(&i->bar, p->job, "download", &i->blob, have);
    if (have == i->blob.size)
        adopt_item(i);
    else
        request_item(i, have);
}

static void start_items(struct pull *p)
{
    while (!err_is(&p->error) && p->next < p->n && p->running < p->session->parallel)
        start_item(p, &p->items[p->next++]);
}

static int fetch_blobs(struct pull *p, const struct img_image *image, const char *what, struct err *e)
{
    unsigned n;
    auto_free struct img_desc *blobs = reg_blobs(image, &n);
    p->items = xcalloc(n, sizeof(*p->items));
    for (unsigned k = 0; k < n; k++) {
        struct item *i = &p->items[p->n];
        *i = (struct item){.pull = p, .blob = blobs[k], .request.body_fd = -1};
        snprintf(i->what, sizeof(i->what), "%.100s: %.24s", what, blobs[k].digest);
        if (img_blob_have(p->job->store, &i->blob))
            reg_bar_start(&i->bar, p->job, "exists", &i->blob, i->blob.size);
        else
            p->n++;
    }
    start_items(p);
    int r = reg_run(p->session, e);
    for (unsigned k = 0; k < p->n; k++) {
        reg_request_done(&p->items[k].request);
        img_writer_free(p->items[k].writer);
    }
    free(p->items);
    if (r == 0 && err_is(&p->error)) {
        *e = p->error;
        r = -e->code;
    }
    return r;
}

int reg_pull(const struct reg_job *j, const struct img_ref *ref, struct img_desc *manifest, struct err *e)
{
    struct reg_session *s = NULL;
    struct img_image image auto_done(img_image_done) = {0};
    auto_free char *what = img_ref_print(ref);
    int r = reg_session_open(ref, j->options, &s, e);
    if (r < 0)
        return r;
    strv_take(&s->scopes, xasprintf("repository:%s:pull", ref->repository));
    r = find_image(j, s, ref, what, &image, e);
    struct pull p = {.job = j, .session = s, .ref = ref};
    if (r == 0)
        r = fetch_blobs(&p, &image, what, e);
    if (r == 0)
        *manifest = image.manifest;
    reg_session_free(s);
    return r;
}
