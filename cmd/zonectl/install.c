/* SPDX-License-Identifier: GPL-2.0-or-later */
/* install: a package becomes a zone. zoned says what it asks and wants; here a person is shown it and asked. Without a terminal
 * nothing is asked: what is missing is refused. */
#include "cmd/zonectl/image.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

enum { O_SET = 256, O_ALLOW, O_BACK, O_DRY_RUN };
#define ANSWER_MAX 4096

struct install {
    struct ctl *c;
    const char *source, *name;
    char *ref, *digest; /* digest: of what was shown */
    json *set;
    char **allow;
    bool yes, back, dry_run, person;
    struct transfer_options transfer;
};

/* ---- a person ---- */
static struct termios before;
static volatile sig_atomic_t hidden;

static void restore_echo(int sig)
{
    if (hidden)
        (void)tcsetattr(0, TCSANOW, &before);
    if (sig) {
        signal(sig, SIG_DFL);
        raise(sig);
    }
}

/* A line without its end; false: no more input. */
static bool ask(const char *prompt, bool secret, char buf[ANSWER_MAX])
{
    struct termios quiet;
    if (secret && tcgetattr(0, &before) == 0) {
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        hidden = 1;
        signal(SIGINT, restore_echo);
        signal(SIGTERM, restore_echo);
        (void)tcsetattr(0, TCSANOW, &quiet);
    }
    fprintf(stderr, "%s: ", prompt); /* not before the echo is off: whoever reads it types */
    fflush(stderr);
    bool got = fgets(buf, ANSWER_MAX, stdin) != NULL;
    if (hidden) {
        restore_echo(0);
        hidden = 0;
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        fputc('\n', stderr);
    }
    if (got)
        buf[strcspn(buf, "\n")] = '\0';
    return got;
}

static char *prompt_of(const json *p)
{
    auto_free char *choices = NULL;
    const char *text = js_get_str(p, "description", NULL);
    if (js_get(p, "choices")) {
        char **v = js_get_strv(p, "choices");
        choices = strv_join(v, ", ");
        strv_free(v);
    }
    return xasprintf("%s%s%s (%s%s%s)", js_get_str(p, "name", "?"), text ? ", " : "", text ? text : "",
                     js_get_str(p, "type", "string"), choices ? ": " : "", choices ? choices : "");
}

/* What the package needs and nobody has said. */
static bool ask_missing(struct install *in, const json *seen)
{
    char answer[ANSWER_MAX];
    json *missing = js_get(seen, "missing"), *all = js_get(seen, "parameters");
    for (size_t i = 0; i < js_len(missing); i++)
        for (size_t k = 0; k < js_len(all); k++) {
            const json *p = js_at(all, k);
            const char *name = js_get_str(p, "name", "");
            if (!str_eq(name, js_str_of(js_at(missing, i), NULL)))
                continue;
            auto_free char *prompt = prompt_of(p);
            if (!ask(prompt, js_get_bool(p, "secret", false), answer))
                return false;
            if (*answer)
                js_set_str(in->set, name, answer);
        }
    memset(answer, 0, sizeof(answer));
    return true;
}

static void show_changes(const json *seen)
{
    json *changes = js_get(seen, "changes");
    for (size_t i = 0; i < js_len(changes); i++) {
        const json *c = js_at(changes, i);
        fprintf(stderr, "  changes %s: %s -> %s\n", js_get_str(c, "key", ""), js_get_str(c, "before", "-"),
                js_get_str(c, "after", "-"));
    }
    for (size_t i = 0; i < js_len(js_get(seen, "kept")); i++)
        fprintf(stderr, "  keeps your own %s\n", js_str_of(js_at(js_get(seen, "kept"), i), ""));
}

