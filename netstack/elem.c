/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Elements of the maps and sets, by netlink messages of our own: libnftables reads the ruleset first and
 * takes some milliseconds for what is some tens of microseconds here. Adding is one transaction: all or none.
 * Deleting first asks for each key and leaves alone what bears other data, so that the recovery of one zone
 * never unpublishes another's port. Sources: linux/netfilter/nf_tables.h, libnftnl's examples. */
#include "netstack/nl_api.h"
#include "netstack/priv.h"
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#define ELEMS_PER_MESSAGE 200u /* a nested attribute holds 64 KiB; one element needs at most 160 bytes */
#define ELEM_ROOM 192u
#define GETS_PER_CROSSING 128u

struct net_nft {
    struct nl_sock *s;
    uint32_t seq;
};

int net_nft_open(struct net_nft **out, struct err *e)
{
    struct nl_sock *s = NULL;
    int r = net_nl_open(NETLINK_NETFILTER, &s, e);
    if (r < 0)
        return r;
    struct net_nft *n = xcalloc(1, sizeof(*n));
    *n = (struct net_nft){.s = s, .seq = 1};
    *out = n;
    return 0;
}

void net_nft_close(struct net_nft *n)
{
    if (n)
        net_nl_close(n->s);
    free(n);
}

static struct nftnl_set *set_of(const char *table, const struct net_elem *x)
{
    struct nftnl_set *set = nftnl_set_alloc();
    if (!set)
        abort();
    nftnl_set_set_str(set, NFTNL_SET_TABLE, table);
    nftnl_set_set_str(set, NFTNL_SET_NAME, x->set);
    return set;
}

static void set_add(struct nftnl_set *set, const struct net_elem *x, bool with_data)
{
    struct nftnl_set_elem *el = nftnl_set_elem_alloc();
    if (!el)
        abort();
    nftnl_set_elem_set(el, NFTNL_SET_ELEM_KEY, x->key, x->key_len);
    if (x->interval)
        nftnl_set_elem_set(el, NFTNL_SET_ELEM_KEY_END, x->end, x->key_len);
    if (with_data && x->data_len)
        nftnl_set_elem_set(el, NFTNL_SET_ELEM_DATA, x->data, x->data_len);
    nftnl_set_elem_add(set, el);
}

static bool same_set(const struct net_elem *a, const struct net_elem *b)
{
    return a->family == b->family && !strcmp(a->set, b->set);
}

/* One transaction: begin, a message for each run of elements of one set, end. Returns the number of messages
 * between. */
static unsigned build(struct net_nft *n, const char *table, const net_elems *v, bool add, char **buf,
                      size_t *len)
{
    char *p = *buf = xcalloc(v->len + 8, ELEM_ROOM * 2);
    unsigned messages = 0;
    p += NLMSG_ALIGN(nftnl_batch_begin(p, n->seq++)->nlmsg_len);
    for (unsigned i = 0; i < v->len;) {
        const struct net_elem *x = &v->at[i];
        struct nftnl_set *set = set_of(table, x);
        for (unsigned k = 0; k < ELEMS_PER_MESSAGE && i < v->len && same_set(x, &v->at[i]); k++, i++)
            set_add(set, &v->at[i], add);
        struct nlmsghdr *h =
            nftnl_nlmsg_build_hdr(p, add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM, (uint16_t)x->family,
                                  (uint16_t)(NLM_F_ACK | (add ? NLM_F_CREATE : 0)), n->seq++);
        nftnl_set_elems_nlmsg_build_payload(h, set);
        nftnl_set_free(set);
        p += NLMSG_ALIGN(h->nlmsg_len);
        messages++;
    }
    p += NLMSG_ALIGN(nftnl_batch_end(p, n->seq++)->nlmsg_len);
    *len = (size_t)(p - *buf);
    return messages;
}

/* 0, or -errno of what refused the transaction. */
static int transact(struct net_nft *n, const char *table, const net_elems *v, bool add, char said[160])
{
    auto_free char *buf = NULL;
    size_t len = 0;
    uint32_t first = n->seq; /* of the begin: a transaction that fails as a whole is answered there */
    unsigned messages = build(n, table, v, add, &buf, &len);
    auto_free struct net_ack *acks = xcalloc(messages + 1, sizeof(*acks));
    struct iovec iov = {.iov_base = buf, .iov_len = len};
    int r = net_nl_exchange(nl_socket_get_fd(n->s), &iov, 1, first, messages + 1, acks);
    for (unsigned i = 0; r == 0 && i <= messages; i++) {
        if (acks[i].error > 0 || (i && acks[i].error < 0))
            r = acks[i].error > 0 ? -acks[i].error : -ENOBUFS;
        if (r < 0)
            snprintf(said, 160, "%s", acks[i].text);
    }
    return r;
}

