/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of libnl's core that netstack uses; its headers lie in a folder of their own (pkg-config libnl-3.0). */
#pragma once
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