static void show(const json *seen)
{
    const char *version = js_get_str(seen, "version", NULL),
               *had = js_get_str(seen, "installed_version", NULL);
    const char *text = js_get_str(seen, "description", NULL);
    json *wants = js_get(seen, "wants"), *parameters = js_get(seen, "parameters");
    fprintf(stderr, "%s%s%s%s%s as zone %s%s%s\n", js_get_str(seen, "package", "package"), version ? " " : "",
            version ? version : "", text ? ": " : "", text ? text : "", js_get_str(seen, "name", ""),
            js_get_bool(seen, "new", true) ? "" : ", in place of ",
            js_get_bool(seen, "new", true) ? ""
            : had                          ? had
                                           : "what it is now");
    for (size_t i = 0; i < js_len(parameters); i++) {
        const json *p = js_at(parameters, i);
        bool secret = js_get_bool(p, "secret", false);
        fprintf(stderr, "  %s = %s\n", js_get_str(p, "name", ""),
                secret ? js_get_bool(p, "given", false) ? "(secret)" : "-" : js_get_str(p, "value", "-"));
    }
    for (size_t i = 0; i < js_len(wants); i++) {
        const json *w = js_at(wants, i);
        const char *allow = js_get_str(w, "allow", NULL);
        fprintf(stderr, "  wants %s: %s%s%s%s\n", js_get_str(w, "what", ""), js_get_str(w, "value", ""),
                allow ? " (--allow " : "", allow ? allow : "", allow ? ")" : "");
    }
    show_changes(seen);
}

/* ---- zoned ---- */
static json *body_of(const struct install *in, bool dry_run)
{
    json *b = js_object();
    js_set_str(b, "ref", in->ref);
    if (in->name)
        js_set_str(b, "name", in->name);
    if (in->digest)
        js_set_str(b, "digest", in->digest);
    js_set(b, "set", js_ref(in->set));
    js_set_strv(b, "allow", in->allow);
    js_set_bool(b, "dry_run", dry_run);
    return b;
}

/* A file is taken into the store first; all else is a reference, which is pulled where it is not there. */
static int find_source(struct install *in)
{
    struct stat st;
    auto_js json *result = NULL;
    auto_free char *path = NULL, *what = xasprintf("install %s", in->source);
    bool file = stat(in->source, &st) == 0 && (S_ISREG(st.st_mode) || strchr(in->source, '/'));
    bool looks = in->source[0] == '.' || in->source[0] == '/' || str_ends(in->source, ".zone");
    if (!file && !looks) {
        auto_free char *image = ctl_image_path(in->source, NULL);
        struct err e = {0};
        struct api_answer a = {0};
        int r = ctl_connect(in->c, &e);
        r = r < 0 ? r : api_call(in->c->client, "GET", image, NULL, &a, &e, NULL);
        api_answer_done(&a);
        in->ref = xstrdup(in->source);
        if (r == 0 || e.kind != ERR_NOT_FOUND)
            return r < 0 ? ctl_fail(in->c, &e, NULL, what) : 0;
        return ctl_pull(in->c, in->source, &in->transfer, &result);
    }
    int status = ctl_file_path(in->c, in->source, &path, what);
    if (status)
        return status;
    json *body = js_object();
    js_set_str(body, "path", path);
    status = ctl_job(in->c, "/images/import", body, &result, what);
    json *names = js_get(result, "names");
    if (!status && js_len(names) != 1) {
        struct err e = {0};
        err_set(&e, ERR_INVALID, EINVAL, "%s holds %zu named images (wanted: one)", in->source,
                js_len(names));
        err_hint(&e, "zonectl image import %s NAME, then zonectl install NAME", in->source);
        return ctl_fail(in->c, &e, NULL, what);
    }
    if (!status)
        in->ref = xstrdup(js_str_of(js_at(names, 0), ""));
    return status;
}

static int look(struct install *in, json **seen)
{
    auto_free char *what = xasprintf("install %s", in->source);
    return ctl_job(in->c, "/install", body_of(in, true), seen, what);
}

/* A dry run ends as the install would. */
static int refused(struct install *in, const json *seen)
{
    struct err e = {0};
    struct problems details = {0};
    auto_free char *what = xasprintf("install %s", in->source);
    if (js_type_of(js_get(seen, "refused")) != JS_OBJECT)
        return 0;
    js_to_err(js_get(seen, "refused"), &e, &details);
    int status = ctl_fail(in->c, &e, &details, what);
    problems_done(&details);
    return status;
}

