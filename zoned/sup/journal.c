/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The journal of one zone's steps: "begin STEP", "done STEP {facts}", "undone STEP", "stop STEP" when somebody asked the zone to
 * stop, and "again STEP {facts}" when the restart policy will begin anew with it, one line each, appended
 * before and after each act and not synced (it guards against kill -9, not against power loss, after which
 * nothing runs). The reader takes anything: a torn last line and unknown words are skipped. Must never stop a
 * start or an undo. */
#include "zoned/sup/rt.h"
#include <stdio.h>

int journal_open(int run_dirfd, bool fresh, struct err *e)
{
    int fd = openat(run_dirfd, PLAN_JOURNAL,
                    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | (fresh ? O_TRUNC : 0), 0600);
    return fd < 0 ? err_sys(e, "journal") : fd;
}

#ifdef ZONED_FAULTS
bool journal_fault(const struct sup *s, enum plan_step step, const char *where)
{
    const char *want = s->plan && s->plan->fault ? s->plan->fault : getenv("ZONED_FAULT");
    char mine[64];
    snprintf(mine, sizeof(mine), "%s:%s", plan_step_name(step), where);
    if (!want || strcmp(want, mine) != 0)
        return false;
    if (str_starts(where, "kill"))
        raise(SIGKILL);
    return true;
}
#else
bool journal_fault(const struct sup *s, enum plan_step step, const char *where)
{
    return false;
}
#endif

void journal_write(int fd, const char *verb, enum plan_step step, const json *facts)
{
    char line[512];
    auto_free char *text = facts ? js_dump(facts, false) : NULL;
    int n = snprintf(line, sizeof(line), "%s %s%s%s\n", verb, plan_step_name(step), text ? " " : "",
                     text ? text : "");
    if (fd < 0 || n < 0 || (size_t)n >= sizeof(line))
        return;
    if (write(fd, line, (size_t)n) < 0)
        return; /* a full tmpfs must not end a zone: recovery undoes all steps anyhow */
}

static int step_of(const char *name, size_t n)
{
    for (unsigned i = 0; i < STEP_COUNT; i++) {
        const char *w = plan_step_name((enum plan_step)i);
        if (strlen(w) == n && memcmp(w, name, n) == 0)
            return (int)i;
    }
    return -1;
}

static void parse_line(const char *line, size_t n, struct journal_state *out)
{
    const char *sp = memchr(line, ' ', n);
    if (!sp)
        return;
    const char *name = sp + 1, *end = line + n;
    const char *sp2 = memchr(name, ' ', (size_t)(end - name));
    int step = step_of(name, (size_t)((sp2 ? sp2 : end) - name));
    size_t verb = (size_t)(sp - line);
    if (step < 0)
        return;
    unsigned bit = 1u << step;
    if (verb == 5 && !memcmp(line, "begin", 5)) {
        out->begun |= bit;
        out->again = false;
    } else if (verb == 5 && !memcmp(line, "again", 5)) {
        auto_js json *facts = sp2 ? js_parse(sp2 + 1, (size_t)(end - sp2 - 1), NULL) : NULL;
        int64_t count = js_get_int(facts, "restarts", 1);
        out->restarts = count > 0 && count < UINT32_MAX ? (unsigned)count : 1;
        out->again = !out->begun;
    } else if (verb == 6 && !memcmp(line, "undone", 6)) {
        out->begun &= ~bit;
        out->done &= ~bit;
    } else if (verb == 4 && !memcmp(line, "stop", 4)) {
        out->stop = true;
    } else if (verb == 4 && !memcmp(line, "done", 4)) {
        out->begun |= bit;
        out->done |= bit;
        auto_js json *facts = sp2 ? js_parse(sp2 + 1, (size_t)(end - sp2 - 1), NULL) : NULL;
        if (js_get(facts, "pid")) {
            int64_t start = js_get_int(facts, "start", 0);
            out->pid = js_get_int(facts, "pid", 0);
            out->pid_start = start > 0 ? (uint64_t)start : 0;
        }
    }
}

void journal_parse(const char *text, size_t n, struct journal_state *out)
{
    memset(out, 0, sizeof(*out));
    const char *end = text + n;
    while (text < end) {
        const char *nl = memchr(text, '\n', (size_t)(end - text));
        if (!nl)
            return; /* torn */
        parse_line(text, (size_t)(nl - text), out);
        text = nl + 1;
    }
}

int journal_read(int run_dirfd, struct journal_state *out, struct err *e)
{
    auto_free char *text = NULL;
    size_t n = 0;
    int r = file_read(run_dirfd, PLAN_JOURNAL, 1u << 20, &text, &n, e);
    if (r < 0)
        return r;
    journal_parse(text, n, out);
    return 0;
}
