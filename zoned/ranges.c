/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Uid ranges for zones, 65,536 ids each, machine-wide without overlap between daemons.
 *
 * Ids on disk are zone-relative, so a range is needed only while a zone runs. A daemon claims blocks of 64
 * ranges in one file under flock; within its blocks it needs nobody. A block whose owner's run folder is gone
 * and whose daemon is dead is free again. So the file also tells who is there (closed_folders.c). Ranges that
 * reach into /etc/subuid or /etc/subgid are skipped. */
#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/str.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define RANGES_FILE "/run/zoned-uid-ranges"
#define RANGE_BASE 0x70000000u /* above what shadow, systemd and podman hand out by default */
#define BLOCK_RANGES 64u
#define BLOCK_IDS (BLOCK_RANGES * 65536u)
#define BLOCKS ((0x7fff0000u - RANGE_BASE) / BLOCK_IDS)

struct uid_ranges {
    char *owner;
    bool mine[BLOCKS];
    uint64_t used[BLOCKS];
    uint8_t users[BLOCKS][BLOCK_RANGES]; /* zones: one, and those that share its network */
};

static bool subid_overlaps(const char *path, uint64_t first, uint64_t end)
{
    auto_file FILE *f = fopen(path, "re");
    char line[512];
    while (f && fgets(line, sizeof(line), f)) {
        uint64_t start, count;
        char *colon = strchr(line, ':');
        if (colon && sscanf(colon, ":%" SCNu64 ":%" SCNu64, &start, &count) == 2 && start < end &&
            start + count > first)
            return true;
    }
    return false;
}

static bool block_usable(unsigned b)
{
    uint64_t first = RANGE_BASE + (uint64_t)b * BLOCK_IDS, end = first + BLOCK_IDS;
    return !subid_overlaps("/etc/subuid", first, end) && !subid_overlaps("/etc/subgid", first, end);
}

/* Lines: BLOCK PID START_TIME OWNER_DIR */
struct claim {
    unsigned block;
    int pid;
    uint64_t start;
    char owner[4096];
};

static bool claim_alive(const struct claim *c)
{
    uint64_t now;
    struct stat st;
    if (proc_start_time(c->pid, &now) == 0 && now == c->start)
        return true;
    return stat(c->owner, &st) == 0;
}

static unsigned read_claims(FILE *f, struct claim out[BLOCKS])
{
    char line[4200];
    unsigned n = 0;
    while (n < BLOCKS && fgets(line, sizeof(line), f)) {
        struct claim c;
        if (sscanf(line, "%u %d %" SCNu64 " %4095[^\n]", &c.block, &c.pid, &c.start, c.owner) == 4 &&
            c.block < BLOCKS && claim_alive(&c))
            out[n++] = c;
    }
    return n;
}

static int write_claims(FILE *f, const struct claim *c, unsigned n)
{
    rewind(f);
    if (ftruncate(fileno(f), 0) < 0)
        return -errno;
    for (unsigned i = 0; i < n; i++)
        fprintf(f, "%u %d %" PRIu64 " %s\n", c[i].block, c[i].pid, c[i].start, c[i].owner);
    return fflush(f) ? -errno : 0;
}

static FILE *open_locked(struct err *e)
{
    int fd = open(RANGES_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) < 0) {
        err_sys(e, RANGES_FILE);
        close_fd(&fd);
        return NULL;
    }
    return fdopen(fd, "r+");
}

static void own_claim(const struct uid_ranges *r, struct claim *c, unsigned block)
{
    *c = (struct claim){.block = block, .pid = (int)getpid()};
    (void)proc_start_time(getpid(), &c->start);
    snprintf(c->owner, sizeof(c->owner), "%s", r->owner);
}

static int none_free(struct err *e)
{
    err_set(e, ERR_LIMIT, ENOSPC, "no uid range is free on this machine");
    return err_hint(e, "zones that stop give theirs back; %s names who holds blocks", RANGES_FILE);
}

