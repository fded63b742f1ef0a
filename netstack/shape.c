/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rates of a link: towards the zone a token bucket on the host end; from the zone an ingress hook on the host
 * end that hands every packet to an ifb of its own with a token bucket (this family of kernels may lack
 * act_police; ifb, u32 and mirred are there). Both sit on the host's side, where a zone that owns its
 * interface cannot take them off. Undo: the qdiscs go with the veth, the ifb by name (net_shape_ifb).
 * Sources: tc-tbf(8), linux/pkt_sched.h. */
#include "netstack/nl_api.h"
#include "netstack/priv.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <net/if.h>

bool net_shape_wanted(const struct net_link_plan *l)
{
    return l->rate_in != SPEC_UNSET || l->rate_out != SPEC_UNSET;
}

void net_shape_ifb(const char *host_ifname, char out[16])
{
    snprintf(out, 16, "%s", host_ifname);
    out[1] = 'i';
}

/* The bucket counts frames with all their headers; a program counts what it sends, which of 1,500 bytes is 4.6 % less over IPv4 and
 * 6 % less over IPv6. 3.5 percent more than asked puts packets and what they bear within three of it. */
static void msg_tbf(struct net_batch *b, int index, uint64_t bits)
{
    uint64_t frames = bits / 8 + bits * 35 / 8000, rate = frames ? frames : 1;
    uint32_t burst = rate / 50 < 16384        ? 16384
                     : rate / 50 > (8u << 20) ? 8u << 20
                                              : (uint32_t)(rate / 50); /* 20 ms */
    uint64_t queue = rate / 20 + burst;                                /* 50 ms */
    struct tcmsg t = {.tcm_ifindex = index, .tcm_handle = 1u << 16, .tcm_parent = TC_H_ROOT};
    struct tc_tbf_qopt q = {.limit = queue > (64u << 20) ? 64u << 20 : (uint32_t)queue};
    q.rate.rate = rate > UINT32_MAX ? UINT32_MAX : (uint32_t)rate;
    q.rate.linklayer = TC_LINKLAYER_ETHERNET; /* given: so the kernel asks for no rate table */
    struct nl_msg *m =
        net_batch_add(b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &t, sizeof(t), "set the rate");
    nla_put_string(m, TCA_KIND, "tbf");
    struct nlattr *o = nla_nest_start(m, TCA_OPTIONS);
    nla_put(m, TCA_TBF_PARMS, sizeof(q), &q);
    nla_put_u32(m, TCA_TBF_BURST, burst);
    if (rate > UINT32_MAX)
        nla_put_u64(m, TCA_TBF_RATE64, rate);
    nla_nest_end(m, o);
}

static void msg_ifb(struct net_batch *b, const char *name)
{
    struct ifinfomsg i = {.ifi_family = AF_UNSPEC};
    struct nl_msg *m = net_batch_add(b, RTM_NEWLINK, NLM_F_CREATE, &i, sizeof(i), "create the ifb");
    nla_put_string(m, IFLA_IFNAME, name);
    nla_put_u32(m, IFLA_NUM_TX_QUEUES, 1);
    struct nlattr *info = nla_nest_start(m, IFLA_LINKINFO);
    nla_put_string(m, IFLA_INFO_KIND, "ifb");
    nla_nest_end(m, info);
}

static void msg_ingress(struct net_batch *b, int index)
{
    struct tcmsg t = {.tcm_ifindex = index, .tcm_handle = 0xffff0000u, .tcm_parent = TC_H_INGRESS};
    struct nl_msg *m = net_batch_add(b, RTM_NEWQDISC, NLM_F_CREATE, &t, sizeof(t), "set the ingress hook");
    nla_put_string(m, TCA_KIND, "ingress");
}

