/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that make an archive's small files. The reader hands over a file with all its bytes and goes on to the next entry; files
 * of one folder go to one thread, since the kernel makes one name at a time in a folder. Whoever comes to a path that a file under
 * way has to do with waits first, so what comes out is what one after the other would have made. Where something is in a file's
 * place already the reader makes it, because only it may take things away. Descriptors of folders are counted by the reader alone. */
#include "base/mem.h"
#include "base/str.h"
#include "storage/unpack.h"
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#define UNDER_WAY 64u
#define THREADS 4u
#define STACK (256u << 10)

enum stage { FREE, WAITS, IS_MADE, DONE, LEFT }; /* LEFT: for the reader, something is in its place */
struct slot {
    enum stage stage;
    unsigned thread;
    uint64_t number; /* in the archive's order */
    struct unpack_file file;
};
struct hand {
    pthread_t id;
    struct unpack_crew *crew;
    unsigned index, waiting;
    pthread_cond_t work;
};
struct unpack_crew {
    struct unpacker *u;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    struct hand hands[THREADS];
    unsigned nhands;
    struct slot slots[UNDER_WAY];
    uint64_t next;
    const struct unpack_dir *last; /* folder of the file given last, and whose it was */
    unsigned last_hand;
    bool ending;
    int failed;
    struct err error; /* the first */
};

/* ---- a thread: all with the lock held but the work itself ---- */
static struct slot *oldest(struct unpack_crew *c, enum stage stage, unsigned thread)
{
    struct slot *first = NULL;
    for (unsigned i = 0; i < UNDER_WAY; i++) {
        struct slot *s = &c->slots[i];
        if (s->stage == stage && (thread == UINT_MAX || s->thread == thread) &&
            (!first || s->number < first->number))
            first = s;
    }
    return first;
}

static void note_failure(struct unpack_crew *c, int r, const struct err *e)
{
    if (r < 0 && !c->failed) {
        c->failed = r;
        c->error = *e;
    }
}

static void make_one(struct unpack_crew *c, struct slot *s)
{
    struct err e = {0};
    s->stage = IS_MADE;
    pthread_mutex_unlock(&c->lock);
    int r = unpack_file_make(c->u, &s->file, &e);
    pthread_mutex_lock(&c->lock);
    s->stage = r == -EEXIST && !err_is(&e) ? LEFT : DONE;
    if (s->stage == DONE)
        note_failure(c, r, &e);
    pthread_cond_signal(&c->moved);
}

static void *work(void *arg)
{
    struct hand *h = arg;
    struct unpack_crew *c = h->crew;
    pthread_mutex_lock(&c->lock);
    for (;;) {
        struct slot *s = h->waiting ? oldest(c, WAITS, h->index) : NULL;
        if (s) {
            h->waiting--;
            make_one(c, s);
        } else if (c->ending) {
            break;
        } else {
            pthread_cond_wait(&h->work, &c->lock);
        }
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* ---- the reader ---- */
static unsigned cpus_of_ours(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof(set), &set) < 0 ? 1 : (unsigned)CPU_COUNT(&set);
}

struct unpack_crew *unpack_crew_new(struct unpacker *u)
{
    unsigned want = cpus_of_ours();
    pthread_attr_t attr;
    if (want < 2)
        return NULL;
    struct unpack_crew *c = xcalloc(1, sizeof(*c));
    c->u = u;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->moved, NULL);
    pthread_attr_init(&attr);
    (void)pthread_attr_setstacksize(&attr, STACK);
    for (unsigned i = 0; i < THREADS && i < want; i++) {
        struct hand *h = &c->hands[i];
        *h = (struct hand){.crew = c, .index = i};
        pthread_cond_init(&h->work, NULL);
        if (pthread_create(&h->id, &attr, work, h) != 0)
            break;
        c->nhands++;
    }
    pthread_attr_destroy(&attr);
    if (!c->nhands) {
        free(c);
        c = NULL;
    }
    return c;
}