/* CTL_END: go on. */
static int talk(struct install *in)
{
    char answer[ANSWER_MAX];
    auto_js json *seen = NULL;
    int status = look(in, &seen);
    if (!status && in->person && js_len(js_get(seen, "missing"))) {
        if (!ask_missing(in, seen))
            return ctl_usage(in->c, "nobody answers");
        js_free(take_ptr(&seen));
        status = look(in, &seen);
    }
    if (status)
        return status;
    in->digest = xstrdup(js_get_str(seen, "digest", NULL));
    if (!in->dry_run || !ctl_print_data(in->c, seen))
        show(seen);
    if (in->dry_run)
        return refused(in, seen);
    if (!in->person || in->yes || js_len(js_get(seen, "denied")) || js_len(js_get(seen, "missing")))
        return CTL_END; /* what is not allowed or missing is refused, with the remedy */
    if (!ask("install it? [Y/n]", false, answer) || (*answer && *answer != 'y' && *answer != 'Y')) {
        fputs("nothing was installed\n", stderr);
        return 1;
    }
    return CTL_END;
}

static int go_back(struct install *in)
{
    auto_js json *zone = NULL;
    auto_free char *path = ctl_zone_path(in->source, "back"),
                   *what = xasprintf("install --back %s", in->source);
    int status = ctl_call(in->c, "POST", path, js_object(), &zone, what);
    if (status || ctl_print_data(in->c, zone))
        return status;
    const json *p = js_get(zone, "package");
    printf("%s is %s%s%s again\n", in->source, js_get_str(p, "name", js_get_str(p, "image", "")),
           js_get_str(p, "version", NULL) ? " " : "", js_get_str(p, "version", ""));
    return 0;
}

static int install(struct install *in)
{
    auto_js json *zone = NULL;
    int status = find_source(in);
    if (!status)
        status = talk(in);
    if (status != CTL_END)
        return status;
    auto_free char *what = xasprintf("install %s", in->source);
    status = ctl_job(in->c, "/install", body_of(in, false), &zone, what);
    if (status)
        return status;
    ctl_messages(zone);
    if (!ctl_print_data(in->c, zone))
        puts(js_get_str(zone, "name", ""));
    return 0;
}

static int take_set(struct install *in, const char *value)
{
    const char *eq = strchr(value, '=');
    if (!eq || eq == value)
        return ctl_usage(in->c, "--set %s: PARAMETER=VALUE is wanted", value);
    auto_free char *name = xstrndup(value, (size_t)(eq - value));
    js_set_str(in->set, name, eq + 1);
    return 0;
}

static int take_option(struct install *in, int id, const char *value)
{
    char **words;
    switch (id) {
    case O_SET:
        return take_set(in, value);
    case O_ALLOW:
        words = str_split(value, ",");
        for (char **w = words; w && *w; w++)
            strv_add(&in->allow, *w);
        strv_free(words);
        return 0;
    case 'y':
        in->yes = true;
        return 0;
    case O_BACK:
        in->back = true;
        return 0;
    default:
        in->dry_run = true;
        return 0;
    }
}

int ctl_install(struct ctl *c, int argc, char **argv)
{
    struct ctl_args args = {.argc = argc, .argv = argv, .opts = c->verb->opts, .format = &c->format};
    struct install in = {.c = c, .set = js_object(), .person = isatty(0) && isatty(2)};
    int id, at = argc, status = 0;
    while (!status && (id = ctl_option(c, &args, &at, &status)) != CTL_END && id != CTL_BAD)
        status = take_option(&in, id, args.value);
    if (!status && id != CTL_BAD) {
        in.source = at < argc ? argv[at] : NULL;
        in.name = at + 1 < argc ? argv[at + 1] : NULL;
        if (!in.source || at + 2 < argc)
            status = ctl_usage(c, in.source ? "too many arguments" : "a package is missing");
        else if (in.back && (in.name || in.dry_run || js_len(in.set) || in.allow))
            status = ctl_usage(c, "--back goes with a zone's name alone");
        else
            status = in.back ? go_back(&in) : install(&in);
    }
    js_free(in.set);
    strv_free(in.allow);
    free(in.ref);
    free(in.digest);
    return status;
}
