/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one table of keys. A row says all there is to say about a key: parse, check, default, print, diff, live
 * or next boot, edit and the reference follow from it. Must hold data only, besides looking a row up. */
#include "specs/schema.h"
#include "base/mem.h"
#include <stdio.h>
#include <string.h>

#define UNSET SPEC_UNSET
#define SIZE_MAX_ALLOWED (1ull << 60)
#define DAY_MS (24ull * 3600 * 1000)
#define CPUS_MAX 4096
#define ROWS(rows, type)                                                                                     \
    {                                                                                                        \
        rows, ARRAY_LEN(rows), sizeof(type), NULL, NULL                                                      \
    }

static const struct spec_word init_words[] = {
    {"app", SPEC_INIT_APP}, {"system", SPEC_INIT_SYSTEM}, {NULL, 0}};
static const struct spec_word restart_words[] = {{"no", SPEC_RESTART_NO},
                                                 {"on-failure", SPEC_RESTART_ON_FAILURE},
                                                 {"always", SPEC_RESTART_ALWAYS},
                                                 {"unless-stopped", SPEC_RESTART_UNLESS_STOPPED},
                                                 {NULL, 0}};
static const struct spec_word action_words[] = {{"none", SPEC_HEALTH_ACTION_NONE},
                                                {"restart", SPEC_HEALTH_ACTION_RESTART},
                                                {"stop", SPEC_HEALTH_ACTION_STOP},
                                                {NULL, 0}};
static const struct spec_word oom_words[] = {
    {"zone", SPEC_OOM_ZONE}, {"process", SPEC_OOM_PROCESS}, {NULL, 0}};
static const struct spec_word seccomp_words[] = {
    {"default", SPEC_SECCOMP_DEFAULT}, {"unconfined", SPEC_SECCOMP_UNCONFINED}, {NULL, 0}};
static const struct spec_word warn_words[] = {{"event", 0}, {NULL, 0}};
static const struct spec_word mode_words[] = {{"rw", 0}, {"ro", 1}, {NULL, 0}};

/* clang-format off */
#define L(m) offsetof(struct spec_link, m)
static const struct spec_row link_rows[] = {
    {.key = "link", .type = SPEC_T_STR, .offset = L(link), .def = "default", .check = spec_check_link, .live = true,
     .doc = "The network that the link joins: its name; none; host (the host's own network); zone:NAME (that zone's network, user namespace and ids). To and from host and zone:NAME a change waits for the next boot."},
    {.key = "address", .type = SPEC_T_ADDRESS, .offset = L(address), .def = "auto", .live = true,
     .doc = "auto, one IPv4 or IPv6 address, or a list of one of each."},
    {.key = "ports", .type = SPEC_T_PORTS, .offset = L(ports), .live = true,
     .doc = "Published ports, each [IP:]HOST[-HOST]:ZONE[-ZONE][/udp|/sctp]; without IP on all addresses, 0.0.0.0 all of IPv4, [::] all of IPv6; localhost is 127.0.0.1."},
    {.key = "rate_in", .type = SPEC_T_RATE, .offset = L(rate_in), .min = 1000, .max = 1000000000000ull, .unset = UNSET, .live = true,
     .doc = "Most that the zone receives, in bits per second."},
    {.key = "rate_out", .type = SPEC_T_RATE, .offset = L(rate_out), .min = 1000, .max = 1000000000000ull, .unset = UNSET, .live = true,
     .doc = "Most that the zone sends, in bits per second."},
    {.key = "trusted", .type = SPEC_T_BOOL, .offset = L(trusted), .def = "false", .live = true,
     .doc = "The zone may send from other MACs and addresses than its own, tag its frames with a VLAN, announce routes and answer DHCP: for a zone that is a router. Otherwise what it pretends is dropped at the host's end of its link."},
    {.key = "dhcp", .type = SPEC_T_BOOL, .offset = L(dhcp), .def = "false", .live = true,
     .doc = "The zone sets its addresses itself: its DHCP client gets the IPv4 address that it would have had, gateway, resolver and MTU; router advertisements give the network's /64, in which its IPv6 address follows from its MAC. Any other address stays refused. For networks that the host routes (nat, sealed, routed); the client needs NET_ADMIN and NET_RAW in an application zone."},
    {.key = "aliases", .type = SPEC_T_STRV, .offset = L(aliases), .check = spec_check_hostname, .live = true,
     .doc = "More names for the zone on this network."},
};
static const struct spec_table link_table = ROWS(link_rows, struct spec_link);

