/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handlers that only look: statistics, processes, holders, changes, host, doctor, disk use, metrics.
 */
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "namespaces/namespaces.h"
#include "zoned/division.h"
#include "zoned/etc_files.h"
#include "zoned/handlers.h"
#include "zoned/networks.h"
#include "zoned/op.h"
#include "zoned/ops.h"
#include "zoned/statistics.h"
#include "zoned/zoned.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>

static int send_stats(struct zd *d, struct zd_request *r, char *const *names, struct err *e)
{
    char *text = stats_text(d, names, e);
    if (!text)
        return -ENOENT;
    zd_reply_text(r, 200, "application/json", text);
    return 0;
}

int h_zone_stats(struct zd *d, struct zd_request *r, struct err *e)
{
    char *names[] = {(char *)zd_param(r, 0), NULL};
    return send_stats(d, r, names, e);
}

static int list_stats(struct zd *d, struct zd_request *r, struct err *e)
{
    return send_stats(d, r, zd_query_all(r, "zone"), e);
}

int h_list_stats(struct zd *d, struct zd_request *r, struct err *e)
{
    const char *use = zd_query(r, "use");
    if (use && !str_eq(use, "now")) {
        err_set(e, ERR_INVALID, EINVAL, "use: %.20s is not known", use);
        return err_hint(e, "use=now, or leave it out");
    }
    return use ? sample_answer_now(d, r, list_stats, e) : list_stats(d, r, e);
}

/* ---- ps: host's /proc of the pids in the zone's group ---- */
static uint64_t status_number(const char *status, const char *key)
{
    const char *p = strstr(status, key);
    uint64_t v = 0;
    if (p)
        (void)!sscanf(p + strlen(key), "%" SCNu64, &v);
    return v;
}

static int64_t inner_pid(const char *status)
{
    const char *p = strstr(status, "\nNSpid:");
    int64_t last = 0;
    const char *end = p ? strchr(p + 1, '\n') : NULL;
    for (p = p ? p + 7 : NULL; p && p < end; p++)
        if (*p >= '0' && *p <= '9') {
            last = strtoll(p, (char **)&p, 10);
            p--;
        }
    return last;
}

static char *command_of(pid_t pid, const char *status)
{
    char path[64];
    auto_free char *text = NULL;
    size_t n = 0;
    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    if (file_read(AT_FDCWD, path, 4096, &text, &n, NULL) < 0 || !n) {
        const char *name = strstr(status, "Name:\t");
        const char *end = name ? strchr(name, '\n') : NULL;
        return end ? xasprintf("[%.*s]", (int)(end - name - 6), name + 6) : xstrdup("?");
    }
    for (size_t i = 0; i + 1 < n; i++)
        if (!text[i])
            text[i] = ' ';
    return xstrdup(text);
}

static json *process_row(const struct zone *z, pid_t pid)
{
    char path[64];
    auto_free char *status = NULL, *stat = NULL;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    if (file_read(AT_FDCWD, path, 65536, &status, NULL, NULL) < 0)
        return NULL;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    uint64_t user = 0, sys = 0;
    if (file_read(AT_FDCWD, path, 4096, &stat, NULL, NULL) == 0) {
        char *p = strrchr(stat, ')');
        (void)!(p && sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64, &user,
                            &sys));
    }
    auto_free char *command = command_of(pid, status);
    uint64_t uid = status_number(status, "\nUid:\t"), base = z->plan->uid_base;
    json *o = js_object();
    js_set_int(o, "pid", inner_pid(status));
    js_set_int(o, "host_pid", pid);
    js_set_int(o, "user", uid >= base && uid < base + NSPACE_IDS ? (int64_t)(uid - base) : (int64_t)uid);
    js_set_str(o, "command", command);
    js_set_int(o, "cpu_usec", (int64_t)((user + sys) * 10000));
    js_set_int(o, "rss", (int64_t)status_number(status, "VmRSS:") * 1024);
    return o;
}

int h_zone_ps(struct zd *d, struct zd_request *r, struct err *e)
{
    struct zone *z;
    auto_free pid_t *pids = NULL;
    unsigned n = 0;
    int k = registry_get(d, zd_param(r, 0), &z, e);
    if (k < 0)
        return k;
    json *list = js_array();
    if (z->group && z->plan && (k = cg_pids(z->group, &pids, &n, e)) < 0) {
        js_free(list);
        return k;
    }
    for (unsigned i = 0; i < n; i++) {
        json *row = process_row(z, pids[i]);
        if (row)
            js_add(list, row);
    }
    zd_reply_json(r, 200, list);
    return 0;
}

