/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handlers around the spec: create, set, edit, verify, export (apply: h_apply.c). One way in for every configuration:
 * text, edits, parse, check, write, then what is live goes to the supervisor. */
#include "zoned/h_spec.h"
#include "base/str.h"
#include "zoned/division.h"
#include "zoned/handlers.h"
#include "zoned/images.h"
#include "zoned/networks.h"
#include "zoned/ops.h"
#include "zoned/zoned.h"
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

const char *spec_source_file(const json *source)
{
    const char *text = js_get_str(source, "text", "");
    return js_get_str(source, "file",
                      *text ? "(request)" : NULL); /* nobody wrote a text: there are edits alone */
}

/* A YAML or JSON text that says which zone it is: only then may the name be left to it. */
static bool names_a_zone(const char *text)
{
    const char *p = text + strspn(text, " \t\r\n");
    if (*p == '{')
        return strstr(p, "\"zone\"") != NULL;
    return str_starts(text, "zone:") || strstr(text, "\nzone:") != NULL;
}

int spec_text_of(const json *source, char *const *edits, const char *name, char **out, struct problems *ps,
                 struct err *e)
{
    const char *text = js_get_str(source, "text", ""), *file = spec_source_file(source);
    char **all = NULL;
    bool lost;
    int r = 0;
    if (name && !names_a_zone(text))
        strv_take(&all, xasprintf("zone=%s", name));
    for (unsigned i = 0; i < strv_len((char **)edits); i++)
        strv_add(&all, edits[i]);
    if (all)
        r = spec_edit(text, file, all, out, &lost, ps);
    else
        *out = xstrdup(text);
    strv_free(all);
    return r < 0 ? problems_to_err(ps, e, file) : 0;
}

/* The name that the text gives; one that differs from the request's is refused. */
static int settle_name(const char *text, const char *name, const char *file, char out[SPEC_NAME_MAX + 1],
                       struct problems *ps, struct err *e)
{
    auto_spec struct spec *s = NULL;
    int r = spec_parse(text, strlen(text), file, &s, ps);
    if (r < 0)
        return problems_to_err(ps, e, file);
    if (name && strcmp(s->zone, name)) {
        problem_add(ps, ERR_INVALID, file, 0, "zone", "%s differs from the name %s that was asked for",
                    s->zone, name);
        return problems_to_err(ps, e, file);
    }
    snprintf(out, SPEC_NAME_MAX + 1, "%s", s->zone);
    return 0;
}

int create_from_request(struct zd *d, struct zd_request *r, const char *name, bool ephemeral,
                        struct zone **out, struct err *e)
{
    const json *body = zd_body_of(r);
    auto_free char *text = NULL;
    char chosen[SPEC_NAME_MAX + 1];
    if (name && spec_check_name("zone", name, e) < 0)
        return -EINVAL;
    if (name && registry_find(d, name))
        return err_set(e, ERR_CONFLICT, EEXIST, "zone %s exists already", name),
               err_hint(e, "zonectl delete %s first, or zonectl set to change it", name);
    char **edits = js_get_strv(body, "set");
    int k = spec_text_of(js_get(body, "source"), edits, name, &text, zd_problems(r), e);
    strv_free(edits);
    if (k == 0)
        k = settle_name(text, name, spec_source_file(js_get(body, "source")), chosen, zd_problems(r), e);
    auto_js json *notes = js_array();
    k = k < 0 ? k : build_permits(d, r, chosen, e);
    if (k == 0 &&
        !build_is_wanted(d, chosen)) /* a step's changes are a layer, also below an image's volume */
        k = spec_add_image(d, spec_source_file(js_get(body, "source")),
                           js_get_bool(body, "publish_all", false), &text, notes, zd_problems(r), e);
    if (k == 0)
        k = op_create(d, chosen, text, ephemeral, out, zd_problems(r), e);
    const char *file = js_get_str(js_get(body, "source"), "file", NULL);
    if (k < 0 && text && file) /* lines of a text that nobody wrote say nothing */
        spec_locate(text, file, zd_problems(r));
    for (size_t i = 0; k == 0 && i < js_len(notes); i++)
        zone_note(*out, "%s", js_str_of(js_at(notes, i), ""));
    return k;
}

int h_create_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    struct zone *z = NULL;
    const json *body = zd_body_of(r);
    bool start = js_get_bool(body, "start", false);
    int k = start ? op_may_start(d, e) : 0;
    k = k < 0 ? k : create_from_request(d, r, js_get_str(body, "name", NULL), false, &z, e);
    if (k < 0)
        return k;
    if (start)
        return op_start(d, z, r, NULL, e);
    note_all(z, limits_remarks(d, z->spec));
    note_all(z, depends_remarks(d, z->spec));
    return op_install(d, z, r, e);
}

