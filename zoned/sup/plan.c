/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plan as JSON and back. The decoder takes a plan that somebody else wrote (a newer zoned, a fuzzer): it
 * checks types and bounds of all that steps rely on, ignores keys that it does not know, and refuses another
 * format. No system calls. */
#include "zoned/sup/plan.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include <errno.h>

#define LINKS_MAX 16u
#define FILES_MAX 64u
#define FILE_TEXT_MAX (64u * 1024)
#define ENV_MAX 1024u

static const char *const step_names[STEP_COUNT] = {"rootfs", "cgroup", "console", "spawn", "net", "go"};

const char *plan_step_name(enum plan_step s)
{
    return (unsigned)s < STEP_COUNT ? step_names[s] : "?";
}

void plan_free(struct plan *p)
{
    if (!p)
        return;
    free(p->instance);
    free(p->zone);
    free(p->run_dir);
    free(p->data_dir);
    free(p->keeper_socket);
    spec_cpu_done(&p->cpu);
    free(p->cgroup_parent);
    free(p->cgroup_name);
    spec_free(p->spec);
    stor_root_done(&p->root);
    free(p->join_zone);
    free(p->join_run_dir);
    for (unsigned i = 0; i < p->links.len; i++)
        net_link_done(&p->links.at[i]);
    vec_done(&p->links);
    for (unsigned i = 0; i < p->files.len; i++) {
        free(p->files.at[i].path);
        free(p->files.at[i].text);
    }
    vec_done(&p->files);
    strv_free(p->env);
    strv_free(p->own_dirs);
    free(p->fault);
    free(p);
}

static json *files_to_json(const struct plan *p)
{
    json *a = js_array();
    for (unsigned i = 0; i < p->files.len; i++) {
        json *o = js_object();
        js_set_str(o, "path", p->files.at[i].path);
        js_set_str(o, "text", p->files.at[i].text);
        js_set_int(o, "mode", p->files.at[i].mode);
        js_add(a, o);
    }
    return a;
}

json *plan_to_json(const struct plan *p)
{
    json *o = js_object();
    js_set_int(o, "format", p->format ? p->format : PLAN_FORMAT);
    js_set_str(o, "instance", p->instance);
    js_set_str(o, "zone", p->zone);
    js_set_int(o, "start_no", (int64_t)p->start_no);
    js_set_str(o, "run_dir", p->run_dir);
    js_set_str(o, "data_dir", p->data_dir);
    js_set_str(o, "keeper_socket", p->keeper_socket);
    js_set_str(o, "cgroup_parent", p->cgroup_parent);
    js_set_str(o, "cgroup_name", p->cgroup_name);
    js_set_int(o, "uid_base", p->uid_base);
    js_set(o, "spec", p->spec ? spec_to_json(p->spec) : js_null());
    if (p->divided)
        js_set(o, "cpu", spec_cpu_to_json(&p->cpu));
    js_set(o, "root", stor_root_to_json(&p->root));
    js_set_bool(o, "remove", p->remove);
    js_set_bool(o, "host_network", p->host_network);
    js_set_bool(o, "part", p->part);
    if (p->join_zone)
        js_set_str(o, "join_zone", p->join_zone);
    if (p->join_run_dir)
        js_set_str(o, "join_run_dir", p->join_run_dir);
    json *links = js_array();
    for (unsigned i = 0; i < p->links.len; i++)
        js_add(links, net_link_to_json(&p->links.at[i]));
    js_set(o, "links", links);
    js_set(o, "files", files_to_json(p));
    js_set_strv(o, "env", p->env);
    js_set_strv(o, "own_dirs", p->own_dirs);
    js_set_int(o, "log_size", (int64_t)p->log_size);
    js_set_int(o, "log_files", p->log_files);
    if (p->fault)
        js_set_str(o, "fault", p->fault);
    return o;
}

static int bad(struct err *e, const char *key, const char *why)
{
    return err_set(e, ERR_INVALID, EINVAL, "plan: %s: %s", key, why);
}

/* A string that must be there and pass the check (NULL = none). */
static int take_text(const json *j, const char *key, bool (*check)(const char *), char **out, struct err *e)
{
    const char *v = js_get_str(j, key, NULL);
    if (!v || !*v)
        return bad(e, key, "missing, or not a string");
    if (check && !check(v))
        return bad(e, key, "not allowed here");
    *out = xstrdup(v);
    return 0;
}

static int take_int(const json *j, const char *key, int64_t def, int64_t min, int64_t max, int64_t *out,
                    struct err *e)
{
    const json *v = js_get(j, key);
    if (v && js_type_of(v) != JS_INT)
        return bad(e, key, "not a whole number");
    *out = js_get_int(j, key, def);
    return *out < min || *out > max ? bad(e, key, "out of range") : 0;
}

/* "PARENT", or a pool in it: "PARENT/POOL" */
static bool is_group(const char *text)
{
    auto_free char *absolute = path_join("/", text);
    const char *slash = strchr(text, '/');
    return path_is_clean_absolute(absolute) && (!slash || !strchr(slash + 1, '/'));
}

