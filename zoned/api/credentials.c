/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Logins for registries: which file, which entry, whose file. Never logs; no error quotes what a file or a helper says. */
#include "zoned/api/credentials.h"
#include "base/auto.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "zoned/api/helper.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX (1u << 20)
#define SECRET_MAX 65536

static void add_path(char ***v, const char *folder, const char *name)
{
    if (folder && *folder == '/')
        strv_take(v, xasprintf("%s/%s", folder, name));
}

char **cred_files(void)
{
    char **v = NULL;
    const char *one = getenv("REGISTRY_AUTH_FILE"), *home = getenv("HOME"), *docker = getenv("DOCKER_CONFIG");
    if (one && *one) {
        strv_add(&v, one);
        return v;
    }
    add_path(&v, getenv("XDG_RUNTIME_DIR"), "containers/auth.json");
    add_path(&v, home, ".config/containers/auth.json");
    if (docker && *docker)
        add_path(&v, docker, "config.json");
    else
        add_path(&v, home, ".docker/config.json");
    return v;
}

/* ---- whose file ---- */
static int check_owner(const char *path, const struct stat *st, struct err *e)
{
    if (st->st_uid != geteuid() && st->st_uid != 0) {
        err_set(e, ERR_DENIED, EPERM, "%s: belongs to another user (%u)", path, (unsigned)st->st_uid);
        return err_hint(e, "REGISTRY_AUTH_FILE names another auth file");
    }
    if (st->st_mode & 022) {
        err_set(e, ERR_DENIED, EPERM, "%s: others may write it", path);
        return err_hint(e, "chmod 600 %s", path);
    }
    return 0;
}

/* 0 and NULL: not there, or not ours to read. */
static int read_auth(const char *path, json **out, struct err *e)
{
    struct stat st;
    auto_fd int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
        return 0;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(e, "%s", path);
    if (!S_ISREG(st.st_mode) || st.st_size > (off_t)FILE_MAX)
        return err_set(e, ERR_INVALID, EINVAL, "%s: no file of at most 1 MiB", path);
    int r = check_owner(path, &st, e);
    if (r < 0)
        return r;
    char *text = xcalloc(1, (size_t)st.st_size + 1);
    ssize_t n = fd_read_full(fd, text, (size_t)st.st_size);
    json *j = n > 0 ? js_parse(text, (size_t)n, NULL) : NULL; /* its complaint would quote the file */
    explicit_bzero(text, (size_t)st.st_size);
    free(text);
    if (n > 0 && js_type_of(j) != JS_OBJECT) {
        js_free(j);
        return err_set(e, ERR_INVALID, EINVAL, "%s: no JSON object", path);
    }
    *out = j;
    return 0;
}

/* ---- which entry ---- */
/* "https://index.docker.io/v1/" is what docker writes for docker.io: scheme and /v1/, /v2/ say nothing. */
static char *plain_key(const char *key)
{
    const char *scheme = strstr(key, "://");
    char *k = xstrdup(scheme ? scheme + 3 : key);
    size_t n = strlen(k);
    while (n && k[n - 1] == '/')
        k[--n] = '\0';
    if (n > 3 && (!strcmp(k + n - 3, "/v1") || !strcmp(k + n - 3, "/v2")))
        k[n - 3] = '\0';
    if (!strcmp(k, "index.docker.io") || !strcmp(k, "registry-1.docker.io")) {
        free(k);
        k = xstrdup("docker.io");
    }
    return k;
}

static json *entry_named(json *map, const char *want)
{
    if (js_type_of(map) != JS_OBJECT)
        return NULL;
    for (void *it = js_iter(map); it; it = js_next(map, it)) {
        auto_free char *key = plain_key(js_iter_key(it));
        if (!strcmp(key, want))
            return js_iter_value(it);
    }
    return NULL;
}

/* The most specific key: registry/a/b, registry/a, registry. */
static json *find_entry(json *map, const char *repository)
{
    auto_free char *want = xstrdup(repository);
    for (;;) {
        json *j = entry_named(map, want);
        char *slash = strrchr(want, '/');
        if (j || !slash)
            return j;
        *slash = '\0';
    }
}

