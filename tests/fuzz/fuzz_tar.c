/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as the headers of a tar that holds an image, and as something compressed: members lie within the file, names are
 * bounded, what comes out of the decompressor is bounded. */
#include "base/mem.h"
#include "storage/source.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void headers(int fd, size_t size)
{
    struct img_source s = {.fd = -1};
    struct err e = {0};
    (void)img_tar_index(fd, size, &s, &e);
    for (unsigned i = 0; i < s.members.len; i++) {
        const struct img_member *m = &s.members.at[i];
        if (m->at > size || m->size > size - m->at || strlen(m->name) > 4096)
            abort();
        (void)img_source_has(&s, m->name); /* links are followed, and end */
    }
    img_source_done(&s);
}

static void inflate(int fd)
{
    const struct stor_bounds small = {.entries = 16, .bytes = 1u << 20};
    struct err e = {0};
    auto_fd int out = memfd_create("out", MFD_CLOEXEC);
    int r = stor_inflate(fd, out, &small, &e);
    if ((r < 0) != err_is(&e) || lseek(out, 0, SEEK_END) > (2 << 20))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_fd int fd = memfd_create("archive", MFD_CLOEXEC);
    if (fd < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    headers(fd, size);
    inflate(fd);
    return 0;
}