/* ---- asking ---- */
struct asked {
    const net_elems *v;
    uint32_t seq; /* of the first element asked for */
    unsigned first, count;
    signed char *state; /* per element: 1 there with this data, -1 there with other data, 0 missing */
};

static signed char compare(struct nftnl_set *set, const struct net_elem *want)
{
    struct nftnl_set_elems_iter *it = nftnl_set_elems_iter_create(set);
    struct nftnl_set_elem *el = it ? nftnl_set_elems_iter_next(it) : NULL;
    signed char state = 0;
    if (el) {
        uint32_t n = 0;
        const void *data = want->data_len ? nftnl_set_elem_get(el, NFTNL_SET_ELEM_DATA, &n) : NULL;
        state = n == want->data_len && (!n || !memcmp(data, want->data, n)) ? 1 : -1;
    }
    if (it)
        nftnl_set_elems_iter_destroy(it);
    return state;
}

static void take_answer(const struct nlmsghdr *h, struct asked *a)
{
    uint32_t i = h->nlmsg_seq - a->seq;
    if (i >= a->count || h->nlmsg_type == NLMSG_ERROR)
        return;
    struct nftnl_set *set = nftnl_set_alloc();
    if (set && nftnl_set_elems_nlmsg_parse(h, set) >= 0)
        a->state[a->first + i] = compare(set, &a->v->at[a->first + i]);
    if (set)
        nftnl_set_free(set);
}

static int ask_some(struct net_nft *n, const char *table, struct asked *a)
{
    auto_free char *buf = xcalloc(a->count, ELEM_ROOM * 2);
    char *p = buf;
    a->seq = n->seq;
    for (unsigned i = 0; i < a->count; i++) {
        const struct net_elem *x = &a->v->at[a->first + i];
        struct nftnl_set *set = set_of(table, x);
        set_add(set, x, false);
        struct nlmsghdr *h = nftnl_nlmsg_build_hdr(p, NFT_MSG_GETSETELEM, (uint16_t)x->family, 0, n->seq++);
        nftnl_set_elems_nlmsg_build_payload(h, set);
        nftnl_set_free(set);
        p += NLMSG_ALIGN(h->nlmsg_len);
    }
    int fd = nl_socket_get_fd(n->s);
    struct iovec iov = {.iov_base = buf, .iov_len = (size_t)(p - buf)};
    int r = net_nl_send(fd, &iov, 1);
    if (r < 0)
        return r;
    auto_free char *in = xcalloc(1, 32768);
    for (;;) { /* all answers are in the queue */
        ssize_t len = recv(fd, in, 32768, MSG_DONTWAIT);
        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0 && errno == ENOBUFS) /* some were lost: what is there would seem to be missing */
            return -ENOBUFS;
        if (len <= 0)
            return 0;
        for (struct nlmsghdr *h = (void *)in; NLMSG_OK(h, (size_t)len); h = NLMSG_NEXT(h, len))
            take_answer(h, a);
    }
}

static int ask(struct net_nft *n, const char *table, const net_elems *v, signed char *state)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < v->len; i += GETS_PER_CROSSING) {
        struct asked a = {.v = v, .first = i, .count = v->len - i, .state = state};
        if (a.count > GETS_PER_CROSSING)
            a.count = GETS_PER_CROSSING;
        r = ask_some(n, table, &a);
    }
    return r;
}

/* Which of them is there with other data, -1 = none. */
static int find_busy(struct net_nft *n, const char *table, const net_elems *v)
{
    auto_free signed char *state = xcalloc(v->len, 1);
    int found = -1;
    if (ask(n, table, v, state) < 0)
        return -1;
    for (unsigned i = 0; found < 0 && i < v->len; i++)
        if (state[i] < 0)
            found = (int)i;
    return found;
}