static void replace_one(struct unpack_crew *c, struct slot *s)
{
    struct err e = {0};
    pthread_mutex_unlock(&c->lock);
    int r = unpack_file_replace(c->u, &s->file, &e);
    pthread_mutex_lock(&c->lock);
    note_failure(c, r, &e);
    s->stage = DONE;
}

/* What was left is made here, what has been made goes; afterwards none of either is there, so that a wait is for a thread. */
static void collect(struct unpack_crew *c)
{
    struct slot *s;
    while ((s = oldest(c, LEFT, UINT_MAX)))
        replace_one(c, s);
    for (unsigned i = 0; i < UNDER_WAY; i++)
        if (c->slots[i].stage == DONE) {
            unpack_file_done(&c->slots[i].file);
            c->slots[i].stage = FREE;
        }
}

static bool is_at_or_below(const char *path, const char *top)
{
    size_t n = strlen(top);
    return !strncmp(path, top, n) && (path[n] == '\0' || path[n] == '/');
}

static bool concerns(const struct slot *s, const char *path)
{
    return path && (is_at_or_below(path, s->file.path) || is_at_or_below(s->file.path, path));
}

static bool is_under_way(const struct unpack_crew *c, const char *path, const char *target)
{
    for (unsigned i = 0; i < UNDER_WAY; i++)
        if (c->slots[i].stage != FREE &&
            (!path || concerns(&c->slots[i], path) || concerns(&c->slots[i], target)))
            return true;
    return false;
}

static int failure(const struct unpack_crew *c, struct err *e)
{
    return c->failed ? err_set(e, c->error.kind, c->error.code, "%s", c->error.text) : 0;
}

int unpack_crew_clear(struct unpack_crew *c, const char *path, const char *target, struct err *e)
{
    if (!c)
        return 0;
    pthread_mutex_lock(&c->lock);
    for (collect(c); is_under_way(c, path, target); collect(c))
        pthread_cond_wait(&c->moved, &c->lock);
    int r = failure(c, e);
    pthread_mutex_unlock(&c->lock);
    return r;
}

static struct slot *free_slot(struct unpack_crew *c)
{
    struct slot *s;
    for (collect(c); !(s = oldest(c, FREE, UINT_MAX)); collect(c))
        pthread_cond_wait(&c->moved, &c->lock);
    return s;
}

static unsigned choose_hand(struct unpack_crew *c, const struct unpack_dir *dir)
{
    unsigned best = 0;
    if (c->last == dir)
        return c->last_hand;
    for (unsigned i = 1; i < c->nhands; i++)
        if (c->hands[i].waiting < c->hands[best].waiting)
            best = i;
    c->last = dir;
    return c->last_hand = best;
}

int unpack_crew_give(struct unpack_crew *c, struct unpack_file *f, struct err *e)
{
    pthread_mutex_lock(&c->lock);
    struct slot *s = free_slot(c);
    struct hand *h = &c->hands[choose_hand(c, f->dir)];
    *s = (struct slot){.stage = WAITS, .thread = h->index, .number = c->next++, .file = *f};
    h->waiting++;
    pthread_cond_signal(&h->work);
    int r = failure(c, e);
    pthread_mutex_unlock(&c->lock);
    return r;
}

int unpack_crew_end(struct unpack_crew *c, struct err *e)
{
    if (!c)
        return 0;
    int r = unpack_crew_clear(c, NULL, NULL, e);
    pthread_mutex_lock(&c->lock);
    c->ending = true;
    for (unsigned i = 0; i < c->nhands; i++)
        pthread_cond_signal(&c->hands[i].work);
    pthread_mutex_unlock(&c->lock);
    for (unsigned i = 0; i < c->nhands; i++)
        pthread_join(c->hands[i].id, NULL);
    free(c);
    return r;
}
