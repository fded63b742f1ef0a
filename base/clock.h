/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include <stdint.h>
uint64_t clock_mono_us(void);                       /* CLOCK_MONOTONIC */
uint64_t clock_boot_us(void);                       /* CLOCK_BOOTTIME */
uint64_t clock_real_us(void);                       /* CLOCK_REALTIME */
void clock_rfc3339(uint64_t real_us, char buf[32]); /* 2026-11-21T04:00:00.123456Z */
