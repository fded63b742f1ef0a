/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A look at the kernel a moment after it tells of a change: what others do is told in many messages, and one look is enough. */
#pragma once
#include "zoned/zoned.h"

/* look: once, pause_us after the first call; *at holds it until then. */
void look_later(struct zd *d, struct later **at, uint64_t pause_us, void (*look)(struct zd *d));
/* From a failure to the next trial, and from there to the one after it; 0: none failed. */
uint64_t look_pause(uint64_t was_us);
void look_never(struct later **at); /* idempotent */
