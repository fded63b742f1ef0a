/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Logins from docker's and containers' auth files: which file, which entry, whose file; helpers; nothing secret in an error. */
#include "base/auto.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/unit/tap.h"
#include "zoned/api/credentials.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char top[] = "/tmp/zoned-cred.XXXXXX";

static char *write_file(const char *name, const char *text, mode_t mode)
{
    char *path = xasprintf("%s/%s", top, name);
    unlink(path);
    file_create(AT_FDCWD, path, text, strlen(text), mode, NULL);
    chmod(path, mode);
    return path;
}

/* want: the login as JSON; "" none; else a part of the error. */
static void look(const char *text, const char *repository, const char *want)
{
    auto_free char *path = write_file("auth.json", text, 0600);
    char *const files[] = {path, NULL};
    auto_js json *j = NULL;
    struct err e = {0};
    int r = cred_find(files, repository, &j, &e);
    auto_free char *got = j ? js_dump(j, false) : NULL;
    bool good = *want == '{' ? r == 0 && str_eq(got, want)
                : *want      ? r < 0 && strstr(e.text, want)
                             : r == 0 && !j;
    if (!ok(good && !strstr(e.text, "s3cret"), "%s in %.60s", repository, text))
        printf("#   got %s, error \"%s\"\n", got ? got : "none", e.text);
}

#define U "{\"username\":\"u\",\"password\":\"p\"}"
static void entries(void)
{
    look("{\"auths\":{\"localhost:5000\":{\"auth\":\"dTpw\"}}}", "localhost:5000/a/b", U);
    look("{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"dTpw\"}}}", "docker.io/library/nginx", U);
    look("{\"auths\":{\"docker.io\":{\"auth\":\"dTpw\"}}}", "docker.io/library/nginx", U);
    look("{\"auths\":{\"https://r.example/v2/\":{\"auth\":\"dTpw\"}}}", "r.example/x", U);
    look("{\"auths\":{\"r.example\":{\"auth\":\"eDp5\"},\"r.example/a\":{\"auth\":\"dTpw\"}}}",
         "r.example/a/b", U);
    look("{\"auths\":{\"r.example\":{\"auth\":\"dTpw\"},\"r.example/a\":{\"auth\":\"eDp5\"}}}",
         "r.example/ab/c", U);
    look("{\"auths\":{\"r.example:443\":{\"auth\":\"dTpw\"}}}", "r.example/x", "");
    look("{\"auths\":{\"evil.r.example\":{\"auth\":\"dTpw\"}}}", "r.example/x", "");
    look("{\"auths\":{\"r\":{\"auth\":\"dTpwOnE=\"}}}", "r/x", "{\"username\":\"u\",\"password\":\"p:q\"}");
    look("{\"auths\":{\"r\":{\"auth\":\"dTo=\"}}}", "r/x", "{\"username\":\"u\",\"password\":\"\"}");
    look("{\"auths\":{\"r\":{\"username\":\"u\",\"password\":\"p\"}}}", "r/x", U);
    look("{\"auths\":{\"r\":{\"auth\":\"dTpw\",\"identitytoken\":\"t\"}}}", "r/x",
         "{\"identity_token\":\"t\"}");
    look("{\"auths\":{\"r\":{\"registrytoken\":\"t\"}}}", "r/x", "{\"registry_token\":\"t\"}");
    look("{\"auths\":{\"r\":{}}}", "r/x", "");
    look("{}", "r/x", "");
    look("", "r/x", "");
    look("{\"auths\":[]}", "r/x", "");
    look("{\"auths\":{\"r\":\"s3cret\"}}", "r/x", "");
    look("{\"auths\":{\"r\":{\"auth\":\"s3cret!\"}}}", "r/x", "not base64");
    look("{\"auths\":{\"r\":{\"auth\":\"dQ==\"}}}", "r/x", "not base64");
    look("{\"auths\":{\"r\":{\"auth\":\"dTpwAA==\"}}}", "r/x", "not base64");
    look("{\"auths\":{\"r\":{\"auth\":\"dTpw=====\"}}}", "r/x", "not base64");
    look("{\"auths\" s3cret", "r/x", "no JSON");
    look("[\"s3cret\"]", "r/x", "no JSON");
}

static void owners(void)
{
    static const struct {
        mode_t mode;
        uid_t owner;
        const char *want;
    } rows[] = {{0600, 0, NULL},
                {0640, 0, NULL},
                {0644, 0, NULL},
                {0620, 0, "others may write"},
                {0602, 0, "others may write"},
                {0600, 1234, "another user"}};
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        auto_free char *path =
            write_file("mode.json", "{\"auths\":{\"r\":{\"auth\":\"dTpw\"}}}", rows[i].mode);
        char *const files[] = {path, NULL};
        auto_js json *j = NULL;
        struct err e = {0};
        if (chown(path, rows[i].owner, 0) < 0)
            puts("# chown");
        int r = cred_find(files, "r/x", &j, &e);
        ok(rows[i].want ? r < 0 && e.kind == ERR_DENIED && strstr(e.text, rows[i].want) && e.hint[0]
                        : r == 0 && j,
           "mode %o of %u: %s", rows[i].mode, rows[i].owner, err_is(&e) ? e.text : "taken");
    }
    auto_free char *fifo = xasprintf("%s/fifo", top);
    mkfifo(fifo, 0600);
    char *const files[] = {fifo, NULL};
    auto_js json *j = NULL;
    struct err e = {0};
    ok(cred_find(files, "r/x", &j, &e) < 0 && strstr(e.text, "no file"),
       "a fifo is refused and does not block");
}

