/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transfers with a registry that misbehaves (naughty_registry.py) and with Debian's docker-registry, through the real cage, in a
 * network namespace of its own. After each refusal the store holds no blob that is not what its name says. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "storage/internal.h"
#include "storage/registry.h"
#include "storage/store.h"
#include "tests/unit/tap.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define HERE "tests/unit/storage/"
static char top[] = "/tmp/zoned-registry.XXXXXX";
static char digest[IMG_DIGEST_MAX];
static unsigned reports, exists;
static bool whole;

static struct img_store *new_store(const char *name)
{
    auto_free char *dir = xasprintf("%s/%s", top, name);
    struct stor_pool *p = NULL;
    struct img_store *s = NULL;
    struct err e = {0};
    if (stor_pool_open(dir, &p, &e) < 0 || img_store_open(p, &s, &e) < 0) {
        printf("Bail out! %s\n", e.text);
        exit(1);
    }
    stor_pool_free(p);
    return s;
}

static void count_report(void *arg, const struct img_progress *p)
{
    reports++;
    exists += !strcmp(p->phase, "exists") || !strcmp(p->phase, "mounted");
}

static int do_pull(const struct reg_job *j, void *arg, void *answer, struct err *e)
{
    return reg_pull(j, arg, answer, e);
}

static int do_push(const struct reg_job *j, void *arg, void *answer, struct err *e)
{
    return reg_push(j, arg, e);
}

static int pull(struct img_store *s, const char *text, const struct img_transfer_options *o,
                struct img_desc *d, struct err *e)
{
    struct img_ref ref auto_done(img_ref_done) = {0};
    struct reg_job j = {.store = s, .options = o, .report = count_report};
    reports = exists = 0;
    int r = img_ref_parse(text, &ref, e);
    return r < 0 ? r : reg_in_cage(s->fd, do_pull, &j, &ref, d, sizeof(*d), e);
}

/* Every blob is what its name says; how many there are and parts are left. */
static bool intact(struct img_store *s, unsigned *blobs, unsigned *parts)
{
    auto_dir DIR *d = fdopendir(openat(s->fd, "blobs/sha256", O_RDONLY | O_DIRECTORY));
    auto_dir DIR *t = fdopendir(openat(s->fd, "staging", O_RDONLY | O_DIRECTORY));
    bool good = true;
    *blobs = *parts = 0;
    for (struct dirent *e; (e = readdir(d));) {
        struct img_desc k = {0};
        auto_free char *text = NULL;
        if (e->d_name[0] == '.')
            continue;
        snprintf(k.digest, sizeof(k.digest), "sha256:%.64s", e->d_name);
        good &= img_blob_read(s, &k, 1u << 30, &text, NULL) == 0;
        ++*blobs;
    }
    for (struct dirent *e; (e = readdir(t));)
        *parts += e->d_name[0] != '.';
    return good;
}

static const struct img_credential login = {IMG_PASSWORD, "user", "pa ss"},
                                   wrong_login = {IMG_PASSWORD, "user", "geheim"};

/* On a busy machine everybody is slow: only those that stall are given little time. */
static unsigned stalls(const char *repo)
{
    return !strcmp(repo, "stall") || !strcmp(repo, "dead") ? 1 : 0;
}

struct refusal {
    const char *repo;
    const struct img_credential *login;
    enum err_kind kind;
    const char *words;
    int r, out;
    bool whole;
    unsigned blobs, parts;
    struct err e;
};

static void try_refusal(struct refusal *f)
{
    struct img_transfer_options o = {.credential = f->login, .stall_seconds = stalls(f->repo)};
    struct img_desc d = {0};
    auto_free char *name = xasprintf("bad-%s", f->repo);
    auto_free char *ref = xasprintf("127.0.0.1:5001/%s:1", f->repo);
    struct img_store *s = new_store(name);
    f->r = pull(s, ref, &o, &d, &f->e);
    f->whole = intact(s, &f->blobs, &f->parts);
    img_store_free(s);
}

