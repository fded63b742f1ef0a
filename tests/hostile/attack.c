/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/hostile/hostile.h"
#include <stddef.h>
const struct attack attacks[] = {{NULL, NULL}};
