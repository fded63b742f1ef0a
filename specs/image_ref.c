/* SPDX-License-Identifier: GPL-2.0-or-later */
/* References and digests as text. Short names go where Docker sends them: nginx is docker.io/library/nginx:latest.
 * Pure. Sources: github.com/distribution/reference, image-spec 1.1 (descriptor). */
#include "specs/image_ref.h"
#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"
#include "specs/schema.h"
#include <errno.h>
#include <string.h>

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
