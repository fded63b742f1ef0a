/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sparse root of `image: host`: folders and links of its own, and of the host's /etc only what holds no
 * secret. /usr comes as a read-only mount. The layer's name is a hash of what was copied, so a change on the
 * host makes a new layer. */
#include "base/auto.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SKELETON_VERSION 1
#define COPY_MAX (16u << 20)

static const struct {
    const char *path;
    mode_t mode;
} folders[] = {
    {"boot", 0755},
    {"dev", 0755},
    {"etc", 0755},
    {"home", 0755},
    {"media", 0755},
    {"mnt", 0755},
    {"opt", 0755},
    {"proc", 0555},
    {"root", 0700},
    {"run", 0755},
    {"srv", 0755},
    {"sys", 0555},
    {"tmp", 01777},
    {"usr", 0755},
    {"var", 0755},
    {"var/cache", 0755},
    {"var/lib", 0755},
    {"var/local", 0755},
    {"var/log", 0755},
    {"var/mail", 0755},
    {"var/opt", 0755},
    {"var/spool", 0755},
    {"var/tmp", 01777},
    {"etc/ssl", 0755},
    {"etc/ssl/certs", 0755},
    {"etc/alternatives", 0755},
    {"etc/ld.so.conf.d", 0755},
    {"etc/default", 0755},
    {"etc/profile.d", 0755},
};
/* Of the host's /etc, from contract.md; a trailing slash means the files and links in that folder. */
static const char *const from_host[] = {
    "alternatives/", "ssl/certs/", "ld.so.conf.d/", "ld.so.cache", "ld.so.conf",
    "localtime",     "services",   "protocols",     "mime.types",  "ca-certificates.conf"};
static const struct {
    const char *path, *text;
} written[] = {
    {"etc/passwd", "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
                   "www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/"
                   "nonexistent:/usr/sbin/nologin\n"},
    {"etc/group",
     "root:x:0:\ndaemon:x:1:\ntty:x:5:\nwww-data:x:33:\nstaff:x:50:\nusers:x:100:\nnogroup:x:65534:\n"},
    {"etc/nsswitch.conf",
     "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n"},
    {"etc/shells", "/bin/sh\n/bin/bash\n/usr/bin/sh\n/usr/bin/bash\n"},
    {"etc/host.conf", "multi on\n"},
    {"etc/profile", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nexport PATH\n"},
};
static const char *const usr_links[] = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};

/* ---- the key ---- */
static uint64_t hash_stat(const char *path, uint64_t h)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return h * 31 + 7;
    uint64_t v[] = {h, (uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec, (uint64_t)st.st_size,
                    st.st_mode};
    return hash64(v, sizeof(v));
}

int stor_skeleton_key(char out[80], struct err *e)
{
    uint64_t h = SKELETON_VERSION;
    for (unsigned i = 0; i < ARRAY_LEN(from_host); i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof(path), "/etc/%s", from_host[i]);
        h = hash_stat(path, h); /* a folder's time changes with each entry made, replaced or removed */
    }
    for (unsigned i = 0; i < ARRAY_LEN(usr_links); i++) {
        char path[32];
        snprintf(path, sizeof(path), "/%s", usr_links[i]);
        h = hash_stat(path, h);
    }
    snprintf(out, 80, "host-%016llx", (unsigned long long)h);
    return 0;
}

/* ---- writing ---- */
static int put(int dirfd, const char *path, const void *data, size_t n, mode_t mode, struct err *e)
{
    auto_fd int fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0 || fchmod(fd, mode) < 0)
        return err_sys(e, "skeleton: %s", path);
    int r = fd_write_full(fd, data, n);
    return r < 0 ? err_sysk(e, ERR_LIMIT, -r, "skeleton: %s", path) : 0;
}

/* A link whose target is in /usr or in what is copied stays a link; any other is dropped, since it would
 * dangle. */