int h_get_zone_spec(struct zd *d, struct zd_request *r, struct err *e)
{
    struct zone *z;
    char *text = NULL;
    int k = registry_get(d, zd_param(r, 0), &z, e);
    if (k < 0 || (k = store_read_text(d, z, &text, e)) < 0)
        return k;
    zd_reply_text(r, 200, "application/yaml", text);
    return 0;
}

/* ---- change of an existing zone ---- */
/* What zoned alone does with a zone needs no start. */
static const char *when_of(const struct spec_change *c, bool running)
{
    bool kept = str_eq(c->key, "autoboot") || str_starts(c->key, "labels");
    if (!running)
        return kept ? "live" : "start";
    return c->when == SPEC_LIVE ? "live" : "next boot";
}

json *changes_to_json(const spec_changes *changes, bool running)
{
    json *list = js_array();
    for (unsigned i = 0; i < changes->len; i++) {
        const struct spec_change *c = &changes->at[i];
        json *o = js_object();
        js_set_str(o, "key", c->key);
        js_set_str(o, "before", c->before);
        js_set_str(o, "after", c->after);
        js_set_str(o, "when", when_of(c, running));
        js_add(list, o);
    }
    return list;
}

struct change_job {
    struct zd_request *r;
    json *answer;
};

static void change_done(struct zone *z, const struct err *e, void *arg)
{
    struct change_job *c = arg;
    if (err_is(e)) {
        zd_reply_error(c->r, e, NULL);
        js_free(c->answer);
    } else {
        zd_reply_json(c->r, 200, c->answer);
        event_publish(z->d, "changed", z->name, NULL);
    }
    free(c);
}

static bool will_change(const spec_changes *changes, const char *key)
{
    for (unsigned i = 0; i < changes->len; i++)
        if (str_eq(changes->at[i].key, key))
            return true;
    return false;
}

/* "io.write: …" where io.write or io.write_ops changes, "network[1].ports: …" where network[1] comes. */
static bool is_about(const char *remark, const char *changed)
{
    size_t n = strlen(changed);
    return !strncmp(changed, remark, strcspn(remark, ":")) ||
           (!strncmp(changed, remark, n) && remark[n] == '.');
}

/* What is as it was has been said. */
static void add_remarks(json *notes, const json *remarks, const spec_changes *changes)
{
    for (size_t i = 0; i < js_len(remarks); i++) {
        const char *text = js_str_of(js_at(remarks, i), "");
        bool changed = false;
        for (unsigned k = 0; k < changes->len; k++)
            changed = changed || is_about(text, changes->at[k].key);
        if (changed)
            js_add(notes, js_string(text));
    }
}

/* A bound below what runs already ends nobody. */
static void remark_on_tasks(const struct zone *z, const spec_changes *changes, json *notes)
{
    struct cg_stats now;
    uint64_t cap = z->plan->spec->tasks;
    if (!will_change(changes, "tasks") || !z->group || cg_read(z->group, false, &now, NULL) < 0 ||
        now.tasks == UINT64_MAX || now.tasks < cap)
        return;
    auto_free char *text =
        xasprintf("tasks: %llu run already: no new one can start until fewer than %llu are left",
                  (unsigned long long)now.tasks, (unsigned long long)cap);
    js_add(notes, js_string(text));
}

static int send_update(struct zd *d, struct zone *z, struct zd_request *r, json *answer, const char *old_text,
                       const spec_changes *changes, struct err *e)
{
    struct change_job *c = xcalloc(1, sizeof(*c));
    *c = (struct change_job){r, answer};
    int k = zone_update(d, z, z->spec, old_text, zd_problems(r), change_done, c, e);
    if (k < 0) {
        free(c);
        return k;
    }
    auto_js json *remarks = plan_remarks(d, z->plan);
    add_remarks(js_get(answer, "messages"), remarks, changes);
    remark_on_tasks(z, changes, js_get(answer, "messages"));
    return 0;
}

static int write_change(struct zd *d, struct zone *z, const char *text, struct zd_request *r, struct err *e)
{
    int k = store_write_text(d, z, text, e);
    return k < 0 ? k : store_reload(d, z, zd_problems(r), e);
}

bool changes_any_live(const spec_changes *c)
{
    for (unsigned i = 0; i < c->len; i++)
        if (c->at[i].when == SPEC_LIVE)
            return true;
    return false;
}

