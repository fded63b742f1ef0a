/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every verb in every state: the whole table, written down a second time as a person would. */
#include "tests/unit/tap.h"
#include "zoned/zoned.h"

/* Columns: configured incomplete installed ready running paused shutting_down down failed. o = done, a =
 * already, x = refused. */
static const struct {
    const char *verb, *row;
} want[VERB_MAX] = {
    [VERB_START] = {"start", "oxoaaaxxx"},
    [VERB_STOP] = {"stop", "axaoooo"
                           "aa"},
    [VERB_RESTART] = {"restart", "oxoxooxxx"},
    [VERB_PAUSE] = {"pause", "xxxxoaxxx"},
    [VERB_RESUME] = {"resume", "xxxxaoxxx"},
    [VERB_KILL] = {"kill", "xxxxoooxx"},
    [VERB_DELETE] = {"delete", "oooxxxxxo"},
    [VERB_EXEC] = {"exec", "xxxxoxxxx"},
    [VERB_CLEAR] = {"clear", "axaxxxxxo"},
    [VERB_RENAME] = {"rename", "oxoxxxxxo"},
    [VERB_CLONE] = {"clone", "oxoxxoxxo"},
    [VERB_SET] = {"set", "ooooooooo"},
    [VERB_COPY] = {"cp", "xxoxooxxo"},
    [VERB_INSTALL] = {"install over it", "oxoxxxxxo"},
};

/* The verb that a hint begins with can be carried out there. */
static bool helps(enum zone_state s, const char *hint)
{
    const char *at = strstr(hint, "zonectl ");
    for (unsigned v = 0; at && v < VERB_MAX; v++) {
        size_t n = strlen(want[v].verb);
        if (!strncmp(at + 8, want[v].verb, n) && at[8 + n] == ' ')
            return want[v].row[s] == 'o';
    }
    return *hint != '\0'; /* wait, logs, or no verb */
}

int main(void)
{
    for (unsigned v = 0; v < VERB_MAX; v++)
        for (unsigned s = 0; s < ZONE_STATE_MAX; s++) {
            struct err e = {0};
            enum verb_answer a = state_allows((enum zone_state)s, (enum zone_verb)v, "z", &e);
            char got = a == VERB_OK ? 'o' : a == VERB_ALREADY ? 'a' : 'x';
            ok(got == want[v].row[s], "%s of a zone that is %s: %c (%c)", want[v].verb,
               state_name((enum zone_state)s), got, want[v].row[s]);
            ok((a == VERB_REFUSED) == (e.kind == ERR_CONFLICT), "... refused with a reason, or not at all");
            ok(a != VERB_REFUSED || helps((enum zone_state)s, e.hint), "... and with what helps: %s", e.hint);
        }
    for (unsigned s = 0; s < ZONE_STATE_MAX; s++)
        ok(state_may_follow((enum zone_state)s, (enum zone_state)s), "%s may stay",
           state_name((enum zone_state)s));
    ok(!state_may_follow(ZONE_INSTALLED, ZONE_RUNNING), "no running without ready");
    ok(!state_may_follow(ZONE_RUNNING, ZONE_INSTALLED), "no installed without down");
    return done_testing();
}
