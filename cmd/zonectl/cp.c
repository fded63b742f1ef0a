/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cp: files to and from a zone as tar streams. The user's side is packed and unpacked by the host's own tar
 * (no shell, -C and -- always); the zone's side is zoned's, which alone may follow paths inside a zone. */
#include "cmd/zonectl/zonectl.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct side {
    char *zone; /* NULL: this host */
    const char *path;
};

/* "NAME:PATH" is a zone's side unless a slash or a dot comes first. */
static struct side parse_side(const char *text)
{
    const char *colon = strchr(text, ':');
    if (colon && colon != text && !memchr(text, '/', (size_t)(colon - text)) && text[0] != '.')
        return (struct side){xstrndup(text, (size_t)(colon - text)), colon + 1};
    return (struct side){NULL, text};
}

static char *archive_path(const struct side *s)
{
    auto_free char *q = api_quote(*s->path ? s->path : "/");
    auto_free char *tail = xasprintf("archive?path=%s", q);
    return ctl_zone_path(s->zone, tail);
}

/* A request that was refused sends nothing: that is zoned's to tell, not tar's. */
static void await_archive(void)
{
    struct pollfd p = {0, POLLIN, 0};
    while (poll(&p, 1, -1) < 0 && errno == EINTR)
        ;
    if (!(p.revents & POLLIN))
        _exit(1);
}

/* tar with one end of a pipe as its standard input or output; *fd is our end. */
static pid_t start_tar(char *const *args, bool writes, int *fd, struct err *e)
{
    int p[2];
    if (pipe2(p, O_CLOEXEC) < 0)
        return err_sys(e, "pipe");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(p[writes ? 1 : 0], writes ? 1 : 0);
        if (!writes) {
            close(p[1]);
            await_archive();
        }
        execvp("tar", args);
        dprintf(2, "zonectl: tar: %s\n", strerror(errno));
        _exit(127);
    }
    int saved = errno;
    close(p[writes ? 1 : 0]);
    *fd = p[writes ? 0 : 1];
    if (pid < 0) {
        close(*fd);
        errno = saved;
        return err_sys(e, "fork");
    }
    return pid;
}

