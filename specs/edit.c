/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spec_edit: placeholder until the text editor follows in the next commit. */
#include "specs/specs.h"
#include <errno.h>

int spec_edit(const char *text, const char *file, char *const *edits, char **out, bool *lost_comments,
              struct problems *ps)
{
    problem_add(ps, ERR_UNSUPPORTED, file, 0, NULL, "spec_edit is not available yet");
    return -EINVAL;
}
