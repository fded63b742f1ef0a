/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of libnl's core that netstack uses. Debian keeps libnl's headers in a folder of their own
 * (/usr/include/libnl3); without that folder on the compiler's path the same declarations stand here: the
 * library's ABI has been stable since 3.0. Source: libnl 3.7, netlink/{socket,msg,attr}.h. */
#pragma once
#include <linux/netlink.h>
#if __has_include(<netlink/msg.h>)
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#else
#include <stddef.h>
#include <stdint.h>
struct nl_sock;
struct nl_msg;
struct nla_policy;
#define NL_AUTO_PORT 0
struct nl_sock *nl_socket_alloc(void);
void nl_socket_free(struct nl_sock *);
int nl_socket_get_fd(const struct nl_sock *);
unsigned int nl_socket_use_seq(struct nl_sock *);
int nl_connect(struct nl_sock *, int);
const char *nl_geterror(int);
struct nl_msg *nlmsg_alloc_size(size_t);
void nlmsg_free(struct nl_msg *);
struct nlmsghdr *nlmsg_put(struct nl_msg *, uint32_t, uint32_t, int, int, int);
struct nlmsghdr *nlmsg_hdr(struct nl_msg *);
void *nlmsg_data(const struct nlmsghdr *);
int nlmsg_append(struct nl_msg *, void *, size_t, int);
int nlmsg_parse(struct nlmsghdr *, int, struct nlattr **, int, const struct nla_policy *);
int nla_put(struct nl_msg *, int, int, const void *);
int nla_put_u8(struct nl_msg *, int, uint8_t);
int nla_put_u16(struct nl_msg *, int, uint16_t);
int nla_put_u32(struct nl_msg *, int, uint32_t);
int nla_put_u64(struct nl_msg *, int, uint64_t);
int nla_put_string(struct nl_msg *, int, const char *);
struct nlattr *nla_nest_start(struct nl_msg *, int);
int nla_nest_end(struct nl_msg *, struct nlattr *);
int nla_parse_nested(struct nlattr **, int, struct nlattr *, const struct nla_policy *);
struct nlattr *nla_find(const struct nlattr *, int, int);
void *nla_data(const struct nlattr *);
int nla_len(const struct nlattr *);
uint32_t nla_get_u32(const struct nlattr *);
#endif