static int end_tar(pid_t pid, struct err *e)
{
    int ws = 0;
    while (waitpid(pid, &ws, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(ws) && WEXITSTATUS(ws) == 0)
        return 0;
    return err_set(e, ERR_INTERNAL, EIO, "tar failed on this side");
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Folder and last name of a path of this host; the name is "." for "x/." and "/". */
static void split(const char *path, char **dir, char **name)
{
    auto_free char *p = xstrdup(path);
    size_t n = strlen(p);
    while (n > 1 && p[n - 1] == '/')
        p[--n] = '\0';
    char *slash = strrchr(p, '/');
    const char *last = slash ? slash + 1 : p;
    if (!*last || !strcmp(last, ".") || !strcmp(last, "..")) {
        *dir = xstrdup(p);
        *name = xstrdup(".");
    } else {
        *dir = slash == p ? xstrdup("/") : slash ? xstrndup(p, (size_t)(slash - p)) : xstrdup(".");
        *name = xstrdup(last);
    }
}

static int transfer(struct ctl *c, const char *method, const char *path, int in, int out, struct err *e,
                    struct problems *ps)
{
    int r = ctl_connect(c, e);
    return r < 0 ? r : api_transfer(c->client, method, path, in, out, e, ps);
}

/* Packs dir/name and sends it to dst; with new_name the copy is called so. */
static int put(struct ctl *c, char *dir, char *name, const char *new_name, const struct side *dst,
               struct err *e, struct problems *ps)
{
    /* r and h leave the targets of symbolic links alone. */
    auto_free char *rename = new_name ? xasprintf("--transform=flags=rh;s|^%s|%s|S", name, new_name) : NULL;
    char *args[12] = {(char *)"tar", (char *)"-c", (char *)"-f", (char *)"-", (char *)"--numeric-owner"};
    unsigned n = 5;
    int fd = -1;
    if (rename)
        args[n++] = rename;
    args[n++] = (char *)"-C";
    args[n++] = dir;
    args[n++] = (char *)"--";
    args[n++] = name;
    pid_t pid = start_tar(args, true, &fd, e);
    if (pid < 0)
        return (int)pid;
    auto_free char *path = archive_path(dst);
    int r = transfer(c, "PUT", path, fd, -1, e, ps);
    close(fd);
    return end_tar(pid, e) < 0 && r == 0 ? -e->code : r;
}

/* DST is a folder of the zone, or for one file its new name: zoned knows which. A folder whose DST is not
 * there yet is sent again, to the parent and under the new name. */
static int to_zone(struct ctl *c, const char *src, const struct side *dst, struct err *e, struct problems *ps)
{
    auto_free char *dir = NULL, *name = NULL, *parent = NULL, *new_name = NULL;
    struct stat st;
    if (!strcmp(src, "-")) {
        auto_free char *path = archive_path(dst);
        return transfer(c, "PUT", path, 0, -1, e, ps);
    }
    if (lstat(src, &st) < 0)
        return err_sys(e, "%s", src);
    split(src, &dir, &name);
    int r = put(c, dir, name, NULL, dst, e, ps);
    if (r == 0 || e->kind != ERR_NOT_FOUND || !S_ISDIR(st.st_mode) || str_ends(dst->path, "/"))
        return r;
    split(dst->path, &parent, &new_name);
    if (!strcmp(name, ".") || strpbrk(name, "|*.[\\^$") || strpbrk(new_name, "|&\\"))
        return r;
    err_clear(e);
    problems_done(ps);
    struct side target = {dst->zone, parent};
    return put(c, dir, name, new_name, &target, e, ps);
}

static int from_zone(struct ctl *c, const struct side *src, const char *dst, struct err *e,
                     struct problems *ps)
{
    auto_free char *path = archive_path(src), *dir = NULL, *name = NULL, *rename = NULL;
    if (!strcmp(dst, "-"))
        return transfer(c, "GET", path, -1, 1, e, ps);
    /* for root tar's default is to keep modes: a zone's setuid file would become one of the host's root */
    char *args[12] = {(char *)"tar",
                      (char *)"-x",
                      (char *)"-f",
                      (char *)"-",
                      (char *)"--no-same-owner",
                      (char *)"--no-same-permissions"};
    unsigned n = 6;
    bool folder = is_folder(dst);
    if (!folder && str_ends(dst, "/"))
        return err_set(e, ERR_NOT_FOUND, ENOENT, "%s: no such folder", dst);
    if (folder) {
        dir = xstrdup(dst);
    } else {
        auto_free char *was_dir = NULL, *was = NULL;
        split(dst, &dir, &name);
        split(src->path, &was_dir, &was);
        if (strpbrk(was, "|*.[\\^$") ? strcmp(was, name) != 0 && strpbrk(was, "|*[\\^$")
                                     : strpbrk(name, "|&\\") != NULL)
            return err_set(e, ERR_UNSUPPORTED, ENOTSUP,
                           "cannot give the copy of %s another name: name a folder", was);
        rename = xasprintf("--transform=flags=rh;s|^%s|%s|S", was, name);
        args[n++] = rename;
    }
    args[n++] = (char *)"-C";
    args[n++] = dir;
    args[n] = NULL;
    int fd = -1;
    pid_t pid = start_tar(args, false, &fd, e);
    if (pid < 0)
        return (int)pid;
    int r = transfer(c, "GET", path, -1, fd, e, ps);
    close(fd);
    return end_tar(pid, e) < 0 && r == 0 ? -e->code : r;
}

int ctl_cp(struct ctl *c, int argc, char **argv)
{
    int status, at = ctl_positionals(c, argc, argv, 2, 2, &status);
    if (at < 0)
        return status;
    struct side src = parse_side(argv[at]), dst = parse_side(argv[at + 1]);
    struct err e = {0};
    struct problems details = {0};
    int r;
    if (!src.zone == !dst.zone)
        r = err_set(&e, ERR_USAGE, EINVAL,
                    src.zone ? "one side must be on this host" : "one side must be NAME:PATH");
    else if (dst.zone)
        r = to_zone(c, src.path, &dst, &e, &details);
    else
        r = from_zone(c, &src, dst.path, &e, &details);
    auto_free char *what = xasprintf("cp %s %s", argv[at], argv[at + 1]);
    status = r < 0 ? ctl_fail(c, &e, &details, what) : 0;
    problems_done(&details);
    free(src.zone);
    free(dst.zone);
    return status;
}
