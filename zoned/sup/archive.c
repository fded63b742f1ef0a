/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cp into and out of a zone: a process that has entered it, or that visits the root of one that does not run, packs or
 * unpacks a tar over one descriptor. What that process says is data of the zone: one error record, bounded. */
#include "zoned/sup/rt.h"
#include <sys/wait.h>

#define VISIT_TIMEOUT_MS 30000u

struct archive {
    bool put;
    char *path;
};

/* In the zone, with its credentials; 0-2 and job_fd are all that is open. */
static int archive_job(int job_fd, void *arg)
{
    const struct archive *a = arg;
    struct err e = {0};
    int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int r = root < 0 ? err_sys(&e, "root folder") : 0;
    if (r == 0)
        r = a->put ? stor_archive_unpack(root, a->path, job_fd, NULL, &e)
                   : stor_archive_pack(root, a->path, job_fd, &e);
    if (r < 0)
        (void)fd_write_full(1, &e, sizeof(e));
    return r < 0;
}

static void read_answer(int fd, int wait_status, struct err *e)
{
    struct err told = {0};
    if (wait_status == 0)
        return;
    if (fd_read_full(fd, &told, sizeof(told)) == (ssize_t)sizeof(told) && told.code > 0 &&
        told.kind > ERR_NONE && told.kind < ERR_KIND_MAX) {
        told.text[sizeof(told.text) - 1] = told.hint[sizeof(told.hint) - 1] = '\0';
        *e = told;
    } else {
        err_set(e, ERR_INTERNAL, EIO, "the copy ended with status %d", exit_status_of(wait_status));
    }
}

static void archive_done(struct sup *s, struct job *j, int wait_status)
{
    struct err e = {0};
    read_answer(j->out_fd, wait_status, &e);
    job_reply(s, j, NULL, e.code ? &e : NULL);
}

static void archive_begun(struct sup *s, struct job *j, const struct err *e)
{
    if (e)
        job_reply(s, j, NULL, e);
    else
        j->done = archive_done;
}

int archive_request(struct sup *s, const json *m, int data_fd, int64_t reply_id, struct err *e)
{
    struct archive a = {.put = str_eq(js_get_str(m, "direction", ""), "put"),
                        .path = (char *)js_get_str(m, "path", "")};
    struct nspace_exec n;
    int p[2];
    if (!path_is_clean_absolute(a.path))
        return err_set(e, ERR_INVALID, EINVAL, "path %.200s is not absolute", a.path);
    if (pipe2(p, O_CLOEXEC) < 0)
        return err_sys(e, "pipe");
    auto_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    exec_setup(s, &n);
    if (s->state == SUP_PAUSED) { /* in the zone's groups it would be frozen too */
        n.ntask_fds = 0;
        n.cgroup_fd = -1;
    }
    n.job = archive_job;
    n.job_arg = &a;
    n.job_fd = data_fd;
    n.stdio[0] = n.stdio[2] = null;
    n.stdio[1] = p[1];
    struct job *j = job_enter(s, &n, s->state != SUP_PAUSED, archive_begun, NULL, e);
    close(p[1]);
    if (!j) {
        close(p[0]);
        return -e->code;
    }
    fd_nonblock(p[0], true);
    j->out_fd = p[0];
    job_asked(s, j, reply_id);
    return 0;
}

static int visit_and_wait(struct rt *rt, const struct sup_visit *v, int answer, struct err *e)
{
    struct archive a = {v->put, (char *)v->path};
    const struct nspace_visit n = {.root = &rt->root,
                                   .mounts = rt->mounts,
                                   .nmounts = rt->nmounts,
                                   .uid_base = v->uid_base,
                                   .job = archive_job,
                                   .job_arg = &a,
                                   .job_fd = v->data_fd};
    struct nspace_child c = {.pidfd = -1, .userns_fd = -1, .netns_fd = -1, .sync_fd = -1};
    struct nspace_kit *kit = NULL;
    int status = 0, r = nspace_kit_new(NULL, &kit, e);
    if (r == 0)
        r = nspace_visit(kit, &n, &c, e);
    if (r == 0)
        r = nspace_go(&c, VISIT_TIMEOUT_MS, e);
    nspace_kit_free(kit);
    if (r == 0) {
        while (waitpid(c.pid, &status, 0) < 0 && errno == EINTR)
            ;
        read_answer(answer, status, e);
        r = err_is(e) ? -e->code : 0;
        close_fd(&c.sync_fd); /* reaped: not to be killed */
    }
    nspace_child_done(&c);
    return r;
}

int sup_visit(const struct sup_visit *v, struct err *e)
{
    const struct rootfs_want want = {v->zone, v->spec, v->root};
    struct rt rt;
    int p[2];
    if (!path_is_clean_absolute(v->path))
        return err_set(e, ERR_INVALID, EINVAL, "path %.200s is not absolute", v->path);
    auto_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_sys(e, "pipe");
    if (dup2(null, 0) < 0 || dup2(p[1], 1) < 0 || dup2(null, 2) < 0)
        err_sys(e, "standard streams");
    close(p[1]);
    rt_init(&rt);
    rt.pool = v->pool;
    int r = err_is(e) ? -e->code : rootfs_open(&rt, &want, e);
    if (r == 0)
        r = visit_and_wait(&rt, v, p[0], e);
    rootfs_release(&rt);
    close(p[0]);
    return r;
}