static void order(void)
{
    auto_free char *one = write_file("one.json", "{\"auths\":{\"q\":{\"auth\":\"eDp5\"}}}", 0600);
    auto_free char *two =
        write_file("two.json", "{\"auths\":{\"r\":{\"auth\":\"dTpw\"},\"q\":{\"auth\":\"dTpw\"}}}", 0600);
    char *const files[] = {(char *)"/nonexistent/auth.json", one, two, NULL};
    auto_js json *a = NULL;
    auto_js json *b = NULL;
    ok(cred_find(files, "r/x", &a, NULL) == 0 && a, "the second file has it");
    ok(cred_find(files, "q/x", &b, NULL) == 0 && str_eq(js_get_str(b, "username", NULL), "x"),
       "the first file wins");
    setenv("HOME", "/home/x", 1);
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    unsetenv("DOCKER_CONFIG");
    unsetenv("REGISTRY_AUTH_FILE");
    char **v = cred_files();
    auto_free char *all = strv_join(v, " ");
    is_str(
        all,
        "/run/user/7/containers/auth.json /home/x/.config/containers/auth.json /home/x/.docker/config.json",
        "the files' order");
    strv_free(v);
    setenv("DOCKER_CONFIG", "/d", 1);
    setenv("HOME", "", 1);
    v = cred_files();
    auto_free char *docker = strv_join(v, " ");
    is_str(docker, "/run/user/7/containers/auth.json /d/config.json", "DOCKER_CONFIG, and no HOME");
    strv_free(v);
    setenv("REGISTRY_AUTH_FILE", "/f", 1);
    v = cred_files();
    ok(strv_len(v) == 1 && !strcmp(v[0], "/f"), "REGISTRY_AUTH_FILE alone");
    strv_free(v);
}

static void helpers(void)
{
    auto_free char *path = xasprintf("%s:%s", top, getenv("PATH"));
    setenv("PATH", path, 1);
    free(write_file("docker-credential-good",
                    "#!/bin/sh\n[ $1 = get ] || exit 9\nread s\nprintf "
                    "'{\"ServerURL\":\"%s\",\"Username\":\"%s\",\"Secret\":\"p\"}' $s $s\n",
                    0755));
    free(write_file("docker-credential-token",
                    "#!/bin/sh\necho '{\"Username\":\"<token>\",\"Secret\":\"t\"}'\n", 0755));
    free(write_file("docker-credential-none",
                    "#!/bin/sh\necho credentials not found in native keychain; exit 1\n", 0755));
    free(write_file("docker-credential-fails", "#!/bin/sh\necho s3cret; exit 1\n", 0755));
    free(write_file("docker-credential-words", "#!/bin/sh\necho s3cret\n", 0755));
    free(write_file("docker-credential-floods", "#!/bin/sh\nexec yes s3cret\n", 0755));
    look("{\"credHelpers\":{\"r.example\":\"good\"}}", "r.example/x",
         "{\"username\":\"r.example\",\"password\":\"p\"}");
    look("{\"credsStore\":\"good\"}", "docker.io/library/x",
         "{\"username\":\"https://index.docker.io/v1/\",\"password\":\"p\"}");
    look("{\"credsStore\":\"token\",\"auths\":{\"r\":{}}}", "r/x", "{\"identity_token\":\"t\"}");
    look("{\"credsStore\":\"good\",\"credHelpers\":{\"r\":\"token\"}}", "r/x", "{\"identity_token\":\"t\"}");
    look("{\"credsStore\":\"none\",\"auths\":{\"r\":{\"auth\":\"dTpw\"}}}", "r/x", U);
    look("{\"credsStore\":\"none\"}", "r/x", "");
    look("{\"credsStore\":\"fails\"}", "r/x", "docker-credential-fails failed");
    look("{\"credsStore\":\"words\"}", "r/x", "no JSON object");
    look("{\"credsStore\":\"floods\"}", "r/x", "docker-credential-floods");
    look("{\"credsStore\":\"missing\"}", "r/x", "not installed");
    look("{\"credsStore\":\"../../tmp/evil\"}", "r/x", "credential helper");
    look("{\"credHelpers\":{\"r\":7}}", "r/x", "");
}

int main(void)
{
    if (!mkdtemp(top))
        return 1;
    entries();
    owners();
    order();
    helpers();
    auto_free char *clear = xasprintf("rm -rf %s", top);
    if (system(clear) != 0)
        return 1;
    return done_testing();
}