static void judge_refusal(const struct refusal *f)
{
    const struct err *e = &f->e;
    if (!ok(f->r < 0 && e->kind == f->kind && strstr(e->text, f->words), "%s is refused", f->repo))
        printf("#   got %d kind %d\n", f->r, e->kind);
    printf("# %s%s%s\n", e->text, e->hint[0] ? " / " : "", e->hint);
    ok(f->whole && !strstr(e->text, "geheim") && !strstr(e->text, "dXNlc"),
       "  store intact (%u blobs, %u parts), no secret told", f->blobs, f->parts);
}

/* In a process of its own: those that take long go beside the others. */
static void start_refusal(struct refusal *f)
{
    int p[2];
    if (pipe2(p, O_CLOEXEC) < 0)
        abort();
    if (fork() == 0) {
        try_refusal(f);
        _exit(write(p[1], f, sizeof(*f)) != sizeof(*f));
    }
    close(p[1]);
    f->out = p[0];
}

static void end_refusal(struct refusal *f)
{
    int out = f->out;
    if (read(out, f, sizeof(*f)) != sizeof(*f))
        f->r = 0;
    close(out);
    judge_refusal(f);
}

static void refused(const char *repo, const struct img_credential *k, enum err_kind kind, const char *words)
{
    struct refusal f = {repo, k, kind, words, .r = 0};
    try_refusal(&f);
    judge_refusal(&f);
}

static void taken(const char *repo, const struct img_credential *k, unsigned blobs)
{
    struct img_transfer_options o = {.credential = k, .stall_seconds = stalls(repo)};
    struct img_desc d = {0};
    struct err e = {0};
    unsigned there = 0, parts = 0;
    auto_free char *name = xasprintf("good-%s", repo);
    struct img_store *s = new_store(name);
    auto_free char *ref = xasprintf("127.0.0.1:5001/%s:1", repo);
    int r = pull(s, ref, &o, &d, &e);
    if (!ok(r == 0 && !strcmp(d.digest, digest), "%s comes", repo))
        printf("#   %d %s\n", r, e.text);
    whole = intact(s, &there, &parts);
    ok(whole && there == blobs && !parts && reports, "  %u blobs, %u parts", there, parts);
    err_clear(&e);
    uint64_t t = clock_mono_us();
    r = pull(s, ref, &o, &d, &e);
    ok(r == 0 && exists == 6, "  again: all is there (%.1f ms)", (double)(clock_mono_us() - t) / 1e3);
    img_store_free(s);
}

static void misbehaviour(void)
{
    taken("good", NULL, 7);
    taken("index", NULL, 8);
    taken("nested", NULL, 9);
    taken("reset", NULL, 7);
    taken("norange", NULL, 7);
    taken("stall", NULL, 7);
    taken("flaky", NULL, 7);
    taken("bearer", &login, 7);
    taken("expires", &login, 7);
    taken("basic", &login, 7);
    taken("redirect", &login, 7);
    refused("s401", NULL, ERR_DENIED, "401");
    refused("s403", NULL, ERR_DENIED, "403");
    refused("s404", NULL, ERR_NOT_FOUND, "404");
    refused("s429", NULL, ERR_LIMIT, "429");
    refused("bearer", NULL, ERR_DENIED, "login");
    refused("bearer", &wrong_login, ERR_DENIED, "login");
    refused("basic", &wrong_login, ERR_DENIED, "401");
    refused("evilrealm", &login, ERR_INVALID, "token server");
    refused("circle", NULL, ERR_INVALID, "circle");
    refused("file", NULL, ERR_INVALID, "address");
    refused("more", NULL, ERR_INVALID, "announced");
    refused("wrong", NULL, ERR_INVALID, "wrong digest");
    refused("liar", NULL, ERR_INVALID, "wrong digest");
    refused("short", NULL, ERR_INVALID, "announced");
    refused("otherrange", NULL, ERR_INVALID, "other bytes");
    refused("huge", NULL, ERR_LIMIT, "larger than");
    refused("headers", NULL, ERR_INVALID, "headers");
    refused("empty", NULL, ERR_INVALID, "empty");
    refused("words", NULL, ERR_INVALID, "manifest");
    refused("deep", NULL, ERR_INVALID, "manifest");
    refused("unknown", NULL, ERR_UNSUPPORTED, "layer.v9.rar");
    refused("many", NULL, ERR_LIMIT, "1000 layers");
    refused("foreign", NULL, ERR_NOT_FOUND, "linux/amd64");
    refused("lying", NULL, ERR_INVALID, "bytes where the index says");
    refused("schema1", NULL, ERR_UNSUPPORTED, "schema 1");
    struct img_desc d;
    struct err e = {0};
    struct img_store *s = new_store("nobody");
    ok(pull(s, "localhost:5999/x", &(struct img_transfer_options){0}, &d, &e) < 0 && e.kind == ERR_INTERNAL,
       "nobody there: %s", e.text);
    err_clear(&e);
    auto_free char *bad = xasprintf("localhost:5001/good@sha256:%064d", 0);
    ok(pull(s, bad, &(struct img_transfer_options){0}, &d, &e) < 0 && strstr(e.text, "wrong digest"),
       "a pinned digest: %s", e.text);
    err_clear(&e);
    auto_free char *pinned = xasprintf("localhost:5001/good:1@%s", digest);
    is_int(pull(s, pinned, &(struct img_transfer_options){0}, &d, &e), 0, "the right one comes");
    img_store_free(s);
}

