/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    const char *program;
    enum log_level max;
    bool journald;
} logger = {"zoned", LOG_LEVEL_INFO, false};

void log_init(const char *program, enum log_level max)
{
    logger.program = program;
    logger.max = max;
    logger.journald = getenv("JOURNAL_STREAM") != NULL;
}

void log_at(enum log_level level, const char *fmt, ...)
{
    if (level > logger.max)
        return;
    char line[1200];
    int n = logger.journald ? snprintf(line, sizeof(line), "<%d>", (int)level)
                            : snprintf(line, sizeof(line), "%s[%d]: ", logger.program, (int)getpid());
    va_list ap;
    va_start(ap, fmt);
    int m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
    va_end(ap);
    if (m < 0)
        return;
    size_t len = strlen(line);
    line[len++] = '\n';
    (void)!write(STDERR_FILENO, line, len);
}
