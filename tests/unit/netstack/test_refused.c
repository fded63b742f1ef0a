/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel says "not now", "busy" or nothing: at each crossing of a zone's and a network's way up and down, once and for
 * ever. What may be said again is; otherwise there is an error that names it, and nothing is left. The crossings are ours,
 * libnl's and libnftables' alike: this program's own sendmsg and recv stand before libc's. */
#include "lab.h"
#include "netstack/priv.h"
#include <dlfcn.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

/* ---- the door ---- */
enum how {
    SEND,
    RECEIVE,
    LOSE,
    ANSWER
}; /* what fails: the sending; the receiving; the answer is lost; the answer says so */
static struct {
    bool on;
    enum how how;
    int error;
    unsigned nth;            /* of the crossings (SEND, RECEIVE, LOSE) or of the requests (ANSWER) */
    bool for_ever;           /* from then on */
    unsigned seen;           /* so many came by */
    uint32_t seq;            /* ANSWER: whose answer is changed */
    struct nlmsghdr *spoilt; /* ANSWER: the one being sent, */
    uint16_t type;           /* and what it was */
    bool armed;              /* ANSWER: it was sent */
    unsigned struck;
} door;

static bool netlink(int fd)
{
    int family = 0;
    socklen_t n = sizeof(family);
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &n) == 0 && family == AF_NETLINK;
}

static bool now(void)
{
    door.seen++;
    bool is = door.on && (door.for_ever ? door.seen >= door.nth : door.seen == door.nth);
    door.struck += is;
    return is;
}

/* A request that the kernel takes for nothing to do, and whose answer becomes a refusal: so it truly was not done. */
static void spoil(const struct msghdr *m)
{
    for (size_t i = 0; i < m->msg_iovlen; i++) {
        size_t left = m->msg_iov[i].iov_len;
        for (struct nlmsghdr *h = m->msg_iov[i].iov_base; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
            bool frame = h->nlmsg_type == NFNL_MSG_BATCH_BEGIN || h->nlmsg_type == NFNL_MSG_BATCH_END;
            if (frame || !(h->nlmsg_flags & NLM_F_ACK) || door.spoilt || (door.armed && !door.for_ever) ||
                !now())
                continue;
            door.spoilt = h;
            door.type = h->nlmsg_type;
            h->nlmsg_type = NLMSG_NOOP;
            door.seq = h->nlmsg_seq;
            door.armed = true;
        }
    }
}

static void change_answer(void *buf, ssize_t len)
{
    for (struct nlmsghdr *h = buf; len > 0 && NLMSG_OK(h, (size_t)len); h = NLMSG_NEXT(h, len))
        if (h->nlmsg_type == NLMSG_ERROR && h->nlmsg_seq == door.seq)
            ((struct nlmsgerr *)NLMSG_DATA(h))->error = -door.error;
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    static ssize_t (*real)(int, const struct msghdr *, int);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "sendmsg");
    if (netlink(fd) && door.how == SEND && now()) {
        errno = door.error;
        return -1;
    }
    if (netlink(fd) && door.how == ANSWER && door.on)
        spoil(m);
    ssize_t r = real(fd, m, flags);
    if (door.spoilt) /* who sends it again sends what it was */
        door.spoilt->nlmsg_type = door.type;
    door.spoilt = NULL;
    return r;
}

/* Before the real one: whether it fails. */
static bool receiving(int fd)
{
    char gone[65536];
    static ssize_t (*real)(int, void *, size_t, int);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "recv");
    if (!netlink(fd) || (door.how != RECEIVE && door.how != LOSE) || !now())
        return false;
    while (door.how == LOSE && real(fd, gone, sizeof(gone), MSG_DONTWAIT) > 0)
        ;
    errno = door.how == LOSE ? ENOBUFS : door.error;
    return true;
}

ssize_t recv(int fd, void *buf, size_t n, int flags)
{
    static ssize_t (*real)(int, void *, size_t, int);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "recv");
    if (receiving(fd))
        return -1;
    ssize_t r = real(fd, buf, n, flags);
    if (door.armed && netlink(fd))
        change_answer(buf, r);
    return r;
}

ssize_t __recv_chk(int fd, void *buf, size_t n, size_t size, int flags);
ssize_t __recv_chk(int fd, void *buf, size_t n, size_t size, int flags)
{
    return recv(fd, buf, n < size ? n : size, flags);
}

/* libnftables': it ends the whole process where its first question stays without an answer, so its receiving is let alone. A
 * signal cannot interrupt it: zoned and its supervisors block all that they handle. */
ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
    static ssize_t (*real)(int, struct msghdr *, int);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "recvmsg");
    ssize_t r = real(fd, m, flags);
    if (door.armed && netlink(fd))
        change_answer(m->msg_iov[0].iov_base, r);
    return r;
}

static void open_door(enum how how, int error, unsigned nth, bool for_ever)
{
    memset(&door, 0, sizeof(door));
    door.how = how;
    door.error = error;
    door.nth = nth;
    door.for_ever = for_ever;
    door.on = true;
}

static unsigned close_door(void)
{
    unsigned struck = door.struck;
    memset(&door, 0, sizeof(door));
    return struck;
}

/* ---- what goes through it ---- */
static struct net_ctx *ctx;
static struct net_network net;
static struct net_pool *pool;
static json *saved;
static struct lab_zone zone;

static int zone_up(struct err *e)
{
    return net_zone_up(ctx, &zone.link, 1, zone.ns, zone.hold, &zone.nhold, e);
}

static int zone_down(struct err *e)
{
    int r = net_zone_down(ctx, &zone.link, 1, e);
    return r < 0 ? r : net_zone_gone(ctx, &zone.link, 1, e);
}

static int network_up(struct err *e)
{
    return net_network_up(ctx, &net, &saved, e);
}