/* The network's process is killed at any instant: parts only, and the last run goes on with them. */
static void killed(unsigned rounds)
{
    struct img_transfer_options o = {0};
    struct img_store *s = new_store("killed");
    struct img_desc d = {0};
    struct err e = {0};
    unsigned blobs = 0, parts = 0, bad = 0, most = 0;
    for (unsigned i = 0; i < rounds; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            pull(s, "127.0.0.1:5001/slow:1", &o, &d, &e);
            _exit(0);
        }
        usleep(10000 + (unsigned)random() % 150000);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        bad += !intact(s, &blobs, &parts);
        most = parts > most ? parts : most;
        if (blobs >= 7)
            for (const char *const *n = (const char *const[]){"blobs/sha256", NULL}; *n; n++) {
                path_remove_tree(s->fd, *n, NULL);
                mkdirat(s->fd, *n, 0700);
            }
    }
    is_int(bad, 0, "killed %u times: every blob is whole (at most %u parts)", rounds, most);
    is_int(pull(s, "127.0.0.1:5001/slow:1", &o, &d, &e), 0, "the last pull goes on %s", e.text);
    whole = intact(s, &blobs, &parts);
    ok(whole && blobs == 7 && parts == 0, "%u blobs, no part left", blobs);
    img_store_free(s);
}

static long fetch_count(const char *repo)
{
    auto_free char *command = xasprintf("curl -s http://127.0.0.1:5001/count/%s", repo);
    FILE *f = popen(command, "r");
    long n = -1;
    if (fscanf(f, "%ld", &n) != 1)
        n = -1;
    pclose(f);
    return n;
}

static void two_at_once(void)
{
    struct img_transfer_options o = {0};
    struct img_store *s = new_store("twice");
    struct img_desc d;
    int status[4], bad = 0;
    pid_t pid[4];
    long before = fetch_count("slow"); /* the killed ones */
    for (unsigned i = 0; i < 4; i++)
        if ((pid[i] = fork()) == 0)
            _exit(pull(s, "127.0.0.1:5001/slow:1", &o, &d, NULL) == 0 ? 0 : 1);
    for (unsigned i = 0; i < 4; i++) {
        waitpid(pid[i], &status[i], 0);
        bad += status[i];
    }
    is_int(bad, 0, "four pulls at once");
    is_int(fetch_count("slow") - before, 6, "every blob was fetched once");
    img_store_free(s);
}

/* ---- the cage ---- */
struct attack {
    bool unix_socket, raw_socket, write_etc, read_proc, forks, kills, execs, traces, stdio;
};

static bool touches(const char *path, int flags)
{
    auto_fd int fd = open(path, flags | O_CLOEXEC, 0600);
    return fd >= 0;
}

