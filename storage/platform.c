/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Platforms as text. Pure. Source: image-spec 1.1 (image-index). */
#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/images.h"
#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

static bool word_ok(const char *w, size_t max)
{
    size_t n = strlen(w);
    return n && n < max && strspn(w, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == n;
}

static void host_platform(struct img_platform *p)
{
    static const struct {
        const char *machine, *arch, *variant;
    } known[] = {{"x86_64", "amd64", ""},       {"aarch64", "arm64", "v8"}, {"armv7l", "arm", "v7"},
                 {"armv6l", "arm", "v6"},       {"i686", "386", ""},        {"i586", "386", ""},
                 {"loongarch64", "loong64", ""}};
    struct utsname u;
    uname(&u);
    *p = (struct img_platform){.os = "linux"};
    snprintf(p->arch, sizeof(p->arch), "%.15s",
             u.machine); /* ppc64le, s390x, riscv64 are named as they are */
    for (unsigned i = 0; i < ARRAY_LEN(known); i++)
        if (!strcmp(u.machine, known[i].machine)) {
            snprintf(p->arch, sizeof(p->arch), "%s", known[i].arch);
            snprintf(p->variant, sizeof(p->variant), "%s", known[i].variant);
        }
}

int img_platform_parse(const char *text, struct img_platform *out, struct err *e)
{
    struct img_platform p = {0};
    if (!text) {
        host_platform(out);
        return 0;
    }
    char **part = str_split(text, "/");
    unsigned n = strv_len(part), slashes = 0;
    for (const char *c = text; *c; c++)
        slashes += *c == '/';
    bool good = n >= 2 && n <= 3 && slashes == n - 1 && word_ok(part[0], sizeof(p.os)) &&
                word_ok(part[1], sizeof(p.arch)) && (n == 2 || word_ok(part[2], sizeof(p.variant)));
    if (good) {
        snprintf(p.os, sizeof(p.os), "%s", part[0]);
        snprintf(p.arch, sizeof(p.arch), "%s", part[1]);
        snprintf(p.variant, sizeof(p.variant), "%s", n == 3 ? part[2] : "");
        *out = p;
    }
    strv_free(part);
    return good ? 0
                : err_set(e, ERR_INVALID, EINVAL,
                          "\"%.60s\" is no platform (OS/ARCHITECTURE[/VARIANT], such as linux/arm64/v8)",
                          text);
}
