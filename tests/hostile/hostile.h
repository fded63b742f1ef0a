/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program that runs inside zones on the tests' behalf: it tells what a zone has (profile), and it attacks. Each
 * attack prints one word, which the test compares: `held`, or what it won. Static: the zone needs nothing of its
 * own for it. It assumes nothing of zoned and uses none of its code. */
#pragma once

struct attack {
    const char *name;
    int (*run)(int argc, char **argv);
};
int profile_main(int argc, char **argv);
void profile_calls(void);
extern const struct attack attacks[]; /* ends with name NULL */
