/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pool in a temporary folder, and pictures of trees to compare. */
#pragma once
#include "base/auto.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/internal.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static char top[32];
static struct stor_pool *pool;

/* Runs a line of shell in the temporary folder; its first bytes of output, without the last newline. */
__attribute__((format(printf, 1, 2), unused)) static char *sh(const char *fmt, ...)
{
    va_list ap;
    char *line = NULL, buf[65536];
    va_start(ap, fmt);
    if (vasprintf(&line, fmt, ap) < 0)
        abort();
    va_end(ap);
    auto_free char *whole = xasprintf("cd %s && exec 2>&1\n%s", top, line);
    free(line);
    FILE *f = popen(whole, "r");
    size_t n = f ? fread(buf, 1, sizeof(buf) - 1, f) : 0;
    if (f)
        pclose(f);
    while (n && buf[n - 1] == '\n')
        n--;
    return xstrndup(buf, n);
}
#define run(...) free(sh(__VA_ARGS__))
#define is_sh(want, text, ...)                                                                               \
    ({                                                                                                       \
        auto_free char *s_ = sh(__VA_ARGS__);                                                                \
        is_str(s_, want, "%s", text);                                                                        \
    })

static void lab_begin(void)
{
    struct err e = {0};
    strcpy(top, "/tmp/storage-XXXXXX");
    if (!mkdtemp(top))
        abort();
    umask(022);
    auto_free char *dir = xasprintf("%s/pool", top);
    is_int(stor_pool_open(dir, &pool, &e), 0, "a pool: %s", e.text);
}

static void lab_end(void)
{
    stor_pool_free(pool);
    auto_fd int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
    (void)path_remove_tree(tmp, top + 5, NULL);
}
