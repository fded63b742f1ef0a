/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a journal: never a crash, and a step that is done has begun. */
#include "zoned/sup/rt.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct journal_state j;
    journal_parse((const char *)data, size, &j);
    if ((j.done & ~j.begun) || j.begun >= 1u << STEP_COUNT)
        abort();
    return 0;
}
