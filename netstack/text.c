/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text of the zone's /etc/hosts and /etc/resolv.conf, and of its names for others. */
#include "base/file.h"
#include "netstack/priv.h"
#include <ctype.h>
#include <fcntl.h>

#define RESOLVED "/run/systemd/resolve/resolv.conf"
#define RESOLV_MAX 65536

char *net_hosts_text(const char *hostname, const struct net_link_plan *links, unsigned nlinks)
{
    struct str s = {0};
    bool named = false;
    str_add(&s, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    for (unsigned i = 0; i < nlinks; i++)
        for (unsigned k = 0; k < 2; k++) {
            char text[64];
            net_addr_print(k ? &links[i].addr6 : &links[i].addr4, false, text);
            if (*text)
                str_addf(&s, "%s\t%s\n", text, hostname);
            named |= *text;
        }
    if (!named) /* without a link the zone still knows itself */
        str_addf(&s, "127.0.1.1\t%s\n", hostname);
    return str_take(&s);
}

static bool loopback(const char *address)
{
    struct net_addr a;
    char text[64];
    snprintf(text, sizeof(text), "%.*s", (int)strcspn(address, "%"), address);
    if (net_addr_parse(text, &a) < 0)
        return true; /* nothing a resolver could use */
    static const unsigned char one[16] = {[15] = 1};
    return a.family == AF_INET ? a.bytes[0] == 127 || !a.bytes[0] : !memcmp(a.bytes, one, 16);
}

/* Copies what a zone can use; returns the number of name servers kept. Addresses with a zone id
 * (fe80::1%eth0) name a link of the host and go as well. */
static unsigned copy_lines(struct str *out, const char *text, bool *had_loopback)
{
    unsigned servers = 0;
    auto_free char *copy = xstrndup(text, RESOLV_MAX);
    char *save = NULL;
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char key[32], value[128];
        int n = sscanf(line, "%31s %127s", key, value);
        if (n < 2 || *key == '#' || *key == ';')
            continue;
        if (!strcmp(key, "nameserver")) {
            if (loopback(value) || strchr(value, '%')) {
                *had_loopback = true;
                continue;
            }
            servers++;
            str_addf(out, "nameserver %s\n", value);
        } else if (!strcmp(key, "search") || !strcmp(key, "domain") || !strcmp(key, "options")) {
            str_addf(out, "%s\n", line);
        }
    }
    return servers;
}

char *net_resolv_text(const char *host_resolv)
{
    bool had_loopback = false, ignored;
    struct str s = {0};
    unsigned servers = copy_lines(&s, host_resolv ? host_resolv : "", &had_loopback);
    auto_free char *upstream = NULL;
    if (!servers && had_loopback && file_read(AT_FDCWD, RESOLVED, RESOLV_MAX, &upstream, NULL, NULL) == 0) {
        str_done(&s);
        copy_lines(&s, upstream, &ignored);
    }
    return str_take(&s);
}

static const struct net_addr *resolver(const struct net_link_plan *l)
{
    return l->network.gateway4.family ? &l->network.gateway4 : &l->network.gateway6;
}

char *net_resolv_of_zone(const char *host_text, const struct net_link_plan *links, unsigned nlinks)
{
    struct str s = {0};
    char address[64], search[512] = "";
    if (!host_text)
        host_text = "";
    if (!nlinks)
        return xstrdup(host_text);
    const struct net_link_plan *l = links;
    while (l < links + nlinks && !net_routed_by_us(&l->network))
        l++;
    if (l == links + nlinks) /* a LAN's zone asks whom the host asks */
        return xstrdup(host_text);
    net_addr_print(resolver(l), false, address);
    str_addf(&s, "nameserver %s\n", address);
    for (const char *p = host_text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
        int n = (int)strcspn(p, "\n");
        if (str_starts(p, "options "))
            str_addf(&s, "%.*s\n", n, p);
        else if (str_starts(p, "search ") || str_starts(p, "domain "))
            snprintf(search, sizeof(search), " %.*s", n - 7, p + 7); /* the last one counts, resolv.conf(5) */
    }
    str_addf(&s, "search " NET_DOMAIN "%s\n", search);
    return str_take(&s);
}

char *net_names_text(const char *zone, const struct net_link_plan *l)
{
    struct str s = {0};
    for (unsigned k = 0; k < 2; k++) {
        char address[64];
        net_addr_print(k ? &l->addr6 : &l->addr4, false, address);
        if (!*address)
            continue;
        str_addf(&s, "%s\t%s." NET_DOMAIN " %s", address, zone, zone);
        for (char **a = l->aliases; a && *a; a++)
            str_addf(&s, strchr(*a, '.') ? " %s" : " %s %s." NET_DOMAIN, *a, *a);
        str_add(&s, "\n");
    }
    return str_take(&s);
}
