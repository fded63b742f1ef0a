/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replays a corpus through a fuzzer's entry without libFuzzer: `make check` runs what fuzzing has found. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return 0;
    FILE *f = fopen(path, "rb");
    if (!f)
        return -1;
    uint8_t *buf = malloc((size_t)st.st_size + 1);
    size_t n = buf ? fread(buf, 1, (size_t)st.st_size, f) : 0;
    fclose(f);
    if (buf)
        LLVMFuzzerTestOneInput(buf, n);
    free(buf);
    return buf ? 1 : -1;
}

int main(int argc, char **argv)
{
    int count = 0;
    for (int i = 1; i < argc; i++) {
        int r = replay(argv[i]);
        if (r < 0)
            return fprintf(stderr, "cannot read %s\n", argv[i]), 1;
        count += r;
    }
    printf("# %s: %d inputs replayed\n", argv[0], count);
    return count ? 0 : 1; /* a corpus that is not there tests nothing */
}
