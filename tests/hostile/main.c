/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/hostile/hostile.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (getpid() == 1 && strstr(argv[0], "init")) { /* the init of an image: tells, then waits for its end */
        profile_main(0, NULL);
        printf("end of profile\n");
        for (;;)
            pause();
    }
    if (argc > 1 && !strcmp(argv[1], "profile"))
        return profile_main(argc - 1, argv + 1);
    for (const struct attack *a = attacks; argc > 1 && a->name; a++)
        if (!strcmp(argv[1], a->name))
            return a->run(argc - 1, argv + 1);
    return fprintf(stderr, "hostile: profile, or an attack\n"), 2;
}