static int attack(const struct reg_job *j, void *arg, void *answer, struct err *e)
{
    struct attack *a = answer;
    struct stat st;
    auto_free char *canary = xasprintf("%s/canary", top);
    auto_fd int u = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto_fd int raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, 1);
    a->unix_socket = u >= 0;
    a->raw_socket = raw >= 0;
    a->write_etc = touches(canary, O_WRONLY | O_CREAT);
    a->read_proc = touches("/proc/self/environ", O_RDONLY);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    a->forks = pid > 0;
    a->kills = kill(getppid(), 0) == 0;
    a->traces = prctl(PR_GET_DUMPABLE) > 0;
    a->stdio = fstat(1, &st) == 0 && !S_ISCHR(st.st_mode);
    if (arg)
        execl("/bin/true", "true", (char *)NULL);
    return 0;
}

static void cage(void)
{
    struct attack in = {0}, out = {0};
    struct err e = {0};
    struct img_store *s = new_store("cage");
    struct reg_job j = {.store = s};
    is_int(reg_in_cage(s->fd, attack, &j, &in, &in, sizeof(in), &e), 0,
           "the cage's work ends, its exec refused %s", e.text);
    ok(!in.unix_socket && !in.raw_socket, "no Unix socket, no raw socket");
    ok(!in.write_etc && !in.read_proc, "no file elsewhere, no /proc");
    ok(!in.forks && !in.kills && !in.traces, "no process, no signal, no dump");
    ok(!in.stdio, "its standard output is nobody's");
    attack(&j, NULL, &out, &e);
    ok(out.unix_socket && out.raw_socket && out.write_etc && out.read_proc && out.forks && out.kills,
       "outside all that works");
    img_store_free(s);
}

/* ---- Debian's docker-registry ---- */
static void put(struct img_store *s, const char *type, size_t n, unsigned seed, struct img_desc *d)
{
    auto_free char *data = xcalloc(1, n);
    srandom(seed);
    for (size_t i = 0; i < n; i++)
        data[i] = (char)random();
    img_blob_put(s, type, data, n, d, NULL);
}

static void make_image(struct img_store *s, struct img_image *i)
{
    static const size_t sizes[] = {10, 100000, 70u << 20};
    struct str m = {0};
    i->nlayers = 3;
    i->layers = xcalloc(3, sizeof(*i->layers));
    img_blob_put(s, "application/vnd.oci.image.config.v1+json", "{\"os\":\"linux\"}", 14, &i->config, NULL);
    str_addf(&m,
             "{ \"schemaVersion\":2,\n "
             "\"config\":{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%llu},\"layers\":[",
             i->config.media_type, i->config.digest, (unsigned long long)i->config.size);
    for (unsigned k = 0; k < 3; k++) {
        struct img_desc *b = &i->layers[k].blob;
        put(s, "application/vnd.oci.image.layer.v1.tar", sizes[k], k + 1, b);
        str_addf(&m, "%s{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%llu}", k ? "," : "", b->media_type,
                 b->digest, (unsigned long long)b->size);
    }
    str_add(&m, "]}\n\n");
    img_blob_put(s, "application/vnd.oci.image.manifest.v1+json", m.p, m.len, &i->manifest, NULL);
    str_done(&m);
}

static int push_with(struct img_store *s, const struct img_image *i, const char *to, const char *from,
                     const struct img_transfer_options *o, struct err *e)
{
    struct img_ref ref auto_done(img_ref_done) = {0};
    struct reg_job j = {.store = s, .options = o, .report = count_report};
    struct reg_push_plan plan = {.image = i, .target = &ref, .mount_from = from};
    reports = exists = 0;
    int r = img_ref_parse(to, &ref, e);
    return r < 0 ? r : reg_in_cage(s->fd, do_push, &j, &plan, NULL, 0, e);
}

static int push(struct img_store *s, const struct img_image *i, const char *to, const char *from,
                struct err *e)
{
    return push_with(s, i, to, from, &(struct img_transfer_options){0}, e);
}

