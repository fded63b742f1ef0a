/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as an archive, below a temporary folder with small bounds: never a crash, never a file beside the
 * folder, never a device node in it. */
#include "base/auto.h"
#include "base/path.h"
#include "storage/internal.h"
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int no_device(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    return (S_ISCHR(st->st_mode) && st->st_rdev != 0) || S_ISBLK(st->st_mode) || S_ISSOCK(st->st_mode);
}

static void only_entry(const char *top, const char *name)
{
    auto_dir DIR *d = opendir(top);
    for (struct dirent *ent; d && (ent = readdir(d));)
        if (strcmp(ent->d_name, ".") && strcmp(ent->d_name, "..") && strcmp(ent->d_name, name))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char top[] = "/tmp/fuzz-archive-XXXXXX";
    const struct stor_bounds small = {.entries = 64, .bytes = 1u << 20};
    struct err e = {0};
    auto_fd int in = memfd_create("archive", MFD_CLOEXEC);
    if (in < 0 || pwrite(in, data, size, 0) != (ssize_t)size || !mkdtemp(top))
        abort();
    auto_fd int above = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (mkdirat(above, "root", 0755) < 0)
        abort();
    auto_fd int root = openat(above, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stor_unpack_job job = {
        .in_fd = in, .dirfd = root, .progress_fd = -1, .bounds = &small, .layer = size && data[size - 1] & 1};
    int r = stor_unpack(&job, &e);
    if ((r < 0) != err_is(&e))
        abort(); /* an error without a word, or a word without one */
    only_entry(top, "root");
    if (nftw(top, no_device, 16, FTW_PHYS) || path_remove_tree(above, "root", NULL) < 0 || rmdir(top) < 0)
        abort();
    return 0;
}
