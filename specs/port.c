/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Published ports and addresses: text to struct and back. "[IP:]HOST[-HOST]:ZONE[-ZONE][/udp|/sctp]". */
#include "base/mem.h"
#include "specs/value.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The shortest form of an IP address; 4, 6, or 0 if it is none. */
static int normal_ip(const char *text, char out[INET6_ADDRSTRLEN], unsigned char raw[16])
{
    if (inet_pton(AF_INET, text, raw) == 1)
        return inet_ntop(AF_INET, raw, out, INET6_ADDRSTRLEN) ? 4 : 0;
    if (inet_pton(AF_INET6, text, raw) == 1)
        return inet_ntop(AF_INET6, raw, out, INET6_ADDRSTRLEN) ? 6 : 0;
    return 0;
}

/* Unspecified, loopback, multicast, link-local and mapped addresses are nobody's own. */
char *spec_address_normal(const char *text)
{
    static const unsigned char zero[16];
    char out[INET6_ADDRSTRLEN];
    unsigned char a[16];
    switch (normal_ip(text, out, a)) {
    case 4:
        return a[0] == 0 || a[0] == 127 || a[0] >= 224 ? NULL : xstrdup(out);
    case 6:
        if (!memcmp(a, zero, 12) || a[0] == 0xff || (a[0] == 0xfe && (a[1] & 0xc0) == 0x80) ||
            (!memcmp(a, zero, 10) && a[10] == 0xff))
            return NULL;
        return xstrdup(out);
    default:
        return NULL;
    }
}

/* "80" or "80-90". */
static bool parse_range(const char *t, uint16_t *first, uint16_t *last)
{
    char low[8];
    uint64_t a, b;
    size_t n = strcspn(t, "-");
    if (n >= sizeof(low))
        return false;
    memcpy(low, t, n);
    low[n] = '\0';
    if (parse_u64(low, 65535, &a) < 0 || !a)
        return false;
    b = a;
    if (t[n] && (parse_u64(t + n + 1, 65535, &b) < 0 || b < a))
        return false;
    *first = (uint16_t)a;
    *last = (uint16_t)b;
    return true;
}

const char *spec_proto_name(enum spec_proto p)
{
    return p == SPEC_UDP ? "udp" : p == SPEC_SCTP ? "sctp" : "tcp";
}

static bool parse_proto(char *text, enum spec_proto *proto)
{
    char *slash = strchr(text, '/');
    static const enum spec_proto all[] = {SPEC_TCP, SPEC_UDP, SPEC_SCTP};
    *proto = SPEC_TCP;
    if (!slash)
        return true;
    *slash = '\0';
    for (unsigned i = 0; i < ARRAY_LEN(all); i++)
        if (!strcmp(slash + 1, spec_proto_name(all[i]))) {
            *proto = all[i];
            return true;
        }
    return false;
}

/* The kernel routes nothing from ::1 to a link: localhost is 127.0.0.1, and of 127/8 nothing else. Nobody connects to a group. */
static bool can_publish(const char *ip, int family, const unsigned char *a)
{
    if (family == 6)
        return strcmp(ip, "::1") != 0 && a[0] != 0xff;
    return !strcmp(ip, "0.0.0.0") || !strcmp(ip, "127.0.0.1") || (a[0] && a[0] != 127 && a[0] < 224);
}

/* Cuts the address off the front: NULL = all addresses. false: there is one, and it is wrong. */
static bool parse_ip(char **text, char **ip)
{
    char out[INET6_ADDRSTRLEN], *end, *colon = strchr(*text, ':');
    unsigned char raw[16];
    char *start = *text;
    *ip = NULL;
    if (*start == '[') {
        end = strchr(++start, ']');
        if (!end || end[1] != ':')
            return false;
        *end++ = '\0';
    } else if (colon && strchr(colon + 1, ':')) {
        end = colon;
    } else {
        return true;
    }
    *end = '\0';
    int family = normal_ip(start, out, raw);
    if (family != (**text == '[' ? 6 : 4))
        return false;
    *text = end + 1;
    if (!can_publish(out, family, raw))
        return false;
    *ip = xstrdup(out);
    return true;
}

static bool all_of_family(const char *ip)
{
    return !strcmp(ip, "0.0.0.0") || !strcmp(ip, "::");
}

bool spec_host_ips_meet(const char *a, const char *b)
{
    if (!a || !b || !strcmp(a, b))
        return true;
    bool same_family = !strchr(a, ':') == !strchr(b, ':');
    return same_family && (all_of_family(a) || all_of_family(b));
}

/* In its shortest form. */
static bool link_local(const char *ip)
{
    return ip && str_starts(ip, "fe") && ip[2] && strchr("89ab", ip[2]) && ip[3] && ip[3] != ':' &&
           ip[4] == ':';
}

int spec_parse_port(const char *text, struct spec_port *out, struct err *e)
{
    struct spec_port p = {0};
    char show[SPEC_SHOW], buf[96];
    uint16_t zone_last = 0;
    size_t n = text ? strlen(text) : 0;
    auto_free char *ip = NULL;
    bool good = n && n < sizeof(buf);
    if (good) {
        char *rest = strcpy(buf, text);
        good = parse_proto(rest, &p.proto) && parse_ip(&rest, &ip);
        char *colon = good ? strchr(rest, ':') : NULL;
        good = colon != NULL;
        if (good) {
            *colon = '\0';
            good = parse_range(rest, &p.host_first, &p.host_last) &&
                   parse_range(colon + 1, &p.zone_first, &zone_last);
        }
    }
    if (!good)
        return err_set(e, ERR_INVALID, EINVAL,
                       "\"%s\" is not a port ([IP:]HOST[-HOST]:ZONE[-ZONE][/udp|/sctp], 1 to 65535; "
                       "IP an address of the host, localhost is 127.0.0.1)",
                       spec_show(text ? text : "", show));
    if (zone_last - p.zone_first != p.host_last - p.host_first)
        return err_set(e, ERR_INVALID, EINVAL, "\"%s\": the two ranges differ in length",
                       spec_show(text, show));
    if (link_local(ip))
        return err_set(e, ERR_INVALID, EINVAL,
                       "\"%s\": a link-local address is one of a link, many of which may have it (publish on "
                       "another address "
                       "of the host, or on [::] for all)",
                       spec_show(text, show));
    p.host_ip = take_ptr(&ip);
    *out = p;
    return 0;
}

char *spec_print_port(const struct spec_port *p)
{
    char buf[128];
    int n = 0;
    if (p->host_ip)
        n = snprintf(buf, sizeof(buf), strchr(p->host_ip, ':') ? "[%s]:" : "%s:", p->host_ip);
    n += snprintf(buf + n, sizeof(buf) - (size_t)n, "%u", p->host_first);
    if (p->host_last != p->host_first)
        n += snprintf(buf + n, sizeof(buf) - (size_t)n, "-%u", p->host_last);
    n += snprintf(buf + n, sizeof(buf) - (size_t)n, ":%u", p->zone_first);
    if (p->host_last != p->host_first)
        n += snprintf(buf + n, sizeof(buf) - (size_t)n, "-%d", p->zone_first + p->host_last - p->host_first);
    snprintf(buf + n, sizeof(buf) - (size_t)n, "%s%s", p->proto == SPEC_TCP ? "" : "/",
             p->proto == SPEC_TCP ? "" : spec_proto_name(p->proto));
    return xstrdup(buf);
}