static int copy_link(int dirfd, const char *from, const char *to, struct err *e)
{
    char target[PATH_MAX];
    ssize_t n = readlink(from, target, sizeof(target) - 1);
    if (n < 0)
        return 0;
    target[n] = '\0';
    bool inside = target[0] != '/' || str_starts(target, "/usr/") || str_starts(target, "/etc/ssl/certs/") ||
                  str_starts(target, "/etc/alternatives/") || str_starts(target, "/bin/") ||
                  str_starts(target, "/lib");
    if (inside && symlinkat(target, dirfd, to) < 0 && errno != EEXIST)
        return err_sys(e, "skeleton: %s", to);
    return 0;
}

static int copy_one(int dirfd, const char *from, const char *to, struct err *e)
{
    struct stat st;
    if (lstat(from, &st) < 0)
        return 0;
    if (S_ISLNK(st.st_mode))
        return copy_link(dirfd, from, to, e);
    if (!S_ISREG(st.st_mode) || !(st.st_mode & 0004)) /* what others may not read is nobody's in a zone */
        return 0;
    auto_free char *text = NULL;
    size_t n;
    int r = file_read(AT_FDCWD, from, COPY_MAX, &text, &n, e);
    return r < 0 ? r : put(dirfd, to, text, n, 0644, e);
}

static int copy_folder(int dirfd, const char *name, struct err *e)
{
    char from[PATH_MAX], to[PATH_MAX];
    snprintf(from, sizeof(from), "/etc/%s", name);
    auto_dir DIR *d = opendir(from);
    int r = 0;
    for (struct dirent *ent; d && r == 0 && (ent = readdir(d));) {
        if (ent->d_name[0] == '.')
            continue;
        snprintf(from, sizeof(from), "/etc/%s%s", name, ent->d_name);
        snprintf(to, sizeof(to), "etc/%s%s", name, ent->d_name);
        r = copy_one(dirfd, from, to, e);
    }
    return r;
}

static int copy_host_files(int dirfd, struct err *e)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < ARRAY_LEN(from_host); i++) {
        char from[PATH_MAX], to[PATH_MAX];
        snprintf(from, sizeof(from), "/etc/%s", from_host[i]);
        snprintf(to, sizeof(to), "etc/%s", from_host[i]);
        r = str_ends(from, "/") ? copy_folder(dirfd, from_host[i], e) : copy_one(dirfd, from, to, e);
    }
    return r;
}

int stor_skeleton_write(int dirfd, struct err *e)
{
    for (unsigned i = 0; i < ARRAY_LEN(folders); i++)
        if (mkdirat(dirfd, folders[i].path, 0755) < 0 ||
            fchmodat(dirfd, folders[i].path, folders[i].mode, 0) < 0)
            return err_sys(e, "skeleton: %s", folders[i].path);
    for (unsigned i = 0; i < ARRAY_LEN(usr_links); i++) {
        char host[32], target[32];
        struct stat st;
        snprintf(host, sizeof(host), "/%s", usr_links[i]);
        snprintf(target, sizeof(target), "usr/%s", usr_links[i]);
        if (lstat(host, &st) == 0 && S_ISLNK(st.st_mode) && symlinkat(target, dirfd, usr_links[i]) < 0)
            return err_sys(e, "skeleton: %s", usr_links[i]);
        if (lstat(host, &st) == 0 && S_ISDIR(st.st_mode) && !strcmp(usr_links[i], "bin"))
            return err_set(e, ERR_UNSUPPORTED, ENOTSUP,
                           "image host needs a host with a merged /usr (/bin is a folder here)");
    }
    for (unsigned i = 0; i < ARRAY_LEN(written); i++) {
        int r = put(dirfd, written[i].path, written[i].text, strlen(written[i].text), 0644, e);
        if (r < 0)
            return r;
    }
    if (symlinkat("../run", dirfd, "var/run") < 0 || symlinkat("../proc/mounts", dirfd, "etc/mtab") < 0)
        return err_sys(e, "skeleton: links");
    return copy_host_files(dirfd, e);
}
