/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone's group in every hierarchy: create, open, attach, list. Groups are addressed by "PARENT/NAME" below
 * the hierarchies' kept folders, so an open group costs one descriptor (v2's, for CLONE_INTO_CGROUP) and no
 * more.
 *
 * How a task gets in decides the price. Measured on 6.18, 2 cores, 8 v1 hierarchies and v2, in µs:
 *   parent writes the pid to each cgroup.procs (or tasks): 4,000-4,400 for the first, 40-60 for each further
 * one the child writes "0" to each v1 `tasks`:               34 for the first, 9-13 for each further one The
 * first takes cgroup_threadgroup_rwsem for writing and waits for an RCU grace period (without favordynmods,
 * which we do not turn on for others' mounts); a single thread that moves itself needs no such lock. Hence
 * cg_join_fds; the kernel checks the opener's credentials (cgroup1_procs_write), so the child may be in its
 * user namespace already.
 *
 * Undo of cg_create: cg_remove. */
#include "base/path.h"
#include "cgroups/internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define PF_EXITING 0x4u /* include/linux/sched.h; proc_pid_stat(5), flags */

static struct cg_group *group_new(const struct cg_host *h, const char *parent, const char *name)
{
    struct cg_group *g = xcalloc(1, sizeof(*g));
    g->h = h;
    g->parent = xstrdup(parent);
    g->name = xstrdup(name);
    g->v2_fd = g->exec_fd = -1;
    g->oom = xcalloc(1, sizeof(*g->oom));
    g->oom->control_fd = -1;
    return g;
}

void cg_forget_kept(struct cg_group *g)
{
    for (unsigned i = 0; i < g->nkept; i++)
        close_fd(&g->kept[i].fd);
    g->nkept = 0;
    g->number = 0;
}

void cg_close(struct cg_group *g)
{
    if (!g)
        return;
    close_fd(&g->v2_fd);
    close_fd(&g->exec_fd);
    for (unsigned i = 0; i < g->njoin; i++)
        close_fd(&g->join[i]);
    cg_forget_kept(g);
    close_fd(&g->oom->control_fd);
    free(g->oom);
    free(g->parent);
    free(g->name);
    free(g);
}

static int open_v2(struct cg_group *g, struct err *e)
{
    char path[CG_PATH_MAX];
    cg_path(path, g->parent, g->name, NULL);
    g->v2_fd = openat(g->h->at[g->h->v2].fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return g->v2_fd < 0 ? err_sys(e, "cannot open the group %s", path) : 0;
}

/* 1 has processes, 0 empty; of the group itself in one hierarchy. */
static int occupied(const struct cg_group *g, int hier)
{
    char buf[64];
    return cg_group_read(g, hier, "cgroup.procs", buf, sizeof(buf)) > 0;
}

/* 0 made, 1 there already and not removable (processes or child groups; a test's folder of plain files). One
 * that is there and empty is made anew, because only a new group surely has the defaults. */
static int make_folder(const struct cg_group *g, const struct cg_hier *hier, const char *path, bool *fresh,
                       struct err *e)
{
    for (int try = 0; try < 2; try++) {
        if (mkdirat(hier->fd, path, 0755) == 0)
            return 0;
        if (errno != EEXIST)
            break;
        if (unlinkat(hier->fd, path, AT_REMOVEDIR) < 0) {
            *fresh = false;
            return 1;
        }
    }
    int code = errno;
    err_sys(e, "cannot make the group %s/%s", hier->path, path);
    if (code == ENOENT)
        err_hint(e, "its parent is missing: restart zoned");
    return -code;
}

/* Makes the folder in each hierarchy; *fresh is cleared where one was there already. */
static int make_all(struct cg_group *g, bool *fresh, struct err *e)
{
    char path[CG_PATH_MAX];
    int r = cg_path(path, g->parent, g->name, NULL);
    if (r < 0)
        return err_sysk(e, ERR_INVALID, -r, "group name");
    for (unsigned i = 0; i < g->h->n; i++) {
        const struct cg_hier *hier = &g->h->at[i];
        if (!hier->used)
            continue;
        if ((r = make_folder(g, hier, path, fresh, e)) < 0)
            return r;
        if (r > 0 && occupied(g, (int)i))
            return err_set(e, ERR_BUSY, EBUSY, "the group %s/%s has processes in it", hier->path, path);
        g->in[i] = true;
    }
    return 0;
}

/* The zone reads its own groups (a JVM sizes its heap by them), so our umask must not hide them. */
static int make_folders(struct cg_group *g, bool *fresh, struct err *e)
{
    mode_t old = umask(022);
    int r = make_all(g, fresh, e);
    umask(old);
    return r;
}

/* cgroup-v2.rst, "Delegation": the folder and these three files, and nothing that holds a limit. */
static int delegate(const struct cg_group *g, uint32_t uid, struct err *e)
{
    static const char *const files[] = {".", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"};
    for (unsigned i = 0; g->v2_fd >= 0 && i < ARRAY_LEN(files); i++)
        if (fchownat(g->v2_fd, files[i], uid, uid, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
            return err_sys(e, "cannot give %s of %s to the zone", files[i], g->name);
    return 0;
}

static int fill_group(struct cg_group *g, const struct cg_limits *l, struct err *e)
{
    bool fresh = true;
    int r = make_folders(g, &fresh, e);
    if (r == 0 && g->h->v2 >= 0)
        r = open_v2(g, e);
    if (r == 0)
        r = cg_apply(g, l, fresh, e);
    if (r == 0)
        r = cg_devices_apply(g, l, e);
    if (r == 0 && l->system)
        r = delegate(g, l->uid_base, e);
    return r;
}

int cg_create(const struct cg_host *h, const char *parent, const char *name, const struct cg_limits *l,
              struct cg_group **out, struct err *e)
{
    int r = cg_check_names(parent, name, e);
    if (r < 0)
        return r;
    struct cg_group *g = group_new(h, parent, name);
    r = fill_group(g, l, e);
    if (r < 0) {
        cg_close(g);
        if (r != -EBUSY) /* somebody else's processes: their group stays */
            cg_remove(h, parent, name, NULL);
        return r;
    }
    *out = g;
    return 0;
}

int cg_open(const struct cg_host *h, const char *parent, const char *name, struct cg_group **out,
            struct err *e)
{
    int r = cg_check_names(parent, name, e);
    if (r < 0)
        return r;
    struct cg_group *g = group_new(h, parent, name);
    char path[CG_PATH_MAX];
    bool any = false;
    r = cg_path(path, parent, name, NULL);
    for (unsigned i = 0; r == 0 && i < h->n; i++) {
        g->in[i] = faccessat(h->at[i].fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
        any |= g->in[i];
    }
    if (r == 0 && !any)
        r = err_set(e, ERR_NOT_FOUND, ENOENT, "there is no group %s", path);
    if (r == 0 && h->v2 >= 0 && g->in[h->v2])
        r = open_v2(g, e);
    if (r < 0) {
        cg_close(g);
        return r;
    }
    *out = g;
    return 0;
}

int cg_clone_fd(const struct cg_group *g)
{
    return g->v2_fd;
}

/* The rest of "0::/PARENT/NAME/REST" in /proc/PID/cgroup, in buf; NULL if pid is not below the group. */
static const char *below(const struct cg_group *g, pid_t pid, char *buf, size_t size)
{
    char file[64], want[CG_PATH_MAX];
    snprintf(file, sizeof(file), "%.40s/%d/cgroup", g->h->proc, (int)pid);
    if (cg_path(want, g->parent, g->name, NULL) < 0 || cg_read_at(AT_FDCWD, file, buf, size) < 0)
        return NULL;
    size_t n = strlen(want);
    for (char *p = buf; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
        if (!str_starts(p, "0::/") || strncmp(p + 4, want, n) || p[4 + n] != '/')
            continue;
        char *rest = p + 4 + n + 1;
        rest[strcspn(rest, "\n")] = 0;
        return *rest ? rest : NULL;
    }
    return NULL;
}

int cg_exec_fd(struct cg_group *g, pid_t init)
{
    char buf[8192];
    close_fd(&g->exec_fd);
    if (g->v2_fd < 0 || cg_read_at(g->v2_fd, "cgroup.subtree_control", buf, sizeof(buf)) <= 0 ||
        !buf[strspn(buf, " \n")])
        return g->v2_fd;
    const char *rest = below(g, init, buf, sizeof(buf));
    if (rest)
        g->exec_fd = openat(g->v2_fd, rest, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return g->exec_fd >= 0 ? g->exec_fd : g->v2_fd;
}

unsigned cg_join_fds(struct cg_group *g, const int **fds)
{
    for (unsigned i = 0; !g->join_open && i < g->h->n; i++) {
        char path[CG_PATH_MAX];
        if (!g->in[i] || g->h->at[i].v2 || !g->h->at[i].used ||
            cg_path(path, g->parent, g->name, "tasks") < 0)
            continue;
        int fd = openat(g->h->at[i].fd, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd >= 0)
            g->join[g->njoin++] = fd;
    }
    g->join_open = true;
    *fds = g->join;
    return g->njoin;
}

/* Is this the hierarchy of a line's "CONTROLLERS"? */
static bool names_hierarchy(const struct cg_hier *r, const char *list)
{
    char **v = str_split(list, ",");
    bool same = r->v2 && !*list;
    for (unsigned c = 0; !r->v2 && c < CG_CTRL_MAX; c++)
        same |= (r->ctrls & CG_BIT(c)) && strv_has(v, cg_ctrl_name(c, false));
    strv_free(v);
    return same;
}

/* Where /proc/PID/cgroup says that a process is, in out. Lines are "ID:CONTROLLERS:PATH", relative to our cgroup
 * namespace's root. */
static bool member_of(const char *lines, const struct cg_hier *r, char *out, size_t size)
{
    for (const char *p = lines; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
        const char *name = strchr(p, ':'), *path = name ? strchr(name + 1, ':') : NULL;
        if (!path)
            break;
        auto_free char *list = xstrndup(name + 1, (size_t)(path - name - 1));
        if (!names_hierarchy(r, list))
            continue;
        snprintf(out, size, "%.*s", (int)strcspn(path + 1, "\n"), path + 1);
        return true;
    }
    return false;
}

/* In the group itself, or below it where a zone may have groups of its own. */
static bool is_member(const struct cg_group *g, const char *lines, int hier, bool below_too)
{
    char want[CG_PATH_MAX], is[CG_PATH_MAX + 64];
    if (cg_path(want, g->parent, g->name, NULL) < 0 || !member_of(lines, &g->h->at[hier], is, sizeof(is)) ||
        strncmp(is + 1, want, strlen(want)) != 0)
        return false;
    char next = is[1 + strlen(want)];
    return !next || (next == '/' && below_too);
}

/* v1 shows who exits in the root group (6.18). */
static bool is_exiting(const struct cg_group *g, pid_t pid)
{
    char file[64], text[1024];
    unsigned flags = 0;
    snprintf(file, sizeof(file), "%.40s/%d/stat", g->h->proc, (int)pid);
    ssize_t n = cg_read_at(AT_FDCWD, file, text, sizeof(text));
    const char *after = n > 0 ? strrchr(text, ')') : NULL;
    return !after || sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1 || flags & PF_EXITING;
}

void cg_drift_pid(const struct cg_group *g, pid_t pid, json *out)
{
    char lines[8192], file[64], want[CG_PATH_MAX], is[CG_PATH_MAX + 64];
    snprintf(file, sizeof(file), "%.40s/%d/cgroup", g->h->proc, (int)pid);
    if (cg_path(want, g->parent, g->name, NULL) < 0 || cg_read_at(AT_FDCWD, file, lines, sizeof(lines)) <= 0)
        return;
    for (unsigned i = 0; i < g->h->n; i++) {
        if (!g->in[i] || (!g->h->at[i].used && !g->h->at[i].v2) || is_member(g, lines, (int)i, true) ||
            !member_of(lines, &g->h->at[i], is, sizeof(is)) || is_exiting(g, pid))
            continue;
        auto_free char *root = xasprintf("/%s", want);
        cg_drift_add(out, "pid", root, is, file);
    }
}

int cg_attach(const struct cg_group *g, pid_t pid, bool cloned_into, struct err *e)
{
    if (cloned_into && g->h->layout == CG_V2)
        return 0;
    char lines[8192], file[64], text[16];
    snprintf(file, sizeof(file), "%.40s/%d/cgroup", g->h->proc, (int)pid);
    if (cg_read_at(AT_FDCWD, file, lines, sizeof(lines)) < 0)
        lines[0] = 0;
    snprintf(text, sizeof(text), "%d", (int)pid);
    for (unsigned i = 0; i < g->h->n; i++) {
        if (!g->in[i] || (!g->h->at[i].used && !g->h->at[i].v2) ||
            is_member(g, lines, (int)i, g->h->at[i].v2))
            continue;
        int r = cg_group_write(g, (int)i, "cgroup.procs", text);
        if (r < 0)
            return err_sysk(e, r == -ESRCH ? ERR_NOT_FOUND : ERR_INTERNAL, -r,
                            "cannot put process %d into %s/%s/%s", (int)pid, g->h->at[i].path, g->parent,
                            g->name);
    }
    return 0;
}

int cg_list(const struct cg_host *h, const char *parent, char ***names, struct err *e)
{
    int r = cg_check_names(parent, NULL, e);
    if (r < 0)
        return r;
    char **v = NULL;
    for (unsigned i = 0; i < h->n; i++) {
        int d = openat(h->at[i].fd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        auto_dir DIR *dir = d < 0 ? NULL : fdopendir(d);
        for (struct dirent *de; dir && (de = readdir(dir));)
            if (de->d_type == DT_DIR && de->d_name[0] != '.' && !strv_has(v, cg_name_of_folder(de->d_name)))
                strv_add(&v, cg_name_of_folder(de->d_name));
    }
    *names = v;
    return 0;
}
