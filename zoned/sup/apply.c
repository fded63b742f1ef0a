/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Applies the table of steps with a journal, and undoes it. One list for rollback, stop and recovery: there
 * is no second teardown code. Every undo runs even if one before it failed; what stays is told with its
 * holders, never waited for. */
#include "zoned/sup/rt.h"

static json *facts_of(const struct sup *s, enum plan_step step)
{
    if (step != STEP_SPAWN)
        return NULL;
    uint64_t start = 0;
    json *o = js_object();
    js_set_int(o, "pid", s->rt.pid);
    if (proc_start_time(s->rt.pid, &start) == 0)
        js_set_int(o, "start", (int64_t)start);
    return o;
}

int sup_apply(struct sup *s, struct err *e)
{
    for (unsigned i = 0; i < STEP_COUNT; i++) {
        s->step = (enum plan_step)i;
        journal_write(s->journal_fd, "begin", s->step, NULL);
        (void)journal_fault(s, s->step, "kill-begin");
        s->done = i + 1; /* begun counts: an undo of what is not there succeeds */
        int r = journal_fault(s, s->step, "fail") ? err_set(e, ERR_INTERNAL, EIO, "fault point")
                                                  : sup_steps[i].apply(s, e);
        if (r < 0) {
            /* what the program's own absence means must stay the first word */
            if (i != STEP_GO)
                err_prefix(e, "step %s", sup_steps[i].name);
            return r;
        }
        auto_js json *facts = facts_of(s, s->step);
        journal_write(s->journal_fd, "done", s->step, facts);
        (void)journal_fault(s, s->step, "kill-done");
    }
    return 0;
}

static void note_leftover(struct sup *s, enum plan_step step, const struct err *e)
{
    if (!s->leftover)
        s->leftover = js_array();
    json *o = js_object();
    js_set_str(o, "step", plan_step_name(step));
    js_set_str(o, "message", e->text);
    json *holders = NULL;
    if (sup_holders(s->plan, &holders, NULL) == 0)
        js_set(o, "holders", holders);
    js_add(s->leftover, o);
}

int sup_undo(struct sup *s, unsigned from, struct err *e)
{
    int first = 0;
    for (unsigned i = from; i-- > 0;) {
        struct err step_err = {0};
        s->step = (enum plan_step)i;
        int r = sup_steps[i].undo(s, &step_err);
        if (r < 0) {
            note_leftover(s, s->step, &step_err);
            if (!first) {
                first = r;
                err_set(e, step_err.kind, step_err.code, "step %s: %s", sup_steps[i].name, step_err.text);
            }
            continue;
        }
        journal_write(s->journal_fd, "undone", s->step, NULL);
    }
    s->done = 0;
    return first;
}