static int add_error(int r, const char *table, const net_elems *v, const char *said, struct err *e)
{
    if (r == -EBUSY || r == -EEXIST)
        return err_set(e, ERR_CONFLICT, EADDRINUSE, "the table %s has an element already%s%s", table,
                       *said ? ": " : "", said);
    if (r == -ENOENT)
        return err_set(e, ERR_INTERNAL, ENOENT, "the nft table %s is not there: the network is not up",
                       table);
    return err_sysk(e, net_again(-r) ? ERR_BUSY : ERR_INTERNAL, -r, "add %u elements to the nft table %s%s%s",
                    v->len, table, *said ? ": " : "", said);
}

/* Adding what is there already with the same data is success, so all of it may be said again, also where answers were lost. */
int net_nft_add(struct net_nft *n, const char *table, const net_elems *v, int *busy, struct err *e)
{
    char said[160] = "";
    *busy = -1;
    for (unsigned tries = 0; v->len; tries++) {
        int r = transact(n, table, v, true, said);
        bool taken = r == -EBUSY || r == -EEXIST;
        if (taken)
            *busy = find_busy(n, table, v);
        if (r == 0)
            return 0;
        if (tries == NET_TRIES && net_again(-r)) /* it may have been done */
            net_nft_del(n, table, v, NULL);
        if (tries == NET_TRIES || *busy >= 0 || !(taken || net_again(-r)))
            return add_error(r, table, v, said, e);
        net_pause(tries);
    }
    return 0;
}

int net_nft_del(struct net_nft *n, const char *table, const net_elems *v, struct err *e)
{
    char said[160] = "";
    auto_free signed char *state = xcalloc(v->len + 1, 1);
    int r = 0;
    for (unsigned tries = 0; tries <= NET_TRIES; tries++) {
        net_elems mine = {0};
        memset(state, 0, v->len + 1);
        r = ask(n, table, v, state);
        for (unsigned i = 0; r == 0 && i < v->len; i++)
            if (state[i] > 0)
                *vec_add(&mine) = v->at[i];
        if (r == 0 && mine.len)
            r = transact(n, table, &mine, false, said);
        vec_done(&mine);
        if (r != -ENOENT && r != -EBUSY &&
            !net_again(-r)) /* one went between asking and deleting: ask again */
            break;
        if (r != -ENOENT)
            net_pause(tries);
    }
    if (r < 0 && r != -ENOENT)
        return err_sysk(e, net_again(-r) || r == -EBUSY ? ERR_BUSY : ERR_INTERNAL, -r,
                        "delete elements of the nft table %s%s%s", table, *said ? ": " : "", said);
    return 0;
}

static void on_name(struct nlmsghdr *h, void *data)
{
    struct nftnl_set *set = nftnl_set_alloc();
    if (!set || (h->nlmsg_type & 0xff) != NFT_MSG_NEWSETELEM || nftnl_set_elems_nlmsg_parse(h, set) < 0) {
        if (set)
            nftnl_set_free(set);
        return;
    }
    struct nftnl_set_elems_iter *it = nftnl_set_elems_iter_create(set);
    for (struct nftnl_set_elem *el; it && (el = nftnl_set_elems_iter_next(it));) {
        uint32_t len = 0;
        const char *key = nftnl_set_elem_get(el, NFTNL_SET_ELEM_KEY, &len);
        char name[17] = "";
        memcpy(name, key, len < 16 ? len : 16);
        strv_add(data, name);
    }
    if (it)
        nftnl_set_elems_iter_destroy(it);
    nftnl_set_free(set);
}

int net_nft_names(struct net_nft *n, const char *table, const char *set, char ***out, struct err *e)
{
    char buf[1024];
    struct net_elem x = {.set = set};
    struct nftnl_set *s = set_of(table, &x);
    struct nlmsghdr *h = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETSETELEM, NFPROTO_INET, NLM_F_DUMP, 0);
    nftnl_set_elems_nlmsg_build_payload(h, s);
    nftnl_set_free(s);
    struct err own = {0};
    char **names = NULL;
    int r = net_nl_dump(n->s, h->nlmsg_type, NLM_F_DUMP, NLMSG_DATA(h), h->nlmsg_len - NLMSG_HDRLEN, on_name,
                        &names, &own);
    if (r < 0 && r != -ENOENT) {
        strv_free(names);
        return err_sysk(e, ERR_INTERNAL, -r, "read the set %s", set);
    }
    *out = names;
    return 0;
}