/* ---- what it holds ---- */
static int digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *p = c ? strchr(digits, c) : NULL;
    return p ? (int)(p - digits) : -1;
}

/* NULL: no base64, or a NUL in it. */
static char *unbase64(const char *t)
{
    size_t n = strcspn(t, "="), out = 0;
    char *text = xcalloc(1, n + 1);
    unsigned bits = 0, have = 0;
    bool good = strspn(t + n, "=") == strlen(t + n) && strlen(t + n) <= 2 && n % 4 != 1;
    for (size_t i = 0; good && i < n; i++) {
        int d = digit(t[i]);
        good = d >= 0;
        bits = bits << 6 | (unsigned)d;
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        text[out] = (char)(bits >> have & 255);
        good = good && text[out++];
    }
    if (good)
        return text;
    explicit_bzero(text, n);
    free(text);
    return NULL;
}

static json *one_secret(const char *key, const char *secret)
{
    json *j = js_object();
    js_set_str(j, key, secret);
    return j;
}

static json *password(const char *user, const char *secret)
{
    json *j = one_secret("username", user);
    js_set_str(j, "password", secret);
    return j;
}

static json *from_auth_word(const char *word)
{
    char *text = unbase64(word);
    char *colon = text ? strchr(text, ':') : NULL;
    json *j = NULL;
    if (colon) {
        *colon = '\0';
        j = password(text, colon + 1);
        explicit_bzero(colon + 1, strlen(colon + 1));
    }
    free(text);
    return j;
}

/* 0 with *out NULL: an entry without a login (docker leaves {} where a helper has it). */
static int from_entry(json *entry, const char *path, const char *repository, json **out, struct err *e)
{
    const char *identity = js_get_str(entry, "identitytoken", ""),
               *token = js_get_str(entry, "registrytoken", "");
    const char *word = js_get_str(entry, "auth", ""), *user = js_get_str(entry, "username", "");
    if (strlen(identity) > SECRET_MAX || strlen(token) > SECRET_MAX || strlen(word) > SECRET_MAX)
        return err_set(e, ERR_INVALID, EINVAL, "%s: the login for %s is too long", path, repository);
    if (*identity)
        *out = one_secret("identity_token", identity);
    else if (*token)
        *out = one_secret("registry_token", token);
    else if (*word && !(*out = from_auth_word(word)))
        return err_set(e, ERR_INVALID, EINVAL, "%s: the login for %s is not base64 of USER:PASSWORD", path,
                       repository);
    else if (!*word && *user)
        *out = password(user, js_get_str(entry, "password", ""));
    return 0;
}

/* ---- helpers ---- */
static int from_helper(const char *name, const char *repository, const char *path, json **out, struct err *e)
{
    auto_free char *registry = xstrndup(repository, strcspn(repository, "/"));
    const char *asked = !strcmp(registry, "docker.io") ? "https://index.docker.io/v1/" : registry;
    auto_js json *answer = NULL;
    int r = cred_helper_get(name, asked, &answer, e);
    if (r < 0)
        return err_prefix(e, "%s", path);
    const char *user = js_get_str(answer, "Username", ""), *secret = js_get_str(answer, "Secret", "");
    if (answer && *secret)
        *out = !strcmp(user, "<token>") ? one_secret("identity_token", secret) : password(user, secret);
    return 0;
}

static int from_file(const char *path, const char *repository, json **out, struct err *e)
{
    auto_js json *j = NULL;
    int r = read_auth(path, &j, e);
    if (r < 0 || !j)
        return r;
    const char *helper = js_str_of(find_entry(js_get(j, "credHelpers"), repository), NULL);
    if (!helper)
        helper = js_get_str(j, "credsStore", NULL);
    if (helper && *helper && ((r = from_helper(helper, repository, path, out, e)) < 0 || *out))
        return r;
    json *entry = find_entry(js_get(j, "auths"), repository);
    return entry ? from_entry(entry, path, repository, out, e) : 0;
}

int cred_find(char *const *files, const char *repository, json **out, struct err *e)
{
    json *found = NULL;
    for (char *const *f = files; f && *f && !found; f++) {
        int r = from_file(*f, repository, &found, e);
        if (r < 0)
            return r;
    }
    *out = found;
    return 0;
}
