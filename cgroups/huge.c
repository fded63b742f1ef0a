/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of limits as this host has it: the rows that every host has, and two for each size of huge pages. The
 * kernel names their files by the size (hugetlb_cgroup.c, mem_fmt): 2048 kB is 2MB. Two, because a mapping is
 * counted as a reservation when it is made (without room mmap says ENOMEM) and as use when it is touched (without
 * room the process gets SIGBUS): with both limits nobody dies of a mapping that he was given.
 * Sources: cgroup-v2.rst, "HugeTLB"; cgroup-v1/hugetlb.rst. */
#include "base/path.h"
#include "cgroups/internal.h"
#include <dirent.h>
#include <string.h>

static void add_row(struct cg_host *h, uint64_t unit, const char *size, const char *counted)
{
    struct cg_key row = {.key = "memory.hugepages",
                         .ctrl = CG_HUGETLB,
                         .v1_fmt = F_HUGE_V1,
                         .v2_fmt = F_HUGE,
                         .unit = unit,
                         .v1 = xasprintf("hugetlb.%s%s.limit_in_bytes", size, counted),
                         .v2 = xasprintf("hugetlb.%s%s.max", size, counted)};
    h->keys = xrealloc(h->keys, h->nkeys + 1, sizeof(row));
    h->keys[h->nkeys++] = row;
}

static void add_size(struct cg_host *h, uint64_t kib)
{
    char size[32];
    if (kib >= 1u << 20)
        snprintf(size, sizeof(size), "%lluGB", (unsigned long long)(kib >> 20));
    else if (kib >= 1u << 10)
        snprintf(size, sizeof(size), "%lluMB", (unsigned long long)(kib >> 10));
    else
        snprintf(size, sizeof(size), "%lluKB", (unsigned long long)kib);
    add_row(h, kib << 10, size, "");
    add_row(h, kib << 10, size, ".rsvd");
    if (!h->huge_least || kib << 10 < h->huge_least)
        h->huge_least = kib << 10;
}

void cg_keys_make(struct cg_host *h)
{
    h->keys = xrealloc(NULL, cg_table_len, sizeof(*h->keys));
    memcpy(h->keys, cg_table, cg_table_len * sizeof(*h->keys));
    h->nkeys = cg_table_len;
    auto_free char *path = path_join(h->sys, "kernel/mm/hugepages");
    auto_dir DIR *dir = opendir(path); /* missing: a kernel without huge pages */
    for (struct dirent *de; dir && (de = readdir(dir));) {
        unsigned long long kib;
        if (sscanf(de->d_name, "hugepages-%llukB", &kib) == 1 && kib && kib < 1ull << 40)
            add_size(h, kib);
    }
}

void cg_keys_free(struct cg_host *h)
{
    for (unsigned i = cg_table_len; i < h->nkeys; i++) {
        free((char *)h->keys[i].v1);
        free((char *)h->keys[i].v2);
    }
    free(h->keys);
}
