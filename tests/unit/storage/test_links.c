/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hard links of a walk: each is looked up in a bounded number of steps, whatever their count. */
#include "base/mem.h"
#include "storage/links.h"
#include "tests/unit/tap.h"
#include <stdio.h>
#include <string.h>

#define MANY 20000u

int main(void)
{
    struct stor_links l = {0};
    char path[32];
    unsigned wrong = 0;
    for (unsigned i = 0; i < MANY; i++) {
        struct stat st = {.st_ino = i * 8 + 11, .st_dev = 0x801};
        snprintf(path, sizeof(path), "dir/%u", i);
        wrong += stor_links_seen(&l, &st, path) != NULL;
    }
    is_int(wrong, 0, "each is new once");
    uint64_t before = l.probes;
    for (unsigned i = 0; i < MANY; i++) {
        struct stat st = {.st_ino = i * 8 + 11, .st_dev = 0x801};
        snprintf(path, sizeof(path), "dir/%u", i);
        const char *first = stor_links_seen(&l, &st, "other");
        wrong += !first || strcmp(first, path) != 0;
    }
    is_int(wrong, 0, "and known by its first name then");
    ok(l.probes - before < 4 * MANY, "%u are looked up in %llu steps", MANY,
       (unsigned long long)(l.probes - before));
    struct stat elsewhere = {.st_ino = 11, .st_dev = 0x802};
    ok(!stor_links_seen(&l, &elsewhere, "x"), "the same number on another disk is another file");
    stor_links_done(&l);
    ok(!l.all.len && !l.nslots, "empty again");
    return done_testing();
}