static int network_down(struct err *e)
{
    return net_network_down(ctx, &net, true, saved, e);
}

/* All that a way up makes, without the numbers that the kernel counts up, and without a link-local address that a link took
 * which was up before it could be told not to; inside: in the zone too. */
static char *look(bool inside)
{
    auto_free char *zone_too = xasprintf(
        "nsenter --net=/proc/%d/fd/%d sh -c 'ip -o addr; ip route; ip -6 route';", (int)getpid(), zone.ns);
    auto_free char *cmd =
        xasprintf("{ ip -o addr; ip route; tc qdisc; nft list ruleset; %s } | sed 's/^[0-9]*: //; s/ handle "
                  "[^ ]*//; s/@if[0-9]*//;"
                  "s/qdisc \\([a-z]*\\) [0-9a-f]*:/\\1/; s/ linkdown//; s/valid_lft.*//; s/tentative//; "
                  "s/elements =//; s/[{},]//g; "
                  "s/^[ \t]*//' | grep -v -e '^lo ' -e '^v[iz].* fe80::' | sort; cat "
                  "/proc/sys/net/ipv4/conf/*/forwarding",
                  inside && zone.ns ? zone_too : "");
    return capture(cmd);
}

static void drop_holds(void)
{
    while (zone.nhold)
        close_fd(&zone.hold[--zone.nhold]);
}

struct pair {
    const char *name;
    int (*up)(struct err *e), (*down)(struct err *e);
};

static const struct {
    const char *name;
    enum how how;
    int error; /* 0: the one and the other in turns */
    bool for_ever;
    bool must; /* once is made good for: it may not fail */
} ways[] = {
    {"sending: EINTR, ENOBUFS", SEND, 0, false, true},
    {"sending: ENOBUFS for ever", SEND, ENOBUFS, true, false},
    {"receiving: EINTR", RECEIVE, EINTR, false, true},
    {"receiving: ENOBUFS, answers lost", LOSE, ENOBUFS, false, false},
    {"answer: EINTR, ENOBUFS", ANSWER, 0, false, true},
    {"answer: EBUSY", ANSWER, EBUSY, false, false},
    {"answer: EBUSY for ever", ANSWER, EBUSY, true, false},
};

/* One failure at one place: done, or refused with its name and undone. */
static bool strike(const struct pair *p, unsigned w, unsigned nth, const char *before, const char *full,
                   unsigned *count)
{
    struct err e = {0};
    int error = ways[w].error ? ways[w].error : nth % 2 ? EINTR : ENOBUFS;
    open_door(ways[w].how, error, nth, ways[w].for_ever);
    int r = p->up(&e);
    unsigned struck = close_door();
    auto_free char *after = look(r == 0);
    /* while nothing goes at all, nothing is undone either: the next way down does */
    bool clean = !strcmp(after, before) || (ways[w].for_ever && ways[w].how == SEND);
    bool good = r == 0 ? !strcmp(after, full) : clean && *e.text && e.code && !ways[w].must;
    if (!good)
        printf("# %s, %s, number %u: %d, \"%s\"\n# %s\n", p->name, ways[w].name, nth, r, e.text,
               r == 0 ? "not whole" : "something is left, or it could have been said again");
    *count += struck > 0;
    drop_holds();
    open_door(ways[w].how, error, nth, false); /* the way down meets the same, and may be gone again */
    r = p->down(NULL);
    struck = close_door();
    if (r < 0 && p->down(NULL) < 0)
        good = false;
    auto_free char *later = look(false);
    if (strcmp(later, before) != 0) {
        printf("# %s, %s, number %u: not gone by the way down\n", p->name, ways[w].name, nth);
        good = false;
    }
    *count += struck > 0;
    return good;
}

static void test_pair(const struct pair *p)
{
    struct err e = {0};
    p->up(NULL); /* what stays for good: a namespace's lo is up from then on */
    p->down(NULL);
    drop_holds();
    auto_free char *before = look(false);
    is_int(p->up(&e), 0, "%s, undisturbed: %s", p->name, e.text);
    auto_free char *full = look(true);
    p->down(NULL);
    drop_holds();
    for (unsigned w = 0; w < ARRAY_LEN(ways); w++) {
        bool good = true;
        unsigned count = 0, nth = 0, was;
        do { /* each of the first, then some of the many that are alike; ALL_PLACES: each */
            was = count;
            nth += nth < 8 || getenv("ALL_PLACES") ? 1 : 4;
            good &= strike(p, w, nth, before, full, &count);
        } while (count > was && nth < 200);
        ok(good && count, "%s, %s: up to place %u done or undone", p->name, ways[w].name, nth);
    }
}

int main(void)
{
    struct err e = {0};
    lab_begin();
    setvbuf(stdout, NULL, _IOLBF, 0);
    sh(-1, "ip link set lo up; echo 0 > /proc/sys/net/ipv4/ip_forward");
    if (net_network_choose("zoned", "default", &net, &e) < 0 || net_ctx_new("zoned", &ctx, &e) < 0) {
        printf("Bail out! %s\n", e.text);
        return 1;
    }
    test_pair(&(struct pair){"a network", network_up, network_down});
    is_int(network_up(&e), 0, "the network for zones: %s", e.text);
    pool = net_pool_new(&net);
    zone_plan(&zone, "zoned", "a", &net, pool);
    zone_port(&zone, "8080:80");
    zone_port(&zone, "9000-9003:7000-7003/udp");
    zone.link.rate_out = 100000000;
    test_pair(&(struct pair){"a zone", zone_up, zone_down});
    zone_gone(&zone);
    network_down(NULL);
    net_pool_free(pool);
    net_ctx_free(ctx);
    js_free(saved);
    return done_testing();
}