#define M(m) offsetof(struct spec_mount, m)
static const struct spec_row mount_rows[] = {
    {.key = "target", .type = SPEC_T_STR, .offset = M(target), .check = spec_check_target,
     .doc = "Where it appears in the zone."},
    {.key = "volume", .type = SPEC_T_SOURCE, .min = SPEC_MOUNT_VOLUME, .check = spec_check_zone,
     .doc = "A volume's name. Exactly one of volume, bind and tmpfs is given."},
    {.key = "bind", .type = SPEC_T_SOURCE, .min = SPEC_MOUNT_BIND, .check = spec_check_abs,
     .doc = "A file or folder of the host; never one that holds, is or lies in a folder of this or another zoned on the machine."},
    {.key = "tmpfs", .type = SPEC_T_SOURCE, .min = SPEC_MOUNT_TMPFS, .max = SIZE_MAX_ALLOWED,
     .doc = "A filesystem in memory of this size."},
    {.key = "mode", .type = SPEC_T_MODE, .offset = M(read_only), .words = mode_words, .def = "rw",
     .doc = "Writable or read-only."},
};
static const struct spec_table mount_table = ROWS(mount_rows, struct spec_mount);

#define S(m) offsetof(struct spec, m)
static const struct spec_row zone_rows[] = {
    {.key = "version", .type = SPEC_T_VERSION, .min = 1, .max = 1, .def = "1",
     .doc = "The version of this format."},
    {.key = "zone", .type = SPEC_T_STR, .offset = S(zone), .check = spec_check_zone,
     .doc = "The zone's name. Required."},
    {.key = "image", .type = SPEC_T_STR, .offset = S(image), .check = spec_check_image,
     .doc = "What the root is made of: an OCI reference; host (the host's /usr read-only); dir:/PATH; tar:/PATH. Required."},
    {.key = "init", .type = SPEC_T_WORD, .offset = S(init), .words = init_words, .def = "app",
     .doc = "app: zoned's own init runs `process`; system: the image's /sbin/init is PID 1."},
    {.key = "process.entrypoint", .type = SPEC_T_STRV, .offset = S(process.entrypoint), .check = spec_check_arg, .keeps_empty = true,
     .doc = "What stands before args; not given: the image's Entrypoint; []: nothing."},
    {.key = "process.args", .type = SPEC_T_STRV, .offset = S(process.args), .check = spec_check_arg,
     .doc = "Program and arguments, or the arguments of the entrypoint; not given: the image's Cmd, if the entrypoint is its own."},
    {.key = "process.env", .type = SPEC_T_MAP, .offset = S(process.env), .check = spec_check_arg, .check_key = spec_check_env_key,
     .doc = "Environment variables, over those of the image."},
    {.key = "process.user", .type = SPEC_T_STR, .offset = S(process.user), .check = spec_check_user,
     .doc = "NAME or UID, with an optional :GROUP; not given: what the image says, else root."},
    {.key = "process.cwd", .type = SPEC_T_STR, .offset = S(process.cwd), .check = spec_check_abs,
     .doc = "Working folder; not given: what the image says, else /."},
    {.key = "process.stop_signal", .type = SPEC_T_SIGNAL, .offset = S(process.stop_signal),
     .doc = "The signal that asks the zone to stop; not given: what the image says, else SIGTERM (init: system: SIGRTMIN+3)."},
    {.key = "process.stop_timeout", .type = SPEC_T_TIME, .offset = S(process.stop_timeout_ms), .max = DAY_MS, .unset = UNSET, .def = "10s",
     .doc = "How long a stop waits before it kills."},
    {.key = "process.terminal", .type = SPEC_T_BOOL, .offset = S(process.terminal), .def = "false",
     .doc = "Give the program a terminal."},
    {.key = "hostname", .type = SPEC_T_STR, .offset = S(hostname), .check = spec_check_hostname,
     .doc = "Not given: the zone's name."},
    {.key = "autoboot", .type = SPEC_T_BOOL, .offset = S(autoboot), .def = "false", .live = true,
     .doc = "Start when the host boots, once a boot; also if an operator had stopped it, but where restart.policy is unless-stopped."},
    {.key = "depends", .type = SPEC_T_STRV, .offset = S(depends), .check = spec_check_zone, .live = true,
     .doc = "Zones that must be healthy, or running where they have no health check, before this one starts."},
    {.key = "restart.policy", .type = SPEC_T_WORD, .offset = S(restart.policy), .words = restart_words, .def = "no", .live = true,
     .doc = "What to do when the zone's program ends by itself."},
    {.key = "restart.max", .type = SPEC_T_INT, .offset = S(restart.max), .max = 1000000, .unset = UNSET, .live = true,
     .doc = "Restarts in a row before the zone is failed; not given: no limit."},
    {.key = "restart.backoff", .type = SPEC_T_TIME, .offset = S(restart.backoff_ms), .max = DAY_MS, .unset = UNSET, .def = "1s", .live = true,
     .doc = "Wait before the first restart; doubles with each."},
    {.key = "health.exec", .type = SPEC_T_STRV, .offset = S(health.exec), .check = spec_check_arg, .live = true,
     .doc = "A command in the zone; status 0 is healthy. Exactly one of exec, http and tcp is given."},
    {.key = "health.http", .type = SPEC_T_STR, .offset = S(health.http), .check = spec_check_http, .live = true,
     .doc = "An http:// address, fetched from inside the zone; status 200 to 399 is healthy."},
    {.key = "health.tcp", .type = SPEC_T_INT, .offset = S(health.tcp), .min = 1, .max = 65535, .live = true,
     .doc = "A port in the zone that must accept a connection."},
    {.key = "health.interval", .type = SPEC_T_TIME, .offset = S(health.interval_ms), .min = 100, .max = DAY_MS, .unset = UNSET, .def = "10s", .live = true,
     .doc = "Time between two checks."},
    {.key = "health.timeout", .type = SPEC_T_TIME, .offset = S(health.timeout_ms), .min = 10, .max = DAY_MS, .unset = UNSET, .def = "5s", .live = true,
     .doc = "A check that takes longer has failed."},
    {.key = "health.retries", .type = SPEC_T_INT, .offset = S(health.retries), .min = 1, .max = 1000, .unset = UNSET, .def = "3", .live = true,
     .doc = "Failures in a row that make the zone unhealthy."},
    {.key = "health.start_period", .type = SPEC_T_TIME, .offset = S(health.start_period_ms), .max = DAY_MS, .unset = UNSET, .def = "0s", .live = true,
     .doc = "Failures in this time after the start do not count."},
    {.key = "health.action", .type = SPEC_T_WORD, .offset = S(health.action), .words = action_words, .def = "none", .live = true,
     .doc = "What to do when the zone becomes unhealthy."},
    {.key = "cpu.shares", .type = SPEC_T_INT, .offset = S(cpu.shares), .min = 1, .max = 10000, .unset = UNSET, .def = "100", .live = true,
     .doc = "The zone's weight against the other zones when CPUs are scarce; what cpu.reserved needs beyond that is added."},
    {.key = "cpu.cap", .type = SPEC_T_CPUS, .offset = S(cpu.cap), .min = 1, .max = CPUS_MAX * 100, .live = true,
     .doc = "Most that the zone uses, in CPUs."},
    {.key = "cpu.burst", .type = SPEC_T_CPUS, .offset = S(cpu.burst), .max = CPUS_MAX * 100, .live = true,
     .doc = "Unused cap that may be spent later, in CPUs. Needs cap."},
    {.key = "cpu.set", .type = SPEC_T_CPUSET, .offset = S(cpu.set), .live = true,
     .doc = "The host's CPUs that the zone may use."},
    {.key = "cpu.dedicated", .type = SPEC_T_INT, .offset = S(cpu.dedicated), .min = 1, .max = CPUS_MAX, .live = true,
     .doc = "Whole CPUs for this zone alone, taken from all others while it runs (cgroup v1: from the other zones)."},
    {.key = "cpu.reserved", .type = SPEC_T_CPUS, .offset = S(cpu.reserved), .max = CPUS_MAX * 100, .live = true,
     .doc = "CPUs promised to the zone; a start that would break a promise is refused."},
    {.key = "cpu.idle", .type = SPEC_T_BOOL, .offset = S(cpu.idle), .def = "false", .live = true,
     .doc = "Run only when nobody else wants the CPU."},
    {.key = "cpu.pool", .type = SPEC_T_STR, .offset = S(cpu.pool), .check = spec_check_zone,
     .doc = "The pool that the zone belongs to; its shares count among the zones of that pool."},
    {.key = "memory.cap", .type = SPEC_T_SIZE, .offset = S(memory.cap), .min = 4 << 20, .max = SIZE_MAX_ALLOWED, .unset = UNSET, .live = true,
     .doc = "Most memory that the zone uses."},
    {.key = "memory.soft", .type = SPEC_T_SIZE, .offset = S(memory.soft), .min = 1 << 20, .max = SIZE_MAX_ALLOWED, .unset = UNSET, .live = true,
     .doc = "Above this the zone is slowed and reclaimed (cgroup v2 only)."},
    {.key = "memory.reserved", .type = SPEC_T_SIZE, .offset = S(memory.reserved), .max = SIZE_MAX_ALLOWED, .unset = UNSET, .live = true,
     .doc = "Memory promised to the zone."},
    {.key = "memory.swap", .type = SPEC_T_SIZE, .offset = S(memory.swap), .max = SIZE_MAX_ALLOWED, .unset = UNSET, .live = true,
     .doc = "Most swap that the zone uses; not given: none, where the host can tell swap from memory."},
    {.key = "memory.hugepages", .type = SPEC_T_SIZE, .offset = S(memory.hugepages), .max = SIZE_MAX_ALLOWED, .unset = UNSET, .live = true,
     .doc = "Most bytes of huge pages, of each size that the kernel has (whole pages of 2M, 1G, ...; 0 allows none); not given: as many as there are. Beyond it a mapping is refused. They do not count in cap. Needs the control group controller hugetlb."},
    {.key = "memory.oom", .type = SPEC_T_WORD, .offset = S(memory.oom), .words = oom_words, .def = "zone", .live = true,
     .doc = "When memory runs out: end the whole zone, or one process."},
    {.key = "memory.warn", .type = SPEC_T_PERCENT, .offset = S(memory.warn_percent), .min = 1, .max = 100, .live = true,
     .doc = "Warn at this part of cap."},
    {.key = "memory.on_warn", .type = SPEC_T_WORDSTR, .offset = S(memory.on_warn), .words = warn_words, .def = "event", .live = true,
     .doc = "What a warning does."},
    {.key = "tasks", .type = SPEC_T_INT, .offset = S(tasks), .min = 1, .max = 4194304, .unset = UNSET, .def = "4096", .live = true,
     .doc = "Most processes and threads."},
    {.key = "io.weight", .type = SPEC_T_INT, .offset = S(io.weight), .min = 1, .max = 10000, .live = true,
     .doc = "The zone's weight at the disks."},
    {.key = "io.read", .type = SPEC_T_SIZE, .offset = S(io.read), .min = 1024, .max = SIZE_MAX_ALLOWED, .unset = UNSET, .live = true,
     .doc = "Most bytes read per second."},
    {.key = "io.write", .type = SPEC_T_SIZE, .offset = S(io.write), .min = 1024, .max = SIZE_MAX_ALLOWED, .unset = UNSET, .live = true,
     .doc = "Most bytes written per second. cgroup v1 holds direct and synchronous writes and fsync, not what the page cache writes back later (cgroup v2: that too, on ext4, btrfs and xfs)."},
    {.key = "io.read_ops", .type = SPEC_T_INT, .offset = S(io.read_ops), .min = 1, .max = 1000000000, .unset = UNSET, .live = true,
     .doc = "Most reads per second."},
    {.key = "io.write_ops", .type = SPEC_T_INT, .offset = S(io.write_ops), .min = 1, .max = 1000000000, .unset = UNSET, .live = true,
     .doc = "Most writes per second, of those that io.write holds."},
    {.key = "network", .type = SPEC_T_ITEMS, .offset = S(network), .max = 16, .items = &link_table, .live = true, .implied = "network[0].link=default",
     .doc = "The zone's links, eth0 first; not given: one link to the network `default`."},
    {.key = "filesystems", .type = SPEC_T_ITEMS, .offset = S(filesystems), .max = 256, .items = &mount_table,
     .doc = "What is mounted over the root, in this order."},
    {.key = "security.capabilities.add", .type = SPEC_T_CAPS, .offset = S(security.caps_add),
     .doc = "Linux capabilities over the default profile."},
    {.key = "security.capabilities.drop", .type = SPEC_T_CAPS, .offset = S(security.caps_drop), .min = 1,
     .doc = "Capabilities taken from it; ALL takes all."},
    {.key = "security.seccomp", .type = SPEC_T_WORD, .offset = S(security.seccomp), .words = seccomp_words, .def = "default",
     .doc = "The system call filter."},
    {.key = "security.no_new_privs", .type = SPEC_T_BOOL, .offset = S(security.no_new_privs), .def = "true",
     .doc = "Programs never gain privileges by exec. init: system has false as its default."},
    {.key = "security.read_only_root", .type = SPEC_T_BOOL, .offset = S(security.read_only_root), .def = "false",
     .doc = "Nothing but the filesystems of the list is writable."},
    {.key = "devices", .type = SPEC_T_STRV, .offset = S(devices), .check = spec_check_device,
     .doc = "Devices of the host that the zone may use."},
    {.key = "sysctls", .type = SPEC_T_MAP, .offset = S(sysctls), .check = spec_check_line, .check_key = spec_check_sysctl_key,
     .doc = "Kernel settings of the zone's own namespaces."},
    {.key = "shm", .type = SPEC_T_SIZE, .offset = S(shm), .min = 4096, .max = SIZE_MAX_ALLOWED, .unset = UNSET, .def = "64M",
     .doc = "The size of /dev/shm."},
    {.key = "limits.nofile", .type = SPEC_T_INT, .offset = S(limits.nofile), .min = 16, .max = 1048576, .unset = UNSET,
     .doc = "Open files of a process; not given: 1024, and up to 65536 if it asks."},
    {.key = "limits.memlock", .type = SPEC_T_SIZE, .offset = S(limits.memlock), .max = SIZE_MAX_ALLOWED, .unset = UNSET,
     .doc = "Locked memory of a process; not given: 64K."},
    {.key = "limits.core", .type = SPEC_T_SIZE, .offset = S(limits.core), .max = SIZE_MAX_ALLOWED, .unset = UNSET,
     .doc = "Size of a core dump; not given: 0."},
    {.key = "labels", .type = SPEC_T_MAP, .offset = S(labels), .check = spec_check_line, .check_key = spec_check_label_key, .live = true,
     .doc = "Names and values for the operator's own use."},
};
const struct spec_table spec_table_zone = ROWS(zone_rows, struct spec);