static void real_registry(void)
{
    struct img_store *s = new_store("push"), *t = new_store("pushed");
    struct img_image i auto_done(img_image_done) = {0};
    struct img_desc d = {0};
    struct err e = {0};
    unsigned blobs, parts;
    make_image(s, &i);
    ok(push(s, &i, "localhost:5003/a/b:1", NULL, &e) == 0,
       "pushed to docker-registry, the large layer in chunks %s", e.text);
    is_int(exists, 0, "  nothing was there");
    ok(push(s, &i, "localhost:5003/a/b:2", NULL, &e) == 0 && exists == 4,
       "again: all four blobs are there %s", e.text);
    ok(push(s, &i, "localhost:5003/c:1", "a/b", &e) == 0 && exists == 4, "to another repository: mounted %s",
       e.text);
    ok(push(s, &i, "localhost:5003/d:1", "no/such", &e) == 0 && exists == 0,
       "a mount that cannot be: uploaded %s", e.text);
    ok(pull(t, "localhost:5003/c:1", &(struct img_transfer_options){0}, &d, &e) == 0, "pulled back %s",
       e.text);
    is_str(d.digest, i.manifest.digest, "the manifest is the same, byte by byte");
    whole = intact(t, &blobs, &parts);
    ok(whole && blobs == 5 && !parts, "%u blobs", blobs);
    ok(system("skopeo copy -q --preserve-digests --src-tls-verify=false --dest-tls-verify=false "
              "docker://localhost:5003/c:1 docker://localhost:5003/by/skopeo:1") == 0 &&
           pull(t, "localhost:5003/by/skopeo:1", &(struct img_transfer_options){0}, &d, &e) == 0 &&
           !strcmp(d.digest, i.manifest.digest),
       "skopeo takes it and gives it back, the manifest the same %s", e.text);
    ok(push(s, &i, "localhost:5001/good:1", NULL, &e) < 0 && err_is(&e), "a registry that takes no push: %s",
       e.text);
    img_store_free(s);
    img_store_free(t);
}

static pid_t spawn(char *const *argv, bool quiet, int *out, int *in)
{
    int o[2], i[2];
    if (pipe2(o, O_CLOEXEC) < 0 || pipe2(i, O_CLOEXEC) < 0)
        abort();
    pid_t pid = fork();
    if (pid == 0) {
        dup2(i[0], 0);
        dup2(o[1], 1);
        if (quiet)
            dup2(open("/dev/null", O_WRONLY), 2);
        execvp(argv[0], argv);
        _exit(127);
    }
    close(i[0]);
    close(o[1]);
    *out = o[0];
    *in = i[1];
    return pid;
}

/* more: the section of TLS, and then a login is needed too. */
static pid_t start_registry(unsigned port, const char *more)
{
    int out, in;
    auto_free char *config = xasprintf("%s/registry-%u.yml", top, port);
    auto_free char *text =
        xasprintf("version: 0.1\nstorage: {filesystem: {rootdirectory: %s/registry}}\n"
                  "log: {level: error}\n%shttp:\n  addr: '127.0.0.1:%u'\n%s",
                  top, *more ? "auth: {htpasswd: {realm: us, path: htpasswd}}\n" : "", port, more);
    auto_free char *reach =
        xasprintf("curl -kso /dev/null http%s://127.0.0.1:%u/v2/", *more ? "s" : "", port);
    file_create(AT_FDCWD, config, text, strlen(text), 0600, NULL);
    char *argv[] = {(char *)"docker-registry", (char *)"serve", config, NULL};
    pid_t pid = spawn(argv, true, &out, &in);
    for (unsigned k = 0; k < 200 && system(reach) != 0; k++)
        usleep(50000);
    return pid;
}

/* An authority of our own, a server's certificate of it, a login. */
static void make_certificates(void)
{
    static const char script[] = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "
                                 "30 -subj /CN=ours -keyout ca.key -out ca.pem\n"
                                 "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "
                                 "/CN=localhost -keyout key.pem -out req.pem\n"
                                 "echo subjectAltName=DNS:localhost >ext\n"
                                 "openssl x509 -req -in req.pem -CA ca.pem -CAkey ca.key -CAcreateserial "
                                 "-days 30 -extfile ext -out cert.pem\n"
                                 "htpasswd -Bbn user 'pa ss' >htpasswd\n";
    auto_free char *command = xasprintf("cd %s && { %s } >/dev/null 2>&1", top, script);
    ok(system(command) == 0 && chdir(top) == 0, "certificates and logins are made");
}

