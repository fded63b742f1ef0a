/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "cmd/zone-image/worker.h"
#include <errno.h>
#include <locale.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOB_FD 3
#define JOB_MAX (4u << 20)   /* a request of 3 MiB, and what zoned adds */
#define TELL_EVERY_US 100000 /* per item */

const struct job_op job_ops[] = {
    {"list", op_list, .adds = false},
    {"show", op_show, .adds = false},
    {"import", op_import, .adds = true},
    {"export", op_export, .adds = true, .mounts = true},
    {"tag", op_tag, .adds = false},
    {"delete", op_delete, .adds = false},
    {"prune", op_prune, .adds = false},
    {"verify", op_verify, .adds = false},
    {"commit", op_commit, .adds = true},
    {"pull", op_pull, .adds = true, .sockets = IMG_ALL_SOCKETS},
    {"push", op_push, .sockets = IMG_ALL_SOCKETS},
    {"package", op_package, .adds = true},
    {"pack", op_pack, .adds = true},
    {"build", op_build, op_build_prepare, .adds = true, .sockets = IMG_UNIX_SOCKETS},
    {0}};

/* Standard output is the one that started us: where it has gone, the work ends too. */
static void say(json *line)
{
    auto_free char *text = js_dump(line, false);
    auto_free char *with_end = xasprintf("%s\n", text);
    js_free(line);
    if (fd_write_full(STDOUT_FILENO, with_end, strlen(with_end)) < 0)
        _exit(1);
}

static void on_progress(void *arg, const struct img_progress *p)
{
    static char item[64];
    static uint64_t told;
    uint64_t now = clock_mono_us();
    bool same = !strncmp(item, p->item, sizeof(item) - 1);
    if (same && p->done != p->total && now - told < TELL_EVERY_US)
        return;
    snprintf(item, sizeof(item), "%s", p->item);
    told = now;
    json *o = js_object(), *line = js_object();
    js_set_str(o, "item", p->item);
    js_set_str(o, "phase", p->phase);
    js_set_int(o, "done", (int64_t)p->done);
    js_set_int(o, "total", (int64_t)p->total);
    js_set(line, "progress", o);
    say(line);
}

static void on_note(void *arg, const char *text)
{
    json *line = js_object();
    js_set_str(line, "note", text);
    say(line);
}

void job_note(const char *text)
{
    on_note(NULL, text);
}

int job_text(const struct job *j, const char *key, bool required, const char **out, struct err *e)
{
    *out = js_get_str(j->args, key, NULL);
    return *out || !required ? 0 : err_set(e, ERR_INVALID, EINVAL, "%s is missing", key);
}

static int read_job(json **out, struct err *e)
{
    auto_free char *text = xcalloc(1, JOB_MAX + 1);
    ssize_t n = fd_read_full(JOB_FD, text, JOB_MAX + 1);
    close(JOB_FD);
    if (n < 0 || n > (ssize_t)JOB_MAX)
        return err_set(e, ERR_INVALID, EINVAL, "no job on descriptor %d", JOB_FD);
    *out = js_parse(text, (size_t)n, e);
    return *out ? 0 : -EINVAL;
}

static const struct job_op *find_op(const char *name)
{
    for (const struct job_op *o = job_ops; o->name; o++)
        if (str_eq(o->name, name))
            return o;
    return NULL;
}

/* What needs no network has none, nothing here gains rights by an exec, and before a stranger's byte is read (a manifest, a
 * configuration, an archive's index) no program can be started and no call made but those that the work takes. */
static int shut_in(struct job *j, const struct job_op *op, struct err *e)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
        return err_sys(e, "prctl");
    int r = op->prepare ? op->prepare(j, e) : 0;
    if (r == 0 && op->sockets != IMG_ALL_SOCKETS && unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        r = err_sys(e, "namespaces of the work on images");
    return r < 0 ? r : img_confine(op->sockets, op->mounts, e);
}

int job_pool(struct job *j, struct err *e)
{
    const char *dir;
    int r = j->pool ? 0 : job_text(j, "pool", true, &dir, e);
    return r < 0 || j->pool ? r : stor_pool_open(dir, &j->pool, e);
}

static int run_job(struct job *j, const struct job_op **op, json **result, struct err *e)
{
    *op = find_op(js_get_str(j->args, "op", NULL));
    if (!*op)
        return err_set(e, ERR_INVALID, EINVAL, "unknown job");
    int r = shut_in(j, *op, e);
    r = r < 0 ? r : job_pool(j, e);
    r = r < 0 ? r : img_store_open(j->pool, &j->store, e);
    if (r < 0)
        return r;
    img_on_progress(j->store, on_progress, NULL);
    img_on_note(j->store, on_note, NULL);
    return (*op)->run(j, result, e);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct job j = {0};
    const struct job_op *op = NULL;
    auto_js json *args = NULL;
    json *result = NULL, *line = js_object();
    proc_fix_stdio();
    log_init("zone-image", LOG_LEVEL_INFO);
    (void)setlocale(LC_CTYPE,
                    "C.UTF-8"); /* libarchive's names are UTF-8 then, and bytes where they are none */
    signal(SIGPIPE, SIG_IGN);
    umask(022);
    int r = read_job(&args, &e);
    j.args = args;
    r = r < 0 ? r : run_job(&j, &op, &result, &e);
    if (r < 0)
        js_set(line, "error", js_from_err(&e, NULL));
    else
        js_set(line, "result", result ? result : js_object());
    say(line);
    if (r == 0 && op->adds && img_sync(j.store, &e) < 0)
        log_warning("%s", e.text);
    img_store_free(j.store);
    stor_pool_free(j.pool);
    return r < 0 ? err_exit_status(e.kind) : 0;
}
