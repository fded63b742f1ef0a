/* SPDX-License-Identifier: GPL-2.0-or-later */
/* References, digests and platforms as text. Short names go where Docker sends them: nginx is docker.io/library/nginx:latest.
 * Pure. Sources: github.com/distribution/reference, image-spec 1.1 (descriptor, image-index). */
#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"
#include "specs/schema.h"
#include "storage/images.h"
#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

static size_t hex_length(const char *digest)
{
    return str_starts(digest, "sha256:") ? 64 : str_starts(digest, "sha512:") ? 128 : 0;
}

bool img_digest_ok(const char *digest)
{
    size_t n = hex_length(digest);
    return n && strlen(digest + 7) == n && strspn(digest + 7, "0123456789abcdef") == n;
}

/* The part before the first slash is a registry if it has a dot or a port, or is localhost. */
static bool names_registry(const char *text, size_t n)
{
    return memchr(text, '.', n) || memchr(text, ':', n) || (n == 9 && !memcmp(text, "localhost", 9));
}

static void fill(struct img_ref *r, const char *text)
{
    const char *at = strchr(text, '@'), *end = at ? at : text + strlen(text),
               *slash = memchr(text, '/', (size_t)(end - text));
    if (slash && names_registry(text, (size_t)(slash - text))) {
        r->registry = xstrndup(text, (size_t)(slash - text));
        text = slash + 1;
    } else {
        r->registry = xstrdup("docker.io");
    }
    if (!strcmp(r->registry, "index.docker.io") || !strcmp(r->registry, "registry-1.docker.io")) {
        free(r->registry);
        r->registry = xstrdup("docker.io");
    }
    const char *colon = memchr(text, ':', (size_t)(end - text)), *path_end = colon ? colon : end;
    bool library = !strcmp(r->registry, "docker.io") && !memchr(text, '/', (size_t)(path_end - text));
    r->repository = xasprintf("%s%.*s", library ? "library/" : "", (int)(path_end - text), text);
    r->tag = colon ? xstrndup(colon + 1, (size_t)(end - colon - 1)) : at ? NULL : xstrdup("latest");
    r->digest = at ? xstrdup(at + 1) : NULL;
}

int img_ref_parse(const char *text, struct img_ref *out, struct err *e)
{
    const char *complaint = spec_check_image(text);
    const char *at = strchr(text, '@');
    if (complaint || !strcmp(text, "host") || str_starts(text, "dir:/") || str_starts(text, "tar:/"))
        return err_set(e, ERR_INVALID, EINVAL,
                       "\"%.200s\" is no image reference ([REGISTRY/]NAME[:TAG][@DIGEST])", text);
    if (at && !img_digest_ok(at + 1))
        return err_set(e, ERR_UNSUPPORTED, EINVAL, "\"%.200s\": digests are sha256 or sha512", text);
    memset(out, 0, sizeof(*out));
    fill(out, text);
    return 0;
}

char *img_ref_print(const struct img_ref *r)
{
    return xasprintf("%s/%s%s%s%s%s", r->registry, r->repository, r->tag ? ":" : "", r->tag ? r->tag : "",
                     r->digest ? "@" : "", r->digest ? r->digest : "");
}

void img_ref_done(struct img_ref *r)
{
    free(r->registry);
    free(r->repository);
    free(r->tag);
    free(r->digest);
    memset(r, 0, sizeof(*r));
}

/* ---- platforms ---- */
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