int h_zone_holders(struct zd *d, struct zd_request *r, struct err *e)
{
    struct zone *z;
    json *list = NULL;
    int k = registry_get(d, zd_param(r, 0), &z, e);
    if (k < 0)
        return k;
    if (z->plan && (k = sup_holders(z->plan, &list, e)) < 0)
        return k;
    zd_reply_json(r, 200, list ? list : js_array());
    return 0;
}

/* ---- host ---- */
static const char *layout_name(enum cg_layout l)
{
    return l == CG_V1 ? "v1" : l == CG_V2 ? "v2" : "hybrid";
}

int h_get_host(struct zd *d, struct zd_request *r, struct err *e)
{
    json *o = js_object();
    js_set_str(o, "version", ZONED_VERSION);
    js_set_str(o, "instance", d->instance);
    js_set_str(o, "kernel", d->facts.kernel);
    js_set_int(o, "cpus", d->facts.cpus);
    js_set_int(o, "memory", (int64_t)d->facts.memory);
    js_set_str(o, "cgroups", layout_name(cg_layout_of(d->cgroups)));
    js_set_strv(o, "controllers", cg_controllers(d->cgroups));
    js_set_int(o, "zones", d->nzones);
    json *drift = drift_check_shared(d, NULL);
    js_set_bool(o, "drifted", js_len(drift) > 0);
    js_set(o, "drift", drift);
    js_set(o, "spec", spec_party_to_json(SPEC_PARTY_HOST, d->host));
    bool pending;
    auto_free char *wrong = host_file_told(d, &pending);
    js_set_bool(o, "pending", pending);
    js_set_str(o, "error", wrong);
    js_set_str(o, "data", d->lib_dir);
    js_set_str(o, "specs", d->etc_dir);
    js_set_str(o, "run", d->run_dir);
    js_set_int(o, "pid", getpid());
    js_set_int(o, "uptime", (int64_t)((clock_mono_us() - d->started_us) / 1000000));
    zd_reply_json(r, 200, o);
    return 0;
}

int h_version(struct zd *d, struct zd_request *r, struct err *e)
{
    json *o = js_object();
    js_set_str(o, "version", ZONED_VERSION);
    js_set_str(o, "api", "v1");
    js_set_str(o, "instance", d->instance);
    zd_reply_json(r, 200, o);
    return 0;
}

static void add_check(json *list, const char *check, const struct err *e, const char *remedy)
{
    json *o = js_object();
    js_set_str(o, "check", check);
    js_set_bool(o, "ok", !err_is(e));
    js_set_str(o, "problem", err_is(e) ? e->text : NULL);
    js_set_str(o, "remedy", err_is(e) ? (e->hint[0] ? e->hint : remedy) : NULL);
    js_add(list, o);
}

static void check_controllers(struct zd *d, json *list)
{
    static const char *const wanted[] = {"cpu", "memory", "pids", "cpuset"};
    for (unsigned i = 0; i < ARRAY_LEN(wanted); i++) {
        struct err e = {0};
        auto_free char *check = xasprintf("cgroup controller %s", wanted[i]);
        if (!strv_has(cg_controllers(d->cgroups), wanted[i]))
            err_set(&e, ERR_UNSUPPORTED, ENOTSUP, "the controller %s is not available", wanted[i]);
        add_check(list, check, &e, "boot without cgroup_disable=, or let systemd delegate it");
    }
}

static void check_absent(const struct zone *z, json *list)
{
    auto_js json *absent = port_remarks(z->plan->spec);
    for (size_t i = 0; i < js_len(absent); i++) {
        struct err e = {0};
        err_set(&e, ERR_CONFLICT, EADDRNOTAVAIL, "zone %s: %s", z->name, js_str_of(js_at(absent, i), ""));
        err_hint(&e, "give the host that address, or publish on one that it has: zonectl set %s", z->name);
        add_check(list, "network: published ports", &e, NULL);
    }
}