/* With grow: one block more. Without: only takes back what this owner has already. */
static int update(struct uid_ranges *r, bool grow, struct err *e)
{
    struct claim *claims = xcalloc(BLOCKS + 1, sizeof(*claims));
    auto_free void *hold = claims;
    bool taken[BLOCKS] = {false};
    auto_file FILE *f = open_locked(e);
    if (!f)
        return -EIO;
    unsigned n = read_claims(f, claims);
    for (unsigned i = 0; i < n; i++) {
        taken[claims[i].block] = true;
        if (strcmp(claims[i].owner, r->owner))
            continue;
        r->mine[claims[i].block] = true;
        own_claim(r, &claims[i], claims[i].block);
    }
    for (unsigned b = 0; grow && b < BLOCKS; b++)
        if (!taken[b] && block_usable(b)) {
            own_claim(r, &claims[n++], b);
            int k = write_claims(f, claims, n);
            r->mine[b] = k == 0;
            return k < 0 ? err_sysk(e, ERR_LIMIT, -k, RANGES_FILE) : 0;
        }
    if (grow)
        return none_free(e);
    return write_claims(f, claims, n);
}

static bool has_any(const struct uid_ranges *r)
{
    for (unsigned b = 0; b < BLOCKS; b++)
        if (r->mine[b])
            return true;
    return false;
}

int ranges_open(const char *owner_dir, struct uid_ranges **out, struct err *e)
{
    struct uid_ranges *r = xcalloc(1, sizeof(*r));
    r->owner = xstrdup(owner_dir);
    int k = update(r, false, e);
    if (k < 0) {
        free(r->owner);
        free(r);
        return k;
    }
    /* the others find us by what we claim; where nothing is left the first zone will hear of it */
    if (!has_any(r))
        (void)update(r, true, NULL);
    *out = r;
    return 0;
}

int ranges_others(const struct uid_ranges *r, char ***others, struct err *e)
{
    auto_file FILE *f = open_locked(e);
    if (!f)
        return err_is(e) ? -e->code : -EIO;
    struct claim *claims = xcalloc(BLOCKS, sizeof(*claims));
    unsigned n = read_claims(f, claims);
    *others = NULL;
    for (unsigned i = 0; i < n; i++)
        if (strcmp(claims[i].owner, r->owner) && !strv_has(*others, claims[i].owner))
            strv_add(others, claims[i].owner);
    free(claims);
    return 0;
}

int ranges_take(struct uid_ranges *r, uint32_t *base, struct err *e)
{
    for (int pass = 0; pass < 2; pass++) {
        for (unsigned b = 0; b < BLOCKS; b++) {
            if (!r->mine[b] || r->used[b] == UINT64_MAX)
                continue;
            unsigned i = (unsigned)__builtin_ctzll(~r->used[b]);
            r->used[b] |= 1ull << i;
            r->users[b][i] = 1;
            *base = RANGE_BASE + b * BLOCK_IDS + i * 65536u;
            return (int)(b * BLOCK_RANGES + i);
        }
        int k = update(r, true, e);
        if (k < 0)
            return k;
    }
    return none_free(e);
}

int ranges_claim(struct uid_ranges *r, uint32_t base)
{
    if (base < RANGE_BASE || (base - RANGE_BASE) / BLOCK_IDS >= BLOCKS)
        return -ERANGE;
    unsigned b = (base - RANGE_BASE) / BLOCK_IDS, i = (base - RANGE_BASE) / 65536u % BLOCK_RANGES;
    if (r->users[b][i] == UINT8_MAX)
        return -EMFILE;
    r->used[b] |= 1ull << i;
    r->users[b][i]++;
    return (int)(b * BLOCK_RANGES + i);
}

void ranges_release(struct uid_ranges *r, int index)
{
    unsigned b = (unsigned)index / BLOCK_RANGES, i = (unsigned)index % BLOCK_RANGES;
    if (r && index >= 0 && --r->users[b][i] == 0)
        r->used[b] &= ~(1ull << i);
}

void ranges_free(struct uid_ranges *r, bool give_back)
{
    if (!r)
        return;
    auto_file FILE *f = give_back ? open_locked(NULL) : NULL;
    if (f) {
        struct claim *claims = xcalloc(BLOCKS + 1, sizeof(*claims));
        unsigned n = read_claims(f, claims), kept = 0;
        for (unsigned i = 0; i < n; i++)
            if (strcmp(claims[i].owner, r->owner))
                claims[kept++] = claims[i];
        (void)write_claims(f, claims, kept);
        free(claims);
    }
    free(r->owner);
    free(r);
}
