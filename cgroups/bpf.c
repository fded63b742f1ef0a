/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device list of v2: a BPF_PROG_TYPE_CGROUP_DEVICE program, built by hand (no libbpf), attached to the
 * zone's group. The kernel asks it on every open and mknod of a device node; 1 allows. Attached programs live
 * as long as the group. Must never detach the old program before the new one is there: with BPF_F_ALLOW_MULTI
 * all must allow, so in between only less is allowed. Sources: bpf(2), cgroup-v2.rst "Device controller",
 * bpf_cgroup_dev_ctx in linux/bpf.h. */
#include "cgroups/internal.h"
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>

static int sys_bpf(int cmd, union bpf_attr *attr)
{
    int r = (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
    return r < 0 ? -errno : r;
}

#define INSN(c, d, s, o, i)                                                                                  \
    ((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define LOAD_U32(d, s, o) INSN(BPF_LDX | BPF_MEM | BPF_W, d, s, o, 0)
#define JUMP_NE(r, v, n) INSN(BPF_JMP | BPF_JNE | BPF_K, r, 0, n, v)
#define RETURN_VALUE(v) INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, v)
#define EXIT_INSN INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define INSNS_MAX (4 + CG_DEVS_MAX * 5 + 2)

/* r2 = type, r3 = major, r4 = minor; per device: compare, return 1; at the end return 0. */
static unsigned build(struct bpf_insn *p, const struct cg_dev *devs, unsigned n)
{
    unsigned k = 0;
    p[k++] = LOAD_U32(BPF_REG_2, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, access_type));
    p[k++] = INSN(BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff); /* the access is in the upper half */
    p[k++] = LOAD_U32(BPF_REG_3, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, major));
    p[k++] = LOAD_U32(BPF_REG_4, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, minor));
    for (unsigned i = 0; i < n; i++) {
        const struct cg_dev *d = &devs[i];
        int16_t rest = d->any_minor ? 2 : 3;
        p[k++] = JUMP_NE(BPF_REG_2, d->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR,
                         (int16_t)(rest + 1));
        p[k++] = JUMP_NE(BPF_REG_3, (int32_t)d->major, rest);
        if (!d->any_minor)
            p[k++] = JUMP_NE(BPF_REG_4, (int32_t)d->minor, 2);
        p[k++] = RETURN_VALUE(1);
        p[k++] = EXIT_INSN;
    }
    p[k++] = RETURN_VALUE(0);
    p[k++] = EXIT_INSN;
    return k;
}

static int load(const struct bpf_insn *insns, unsigned n)
{
    static const char license[] = "GPL";
    union bpf_attr a;
    memset(&a, 0, sizeof(a));
    a.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    a.expected_attach_type = BPF_CGROUP_DEVICE;
    a.insns = (uint64_t)(uintptr_t)insns;
    a.insn_cnt = n;
    a.license = (uint64_t)(uintptr_t)license;
    memcpy(a.prog_name, "zoned_dev", sizeof("zoned_dev"));
    return sys_bpf(BPF_PROG_LOAD, &a);
}

static unsigned attached(int v2_fd, uint32_t ids[64])
{
    union bpf_attr a;
    memset(&a, 0, sizeof(a));
    a.query.target_fd = (uint32_t)v2_fd;
    a.query.attach_type = BPF_CGROUP_DEVICE;
    a.query.prog_ids = (uint64_t)(uintptr_t)ids;
    a.query.prog_cnt = 64;
    return sys_bpf(BPF_PROG_QUERY, &a) < 0 ? 0 : a.query.prog_cnt;
}

static void detach_id(int v2_fd, uint32_t id)
{
    union bpf_attr a;
    memset(&a, 0, sizeof(a));
    a.prog_id = id;
    auto_fd int fd = sys_bpf(BPF_PROG_GET_FD_BY_ID, &a);
    if (fd < 0)
        return;
    memset(&a, 0, sizeof(a));
    a.target_fd = (uint32_t)v2_fd;
    a.attach_bpf_fd = (uint32_t)fd;
    a.attach_type = BPF_CGROUP_DEVICE;
    sys_bpf(BPF_PROG_DETACH, &a);
}

int cg_bpf_devices(int v2_fd, const struct cg_dev *devs, unsigned n, struct err *e)
{
    struct bpf_insn insns[INSNS_MAX];
    uint32_t old[64];
    if (n > CG_DEVS_MAX)
        return err_set(e, ERR_LIMIT, E2BIG, "devices: more than %d", CG_DEVS_MAX);
    auto_fd int prog = load(insns, build(insns, devs, n));
    if (prog < 0) {
        err_sysk(e, ERR_UNSUPPORTED, -prog, "devices: the kernel does not take the device filter");
        return err_hint(e, "the kernel needs CONFIG_CGROUP_BPF, and zoned CAP_BPF or CAP_SYS_ADMIN");
    }
    unsigned nold = attached(v2_fd, old);
    union bpf_attr a;
    memset(&a, 0, sizeof(a));
    a.target_fd = (uint32_t)v2_fd;
    a.attach_bpf_fd = (uint32_t)prog;
    a.attach_type = BPF_CGROUP_DEVICE;
    a.attach_flags = BPF_F_ALLOW_MULTI;
    int r = sys_bpf(BPF_PROG_ATTACH, &a);
    if (r < 0)
        return err_sysk(e, ERR_UNSUPPORTED, -r, "devices: cannot attach the device filter");
    for (unsigned i = 0; i < nold && i < 64; i++)
        detach_id(v2_fd, old[i]);
    return 0;
}