static void check_port_addresses(struct zd *d, json *list)
{
    struct err none = {0};
    size_t before = js_len(list);
    for (unsigned i = 0; i < d->table_size; i++)
        for (const struct zone *z = d->table[i]; z; z = z->next)
            if (z->plan)
                check_absent(z, list);
    if (js_len(list) == before)
        add_check(list, "network: published ports are on addresses of this host", &none, NULL);
}

static void check_ports(struct zd *d, json *list)
{
    struct err none = {0};
    size_t before = js_len(list);
    for (unsigned i = 0; i < d->table_size; i++)
        for (const struct zone *z = d->table[i]; z; z = z->next) {
            struct err e = {0};
            if (!z->plan || net_hold_rest(z->plan->links.at, z->plan->links.len, &e) == 0)
                continue;
            err_prefix(&e, "zone %s publishes it", z->name);
            add_check(list, "network: published ports", &e, NULL);
        }
    if (js_len(list) == before)
        add_check(list, "network: no program of the host is on a published port", &none, NULL);
}

static void add_file(const struct err *e, void *list)
{
    add_check(list, "files: the host's part, networks and pools", e,
              "mend it: it is read again at the next verb");
}

static void check_files(struct zd *d, json *list)
{
    struct err none = {0};
    size_t before = js_len(list);
    etc_doctor(d, add_file, list);
    if (js_len(list) == before)
        add_check(list, "files: the host's part, networks and pools can be read", &none, NULL);
}

static void check_boot(struct zd *d, json *list)
{
    auto_js json *problems = boot_doctor(d);
    struct err none = {0};
    if (!js_len(problems))
        add_check(list, "boot: zones with autoboot were started", &none, NULL);
    for (size_t i = 0; i < js_len(problems); i++) {
        struct err e = {0};
        err_set(&e, ERR_CONFLICT, EINVAL, "%s", js_str_of(js_at(problems, i), ""));
        add_check(list, "boot", &e, "mend what it says, then zonectl start that zone");
    }
}

/* In a worker: the rules of others may be many, and their programs slow. Its netlink sockets are its own. */
static json *make_doctor(struct zd *d, const char *name, struct err *e)
{
    struct net_ctx *own = NULL;
    if (net_ctx_new(d->instance, &own, e) < 0)
        return NULL;
    json *list = js_array();
    struct err he = {0}, ne = {0};
    (void)nspace_check_host(stor_pool_fd(d->pool), &he);
    add_check(list, "kernel: user namespaces, openat2, idmapped mounts", &he,
              "use a kernel of 6.1 or newer, data on ext4, xfs or btrfs");
    check_controllers(d, list);
    check_files(d, list);
    struct err de = {0};
    (void)drift_doctor(d, &de);
    add_check(list, "control groups: what zones share is as it was written", &de, NULL);
    struct err files = {0};
    (void)pools_doctor(d, &files);
    add_check(list, "pools: those that run have their files", &files, NULL);
    struct err le = {0};
    struct err named = {0};
    (void)names_check(d, &named);
    add_check(list, "dnsmasq: zones find each other by name", &named, NULL);
    struct err asked = {0};
    (void)dhcp_check(d, &asked);
    add_check(list, "dnsmasq: zones that ask get their addresses", &asked, NULL);
    (void)lxcfs_check(d, &le);
    add_check(list, "lxcfs: zones see their own part of CPUs and memory", &le, NULL);
    struct err parents = {0};
    (void)parents_doctor(d, &parents);
    add_check(list, "network: the host's links that networks hang on", &parents, NULL);
    struct err hidden = {0};
    (void)hides_doctor(d, &hidden);
    add_check(list, "network: none hides a route, address, gateway or resolver of the host", &hidden, NULL);
    struct err shared = {0};
    (void)sharers_doctor(d, &shared);
    add_check(list, "network: zones that share another's have it", &shared, NULL);
    check_boot(d, list);
    check_ports(d, list);
    check_port_addresses(d, list);
    struct net_pass pass = neighbour_pass(d);
    auto_js json *net = net_doctor(own, &pass);
    neighbour_pass_done(&pass);
    net_ctx_free(own);
    if (!js_len(net))
        add_check(list, "network: no foreign rule blocks zones", &ne, NULL);
    for (size_t i = 0; i < js_len(net); i++) {
        struct err pe = {0};
        err_set(&pe, ERR_UNSUPPORTED, EINVAL, "%s", js_get_str(js_at(net, i), "problem", "?"));
        err_hint(&pe, "%s", js_get_str(js_at(net, i), "remedy", ""));
        add_check(list, "network", &pe, NULL);
    }
    return list;
}