/* Of a running zone the leases stay as they are until the next boot. */
int change_at_rest(struct zd *d, struct zone *z, struct problems *ps, struct err *e)
{
    networks_check(d, z->spec, ps);
    if (ps->len)
        return problems_to_err(ps, e, z->name);
    bool plans = z->plan != NULL; /* one that starts or stops, too, has addresses of its plan */
    int k = plans ? 0 : lease_make(d, z, e);
    return k < 0 || plans ? k : lease_save(d, z, e);
}

/* The edit names the key, or a section that it is in. */
static bool edit_names(const char *edit, const char *key)
{
    size_t n = strcspn(edit, "=+-");
    return n && !strncmp(edit, key, n) && (!key[n] || key[n] == '.');
}

/* The kernel is not asked for what it has where no edit could name it. */
static bool edits_limits(char *const *edits)
{
    static const char *const sections[] = {"cpu", "memory", "io", "tasks"};
    bool is = false;
    for (char *const *edit = edits; edit && *edit; edit++)
        for (unsigned i = 0; i < ARRAY_LEN(sections); i++)
            is = is || str_starts(*edit, sections[i]);
    return is;
}

/* A value that is asked for and is the zone's already, but not the kernel's: somebody else wrote it. */
static int heal_named(struct zd *d, struct zone *z, char *const *edits, const spec_changes *changes,
                      json *notes, struct err *e)
{
    auto_js json *drift = edits_limits(edits) && zone_is_up(z) ? drift_check(d, z) : NULL;
    bool asked = false;
    for (size_t i = 0; i < js_len(drift); i++) {
        const char *key = js_get_str(js_at(drift, i), "key", "");
        for (char *const *edit = edits; *edit; edit++)
            asked = asked || (edit_names(*edit, key) && !will_change(changes, key));
    }
    int r = asked ? drift_heal_around(d, z, e) : 0;
    if (asked && r == 0)
        drift_notes(drift, notes);
    return r;
}

/* What the file said before already, and waits for the next boot, is no change of this one. */
static void drop_waiting(struct zone *z, const struct spec *new, spec_changes *changes)
{
    auto_spec struct spec *was = zone_is_up(z) && z->spec ? zone_effective(z->d, z, z->spec) : NULL;
    spec_changes own = {0};
    if (!was)
        return;
    spec_diff(was, new, &own);
    for (unsigned i = changes->len; i-- > 0;) {
        struct spec_change *c = &changes->at[i];
        if (c->when == SPEC_LIVE || will_change(&own, c->key))
            continue;
        free(c->key);
        free(c->before);
        free(c->after);
        vec_remove(changes, i);
    }
    spec_changes_done(&own);
}

/* New text for a zone: checked, written, applied where it is live. Answers r. edits: those that made the text, or NULL. */
static int change_zone(struct zd *d, struct zone *z, struct zd_request *r, const char *text,
                       char *const *edits, bool lost, struct err *e)
{
    auto_spec struct spec *s = NULL;
    auto_free char *old_text = NULL, *path = store_path(d, z);
    spec_changes changes = {0};
    int k = spec_parse(text, strlen(text), path, &s, zd_problems(r));
    if (k < 0)
        return problems_to_err(zd_problems(r), e, path);
    if (s->zone && strcmp(s->zone, z->name))
        return err_set(e, ERR_INVALID, EINVAL, "zone: a change of the name is zonectl rename %s %s", z->name,
                       s->zone);
    check_limits(d, s, zd_problems(r));
    spec_blame_edits(edits, zd_problems(r));
    spec_locate(text, path, zd_problems(r));
    if (zd_problems(r)->len)
        return problems_to_err(zd_problems(r), e, z->name);
    k = build_zone_check(d, z->name, s, e);
    k = k < 0 ? k : store_read_text(d, z, &old_text, e);
    if (k < 0)
        return k;
    auto_spec struct spec *old = spec_copy(zone_is_up(z) ? z->plan->spec : z->spec ? z->spec : s);
    auto_spec struct spec *new = zone_is_up(z) ? zone_effective(d, z, s) : spec_copy(s);
    spec_diff(old, new, &changes);
    drop_waiting(z, new, &changes);
    bool waited = z->pending;
    json *answer = js_object(), *notes = js_array();
    js_set(answer, "changes", changes_to_json(&changes, zone_is_up(z)));
    if (lost)
        js_add(notes, js_string("comments in a rewritten part were lost"));
    js_set(answer, "messages", notes);
    auto_js json *absent = depends_remarks(d, s);
    add_remarks(notes, absent, &changes);
    k = heal_named(d, z, edits, &changes, notes, e);
    k = k < 0 ? k : write_change(d, z, text, r, e);
    bool written = k == 0, sent = written && zone_is_up(z) && changes_any_live(&changes);
    if (sent)
        k = send_update(d, z, r, answer, old_text, &changes, e);
    else if (k == 0)
        k = change_at_rest(d, z, zd_problems(r), e);
    if (k < 0 && written)
        zone_put_back(d, z, old_text);
    if (k == 0 && !sent) {
        auto_js json *remarks = zone_is_up(z) ? NULL : limits_remarks(d, z->spec);
        add_remarks(notes, remarks, &changes);
        if (waited && !z->pending)
            js_add(notes, js_string("what waited for the next boot is taken back: the file says what runs"));
        zd_reply_json(r, 200, answer);
        if (changes.len || strcmp(old_text, text) != 0)
            event_publish(d, "changed", z->name, NULL);
    }
    spec_changes_done(&changes);
    if (k < 0)
        js_free(answer);
    return k;
}