static int take_names(const json *j, struct plan *p, struct err *e)
{
    int r = 0;
    r = r < 0 ? r : take_text(j, "instance", path_is_component, &p->instance, e);
    r = r < 0 ? r : take_text(j, "zone", path_is_component, &p->zone, e);
    r = r < 0 ? r : spec_check_name("zone", p->zone, e);
    r = r < 0 ? r : take_text(j, "run_dir", path_is_clean_absolute, &p->run_dir, e);
    r = r < 0 ? r : take_text(j, "data_dir", path_is_clean_absolute, &p->data_dir, e);
    r = r < 0 ? r : take_text(j, "keeper_socket", path_is_clean_absolute, &p->keeper_socket, e);
    r = r < 0 ? r : take_text(j, "cgroup_parent", is_group, &p->cgroup_parent, e);
    r = r < 0 ? r : take_text(j, "cgroup_name", path_is_component, &p->cgroup_name, e);
    if (r < 0)
        return r;
    p->join_zone = xstrdup(js_get_str(j, "join_zone", NULL));
    if (p->join_zone && spec_check_name("zone", p->join_zone, e) < 0)
        return -EINVAL;
    p->join_run_dir = xstrdup(js_get_str(j, "join_run_dir", NULL));
    if (p->join_run_dir && !path_is_clean_absolute(p->join_run_dir))
        return bad(e, "join_run_dir", "not an absolute path");
    p->fault = xstrdup(js_get_str(j, "fault", NULL));
    return 0;
}

static int take_numbers(const json *j, struct plan *p, struct err *e)
{
    int64_t v = 0;
    int r = take_int(j, "format", 0, PLAN_FORMAT, PLAN_FORMAT, &v, e);
    if (r < 0)
        return r;
    p->format = (int)v;
    if ((r = take_int(j, "start_no", 0, 0, INT64_MAX, &v, e)) < 0)
        return r;
    p->start_no = (uint64_t)v;
    /* 0 would make the zone's root the host's */
    if ((r = take_int(j, "uid_base", 0, 65536, (int64_t)UINT32_MAX - 65536, &v, e)) < 0)
        return r;
    p->uid_base = (uint32_t)v;
    if ((r = take_int(j, "log_size", 10 << 20, 4096, INT64_C(1) << 40, &v, e)) < 0)
        return r;
    p->log_size = (uint64_t)v;
    if ((r = take_int(j, "log_files", 3, 1, 100, &v, e)) < 0)
        return r;
    p->log_files = (unsigned)v;
    p->remove = js_get_bool(j, "remove", false);
    p->host_network = js_get_bool(j, "host_network", false);
    p->part = js_get_bool(j, "part", false);
    return 0;
}

static int take_files(const json *files, struct plan *p, struct err *e)
{
    if (js_len(files) > FILES_MAX)
        return bad(e, "files", "too many");
    for (size_t i = 0; i < js_len(files); i++) {
        const json *o = js_at(files, i);
        const char *path = js_get_str(o, "path", NULL), *text = js_get_str(o, "text", NULL);
        int64_t mode = js_get_int(o, "mode", 0644);
        if (!path || !*path || strlen(path) > 4095 || !text || strlen(text) > FILE_TEXT_MAX || mode < 0 ||
            mode > 07777)
            return bad(e, "files", "an item lacks path or text, or is too large");
        auto_free char *absolute = path_join("/", path);
        if (!path_is_clean_absolute(absolute))
            return bad(e, "files", "path is not clean");
        struct stor_file *f = vec_add(&p->files);
        f->path = xstrdup(path);
        f->text = xstrdup(text);
        f->mode = (unsigned)mode;
    }
    return 0;
}

static int take_lists(const json *j, struct plan *p, struct err *e)
{
    int r = take_files(js_get(j, "files"), p, e);
    if (r < 0)
        return r;
    const json *links = js_get(j, "links"), *env = js_get(j, "env");
    if (js_len(links) > LINKS_MAX)
        return bad(e, "links", "too many");
    for (size_t i = 0; i < js_len(links); i++) {
        struct net_link_plan l = {0};
        if ((r = net_link_from_json(js_at(links, i), &l, e)) < 0)
            return err_prefix(e, "plan: links[%zu]", i), r;
        *vec_add(&p->links) = l;
    }
    if (js_len(env) > ENV_MAX)
        return bad(e, "env", "too many");
    p->env = js_get_strv(j, "env");
    p->own_dirs = js_get_strv(j, "own_dirs");
    for (char **d = p->own_dirs; d && *d; d++)
        if (!path_is_clean_absolute(*d))
            return bad(e, "own_dirs", "is no absolute path");
    for (char **v = p->env; v && *v; v++)
        if (!strchr(*v, '=') || **v == '=')
            return bad(e, "env", "an item is not K=V");
    return 0;
}

int plan_from_json(const json *j, struct plan **out, struct err *e)
{
    if (js_type_of(j) != JS_OBJECT)
        return err_set(e, ERR_INVALID, EINVAL, "plan: not an object");
    struct plan *p auto_of(plan_free) = xcalloc(1, sizeof(*p));
    int r = take_numbers(j, p, e);
    if (r < 0 || (r = take_names(j, p, e)) < 0 || (r = take_lists(j, p, e)) < 0)
        return r;
    if ((r = spec_from_json(js_get(j, "spec"), &p->spec, e)) < 0)
        return r;
    p->divided = js_get(j, "cpu") != NULL;
    if (p->divided && (r = spec_cpu_from_json(js_get(j, "cpu"), &p->cpu, e)) < 0)
        return r;
    if ((r = stor_root_from_json(js_get(j, "root"), &p->root, e)) < 0)
        return r;
    *out = take_ptr(&p);
    return 0;
}