int h_doctor(struct zd *d, struct zd_request *r, struct err *e)
{
    return worker_answer(d, r, NULL, make_doctor, e);
}

static json *make_df(struct zd *d, const char *name, struct err *e)
{
    json *o = NULL;
    return stor_df(d->pool, &o, e) < 0 ? NULL : o;
}

int h_df(struct zd *d, struct zd_request *r, struct err *e)
{
    return worker_answer(d, r, NULL, make_df, e);
}

int h_follow_events(struct zd *d, struct zd_request *r, struct err *e)
{
    event_follow(d, r, zd_query_flag(r, "follow", false));
    return 0;
}

/* The document lies beside the programs where installed, in the source tree while building. */
int h_openapi(struct zd *d, struct zd_request *r, struct err *e)
{
    static const char *const places[] = {"%s/openapi.json", "%s/../../../specs/openapi.json",
                                         "%s/../../specs/openapi.json", "%s/../share/zoned/openapi.json",
                                         "%s/../../share/zoned/openapi.json"};
    for (unsigned i = 0; i < ARRAY_LEN(places); i++) {
        char path[4200];
        char *text = NULL;
        const char *rest = places[i] + 2;
        snprintf(path, sizeof(path), "%s%s", d->bin_dir, rest);
        if (file_read(AT_FDCWD, path, 4u << 20, &text, NULL, NULL) == 0) {
            zd_reply_text(r, 200, "application/json", text);
            return 0;
        }
    }
    return err_set(e, ERR_NOT_FOUND, ENOENT, "openapi.json is not installed");
}

#define SHUTDOWN_GRACE_US 20000000u /* for the undo, once all are killed */

/* Nobody comes down any more: who asked is told, and may ask again. */
static int on_shutdown_over(sd_event_source *s, uint64_t usec, void *arg)
{
    struct zd *d = arg;
    unsigned n;
    auto_free struct zone **all = registry_sorted(d, &n);
    struct str left = {0};
    struct err e = {0};
    for (unsigned i = 0; i < n; i++)
        if (all[i]->plan)
            str_addf(&left, "%s%s", left.len ? ", " : "", all[i]->name);
    if (d->shutdown_request) {
        err_set(&e, ERR_BUSY, ETIMEDOUT, "zones do not come down: %.300s", left.p ? left.p : "-");
        err_hint(&e, "zonectl holders NAME names what blocks one; zoned runs on, ask it again");
        d->shutting_down = false;
        zd_reply_error(take_ptr(&d->shutdown_request), &e, NULL);
        boot_zone_changed(d); /* it goes on, too */
    }
    str_done(&left);
    return 0;
}

static int on_shutdown_deadline(sd_event_source *s, uint64_t usec, void *arg)
{
    struct zd *d = arg;
    unsigned n;
    auto_free struct zone **all = registry_sorted(d, &n);
    for (unsigned i = 0; i < n && d->shutdown_request; i++) {
        struct err e = {0};
        int r = !all[i]->plan           ? 0
                : all[i]->op == OP_NONE ? op_stop(d, all[i], NULL, 0, true, OP_STOP, &e)
                                        : ask_to_stop(all[i], 0, true, &e);
        if (r < 0)
            log_warning("shutdown: %s", e.text);
        all[i]->operator_stop = false;
    }
    if (d->shutdown_request)
        (void)sd_event_add_time_relative(d->event, NULL, CLOCK_MONOTONIC, SHUTDOWN_GRACE_US, 0,
                                         on_shutdown_over, d);
    return 0;
}

int h_shutdown(struct zd *d, struct zd_request *r, struct err *e)
{
    if (d->shutting_down)
        return err_set(e, ERR_BUSY, EALREADY, "a shutdown is under way");
    d->shutting_down = true;
    d->shutdown_request = r;
    uint64_t timeout = given_timeout(zd_body_of(r), UINT64_MAX);
    if (timeout != UINT64_MAX)
        (void)sd_event_add_time_relative(d->event, NULL, CLOCK_MONOTONIC, timeout * 1000, 0,
                                         on_shutdown_deadline, d);
    boot_shutdown_step(d);
    return 0;
}
