/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Image references: host, dir:/PATH, tar:/PATH, or OCI's [DOMAIN[:PORT]/]PATH[:TAG][@DIGEST]. Pure text.
 * Source: github.com/distribution/reference, regexp. */
#include "base/path.h"
#include "specs/schema.h"
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"
#define COMPLAINT "is not an image (host, dir:/PATH, tar:/PATH or an OCI reference like nginx:1)"

/* [a-z0-9]+ with single ".", one or two "_", or any number of "-" in between */
static bool path_part(const char *t, size_t n)
{
    size_t i = 0;
    for (;;) {
        size_t word = strspn(t + i, LOWER DIGIT);
        if (!word)
            return false;
        i += word;
        if (i >= n)
            return i == n;
        size_t dash = strspn(t + i, "-"), under = strspn(t + i, "_");
        if (dash)
            i += dash;
        else if (under == 1 || under == 2)
            i += under;
        else if (t[i] == '.')
            i++;
        else
            return false;
    }
}

static bool path_parts(const char *t, size_t n)
{
    for (;;) {
        size_t part = 0;
        while (part < n && t[part] != '/')
            part++;
        if (!path_part(t, part))
            return false;
        if (part == n)
            return true;
        t += part + 1;
        n -= part + 1;
    }
}

/* HOST[:PORT] with a dot, a port, or "localhost": else it is the first part of a path. */
static bool domain(const char *t, size_t n)
{
    char host[256];
    const char *complaint;
    uint64_t port;
    if (!n || n >= sizeof(host))
        return false;
    memcpy(host, t, n);
    host[n] = '\0';
    char *colon = strchr(host, ':');
    if (colon) {
        *colon = '\0';
        if (parse_u64(colon + 1, 65535, &port) < 0 || !port)
            return false;
    } else if (!strchr(host, '.') && strcmp(host, "localhost") != 0) {
        return false;
    }
    complaint = spec_check_hostname(host);
    return !complaint;
}

static bool tag(const char *t, size_t n)
{
    return n >= 1 && n <= 128 && strspn(t, LOWER UPPER DIGIT "_.-") >= n && t[0] != '.' && t[0] != '-';
}

static bool digest(const char *t)
{
    static const struct {
        const char *algorithm;
        size_t hex;
    } known[] = {{"sha256:", 64}, {"sha384:", 96}, {"sha512:", 128}};
    for (unsigned i = 0; i < ARRAY_LEN(known); i++) {
        size_t n = strlen(known[i].algorithm);
        if (!strncmp(t, known[i].algorithm, n))
            return strlen(t + n) == known[i].hex && strspn(t + n, DIGIT "abcdef") == known[i].hex;
    }
    return false;
}

static bool oci_reference(const char *t)
{
    const char *at = strchr(t, '@');
    size_t n = at ? (size_t)(at - t) : strlen(t);
    if (at && !digest(at + 1))
        return false;
    const char *slash = memchr(t, '/', n);
    if (slash && domain(t, (size_t)(slash - t))) {
        n -= (size_t)(slash - t) + 1;
        t = slash + 1;
    }
    const char *colon = memchr(t, ':', n);
    size_t path = colon ? (size_t)(colon - t) : n;
    if (colon && !tag(colon + 1, n - path - 1))
        return false;
    return path <= 255 && path_parts(t, path);
}

const char *spec_check_image(const char *t)
{
    if (!strcmp(t, "host"))
        return NULL;
    if (str_starts(t, "dir:") || str_starts(t, "tar:"))
        return path_is_clean_absolute(t + 4) ? NULL : COMPLAINT;
    return strlen(t) <= 1024 && oci_reference(t) ? NULL : COMPLAINT;
}