#define P(m) offsetof(struct spec_party, m)
static const struct spec_row host_rows[] = {
    {.key = "version", .type = SPEC_T_VERSION, .min = 1, .max = 1, .def = "1",
     .doc = "The version of this format."},
    {.key = "cpu.shares", .type = SPEC_T_INT, .offset = P(cpu.shares), .min = 1, .max = 10000, .unset = UNSET, .live = true,
     .doc = "The host's weight against the zones; refused (9) where host tasks sit in the root control group."},
    {.key = "cpu.reserved", .type = SPEC_T_CPUS, .offset = P(cpu.reserved), .max = CPUS_MAX * 100, .live = true,
     .doc = "CPUs that the zones leave to the host; where host tasks sit in the root control group this is a quota on all zones, of which each CPU, a dedicated one too, feels its part."},
    {.key = "memory.reserved", .type = SPEC_T_SIZE, .offset = P(memory.reserved), .max = SIZE_MAX_ALLOWED, .unset = UNSET, .live = true,
     .doc = "Memory that is promised to no zone. Does not hold what zones use beyond their promises (memory.cap does)."},
};
const struct spec_table spec_table_host = {host_rows, ARRAY_LEN(host_rows), sizeof(struct spec_party), "zonectl(1)", "@host"};

static const struct spec_row pool_rows[] = {
    {.key = "version", .type = SPEC_T_VERSION, .min = 1, .max = 1, .def = "1",
     .doc = "The version of this format."},
    {.key = "pool", .type = SPEC_T_STR, .offset = P(name), .check = spec_check_zone,
     .doc = "The pool's name. Required."},
    {.key = "cpu.shares", .type = SPEC_T_INT, .offset = P(cpu.shares), .min = 1, .max = 10000, .unset = UNSET, .def = "100", .live = true,
     .doc = "The pool's weight against other pools and the zones outside of pools."},
    {.key = "cpu.cap", .type = SPEC_T_CPUS, .offset = P(cpu.cap), .min = 1, .max = CPUS_MAX * 100, .live = true,
     .doc = "Most that its zones use together, in CPUs."},
    {.key = "cpu.burst", .type = SPEC_T_CPUS, .offset = P(cpu.burst), .max = CPUS_MAX * 100, .live = true,
     .doc = "Unused cap that may be spent later, in CPUs. Needs cap."},
    {.key = "cpu.set", .type = SPEC_T_CPUSET, .offset = P(cpu.set), .live = true,
     .doc = "The host's CPUs that its zones may use."},
    {.key = "cpu.dedicated", .type = SPEC_T_INT, .offset = P(cpu.dedicated), .min = 1, .max = CPUS_MAX, .live = true,
     .doc = "Whole CPUs for its zones alone, while one of them runs."},
    {.key = "cpu.reserved", .type = SPEC_T_CPUS, .offset = P(cpu.reserved), .max = CPUS_MAX * 100, .live = true,
     .doc = "CPUs promised to its zones together, while one of them runs."},
    {.key = "cpu.idle", .type = SPEC_T_BOOL, .offset = P(cpu.idle), .def = "false", .live = true,
     .doc = "Run only when nobody outside wants the CPU."},
};
const struct spec_table spec_table_pool = {pool_rows, ARRAY_LEN(pool_rows), sizeof(struct spec_party), "zonectl(1)", "a pool"};
/* clang-format on */
_Static_assert(ARRAY_LEN(zone_rows) <= SPEC_ROWS_MAX, "the reader keeps a flag for each row");

