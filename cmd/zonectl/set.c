/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Specs: set, edit, apply, verify, export. The text travels as it is; zoned alone knows what it means. */
#include "base/fd.h"
#include "base/file.h"
#include "cmd/zonectl/zonectl.h"
#include "specs/specs.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char *when_said(const char *when, bool planned)
{
    if (str_eq(when, "live"))
        return planned ? "live" : "applied live";
    return str_eq(when, "start") ? "at its start" : "at next boot";
}

/* "cpu.shares: 100 -> 200 (applied live)" for each change. */
void ctl_print_changes(const json *answer, const char *prefix, bool planned)
{
    json *changes = js_get(answer, "changes");
    for (size_t i = 0; i < js_len(changes); i++) {
        json *ch = js_at(changes, i);
        struct str before = {0}, after = {0};
        ctl_value(js_get(ch, "before"), &before);
        ctl_value(js_get(ch, "after"), &after);
        printf("%s%s: %s -> %s (%s)\n", prefix, js_get_str(ch, "key", "?"), before.p ? before.p : "-",
               after.p ? after.p : "-", when_said(js_get_str(ch, "when", ""), planned));
        str_done(&before);
        str_done(&after);
    }
}

int ctl_set(struct ctl *c, int argc, char **argv)
{
    int status, at = ctl_positionals(c, argc, argv, 2, -1, &status);
    if (at < 0)
        return status;
    const char *name = argv[at++];
    for (int i = at; i < argc; i++)
        if (!strchr(argv[i], '=') || argv[i][0] == '=')
            return ctl_usage(c, "%s: KEY=VALUE is wanted", argv[i]);
    json *body = js_object();
    js_set_strv(body, "set", argv + at);
    auto_free char *path = str_eq(name, "@host") ? xstrdup("/host") : ctl_zone_path(name, ""),
                   *what = xasprintf("set %s", name);
    auto_js json *answer = NULL;
    if ((status = ctl_call(c, "PATCH", path, body, &answer, what)))
        return status;
    ctl_messages(answer);
    if (!ctl_print_data(c, answer))
        ctl_print_changes(answer, "", false);
    return 0;
}

/* The spec's text, or NULL with *status. */
static char *fetch_spec(struct ctl *c, const char *name, size_t *len, int *status)
{
    auto_free char *path = ctl_zone_path(name, "spec"), *what = xasprintf("%s %s", c->called, name);
    struct err e = {0};
    struct problems details = {0};
    struct api_answer a = {0};
    int r = ctl_connect(c, &e);
    if (r == 0)
        r = api_call(c->client, "GET", path, NULL, &a, &e, &details);
    char *text = r == 0 ? take_ptr(&a.text) : NULL;
    *len = a.text_len;
    *status = r < 0 ? ctl_fail(c, &e, &details, what) : 0;
    if (r == 0 && !text)
        text = xstrdup("");
    api_answer_done(&a);
    problems_done(&details);
    return text;
}

/* The text as zoned reads it, whether or not this host can run it. */
static int print_as_json(struct ctl *c, const char *name, const char *text)
{
    auto_free char *what = xasprintf("%s %s", c->called, name);
    auto_js json *answer = NULL;
    json *source = js_object(), *body = js_object();
    js_set_str(source, "file", name);
    js_set_str(source, "text", text);
    js_set(body, "source", source);
    js_set_strv(body, "set", NULL);
    js_set_bool(body, "host", false);
    int status = ctl_call(c, "POST", "/verify", body, &answer, what);
    if (!status)
        (void)ctl_print_data(c, js_get(answer, "spec"));
    return status;
}

int ctl_export(struct ctl *c, int argc, char **argv)
{
    struct ctl_args a = {.argc = argc, .argv = argv, .opts = c->verb->opts, .format = &c->format};
    const char *root = NULL;
    int at, status = 0;
    size_t n;
    for (int id; (id = ctl_option(c, &a, &at, &status)) != CTL_END; root = a.value)
        if (id == CTL_BAD)
            return status;
    if (argc - at != 1)
        return ctl_usage(c, "one zone's name is wanted");
    if (root)
        return ctl_export_root(c, argv[at], root);
    auto_free char *text = fetch_spec(c, argv[at], &n, &status);
    if (text && c->format == CTL_JSON)
        return print_as_json(c, argv[at], text);
    if (text)
        fwrite(text, 1, n, stdout);
    return status;
}

