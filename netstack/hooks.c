/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chains that other firewalls keep for their users, and our marked rules in them: an accept in our table does not
 * override a drop in another base chain, so where Docker or ufw drop what is forwarded, they are told that our bridges'
 * traffic is judged elsewhere. Must never touch a foreign rule, nor a chain that is not made for this. Undo: the rules with
 * our mark go with the last network. */
#include "netstack/priv.h"

static const struct {
    const char *family, *table, *chain;
} hooks[] = {{"ip", "filter", "DOCKER-USER"},
             {"ip6", "filter", "DOCKER-USER"},
             {"ip", "filter", "ufw-before-forward"},
             {"ip6", "filter", "ufw6-before-forward"}};

/* The chain's rules with their handles, or NULL: there is no such chain. */
static char *list(unsigned hook)
{
    auto_free char *chain = xasprintf("%s %s %s", hooks[hook].family, hooks[hook].table, hooks[hook].chain);
    return net_table_list(chain);
}

/* Our rules of links that are no more. */
static void drop_stale(struct str *s, unsigned hook, const char *text, const char *mark, char *const *bridges)
{
    for (const char *p = text; (p = strstr(p, mark)); p++) {
        char link[16] = "";
        unsigned handle;
        const char *end = p + strcspn(p, "\n"), *h = p;
        if (sscanf(p + strlen(mark), "%15[^\"]", link) != 1 || strv_has(bridges, link))
            continue;
        while ((h = strstr(h, "# handle ")) && h < end)
            if (sscanf(h++, "# handle %u", &handle) == 1)
                str_addf(s, "delete rule %s %s %s handle %u\n", hooks[hook].family, hooks[hook].table,
                         hooks[hook].chain, handle);
    }
}

static void add_missing(struct str *s, unsigned hook, const char *text, const char *mark,
                        char *const *bridges)
{
    for (; bridges && *bridges; bridges++) {
        auto_free char *whole = xasprintf("%s%s\"", mark, *bridges);
        const char *first = strstr(text, whole), *ways[] = {"iifname", "oifname"};
        for (unsigned i = 0; !(first && strstr(first + 1, whole)) && i < ARRAY_LEN(ways); i++)
            str_addf(s, "insert rule %s %s %s %s \"%s\" counter accept comment %s\n", hooks[hook].family,
                     hooks[hook].table, hooks[hook].chain, ways[i], *bridges, whole);
    }
}

/* From what stands there now, so that nothing is inserted twice when the answer was lost. */
static int set_one(unsigned hook, const char *mark, char *const *bridges, struct err *e)
{
    auto_done(str_done) struct str s = {0};
    auto_free char *text = list(hook);
    if (!text)
        return 0;
    drop_stale(&s, hook, text, mark, bridges);
    add_missing(&s, hook, text, mark, bridges);
    return s.p ? net_table_try(s.p, e) : 0;
}

int net_hooks_set(struct net_ctx *c, char *const *bridges, struct err *e)
{
    auto_free char *mark = xasprintf("\"%s ", c->instance);
    for (unsigned i = 0; i < ARRAY_LEN(hooks); i++)
        for (unsigned tries = 0;; tries++) {
            struct err own = {0};
            if (set_one(i, mark, bridges, &own) == 0)
                break;
            if (own.kind != ERR_BUSY || tries == NET_TRIES)
                return err_set(e, own.kind, own.code, "%s", own.text);
            net_pause(tries);
        }
    return 0;
}

bool net_hooks_there(struct net_ctx *c, bool six)
{
    auto_free char *mark = xasprintf("\"%s ", c->instance);
    for (unsigned i = 0; i < ARRAY_LEN(hooks); i++) {
        auto_free char *text = !strcmp(hooks[i].family, "ip6") == six ? list(i) : NULL;
        if (text && strstr(text, mark))
            return true;
    }
    return false;
}
