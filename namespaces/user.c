/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who a program runs as: one strict parser for "NAME|UID[:GROUP|GID]" and for the zone's passwd and group
 * files. Runs with the zone's own credentials and root. Must never take a malformed text for uid 0: overflow,
 * sign, space and hex are errors, and files that are links, fifos or larger than 1 MiB are not read. */
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "namespaces/inner.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX (1u << 20)
#define FIELDS 7

void nspace_user_done(struct nspace_user *u)
{
    free(u->home);
    free(u->shell);
    free(u->name);
    memset(u, 0, sizeof(*u));
}

/* The text, or NULL where there is no such regular file: an image without /etc/passwd is usual. */
static char *read_small(int rootfd, const char *path)
{
    struct stat st;
    auto_fd int fd = path_open_in(rootfd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
        return NULL;
    char *text = xcalloc((size_t)st.st_size + 1, 1);
    ssize_t n = fd_read_full(fd, text, (size_t)st.st_size);
    if (n < 0) {
        free(text);
        return NULL;
    }
    text[n] = '\0'; /* a NUL inside ends the file for us */
    return text;
}

static unsigned split(char *line, char *fields[FIELDS])
{
    unsigned n = 0;
    while (line && n < FIELDS - 1)
        fields[n++] = strsep(&line, ":");
    if (line)
        fields[n++] = line; /* with what may be too much in it */
    return n;
}

static int number(const char *s, uint32_t *out)
{
    uint64_t v;
    if (parse_u64(s, NSPACE_IDS - 1, &v) < 0)
        return -EINVAL;
    *out = (uint32_t)v;
    return 0;
}

static bool all_digits(const char *s)
{
    return *s && strspn(s, "0123456789") == strlen(s);
}

static bool good_name(const char *s)
{
    size_t n = strlen(s);
    if (!n || n > 64 || *s == '-')
        return false;
    for (; *s; s++)
        if (*s <= ' ' || *s == ':' || *s == ',' || *s == '/' || *s == '+' || *s == 0x7f)
            return false;
    return true;
}

/* By name, or by number where name is NULL. Lines that do not parse are as if they were not there. */
static bool find_passwd(const char *text, const char *name, uint32_t uid, struct nspace_user *u)
{
    auto_free char *copy = xstrdup(text ? text : "");
    char *save = NULL;
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *f[FIELDS];
        uint32_t id, gid;
        if (split(line, f) != FIELDS || number(f[2], &id) < 0 || number(f[3], &gid) < 0)
            continue;
        if (name ? strcmp(f[0], name) : id != uid)
            continue;
        u->uid = id;
        u->gid = gid;
        u->name = xstrdup(f[0]);
        u->home = xstrdup(f[5]);
        u->shell = xstrdup(f[6]);
        return true;
    }
    return false;
}

static bool lists_member(char *members, const char *name)
{
    char *save = NULL;
    for (char *m = strtok_r(members, ",", &save); m; m = strtok_r(NULL, ",", &save))
        if (!strcmp(m, name))
            return true;
    return false;
}

/* The number of the group `name` (-1 where NULL or not there); fills the groups that list u->name. */
static int64_t scan_groups(const char *text, const char *name, struct nspace_user *u)
{
    auto_free char *copy = xstrdup(text ? text : "");
    char *save = NULL;
    int64_t found = -1;
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *f[FIELDS];
        uint32_t gid;
        if (split(line, f) != 4 || number(f[2], &gid) < 0)
            continue;
        if (name && found < 0 && !strcmp(f[0], name))
            found = gid;
        if (!name && u->name && u->ngroups < ARRAY_LEN(u->groups) && lists_member(f[3], u->name))
            u->groups[u->ngroups++] = gid;
    }
    return found;
}

static int find_group(int rootfd, const char *group, const char *whole, struct nspace_user *u, struct err *e)
{
    auto_free char *text = read_small(rootfd, "etc/group");
    if (!group) {
        scan_groups(text, NULL, u);
        return 0;
    }
    uint32_t gid = 0;
    int64_t found = all_digits(group)  ? (number(group, &gid) == 0 ? (int64_t)gid : -1)
                    : good_name(group) ? scan_groups(text, group, u)
                                       : -1;
    if (found < 0)
        return err_set(e, ERR_INVALID, EINVAL, "user %.60s: no such group in the zone", whole);
    u->gid = (gid_t)found;
    return 0;
}

int nspace_user_find(int rootfd, const char *text, struct nspace_user *u, struct err *e)
{
    memset(u, 0, sizeof(*u));
    auto_free char *who = xstrdup(text && *text ? text : "0");
    char *group = strchr(who, ':');
    if (group)
        *group++ = '\0';
    auto_free char *passwd = read_small(rootfd, "etc/passwd");
    uint32_t uid = 0;
    bool digits = all_digits(who);
    if (digits ? number(who, &uid) < 0 : !good_name(who))
        return err_set(e, ERR_INVALID, EINVAL, "user %.60s: a name, or a number up to %u", text,
                       NSPACE_IDS - 1);
    if (!find_passwd(passwd, digits ? NULL : who, uid, u)) {
        if (!digits && strcmp(who, "root"))
            return err_set(e, ERR_INVALID, EINVAL, "user %.60s: no such user in the zone", text);
        u->uid = uid; /* a number needs no entry; its group is 0 then, as in Docker */
        u->name = uid == 0 ? xstrdup("root") : NULL;
    }
    int r = find_group(rootfd, group, text ? text : who, u, e);
    if (r < 0) {
        nspace_user_done(u);
        return r;
    }
    if (!u->home || u->home[0] != '/') {
        free(u->home);
        u->home = xstrdup(u->uid == 0 ? "/root" : "/");
    }
    return 0;
}