/* Runs the editor on path; 0 or an error. $VISUAL and $EDITOR may hold arguments, as everywhere. */
static int run_editor(const char *path, struct err *e)
{
    const char *editor = getenv("VISUAL");
    if (!editor || !*editor)
        editor = getenv("EDITOR");
    char **words = str_split(editor && *editor ? editor : "vi", " \t");
    strv_add(&words, path);
    pid_t pid = fork();
    if (pid == 0) {
        execvp(words[0], words);
        _exit(127);
    }
    int ws = 0, r = 0;
    while (pid > 0 && waitpid(pid, &ws, 0) < 0 && errno == EINTR)
        ;
    if (pid < 0)
        r = err_sys(e, "fork");
    else if (!WIFEXITED(ws) || WEXITSTATUS(ws) != 0)
        r = err_set(e, ERR_CONFLICT, ECANCELED, "the editor %s failed: nothing is changed", words[0]);
    strv_free(words);
    return r;
}

static bool ask_again(void)
{
    char line[16];
    if (!isatty(0) || !isatty(2))
        return false;
    fputs("Edit again? [Y/n] ", stderr);
    return fgets(line, sizeof(line), stdin) && line[0] != 'n' && line[0] != 'N';
}

/* One round: editor, then PUT. 0 done; 1 unchanged; -1 refused, with *status. */
static int edit_round(struct ctl *c, const char *name, const char *file, const char *before, int *status)
{
    struct err e = {0};
    auto_free char *text = NULL, *path = ctl_zone_path(name, ""), *what = xasprintf("edit %s", name);
    auto_js json *answer = NULL;
    if (run_editor(file, &e) == 0)
        (void)file_read(AT_FDCWD, file, SPEC_TEXT_MAX, &text, NULL, &e);
    if (!text) {
        *status = ctl_fail(c, &e, NULL, what);
        return -1;
    }
    if (!strcmp(text, before))
        return 1;
    json *source = js_object(), *body = js_object();
    js_set_str(source, "file", name);
    js_set_str(source, "text", text);
    js_set(body, "source", source);
    if ((*status = ctl_call(c, "PUT", path, body, &answer, what)))
        return -1;
    ctl_messages(answer);
    if (!ctl_print_data(c, answer))
        ctl_print_changes(answer, "", false);
    return 0;
}

int ctl_edit(struct ctl *c, int argc, char **argv)
{
    int status, at = ctl_positionals(c, argc, argv, 1, 1, &status);
    size_t n;
    if (at < 0)
        return status;
    auto_free char *text = fetch_spec(c, argv[at], &n, &status);
    if (!text)
        return status;
    const char *tmp = getenv("TMPDIR");
    auto_free char *file = xasprintf("%s/zonectl-XXXXXX.yaml", tmp && *tmp ? tmp : "/tmp");
    struct err e = {0};
    auto_fd int fd = mkostemps(file, 5, O_CLOEXEC); /* 0600 */
    int r = fd < 0 ? -errno : fd_write_full(fd, text, n);
    if (r < 0) {
        err_sysk(&e, ERR_INTERNAL, -r, "%s", file);
        return ctl_fail(c, &e, NULL, "edit");
    }
    close_fd(&fd);
    while ((r = edit_round(c, argv[at], file, text, &status)) < 0 && ask_again())
        ;
    if (r < 0 && isatty(2) && status == 7) {
        fprintf(stderr, "Your text is kept in %s\n", file);
        return status;
    }
    unlink(file);
    if (r == 1)
        fprintf(stderr, "%s: nothing is changed\n", argv[at]);
    return r < 0 ? status : 0;
}