static void secured_registry(void)
{
    auto_free char *tls = xasprintf("  tls: {certificate: %s/cert.pem, key: %s/key.pem}\n", top, top);
    auto_free char *ca = NULL;
    struct img_image i auto_done(img_image_done) = {0};
    struct img_desc d = {0};
    struct err e = {0};
    make_certificates();
    file_read(AT_FDCWD, "ca.pem", 65536, &ca, NULL, NULL);
    pid_t pid = start_registry(5004, tls);
    struct img_store *s = new_store("push-tls"), *t = new_store("pushed-tls");
    struct img_transfer_options both = {.ca_pem = ca, .credential = &login}, no_login = {.ca_pem = ca},
                                wrong = {.ca_pem = ca, .credential = &wrong_login},
                                no_ca = {.credential = &login};
    make_image(s, &i);
    static const char ref[] = "localhost:5004/secret/a:1";
    ok(push_with(s, &i, ref, NULL, &both, &e) == 0,
       "TLS with an authority of our own, and a login: pushed %s", e.text);
    ok(pull(t, ref, &no_login, &d, &e) < 0 && e.kind == ERR_DENIED && strstr(e.hint, "log in first"),
       "no login: %s", e.text);
    err_clear(&e);
    ok(pull(t, ref, &wrong, &d, &e) < 0 && e.kind == ERR_DENIED && !strstr(e.text, "geheim"),
       "a wrong login: %s", e.text);
    err_clear(&e);
    ok(pull(t, ref, &no_ca, &d, &e) < 0 && strstr(e.text, "certificate") && strstr(e.hint, "--ca"),
       "an authority that nobody knows: %s", e.text);
    err_clear(&e);
    ok(pull(t, "127.0.0.1:5004/secret/a:1", &both, &d, &e) < 0 && strstr(e.text, "127.0.0.1"),
       "a certificate for another name: %s", e.text);
    err_clear(&e);
    ok(pull(t, ref, &both, &d, &e) == 0 && !strcmp(d.digest, i.manifest.digest),
       "pulled, the manifest the same %s", e.text);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    img_store_free(s);
    img_store_free(t);
}

int main(int argc, char **argv)
{
    int out, in;
    char line[200] = {0};
    unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 12;
    if (unshare(CLONE_NEWNET) < 0 || system("ip link set lo up") != 0 || !mkdtemp(top)) {
        puts("Bail out! root and ip are needed");
        return 1;
    }
    char *const naughty[] = {(char *)"python3", (char *)HERE "naughty_registry.py", (char *)"5001",
                             (char *)"5002", NULL};
    pid_t bad = spawn(naughty, false, &out, &in), good = start_registry(5003, "");
    auto_file FILE *said = fdopen(out, "r");
    if (!said || !fgets(line, sizeof(line), said) || sscanf(line, "ready %135s", digest) != 1) {
        puts("Bail out! the registry of the test does not start");
        return 1;
    }
    struct refusal slow[] = {{"dead", NULL, ERR_INTERNAL, "cut off", .r = 0},
                             {"s500", NULL, ERR_INTERNAL, "500", .r = 0},
                             {"shortnorange", NULL, ERR_INTERNAL, "less than it announced", .r = 0}};
    for (unsigned i = 0; i < ARRAY_LEN(slow); i++)
        start_refusal(&slow[i]);
    cage();
    misbehaviour();
    killed(rounds);
    two_at_once();
    real_registry();
    secured_registry();
    for (unsigned i = 0; i < ARRAY_LEN(slow); i++)
        end_refusal(&slow[i]);
    kill(bad, SIGKILL);
    kill(good, SIGKILL);
    waitpid(bad, NULL, 0);
    waitpid(good, NULL, 0);
    auto_fd int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (chdir("/") < 0)
        return 1;
    is_int(path_remove_tree(tmp, top + 5, NULL), 0, "nothing is left");
    return done_testing();
}
