/* SPDX-License-Identifier: GPL-2.0-or-later */
/* States and verbs as tables. Pure: decides nothing but what the tables say. Names follow illumos. */
#include "zoned/zoned.h"
#include <errno.h>

static const char *const names[ZONE_STATE_MAX] = {
    [ZONE_CONFIGURED] = "configured",
    [ZONE_INCOMPLETE] = "incomplete",
    [ZONE_INSTALLED] = "installed",
    [ZONE_READY] = "ready",
    [ZONE_RUNNING] = "running",
    [ZONE_PAUSED] = "paused",
    [ZONE_SHUTTING_DOWN] = "shutting_down",
    [ZONE_DOWN] = "down",
    [ZONE_FAILED] = "failed",
};

#define S(x) (1u << ZONE_##x)
static const unsigned follows[ZONE_STATE_MAX] = {
    [ZONE_CONFIGURED] = S(INCOMPLETE) | S(INSTALLED),
    [ZONE_INCOMPLETE] = S(CONFIGURED) | S(INSTALLED) | S(FAILED),
    [ZONE_INSTALLED] = S(READY) | S(FAILED) | S(INCOMPLETE) | S(CONFIGURED),
    [ZONE_READY] = S(RUNNING) | S(SHUTTING_DOWN) | S(DOWN) | S(FAILED) | S(INSTALLED),
    [ZONE_RUNNING] = S(PAUSED) | S(SHUTTING_DOWN) | S(DOWN) | S(READY),
    [ZONE_PAUSED] = S(RUNNING) | S(SHUTTING_DOWN) | S(DOWN),
    [ZONE_SHUTTING_DOWN] = S(DOWN) | S(RUNNING) | S(READY), /* a health check's restart */
    [ZONE_DOWN] = S(INSTALLED) | S(FAILED) | S(READY),
    [ZONE_FAILED] = S(INSTALLED) | S(READY) | S(INCOMPLETE),
};

#define AT_REST (S(CONFIGURED) | S(INSTALLED) | S(FAILED))
#define ALIVE (S(RUNNING) | S(PAUSED))
static const struct {
    const char *name;
    unsigned ok, already;
} verbs[VERB_MAX] = {
    [VERB_START] = {"start", AT_REST & ~S(FAILED), ALIVE | S(READY)},
    [VERB_STOP] = {"stop", ALIVE | S(READY) | S(SHUTTING_DOWN),
                   S(CONFIGURED) | S(INSTALLED) | S(DOWN) | S(FAILED)},
    [VERB_RESTART] = {"restart", ALIVE | S(INSTALLED) | S(CONFIGURED), 0},
    [VERB_PAUSE] = {"pause", S(RUNNING), S(PAUSED)},
    [VERB_RESUME] = {"resume", S(PAUSED), S(RUNNING)},
    [VERB_KILL] = {"kill", ALIVE | S(SHUTTING_DOWN), 0},
    [VERB_DELETE] = {"delete", AT_REST | S(INCOMPLETE), 0},
    [VERB_EXEC] = {"exec", S(RUNNING), 0},
    [VERB_CLEAR] = {"clear", S(FAILED), S(CONFIGURED) | S(INSTALLED)},
    [VERB_RENAME] = {"rename", AT_REST, 0},
    [VERB_CLONE] = {"clone", AT_REST | S(PAUSED), 0},
    [VERB_SET] = {"set", ~0u, 0},
    [VERB_COPY] = {"cp", S(RUNNING) | S(PAUSED) | S(INSTALLED) | S(FAILED), 0},
    [VERB_INSTALL] = {"install over it", AT_REST, 0},
};

const char *state_name(enum zone_state s)
{
    return (unsigned)s < ZONE_STATE_MAX ? names[s] : "unknown";
}

bool state_may_follow(enum zone_state from, enum zone_state to)
{
    return from == to || (follows[from] & (1u << to));
}

/* The way from here to a state in which the verb can be carried out. */
static void hint(enum zone_state s, enum zone_verb v, const char *zone, struct err *e)
{
    bool at_rest = verbs[v].ok & S(INSTALLED);
    if (s == ZONE_INCOMPLETE)
        err_hint(e, "its root is being installed: zonectl wait %s", zone);
    else if (v == VERB_CLEAR)
        err_hint(e, "only a zone that has failed needs it");
    else if (v == VERB_START && s == ZONE_FAILED)
        err_hint(e, "see zonectl show %s (error) and zonectl logs %s, then zonectl clear %s", zone, zone,
                 zone);
    else if (s == ZONE_FAILED)
        err_hint(e, "zonectl clear %s, then zonectl start %s", zone, zone);
    else if (s == ZONE_SHUTTING_DOWN || s == ZONE_DOWN)
        err_hint(e, "wait until it is down: zonectl wait %s --for stopped", zone);
    else if (s == ZONE_READY && !at_rest)
        err_hint(e, "wait until it runs: zonectl wait %s --for running", zone);
    else if (v == VERB_DELETE)
        err_hint(e, "zonectl stop %s first, or zonectl delete --force %s", zone, zone);
    else if (v == VERB_CLONE && s == ZONE_RUNNING)
        err_hint(e, "zonectl stop %s first, or zonectl pause %s", zone, zone);
    else if (s == ZONE_PAUSED && !at_rest)
        err_hint(e, "zonectl resume %s", zone);
    else if (AT_REST & (1u << s))
        err_hint(e, "zonectl start %s", zone);
    else
        err_hint(e, "zonectl stop %s", zone);
}

enum verb_answer state_allows(enum zone_state s, enum zone_verb v, const char *zone, struct err *e)
{
    unsigned bit = 1u << s;
    if (verbs[v].already & bit)
        return VERB_ALREADY;
    if (verbs[v].ok & bit)
        return VERB_OK;
    err_set(e, ERR_CONFLICT, EBUSY, "zone %s is %s: cannot %s", zone, names[s], verbs[v].name);
    hint(s, v, zone, e);
    return VERB_REFUSED;
}

const struct spec *zone_has(const struct zone *z)
{
    return z->plan ? z->plan->spec : z->spec;
}

bool zone_is_up(const struct zone *z)
{
    return z->plan && (z->state == ZONE_RUNNING || z->state == ZONE_PAUSED);
}
