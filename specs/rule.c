/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One rule of a network's firewall, in words: who, to whom, what, allow or deny. Pure. */
#include "base/mem.h"
#include "specs/schema.h"
#include "specs/specs.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define TEXT_MAX 256

struct words {
    char text[TEXT_MAX];
    char *at[16];
    unsigned n, next;
};

static int split(const char *text, struct words *w)
{
    char *save = NULL;
    if (strlen(text) >= sizeof(w->text))
        return -E2BIG;
    strcpy(w->text, text);
    for (char *p = strtok_r(w->text, " \t", &save); p; p = strtok_r(NULL, " \t", &save)) {
        if (w->n == ARRAY_LEN(w->at))
            return -E2BIG;
        w->at[w->n++] = p;
    }
    return 0;
}

static const char *take(struct words *w)
{
    return w->next < w->n ? w->at[w->next++] : NULL;
}

static bool take_word(struct words *w, const char *word)
{
    bool is = w->next < w->n && !strcmp(w->at[w->next], word);
    w->next += is;
    return is;
}

static const char *check_address(const char *t)
{
    char buf[64];
    unsigned char a[16];
    uint64_t prefix = 0;
    size_t n = strcspn(t, "/");
    if (n >= sizeof(buf))
        return "is too long for an address";
    memcpy(buf, t, n);
    buf[n] = '\0';
    bool four = inet_pton(AF_INET, buf, a) == 1, six = !four && inet_pton(AF_INET6, buf, a) == 1;
    if ((!four && !six) || (t[n] && parse_u64(t + n + 1, four ? 32 : 128, &prefix) < 0))
        return "is no address or subnet";
    return NULL;
}

/* What stands behind from and to. */
static const char *side(struct words *w, struct spec_rule_side *out)
{
    const char *kind = take(w), *name = NULL;
    if (!kind)
        return "ends where somebody is named (any, label K=V, zone NAME, network NET, or an address)";
    if (!strcmp(kind, "any"))
        return NULL;
    out->kind = !strcmp(kind, "label")     ? SPEC_SIDE_LABEL
                : !strcmp(kind, "zone")    ? SPEC_SIDE_ZONE
                : !strcmp(kind, "network") ? SPEC_SIDE_NETWORK
                                           : SPEC_SIDE_ADDRESS;
    name = out->kind == SPEC_SIDE_ADDRESS ? kind : take(w);
    if (!name)
        return "ends where a name is wanted";
    if (strlen(name) >= sizeof(out->name))
        return "has a name that is too long";
    strcpy(out->name, name);
    if (out->kind == SPEC_SIDE_ADDRESS)
        return check_address(name) ? "names nobody (any, label K=V, zone NAME, network NET, or an address)"
                                   : NULL;
    if (out->kind != SPEC_SIDE_LABEL)
        return spec_check_zone(name) ? "names a zone or network that cannot be" : NULL;
    const char *eq = strchr(name, '=');
    auto_free char *key = eq ? xstrndup(name, (size_t)(eq - name)) : NULL;
    return !eq || !eq[1] || spec_check_label_key(key) ? "names no label (label KEY=VALUE)" : NULL;
}

static const char *ports(const char *text, struct spec_rule *out)
{
    uint64_t first, last;
    char buf[16];
    const char *dash = strchr(text, '-');
    size_t n = dash ? (size_t)(dash - text) : strlen(text);
    if (n >= sizeof(buf))
        return "has no valid port";
    memcpy(buf, text, n);
    buf[n] = '\0';
    if (parse_u64(buf, 65535, &first) < 0 || !first ||
        (dash && (parse_u64(dash + 1, 65535, &last) < 0 || last < first)))
        return "has no valid port (1 to 65535, or FIRST-LAST)";
    out->first = (uint16_t)first;
    out->last = (uint16_t)(dash ? last : first);
    return NULL;
}

static const char *what(struct words *w, struct spec_rule *out)
{
    static const struct {
        const char *word;
        enum spec_rule_proto proto;
    } protos[] = {{"any", SPEC_RULE_ANY},
                  {"tcp", SPEC_RULE_TCP},
                  {"udp", SPEC_RULE_UDP},
                  {"sctp", SPEC_RULE_SCTP},
                  {"icmp", SPEC_RULE_ICMP}};
    const char *word = take(w);
    unsigned i = 0;
    while (word && i < ARRAY_LEN(protos) && strcmp(word, protos[i].word) != 0)
        i++;
    if (i == ARRAY_LEN(protos))
        return "names no protocol (tcp, udp, sctp, icmp, any)";
    out->proto = word ? protos[i].proto : SPEC_RULE_ANY;
    bool has_ports =
        out->proto == SPEC_RULE_TCP || out->proto == SPEC_RULE_UDP || out->proto == SPEC_RULE_SCTP;
    word = take(w);
    return !word ? NULL : has_ports ? ports(word, out) : "has a port behind what has none";
}

const char *spec_rule_parse(const char *text, struct spec_rule *out)
{
    struct words w = {0};
    const char *bad = NULL;
    *out = (struct spec_rule){0};
    if (split(text, &w) < 0)
        return "is too long for a rule";
    if (take_word(&w, "from"))
        bad = side(&w, &out->from);
    if (!bad && take_word(&w, "to"))
        bad = side(&w, &out->to);
    if (bad)
        return bad;
    out->allow = take_word(&w, "allow");
    if (!out->allow && !take_word(&w, "deny"))
        return "is no rule ([from WHO] [to WHO] allow|deny [tcp|udp|sctp|icmp|any] [PORT[-PORT]])";
    bad = what(&w, out);
    return bad ? bad : w.next < w.n ? "goes on behind its end" : NULL;
}

const char *spec_rule_check(const char *text)
{
    struct spec_rule r;
    return spec_rule_parse(text, &r);
}
