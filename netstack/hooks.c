/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chains that other firewalls keep for their users, and our marked rules in them: an accept in our table does not
 * override a drop in another base chain, so where Docker or ufw drop what is forwarded or what comes in, they are told that
 * our bridges' traffic is judged elsewhere, and that zones may ask the host for names and addresses. Must never touch a
 * foreign rule, nor a chain that is not made for this. Undo: the rules with our mark go with the last network. */
#include "netstack/priv.h"

static const struct hook {
    const char *family, *table, *chain;
    bool input;
} hooks[] = {{"ip", "filter", "DOCKER-USER", false},        {"ip6", "filter", "DOCKER-USER", false},
             {"ip", "filter", "ufw-before-forward", false}, {"ip6", "filter", "ufw6-before-forward", false},
             {"ip", "filter", "ufw-before-input", true},    {"ip6", "filter", "ufw6-before-input", true}};

/* firewalld's own, which jump to the chains of its zones by the name of the link */
static const char *const by_link[] = {"filter_FORWARD_ZONES", "filter_INPUT_ZONES", "FORWARD_ZONES",
                                      "INPUT_ZONES"};

/* The chain's rules with their handles, or NULL: there is no such chain. */
static char *list(const struct hook *h)
{
    auto_free char *chain = xasprintf("%s %s %s", h->family, h->table, h->chain);
    return net_table_list(chain);
}

static void want_port(char ***rules, const char *bridge, const char *proto, unsigned port)
{
    strv_take(rules, xasprintf("iifname \"%s\" %s dport %u", bridge, proto, port));
}

/* What our rules of this chain match, in nft's own words. */
static char **wanted(const struct hook *h, const struct net_pass *pass)
{
    char **rules = NULL;
    for (char *const *b = h->input ? NULL : pass->forwarded; b && *b; b++) {
        strv_take(&rules, xasprintf("iifname \"%s\"", *b));
        strv_take(&rules, xasprintf("oifname \"%s\"", *b));
    }
    for (char *const *b = h->input ? pass->askers : NULL; b && *b; b++) {
        want_port(&rules, *b, "udp", strcmp(h->family, "ip") ? 547 : 67);
        for (unsigned i = 0; i < pass->ports.len; i++) {
            want_port(&rules, *b, "udp", pass->ports.at[i]);
            want_port(&rules, *b, "tcp", pass->ports.at[i]);
        }
    }
    return rules;
}

/* Of our rules in the text those that are wanted leave the list; the others are deleted. The mark is not all that makes a rule
 * ours: it accepts and counts as we write it. */
static void compare(struct str *s, const struct hook *h, char *text, const char *mark, char **rules)
{
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *counter = strstr(line, " counter "), *handle = strstr(line, "# handle ");
        const char *verdict = strstr(line, " accept comment ");
        if (!verdict || !str_starts(verdict + strlen(" accept "), mark) || !counter || !handle)
            continue;
        *counter = '\0';
        line += strspn(line, " \t");
        if (strv_has(rules, line))
            strv_remove(rules, line);
        else
            str_addf(s, "delete rule %s %s %s %s\n", h->family, h->table, h->chain, handle + 2);
    }
}

/* From what stands there now, so that nothing is inserted twice when the answer was lost. */
static int set_one(const struct hook *h, const char *mark, const struct net_pass *pass, struct err *e)
{
    auto_done(str_done) struct str s = {0};
    auto_free char *text = list(h);
    if (!text)
        return 0;
    char **rules = wanted(h, pass);
    compare(&s, h, text, mark, rules);
    for (char **r = rules; r && *r; r++)
        str_addf(&s, "insert rule %s %s %s %s counter accept %slets zones pass\"\n", h->family, h->table,
                 h->chain, *r, mark);
    strv_free(rules);
    return s.p ? net_table_try(s.p, e) : 0;
}

static char *mark_of(const struct net_ctx *c)
{
    return xasprintf("comment \"%s ", c->instance); /* and more words */
}

int net_hooks_set(struct net_ctx *c, const struct net_pass *pass, struct err *e)
{
    auto_free char *mark = mark_of(c);
    for (unsigned i = 0; i < ARRAY_LEN(hooks); i++)
        for (unsigned tries = 0;; tries++) {
            struct err own = {0};
            if (set_one(&hooks[i], mark, pass, &own) == 0)
                break;
            if (own.kind != ERR_BUSY || tries == NET_TRIES)
                return err_set(e, own.kind, own.code, "%s", own.text);
            net_pause(tries);
        }
    return 0;
}

/* A line that names the bridge and has this text. */
static bool has_line(const char *text, const char *bridge, const char *what)
{
    auto_free char *quoted = xasprintf("\"%s\"", bridge);
    for (const char *p = text; (p = strstr(p, quoted)); p++) {
        const char *says = strstr(p, what);
        if (says && says < p + strcspn(p, "\n"))
            return true;
    }
    return false;
}

bool net_hooks_pass(struct net_ctx *c, const char *table, const char *chain, char *const *bridges)
{
    bool links = false, hook = false;
    for (unsigned i = 0; i < ARRAY_LEN(by_link); i++)
        links |= !strcmp(chain, by_link[i]);
    for (unsigned i = 0; i < ARRAY_LEN(hooks); i++)
        hook |= !strcmp(chain, hooks[i].chain);
    auto_free char *whole = xasprintf("%s %s", table, chain), *mark = mark_of(c);
    auto_free char *text = links || hook ? net_table_list(whole) : NULL;
    bool passes = text != NULL;
    for (; passes && bridges && *bridges; bridges++)
        passes = has_line(text, *bridges, links ? "_trusted" : mark);
    return passes;
}
