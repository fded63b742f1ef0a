/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a recipe begins with: an image of the store, a tar or folder of the host, or a Debian that mmdebstrap makes from signed
 * packages. mmdebstrap is found by its absolute path and gets an environment made from nothing. Its process is made before ours
 * may no longer start programs, with all its arguments, and waits for one byte. */
#include "base/auto.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "cmd/zone-image/build.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MMDEBSTRAP "/usr/bin/mmdebstrap"
#define DEFAULT_MIRROR "http://deb.debian.org/debian"

/* The Debian mirror that this host's apt uses. */
static char *host_mirror(void)
{
    char line[256] = "";
    FILE *f = popen("/usr/bin/apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Label: Debian' "
                    "'Created-By: Packages' 2>/dev/null",
                    "re"); /* NOLINT: a fixed command */
    bool got = f && fgets(line, sizeof(line), f);
    if (f)
        (void)pclose(f);
    line[strcspn(line, "\r\n")] = '\0';
    return xstrdup(got && str_starts(line, "http") ? line : DEFAULT_MIRROR);
}

/* ---- imports ---- */
int build_import(struct build *b, const char *path, const char *key, const char *what, struct img_desc *out,
                 struct err *e)
{
    auto_free char *name = img_cache_name(key);
    int r = img_import_root(b->job->store, path, name, what, e);
    return r < 0 ? r : img_find(b->job->store, name, out, e);
}

int build_import_fd(struct build *b, int fd, const char *key, const char *what, struct img_desc *out,
                    struct err *e)
{
    auto_free char *path = xasprintf("/proc/self/fd/%d", fd);
    return build_import(b, path, key, what, out, e);
}

int build_file(struct build *b, struct err *e)
{
    const char *dir = js_get_str(b->job->args, "pool", "/"); /* the store below may not be made yet */
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return fd < 0 ? err_sys(e, "%s: temporary file", dir) : fd;
}

static bool had(struct build *b, const char *key, struct img_desc *out)
{
    b->steps++;
    if (b->no_cache || !img_cache_find(b->job->store, key, out))
        return false;
    b->cached++;
    build_note(b, "from %s: as before", b->recipe->from);
    return true;
}

static bool is_debian(const struct build *b)
{
    return str_starts(b->recipe->from, "debian:");
}

int build_host_prepare(struct build *b, struct err *e)
{
    if (!is_debian(b))
        return 0;
    const char *suite = b->recipe->from + strlen("debian:");
    b->mirror = b->recipe->mirror ? xstrdup(b->recipe->mirror) : host_mirror();
    char *argv[] = {(char *)MMDEBSTRAP,
                    (char *)"--quiet",
                    (char *)"--mode=root",
                    (char *)"--variant=minbase",
                    (char *)"--format=tar",
                    (char *)"--dpkgopt=force-unsafe-io",
                    (char *)"--customize-hook=rm -f $1/etc/hostname $1/etc/resolv.conf $1/etc/machine-id "
                            "$1/var/cache/ldconfig/aux-cache",
                    (char *)suite,
                    (char *)"-",
                    b->mirror,
                    NULL};
    char **env = NULL;
    strv_add(&env, "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
    strv_add(&env, "LC_ALL=C.UTF-8");
    strv_add(&env, "HOME=/root");
    for (char **v = b->env; v && *v; v++)
        strv_add(&env, *v);
    if (b->has_epoch)
        strv_take(&env, xasprintf("SOURCE_DATE_EPOCH=%llu", (unsigned long long)b->epoch));
    b->host.out = build_file(b, e);
    int r = b->host.out < 0 ? b->host.out : job_pool(b->job, e);
    r = r < 0 ? r : build_host_start(b, argv, env, e);
    strv_free(env);
    return r;
}

static int from_debian(struct build *b, struct img_desc *out, struct err *e)
{
    char key[KEY_SIZE];
    auto_free char *text = xasprintf("%s %s", b->recipe->from + strlen("debian:"), b->mirror);
    build_key(b, "scratch", "debian", text, key);
    if (had(b, key, out))
        return 0;
    build_note(b, "from %s: mmdebstrap", b->recipe->from);
    auto_free char *what = xasprintf("from: %s", b->recipe->from);
    int r = build_host_run(b, MMDEBSTRAP, e);
    return r < 0 ? r : build_import_fd(b, b->host.out, key, what, out, e);
}

static int from_tar(struct build *b, struct img_desc *out, struct err *e)
{
    const char *path = b->recipe->from + strlen("tar:");
    char digest[KEY_SIZE], key[KEY_SIZE];
    build_note(b, "reading %s of this host", path);
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return err_sys(e, "from: %s", path);
    int r = img_digest_of_fd(fd, digest, e);
    if (r < 0)
        return r;
    build_key(b, "scratch", "tar", digest, key);
    if (had(b, key, out))
        return 0;
    build_note(b, "from %s", b->recipe->from);
    return build_import(b, path, key, "from: tar", out, e);
}

/* As a tar first, so that equal folders are equal. */
static int from_dir(struct build *b, struct img_desc *out, struct err *e)
{
    const char *dir = b->recipe->from + strlen("dir:");
    char digest[KEY_SIZE], key[KEY_SIZE];
    build_note(b, "reading %s of this host", dir);
    auto_fd int fd = build_file(b, e);
    int r = fd < 0 ? fd : img_pack_folder(b->job->store, dir, fd, e);
    r = r < 0 ? r : img_digest_of_fd(fd, digest, e);
    if (r < 0)
        return r;
    build_key(b, "scratch", "dir", digest, key);
    if (had(b, key, out))
        return 0;
    build_note(b, "from %s", b->recipe->from);
    return build_import_fd(b, fd, key, "from: dir", out, e);
}

static int from_image(struct build *b, struct img_desc *out, struct err *e)
{
    struct img_image i auto_done(img_image_done) = {0};
    struct err own = {0};
    int r = img_resolve(b->job->store, b->recipe->from, NULL, &i, &own);
    if (r < 0) {
        if (e)
            *e = own;
        return r;
    }
    *out = i.manifest;
    return 0;
}

int build_base(struct build *b, struct img_desc *out, bool *none, struct err *e)
{
    const char *from = b->recipe->from;
    *none = !strcmp(from, "scratch");
    if (*none)
        return 0;
    return is_debian(b)               ? from_debian(b, out, e)
           : str_starts(from, "tar:") ? from_tar(b, out, e)
           : str_starts(from, "dir:") ? from_dir(b, out, e)
                                      : from_image(b, out, e);
}
