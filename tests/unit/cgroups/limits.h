/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits as a spec without a word about them has; a test changes what it asks about. */
#pragma once
#include "cgroups/internal.h"

static struct spec_cpu cpu;
static struct spec_memory memory;
static struct spec_io io;
static struct cg_limits limits;

static void reset(void)
{
    cpu = (struct spec_cpu){.shares = 100, .cap = -1, .burst = -1, .reserved = -1};
    memory = (struct spec_memory){.cap = SPEC_UNSET,
                                  .soft = SPEC_UNSET,
                                  .reserved = SPEC_UNSET,
                                  .swap = SPEC_UNSET,
                                  .hugepages = SPEC_UNSET};
    io = (struct spec_io){
        .read = SPEC_UNSET, .write = SPEC_UNSET, .read_ops = SPEC_UNSET, .write_ops = SPEC_UNSET};
    limits = (struct cg_limits){.cpu = &cpu, .memory = &memory, .io = &io, .tasks = 512};
}