/* u32 that matches every packet (mask 0), then mirred: redirect to the ifb. */
static void msg_redirect(struct net_batch *b, int index, int ifb)
{
    struct tcmsg t = {.tcm_ifindex = index,
                      .tcm_parent = 0xffff0000u,
                      .tcm_info = TC_H_MAKE(1u << 16, (uint32_t)htons(ETH_P_ALL))};
    struct {
        struct tc_u32_sel s;
        struct tc_u32_key k;
    } all = {.s = {.flags = TC_U32_TERMINAL, .nkeys = 1}};
    struct tc_mirred to = {.action = TC_ACT_STOLEN, .eaction = TCA_EGRESS_REDIR, .ifindex = (uint32_t)ifb};
    struct nl_msg *m =
        net_batch_add(b, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_REPLACE, &t, sizeof(t), "set the redirect");
    nla_put_string(m, TCA_KIND, "u32");
    struct nlattr *o = nla_nest_start(m, TCA_OPTIONS);
    nla_put(m, TCA_U32_SEL, sizeof(all), &all);
    struct nlattr *acts = nla_nest_start(m, TCA_U32_ACT), *one = nla_nest_start(m, 1);
    nla_put_string(m, TCA_ACT_KIND, "mirred");
    struct nlattr *ao = nla_nest_start(m, TCA_ACT_OPTIONS);
    nla_put(m, TCA_MIRRED_PARMS, sizeof(to), &to);
    nla_nest_end(m, ao);
    nla_nest_end(m, one);
    nla_nest_end(m, acts);
    nla_nest_end(m, o);
}

static int shape_out(struct nl_sock *s, const struct net_link_plan *l, int index, struct err *e)
{
    char ifb[16];
    struct net_batch b = {0};
    net_shape_ifb(l->host_ifname, ifb);
    msg_ifb(&b, ifb);
    net_msg_no_addrconf(&b, ifb);
    net_msg_up(&b, ifb, 0);
    int r = net_batch_send(s, &b, ifb, e);
    if (r < 0)
        return r;
    int to = net_ifindex(nl_socket_get_fd(s), ifb);
    if (to < 0)
        return err_sysk(e, ERR_INTERNAL, -to, "%s", ifb);
    msg_tbf(&b, to, l->rate_out);
    msg_ingress(&b, index);
    msg_redirect(&b, index, to);
    return net_batch_send(s, &b, ifb, e);
}

int net_shape_up(struct nl_sock *s, const struct net_link_plan *l, struct err *e)
{
    int index = net_ifindex(nl_socket_get_fd(s), l->host_ifname);
    if (index < 0)
        return err_sysk(e, ERR_INTERNAL, -index, "%s", l->host_ifname);
    struct net_batch b = {0};
    if (l->rate_in != SPEC_UNSET)
        msg_tbf(&b, index, l->rate_in);
    int r = net_batch_send(s, &b, l->host_ifname, e);
    if (r == 0 && l->rate_out != SPEC_UNSET)
        r = shape_out(s, l, index, e);
    return r;
}

static void msg_no_qdisc(struct net_batch *b, int index, uint32_t parent)
{
    struct tcmsg t = {.tcm_ifindex = index, .tcm_parent = parent};
    net_batch_add(b, RTM_DELQDISC, 0, &t, sizeof(t), "take the rate away");
    net_batch_fine(b, ENOENT);
}

static int change_out(struct nl_sock *s, const struct net_link_plan *l, int index, struct err *e)
{
    char ifb[16];
    struct net_batch b = {0};
    net_shape_ifb(l->host_ifname, ifb);
    int there = net_ifindex(nl_socket_get_fd(s), ifb);
    if (l->rate_out != SPEC_UNSET && there < 0)
        return shape_out(s, l, index, e);
    if (l->rate_out != SPEC_UNSET) {
        msg_tbf(&b, there, l->rate_out);
    } else { /* first the hook: what would go to a link that is gone is lost */
        msg_no_qdisc(&b, index, TC_H_INGRESS);
        net_batch_fine(&b, EINVAL); /* so the kernel says where there is none */
        net_msg_del(&b, ifb);
    }
    return net_batch_send(s, &b, ifb, e);
}

int net_shape_change(struct nl_sock *s, const struct net_link_plan *before, const struct net_link_plan *after,
                     struct err *e)
{
    int index = net_ifindex(nl_socket_get_fd(s), after->host_ifname), r = 0;
    if (before->rate_in == after->rate_in && before->rate_out == after->rate_out)
        return 0;
    if (index < 0)
        return err_sysk(e, ERR_INTERNAL, -index, "%s", after->host_ifname);
    struct net_batch b = {0};
    if (after->rate_in != SPEC_UNSET && before->rate_in != after->rate_in)
        msg_tbf(&b, index, after->rate_in);
    else if (before->rate_in != after->rate_in)
        msg_no_qdisc(&b, index, TC_H_ROOT);
    r = net_batch_send(s, &b, after->host_ifname, e);
    return r == 0 && before->rate_out != after->rate_out ? change_out(s, after, index, e) : r;
}