/* The arguments of verify and plan: files (strv) and changes (strv). 0, or the exit status. */
static int spec_args(struct ctl *c, int argc, char **argv, char ***files, char ***set)
{
    struct ctl_args a = {.argc = argc, .argv = argv, .opts = c->verb->opts, .format = &c->format};
    int id, at, status = 0;
    while ((id = ctl_option(c, &a, &at, &status)) != CTL_END) {
        if (id == CTL_BAD)
            return status;
        strv_add(id == 'f' ? files : set, a.value);
    }
    for (; at < argc; at++)
        strv_add(files, argv[at]);
    return *files ? 0 : ctl_usage(c, "a spec is wanted: -f SPEC");
}

static int verify_one(struct ctl *c, const char *file, char *const *set)
{
    struct err e = {0};
    auto_js json *answer = NULL;
    auto_free char *what = xasprintf("%s %s", c->called, file);
    json *source = ctl_source(file, &e);
    if (!source)
        return ctl_fail(c, &e, NULL, c->called);
    json *body = js_object();
    js_set(body, "source", source);
    js_set_strv(body, "set", set);
    int status = ctl_call(c, "POST", "/verify", body, &answer, what);
    if (status)
        return status;
    ctl_messages(answer);
    if (!ctl_print_data(c, answer) && isatty(1))
        printf("%s: good\n", file);
    return 0;
}

/* Every file is checked; the status is that of the first that is refused. */
int ctl_verify(struct ctl *c, int argc, char **argv)
{
    char **files = NULL, **set = NULL;
    int status = spec_args(c, argc, argv, &files, &set);
    for (unsigned i = 0, ended = status != 0; !ended && files[i]; i++) {
        int one = verify_one(c, files[i], set);
        status = status ? status : one;
    }
    strv_free(files);
    strv_free(set);
    return status;
}

static void cpus_cell(struct ctl_table *t, const json *v)
{
    if (js_type_of(v) == JS_NULL || !v)
        ctl_cell(t, "-");
    else
        ctl_cellf(t, "%.2f", js_real_of(v, 0));
}

static void print_plan(const json *answer, unsigned files)
{
    struct ctl_table t = {.columns = 5};
    static const char *const heads[] = {"NAME", "KIND", "NOW", "AFTER", "PROMISED"};
    for (unsigned i = 0; i < 5; i++)
        ctl_cell(&t, heads[i]);
    json *zones = js_get(answer, "zones");
    for (size_t i = 0; i < js_len(zones); i++) {
        json *z = js_at(zones, i), *whole = js_get(z, "dedicated");
        ctl_cell(&t, js_get_str(z, "name", "?"));
        ctl_cell(&t, js_get_str(z, "kind", "?"));
        cpus_cell(&t, js_get(z, "now"));
        cpus_cell(&t, js_get(z, "after"));
        cpus_cell(&t, js_type_of(whole) == JS_INT ? whole : js_get(z, "reserved"));
    }
    ctl_table_print(&t, stdout);
    printf("%s. NOW and AFTER: CPUs of %d if everybody wanted all he may have%s.\n",
           files > 1 ? "They fit" : "It fits", (int)js_get_int(answer, "cpus", 0),
           js_get_bool(answer, "host_counted", false) ? "" : "; the host's own processes are not counted");
}

int ctl_plan(struct ctl *c, int argc, char **argv)
{
    struct err e = {0};
    char **files = NULL, **set = NULL;
    auto_js json *answer = NULL, *sources = js_array();
    int status = spec_args(c, argc, argv, &files, &set);
    for (unsigned i = 0; !status && files[i]; i++) {
        json *source = ctl_source(files[i], &e);
        if (source)
            js_add(sources, source);
        else
            status = ctl_fail(c, &e, NULL, c->called);
    }
    if (!status) {
        json *body = js_object();
        js_set(body, "sources", js_ref(sources));
        js_set_strv(body, "set", set);
        status = ctl_call(c, "POST", "/plan", body, &answer, c->called);
    }
    if (!status)
        ctl_messages(answer);
    if (!status && !ctl_print_data(c, answer))
        print_plan(answer, strv_len(files));
    strv_free(files);
    strv_free(set);
    return status;
}
