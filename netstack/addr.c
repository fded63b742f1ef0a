/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses as data: text, comparison, containment. Pure. */
#include "netstack/priv.h"
#include <arpa/inet.h>
#include <errno.h>

int net_addr_len(const struct net_addr *a)
{
    return a->family == AF_INET ? 4 : a->family == AF_INET6 ? 16 : 0;
}

int net_addr_parse(const char *text, struct net_addr *out)
{
    char buf[64];
    struct net_addr a = {0};
    if (!text || strlen(text) >= sizeof(buf))
        return -EINVAL;
    strcpy(buf, text);
    char *slash = strchr(buf, '/');
    if (slash)
        *slash++ = '\0';
    if (inet_pton(AF_INET, buf, a.bytes) == 1)
        a.family = AF_INET;
    else if (inet_pton(AF_INET6, buf, a.bytes) == 1)
        a.family = AF_INET6;
    else
        return -EINVAL;
    uint64_t prefix = 8u * (unsigned)net_addr_len(&a);
    if (slash && parse_u64(slash, prefix, &prefix) < 0)
        return -EINVAL;
    a.prefix = (unsigned)prefix;
    *out = a;
    return 0;
}

void net_addr_print(const struct net_addr *a, bool with_prefix, char buf[64])
{
    buf[0] = '\0';
    if (!a->family || !inet_ntop(a->family, a->bytes, buf, 64))
        return;
    if (with_prefix) {
        size_t n = strlen(buf);
        snprintf(buf + n, 64 - n, "/%u", a->prefix);
    }
}

bool net_addr_in(const struct net_addr *a, const struct net_addr *subnet)
{
    if (!a->family || a->family != subnet->family)
        return false;
    unsigned whole = subnet->prefix / 8, rest = subnet->prefix % 8;
    if (memcmp(a->bytes, subnet->bytes, whole))
        return false;
    return !rest || !((a->bytes[whole] ^ subnet->bytes[whole]) >> (8 - rest));
}

struct net_addr net_addr_last(const struct net_addr *subnet)
{
    struct net_addr all = *subnet;
    for (unsigned k = 0; k < (unsigned)net_addr_len(subnet); k++) {
        unsigned bits = subnet->prefix > 8 * k ? subnet->prefix - 8 * k : 0;
        all.bytes[k] |= (unsigned char)(0xff >> (bits > 8 ? 8 : bits));
    }
    return all;
}

bool net_addr_eq(const struct net_addr *a, const struct net_addr *b)
{
    return a->family == b->family && !memcmp(a->bytes, b->bytes, (size_t)net_addr_len(a));
}