int check_once(char *const *edits, const char *path, struct problems *ps, struct err *e)
{
    for (char *const *a = edits; a && *a; a++) {
        size_t n = strcspn(*a, "=");
        bool adds = n && (strchr("+-]", (*a)[n - 1]) != NULL);
        for (char *const *b = a + 1; !adds && *b; b++)
            if (!strncmp(*a, *b, n) && (*b)[n] == (*a)[n]) {
                auto_free char *key = xstrndup(*a, n);
                problem_add(ps, ERR_INVALID, NULL, 0, key, "is given twice: %s and %s", *a, *b);
                return problems_to_err(ps, e, path);
            }
    }
    return 0;
}

int h_patch_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    struct zone *z;
    auto_free char *text = NULL, *edited = NULL, *path = NULL;
    bool lost = false;
    int k = zone_to_change(d, r, &z, e);
    if (k < 0)
        return k;
    path = store_path(d, z);
    char **edits = js_get_strv(zd_body_of(r), "set");
    k = check_once(edits, path, zd_problems(r), e);
    k = k < 0 ? k : store_read_text(d, z, &text, e);
    if (k == 0 && spec_edit(text, path, edits, &edited, &lost, zd_problems(r)) < 0)
        k = problems_to_err(zd_problems(r), e, path);
    k = k < 0 ? k : change_zone(d, z, r, edited, edits, lost, e);
    strv_free(edits);
    return k;
}

int h_put_zone(struct zd *d, struct zd_request *r, struct err *e)
{
    struct zone *z;
    int k = zone_to_change(d, r, &z, e);
    const char *text = js_get_str(js_get(zd_body_of(r), "source"), "text", "");
    return k < 0 ? k : change_zone(d, z, r, text, NULL, false, e);
}

/* Whether this host can run it. Whether a file is there is told to those alone who could look for themselves. */
static void check_here(struct zd *d, struct zd_request *r, const struct spec *s)
{
    struct err e = {0};
    bool of_host = str_starts(s->image, "dir:") || str_starts(s->image, "tar:");
    check_limits(d, s, zd_problems(r));
    networks_check(d, s, zd_problems(r));
    if ((!of_host || zd_role_of(r) == ROLE_ADMIN) && stor_image_check(d->pool, s->image, &e) < 0)
        problem_add(zd_problems(r), e.kind, NULL, 0, "image", "%s", e.text);
}

int h_verify_spec(struct zd *d, struct zd_request *r, struct err *e)
{
    auto_free char *text = NULL;
    auto_spec struct spec *s = NULL;
    const json *body = zd_body_of(r);
    const char *file = spec_source_file(js_get(body, "source"));
    char **edits = js_get_strv(body, "set");
    int k = spec_text_of(js_get(body, "source"), edits, NULL, &text, zd_problems(r), e);
    strv_free(edits);
    if (k < 0)
        return k;
    if (spec_parse(text, strlen(text), file, &s, zd_problems(r)) < 0)
        return problems_to_err(zd_problems(r), e, file);
    if (js_get_bool(body, "host", true))
        check_here(d, r, s);
    spec_locate(text, file, zd_problems(r));
    if (zd_problems(r)->len)
        return problems_to_err(zd_problems(r), e, file);
    json *o = js_object();
    js_set_bool(o, "ok", true);
    js_set(o, "spec", spec_to_json(s));
    js_set(o, "messages", depends_remarks(d, s));
    zd_reply_json(r, 200, o);
    return 0;
}

/* A name for a run that was given none: zone- and four random hex digits. */
void make_up_name(struct zd *d, char out[SPEC_NAME_MAX + 1])
{
    do {
        uint16_t x = 0;
        (void)!getrandom(&x, sizeof(x), 0);
        snprintf(out, SPEC_NAME_MAX + 1, "zone-%04x", x);
    } while (registry_find(d, out));
}
