/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The grammars of names: zones, users, paths, hosts, variables, labels. Each check gives the rest of a
 * sentence, or NULL where nothing is wrong. Strict: what is not described is refused. */
#include "base/path.h"
#include "specs/schema.h"
#include <errno.h>
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"
#define ARG_MAX_LEN 131071 /* MAX_ARG_STRLEN of the kernel, with its NUL */

static bool alnum(char c)
{
    return c && strchr(LOWER UPPER DIGIT, c);
}

/* 1 to max characters, all of set. */
static bool all_of(const char *t, const char *set, size_t max)
{
    size_t n = strlen(t);
    return n && n <= max && strspn(t, set) == n;
}

static bool printable(const char *t)
{
    for (; *t; t++)
        if ((unsigned char)*t < 0x20 || *t == 0x7f)
            return false;
    return true;
}

const char *spec_check_zone(const char *t)
{
    size_t n = strlen(t);
    if (all_of(t, LOWER DIGIT "-", SPEC_NAME_MAX) && t[0] != '-' && t[n - 1] != '-')
        return NULL;
    return "is not a name (a-z, 0-9 and - inside; at most 32 characters)";
}

int spec_check_name(const char *what, const char *name, struct err *e)
{
    char show[SPEC_SHOW];
    const char *complaint = spec_check_zone(name ? name : "");
    if (!complaint)
        return 0;
    err_set(e, ERR_INVALID, EINVAL, "%s \"%s\" %s", what, spec_show(name ? name : "", show), complaint);
    return name && name[0] == '@' ? err_hint(e, "the host's own part is @host: zonectl set @host KEY=VALUE…")
                                  : -EINVAL;
}

/* Decimal within the zone's map, or a name as in /etc/passwd. */
static bool user_part(const char *t, size_t n)
{
    char part[33];
    uint64_t id;
    if (!n || n >= sizeof(part))
        return false;
    memcpy(part, t, n);
    part[n] = '\0';
    if (strspn(part, DIGIT) == n)
        return (n == 1 || part[0] != '0') && parse_u64(part, 65534, &id) == 0;
    return all_of(part, LOWER UPPER DIGIT "_.-", sizeof(part) - 1) && !strchr(DIGIT "-.", part[0]);
}

const char *spec_check_user(const char *t)
{
    size_t n = strcspn(t, ":");
    if (user_part(t, n) && (!t[n] || user_part(t + n + 1, strlen(t + n + 1))))
        return NULL;
    return "is not a user (a name or a number up to 65534, with an optional :GROUP)";
}

const char *spec_check_abs(const char *t)
{
    return path_is_clean_absolute(t) ? NULL : "is not a clean absolute path (/a/b, without . and ..)";
}

const char *spec_check_arg(const char *t)
{
    return strlen(t) <= ARG_MAX_LEN ? NULL : "is too long (at most 131071 bytes)";
}

const char *spec_check_env_key(const char *t)
{
    if (all_of(t, LOWER UPPER DIGIT "_", 256) && !strchr(DIGIT, t[0]))
        return NULL;
    return "is not a variable's name (letters, digits and _, no digit first)";
}

const char *spec_check_hostname(const char *t)
{
    const char *complaint =
        "is not a host name (letters, digits, - and . inside; at most 63 characters a part)";
    size_t total = strlen(t);
    if (!total || total > 253)
        return complaint;
    for (;;) {
        size_t n = strcspn(t, ".");
        if (!n || n > 63 || strspn(t, LOWER UPPER DIGIT "-") < n || !alnum(t[0]) || !alnum(t[n - 1]))
            return complaint;
        if (!t[n])
            return NULL;
        t += n + 1;
    }
}

const char *spec_check_http(const char *t)
{
    size_t host = str_starts(t, "http://") ? strcspn(t + 7, "/?#") : 0;
    if (host && strlen(t) <= 2048 && printable(t) && !strpbrk(t, " \"<>\\") && !memchr(t + 7, '@', host))
        return NULL;
    return "is not an address to fetch (http://HOST[:PORT]/PATH)";
}

const char *spec_check_link(const char *t)
{
    const char *name = str_starts(t, "zone:") ? t + 5 : t;
    return spec_check_zone(name) ? "is not a link (a network's name, none, host or zone:NAME)" : NULL;
}

static bool at_or_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    return !strncmp(path, folder, n) && (!path[n] || path[n] == '/');
}

const char *spec_check_target(const char *t)
{
    static const char *const ours[] = {"/proc", "/sys", "/dev"};
    if (!path_is_clean_absolute(t) || strstr(t, "//"))
        return spec_check_abs("");
    if (!strcmp(t, "/") || (strlen(t) > 1 && t[strlen(t) - 1] == '/'))
        return "is not a place for a filesystem (a folder or file below /, without / at its end)";
    for (unsigned i = 0; i < ARRAY_LEN(ours); i++)
        if (at_or_below(t, ours[i]))
            return "is not a place for a filesystem (/proc, /sys and /dev are zoned's own)";
    return NULL;
}

const char *spec_check_device(const char *t)
{
    if (path_is_clean_absolute(t) && str_starts(t, "/dev/") && t[5] && !strstr(t, "//"))
        return NULL;
    return "is not a device (a clean absolute path below /dev)";
}

const char *spec_check_sysctl_key(const char *t)
{
    const char *complaint = "is not a kernel setting (like net.core.somaxconn)";
    if (!all_of(t, LOWER UPPER DIGIT "_-.", 128) || !strchr(t, '.') || strstr(t, "..") || t[0] == '.' ||
        str_ends(t, "."))
        return complaint;
    return NULL;
}

const char *spec_check_line(const char *t)
{
    return strlen(t) <= 4096 && printable(t) ? NULL : "is not one line of text (at most 4096 bytes)";
}

const char *spec_check_label_key(const char *t)
{
    size_t n = strlen(t);
    if (all_of(t, LOWER UPPER DIGIT "_-./", 253) && alnum(t[0]) && alnum(t[n - 1]))
        return NULL;
    return "is not a label's name (letters, digits, and _ - . / inside; at most 253 characters)";
}
