/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image build: a recipe becomes an image, step by step: what it begins with, packages, files, commands, and last what is said of
 * it. Each step has a key made of all that it depends on; what has been made by that key is used again. Steps that run something
 * do so in a zone, by the daemon's own API. */
#include "cmd/zone-image/build.h"
#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/gather.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SHORT 60

void build_note(struct build *b, const char *fmt, ...)
{
    va_list ap;
    char *text = NULL;
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) >= 0)
        job_note(text);
    va_end(ap);
    free(text);
}

void build_key(const struct build *b, const char *from, const char *what, const char *text,
               char key[KEY_SIZE])
{
    auto_free char *all = xasprintf("zoned build 2\n%s\n%s\n%s%lld\n%s", from, what, b->has_epoch ? "@" : "-",
                                    (long long)b->epoch, text);
    img_digest_of(all, strlen(all), key);
}

int build_keep(struct build *b, const char *key, const struct img_desc *d, struct err *e)
{
    auto_free char *name = img_cache_name(key);
    return img_tag(b->job->store, name, d, e);
}

char *build_in_short(const char *what)
{
    size_t line = strcspn(what, "\n"), n = line < SHORT ? line : SHORT;
    while (n < line && n > 0 && (what[n] & 0xc0) == 0x80)
        n--; /* not within a character */
    return xasprintf("%.*s%s", (int)n, what, what[n] ? "…" : "");
}

static bool made_before(struct build *b, const char *key, const char *what, struct img_desc *out)
{
    b->steps++;
    if (b->no_cache || !img_cache_find(b->job->store, key, out))
        return false;
    b->cached++;
    auto_free char *text = build_in_short(what);
    build_note(b, "%s: as before", text);
    return true;
}

/* ---- packages ---- */
/* Services are not started in a build, nothing is asked, and nothing is left that another machine does not need. */
static char *packages_script(const struct spec_recipe *r)
{
    auto_free char *names = strv_join(r->packages, " ");
    return xasprintf(
        "export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true\n"
        "printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d\n"
        "o='-q -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0 -o DPkg::Options::=--force-unsafe-io -o "
        "Acquire::Languages=none'\n"
        "apt-get $o update\n"
        "apt-get $o -y --no-install-recommends install %s\n"
        "apt-get clean\n"
        "rm -f /usr/sbin/policy-rc.d /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old "
        "/var/lib/dpkg/*-old\n"
        "rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/dpkg.log "
        "/var/log/alternatives.log /var/log/bootstrap.log\n"
        "rm -f /etc/ssh/ssh_host_* /etc/ssl/private/ssl-cert-snakeoil.key "
        "/etc/ssl/certs/ssl-cert-snakeoil.pem "
        "/var/lib/dbus/machine-id /var/lib/systemd/random-seed\n",
        names);
}

static int step_packages(struct build *b, struct img_desc *at, struct err *e)
{
    char key[KEY_SIZE];
    auto_free char *names = strv_join(b->recipe->packages, " "), *script = packages_script(b->recipe);
    auto_free char *what = xasprintf("packages: %s", names);
    build_key(b, at->digest, "packages", script, key);
    if (made_before(b, key, what, at))
        return 0;
    const struct build_step s = {.what = what, .script = script, .tar_fd = -1};
    return build_in_zone(b, at, &s, key, at, e);
}