const struct spec_row *spec_row_find(const struct spec_table *t, const char *key, bool *section)
{
    size_t n = strlen(key);
    *section = false;
    for (unsigned i = 0; i < t->n; i++) {
        const char *k = t->rows[i].key;
        if (k[0] != key[0] || strncmp(k, key, n) != 0)
            continue;
        if (!k[n])
            return &t->rows[i];
        if (k[n] == '.')
            *section = true;
    }
    return NULL;
}

static void each_row(const struct spec_table *t, const char *prefix, spec_row_fn fn, void *arg)
{
    for (unsigned i = 0; i < t->n; i++) {
        auto_free char *key = xasprintf("%s%s", prefix, t->rows[i].key);
        fn(&t->rows[i], key, arg);
        if (t->rows[i].items) {
            auto_free char *below = xasprintf("%s[].", key);
            each_row(t->rows[i].items, below, fn, arg);
        }
    }
}

void spec_each_row_of(const struct spec_table *t, spec_row_fn fn, void *arg)
{
    each_row(t, "", fn, arg);
}

void spec_each_row(spec_row_fn fn, void *arg)
{
    spec_each_row_of(&spec_table_zone, fn, arg);
}

#define NEAR_MAX 48

/* Distance of short words; two letters that changed places are one slip, as one that is wrong. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[NEAR_MAX + 1], up[NEAR_MAX + 1], over[NEAR_MAX + 1] = {0};
    unsigned la = (unsigned)strlen(a), lb = (unsigned)strlen(b);
    if (la > NEAR_MAX || lb > NEAR_MAX)
        return NEAR_MAX;
    for (unsigned j = 0; j <= lb; j++)
        row[j] = j;
    for (unsigned i = 1; i <= la; i++) {
        memcpy(up, row, (lb + 1) * sizeof(*row));
        row[0] = i;
        for (unsigned j = 1; j <= lb; j++) {
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            unsigned best = up[j - 1] + (a[i - 1] != b[j - 1]);
            best = swapped && over[j - 2] + 1 < best ? over[j - 2] + 1 : best;
            best = best < up[j] + 1 ? best : up[j] + 1;
            row[j] = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
        }
        memcpy(over, up, (lb + 1) * sizeof(*up));
    }
    return row[lb];
}

/* Compares with every key, with its last word alone (a key in the wrong place) and with its sections. */
static unsigned row_distance(const char *row_key, const char *key)
{
    const char *last = strrchr(row_key, '.'), *wanted = strrchr(key, '.');
    unsigned d = distance(row_key, key);
    if (last) {
        unsigned alone = distance(last + 1, wanted ? wanted + 1 : key) + 1;
        d = alone < d ? alone : d;
    }
    return d;
}

char *spec_row_nearest(const struct spec_table *t, const char *key)
{
    const char *best = NULL;
    size_t best_len = 0;
    unsigned least = strlen(key) < 6 ? 2 : 3; /* further away is no resemblance */
    for (unsigned i = 0; i < t->n; i++) {
        const char *k = t->rows[i].key;
        unsigned d = row_distance(k, key);
        size_t len = strlen(k), section = strcspn(k, ".");
        if (section < len) {
            auto_free char *s = xstrndup(k, section);
            unsigned ds = distance(s, key);
            if (ds <= d)
                d = ds, len = section;
        }
        if (d < least) {
            least = d;
            best = k;
            best_len = len;
        }
    }
    return best ? xstrndup(best, best_len) : NULL;
}
