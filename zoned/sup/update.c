/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A new plan for a running zone: limits, links, ports, rates and health change while it runs. The plan on disk is what a
 * later supervisor undoes, so the new one lies beside it (plan.next) before anything is touched and replaces it when all is
 * done. What a kill left halfway is put back by the one that adopts, and undone with both plans by the one that recovers. */
#include "base/log.h"
#include "zoned/sup/rt.h"
#include <fcntl.h>
#include <stdio.h>

#define PLAN_TEXT_MAX (1u << 20)

static int write_next(struct sup *s, const struct plan *p, struct err *e)
{
    auto_js json *j = plan_to_json(p);
    auto_free char *text = js_dump(j, false);
    int r = file_replace(s->run_dirfd, PLAN_NEXT, text, strlen(text), 0600, false, e);
    return r < 0 ? err_prefix(e, "plan of zone %s", s->zone) : 0;
}

/* An adopted PID 1 may have been reaped by its new parent and its number be another's: the pidfd is asked after the open. */
static int zone_netns(const struct sup *s, struct err *e)
{
    char path[40];
    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)s->rt.pid);
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    int r = fd < 0 ? -errno : pidfd_kill(s->rt.pidfd, 0);
    return r < 0 ? err_sysk(e, ERR_INTERNAL, -r, "network namespace of zone %s", s->zone) : take_fd(&fd);
}

static int change_links(struct sup *s, const struct plan *from, const struct plan *to, struct err *e)
{
    if (s->rt.pidfd < 0 || s->rt.pid <= 0 || (!from->links.len && !to->links.len))
        return 0;
    auto_fd int ns = zone_netns(s, e);
    int r = ns < 0 ? ns : net_open(s, e);
    if (r < 0)
        return r;
    /* PID 1 may have said that it ends, and does not: what comes now is taken away again. */
    s->rt.net_left = false;
    r = net_zone_change(s->rt.net, from->links.at, from->links.len, to->links.at, to->links.len, ns, e);
    net_close_later(s);
    return r;
}

static bool same_links(const struct plan *a, const struct plan *b)
{
    auto_js json *x = js_array();
    auto_js json *y = js_array();
    for (unsigned i = 0; i < a->links.len; i++)
        js_add(x, net_link_to_json(&a->links.at[i]));
    for (unsigned i = 0; i < b->links.len; i++)
        js_add(y, net_link_to_json(&b->links.at[i]));
    auto_free char *p = js_dump(x, false), *q = js_dump(y, false);
    return !strcmp(p, q);
}

void hold_again(struct sup *s)
{
    struct err e = {0};
    fd_close_all(s->rt.hold, s->rt.nhold);
    s->rt.nhold = 0;
    /* the translation comes before any socket: the zone's port works, a program that took it meanwhile hears nothing */
    if (net_hold(s->plan->links.at, s->plan->links.len, s->rt.hold, &s->rt.nhold, &e) < 0)
        log_warning("zone %s: %s", s->zone, e.text);
}

static int check(const struct sup *s, const struct plan *p, struct err *e)
{
    if (!str_eq(p->zone, s->plan->zone) || p->uid_base != s->plan->uid_base ||
        p->host_network != s->plan->host_network || !str_eq(p->join_zone, s->plan->join_zone))
        return err_set(e, ERR_CONFLICT, EINVAL, "update: the plan is not this zone's");
    if (s->state != SUP_RUNNING && s->state != SUP_PAUSED && s->state != SUP_RESTARTING)
        return err_set(e, ERR_CONFLICT, EBUSY, "zone %s is starting or stopping", s->zone);
    return 0;
}

static int carry_out(struct sup *s, const struct plan *p, struct err *e)
{
    struct cg_limits before, after;
    plan_limits(s->plan, &before);
    plan_limits(p, &after);
    (void)journal_fault(s, STEP_NET, "kill-update-begin");
    int r = s->rt.cg ? cg_update(s->rt.cg, &before, &after, e) : 0;
    if (r < 0)
        return r;
    r = journal_fault(s, STEP_NET, "update-fail") ? err_set(e, ERR_INTERNAL, EIO, "fault point")
                                                  : change_links(s, s->plan, p, e);
    if (r < 0 && s->rt.cg)
        (void)cg_update(s->rt.cg, &after, &before, NULL);
    (void)journal_fault(s, STEP_NET, "kill-update-done");
    return r;
}

int sup_update(struct sup *s, const json *plan, struct plan **was, struct err *e)
{
    struct plan *p auto_of(plan_free) = NULL;
    int r = plan_from_json(plan, &p, e);
    r = r < 0 ? r : check(s, p, e);
    r = r < 0 ? r : write_next(s, p, e);
    if (r < 0)
        return r;
    r = carry_out(s, p, e);
    if (r == 0 && renameat(s->run_dirfd, PLAN_NEXT, s->run_dirfd, PLAN_FILE) < 0) {
        r = err_sys(e, "plan of zone %s", s->zone);
        (void)change_links(s, p, s->plan, NULL);
    }
    if (r < 0) {
        (void)unlinkat(s->run_dirfd, PLAN_NEXT, 0);
        return r;
    }
    bool links = !same_links(s->plan, p);
    *was = s->plan;
    s->plan = take_ptr(&p);
    if (s->rt.pool) /* an adopted zone's is open still */
        stor_pool_never(s->rt.pool, s->plan->own_dirs);
    keep_all(s); /* the plan is another one */
    if (links && s->state != SUP_RESTARTING)
        hold_again(s);
    return 0;
}

/* ---- after a kill in the midst ---- */
void update_load(struct sup *s)
{
    auto_free char *text = NULL;
    size_t n = 0;
    if (file_read(s->run_dirfd, PLAN_NEXT, PLAN_TEXT_MAX, &text, &n, NULL) < 0)
        return;
    auto_js json *j = js_parse(text, n, NULL);
    if (!j || plan_from_json(j, &s->next, NULL) < 0)
        (void)unlinkat(s->run_dirfd, PLAN_NEXT, 0); /* torn: nothing had been touched */
}

void update_put_back(struct sup *s)
{
    struct err e = {0};
    struct cg_limits before, after;
    if (!s->next)
        return;
    plan_limits(s->next, &before);
    plan_limits(s->plan, &after);
    if (s->rt.cg && cg_update(s->rt.cg, &before, &after, &e) < 0)
        log_warning("zone %s: %s", s->zone, e.text);
    err_clear(&e);
    if (change_links(s, s->next, s->plan, &e) < 0)
        log_warning("zone %s: %s", s->zone, e.text);
    update_forget(s);
}

void update_forget(struct sup *s)
{
    if (!s->next)
        return;
    (void)unlinkat(s->run_dirfd, PLAN_NEXT, 0);
    plan_free(s->next);
    s->next = NULL;
}