/* ---- files ---- */
/* Equal content, equal digest, whenever the files were written. */
static int gather(struct build *b, int out, char digest[KEY_SIZE], struct err *e)
{
    unsigned n = b->recipe->copy.len;
    auto_free struct stor_gather_item *items = xcalloc(n + 1, sizeof(*items));
    auto_fd int dir = b->folder ? open(b->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    for (unsigned i = 0; i < n; i++) {
        const struct spec_recipe_copy *c = &b->recipe->copy.at[i];
        struct stor_gather_item *item = &items[i];
        *item = (struct stor_gather_item){.from = c->from, .text = c->text, .to = c->to};
        (void)spec_recipe_owner(c->owner, &item->uid, &item->gid);
        item->has_mode = c->mode != NULL;
        item->mode = c->mode ? (unsigned)strtoul(c->mode, NULL, 8) : 0;
        if (c->from && dir < 0)
            return b->folder
                       ? err_sys(e, "%s", b->folder)
                       : err_set(e, ERR_INVALID, EINVAL, "copy: a recipe without a folder has no files");
    }
    const struct stor_gather g = {
        .dirfd = dir, .items = items, .n = n, .has_mtime = b->has_epoch, .mtime = b->epoch};
    return stor_gather(&g, out, digest, e);
}

/* copy: a to /b, a text to /c */
static char *what_copy(const struct spec_recipe *r)
{
    struct str s = {0};
    for (unsigned i = 0; i < r->copy.len; i++) {
        const struct spec_recipe_copy *c = &r->copy.at[i];
        str_addf(&s, "%s%s to %s", i ? ", " : "copy: ", c->from ? c->from : "a text", c->to);
    }
    return str_take(&s);
}

static int step_copy(struct build *b, struct img_desc *at, bool *none, struct err *e)
{
    char digest[KEY_SIZE], key[KEY_SIZE];
    auto_fd int fd = build_file(b, e);
    int r = fd < 0 ? fd : gather(b, fd, digest, e);
    if (r < 0)
        return r;
    auto_free char *what = what_copy(b->recipe), *all = xasprintf("%s\n%s", digest, what);
    build_key(b, *none ? "scratch" : at->digest, "copy", all, key);
    if (made_before(b, key, what, at))
        r = 0;
    else if (*none)
        r = build_import_fd(b, fd, key, what, at, e);
    else if (lseek(fd, 0, SEEK_SET) == 0)
        r = build_in_zone(b, at, &(struct build_step){.what = what, .tar_fd = fd}, key, at, e);
    *none = *none && r < 0;
    return r;
}

/* ---- commands ---- */
static int step_run(struct build *b, const char *command, struct img_desc *at, struct err *e)
{
    char key[KEY_SIZE];
    auto_free char *what = xasprintf("run: %s", command), *script = xasprintf("%s\n", command);
    build_key(b, at->digest, "run", script, key);
    if (made_before(b, key, what, at))
        return 0;
    return build_in_zone(b, at, &(struct build_step){.what = what, .script = script, .tar_fd = -1}, key, at,
                         e);
}

/* ---- and last ---- */
static int finish(struct build *b, bool none, struct img_desc *at, struct err *e)
{
    char key[KEY_SIZE];
    auto_js json *config = spec_recipe_config(b->recipe);
    auto_free char *text = js_dump(config, false);
    build_key(b, none ? "scratch" : at->digest, "config", text, key);
    if (made_before(b, key, "config", at))
        return 0;
    struct img_desc out;
    int r = img_derive(b->job->store, none ? NULL : at, config, "config", &out, e);
    r = r < 0 ? r : build_keep(b, key, &out, e);
    if (r == 0)
        *at = out;
    return r;
}

static int all_steps(struct build *b, struct img_desc *at, struct err *e)
{
    bool none = false;
    int r = build_base(b, at, &none, e);
    if (r == 0 && b->recipe->packages)
        r = step_packages(b, at, e);
    if (r == 0 && b->recipe->copy.len)
        r = step_copy(b, at, &none, e);
    for (char **c = b->recipe->run; r == 0 && c && *c; c++)
        r = step_run(b, *c, at, e);
    return r < 0 ? r : finish(b, none, at, e);
}

static char *reference(const struct build *b)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    const char *v = b->recipe->package.version;
    bool tag = v && *v && strlen(v) <= 128 && strspn(v, letters) == strlen(v) && *v != '.' && *v != '-';
    return xasprintf("localhost/%s:%s", b->recipe->package.name, tag ? v : "latest");
}

static int read_args(struct build *b, struct err *e)
{
    const json *a = b->job->args, *epoch = js_get(a, "epoch");
    int r = job_text(b->job, "zone", true, &b->zone, e);
    r = r < 0 ? r : job_text(b->job, "socket", true, &b->socket, e);
    r = r < 0 ? r : job_text(b->job, "folder", false, &b->folder, e);
    b->env = js_get_strv(a, "env");
    b->no_cache = js_get_bool(a, "no_cache", false);
    if (js_type_of(epoch) == JS_INT) {
        b->has_epoch = true;
        b->epoch = (uint64_t)js_int_of(epoch, 0);
    }
    return r;
}

static void build_free(struct build *b)
{
    build_host_end(&b->host);
    api_close(b->api);
    strv_free(b->env);
    spec_recipe_free(b->recipe);
    free(b->mirror);
    free(b);
}

int op_build_prepare(struct job *j, struct err *e)
{
    struct build *b = xcalloc(1, sizeof(*b));
    struct problems ps = {0};
    const json *source = js_get(j->args, "source");
    const char *text = js_get_str(source, "text", "");
    *b = (struct build){.job = j, .host = {.go = -1, .messages = -1, .out = -1}};
    int r = spec_recipe_parse(text, strlen(text), js_get_str(source, "file", "recipe"), &b->recipe, &ps);
    if (r < 0)
        r = problems_to_err(&ps, e, "the recipe");
    problems_done(&ps);
    r = r < 0 ? r : read_args(b, e);
    r = r < 0 ? r : build_host_prepare(b, e);
    if (r < 0)
        build_free(b);
    else
        j->prepared = b;
    return r;
}

int op_build(struct job *j, json **result, struct err *e)
{
    struct build *b = j->prepared;
    struct img_desc at = {0};
    const char *ref;
    if (b->has_epoch)
        img_set_epoch(j->store, b->epoch);
    int r = job_text(j, "ref", false, &ref, e);
    r = r < 0 ? r : all_steps(b, &at, e);
    auto_free char *own = r < 0 || ref ? NULL : reference(b);
    r = r < 0 ? r : img_tag(j->store, ref ? ref : own, &at, e);
    if (r == 0) {
        *result = js_object();
        js_set_str(*result, "ref", ref ? ref : own);
        js_set_str(*result, "digest", at.digest);
        js_set_int(*result, "steps", b->steps);
        js_set_int(*result, "cached", b->cached);
    }
    build_free(b);
    return r;
}
