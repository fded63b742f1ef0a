/* SPDX-License-Identifier: GPL-2.0-or-later */
/* zonectl's pure parts: argv to request, quoting, YAML, the escape of the console. It lives here because this
 * folder is what zonectl links. */
#include "cmd/zonectl/args.c"
#include "cmd/zonectl/elsewhere.c"
#include "cmd/zonectl/options.c"
#include "cmd/zonectl/stream.c"
#include "cmd/zonectl/yaml.c"
#include "tests/unit/tap.h"
#include <sys/wait.h>

int ctl_fail(struct ctl *c, const struct err *e, const struct problems *details, const char *what)
{
    return c->own_failure ? c->own_failure : err_exit_status(e->kind);
}
void ctl_help_verb(const struct ctl_verb *v, FILE *to)
{
}

/* The set of `words` as one line, parts joined by " ; ", or "error: …". */
static char *parsed(const char *const *words, struct ctl_create *k, bool run)
{
    char *argv[64];
    int argc = 0;
    for (; words[argc]; argc++)
        argv[argc] = (char *)words[argc];
    argv[argc] = NULL;
    struct err e = {0};
    enum ctl_format format = CTL_PLAIN;
    struct ctl_args a = {.argc = argc, .argv = argv, .format = &format};
    optind = 0;
    *k = (struct ctl_create){0};
    int r = ctl_parse_create(&a, run, k, &e);
    if (r < 0)
        return xasprintf("error: %s%s%s", e.text, e.hint[0] ? " / " : "", e.hint);
    return strv_join(k->set, " ; ");
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SET(run, want, ...)                                                                                  \
    do {                                                                                                     \
        struct ctl_create k_;                                                                                \
        char *got_ = parsed(WORDS(__VA_ARGS__), &k_, run);                                                   \
        is_str(got_, want, "%s", #__VA_ARGS__);                                                              \
        free(got_);                                                                                          \
        ctl_create_done(&k_);                                                                                \
    } while (0)

static void create_edits(void)
{
    SET(false, "cpu.shares=200 ; cpu.cap=1.5 ; cpu.set=\"0-3\" ; memory.cap=512M ; tasks=10", "create", "web",
        "--cpu-shares", "200", "--cpu-cap=1.5", "--cpus", "0-3", "--memory", "512M", "--tasks", "10");
    SET(false, "network[0].link=\"default\" ; network[0].ports[]=\"8080:80\" ; image=\"nginx:1\"", "create",
        "web", "--image", "nginx:1", "-p", "8080:80");
    SET(false, "network[0].link=\"lan\" ; network[0].address=\"10.0.0.5\" ; network[0].ports[]=\"1:2/udp\"",
        "create", "-p", "1:2/udp", "--address", "10.0.0.5", "--network", "lan", "web");
    SET(false, "network[0].ports[]=\"8080:80\"", "create", "web", "-f", "x.yaml", "-p", "8080:80");
    SET(false,
        "network[0].link=\"a\" ; network[1].link=\"b\" ; network[0].address=[\"10.0.0.5\", \"fd00::5\"]",
        "create", "w", "--network", "a", "--network", "b", "--address", "10.0.0.5", "--address", "fd00::5");
    SET(false, "filesystems[]={\"target\": \"/srv\", \"volume\": \"data\", \"mode\": \"rw\"}", "create", "w",
        "-v", "data:/srv");
    SET(false, "filesystems[]={\"target\": \"/b, c}\", \"bind\": \"/a\\\"x\", \"mode\": \"ro\"}", "create",
        "w", "-v", "/a\"x:/b, c}:ro");
    SET(false, "filesystems[]={\"target\": \"/t\", \"tmpfs\": 1M}", "create", "w", "--tmpfs", "/t:1M");
    SET(false, "process.env.A=\"1: {x}\\u000a\\u0007#\" ; labels.tier=\"web\"", "create", "w", "-e",
        "A=1: {x}\n\a#", "-l", "tier=web");
    SET(false, "process.env.A=\"\"", "create", "w", "-e", "A=");
    SET(false,
        "process.user=\"0\" ; process.cwd=\"/x\" ; restart.policy=\"on-failure\" ; restart.max=5 ; "
        "autoboot=true ; "
        "security.read_only_root=true",
        "create", "w", "-u", "0", "-w", "/x", "--restart", "on-failure:5", "--autoboot", "--read-only");
    SET(false, "process.args=[\"sh\", \"-c\", \"echo \\\"$A\\\"; x: [y]\"]", "create", "w", "--", "sh", "-c",
        "echo \"$A\"; x: [y]");
    SET(false, "io.weight=7 ; cpu.cap=", "create", "w", "--set", "io.weight=7", "--set", "cpu.cap=");
    SET(false, "memory.cap=\"lots]\"", "create", "w", "--memory", "lots]");
}

static void run_edits(void)
{
    SET(true, "image=\"busybox\" ; process.args=[\"ls\", \"-l\", \"--rm\"]", "run", "busybox", "ls", "-l",
        "--rm");
    SET(true, "image=\"b\" ; process.args=[\"-x\"]", "run", "b", "--", "-x");
    SET(true, "image=\"b\" ; process.terminal=true", "run", "-it", "b");
    struct ctl_create k;
    char *got = parsed(WORDS("run", "--name", "n", "--rm", "-i", "host", "true"), &k, true);
    ok(str_eq(k.name, "n") && k.rm && k.stdin_ && !k.tty && !k.detach, "flags of run");
    json *body = ctl_create_body(&k, NULL, true, 5, 6);
    char *text = js_dump(body, false);
    is_str(text,
           "{\"name\":\"n\",\"source\":null,\"set\":[\"image=\\\"host\\\"\",\"process.args=[\\\"true\\\"]\"],"
           "\"rm\":true,"
           "\"detach\":false,\"tty\":false,\"stdin\":true,\"rows\":5,\"cols\":6}",
           "body of run");
    free(text);
    free(got);
    js_free(body);
    ctl_create_done(&k);
}

static void refusals(void)
{
    SET(false, "error: the zone's name is missing", "create");
    SET(false, "error: b: one name is wanted; a command goes after --", "create", "a", "b");
    SET(false, "error: unknown option --memry / did you mean --memory?", "create", "a", "--memry", "1");
    SET(false, "error: unknown option -Z", "create", "a", "-Z");
    SET(false, "error: option --memory needs a value", "create", "a", "--memory");
    SET(false, "error: option -p needs a value", "create", "a", "-p");
    SET(false, "error: option --read-only=1 takes no value", "create", "a", "--read-only=1");
    SET(false, "error: -v x: SRC:DST[:ro] is wanted, DST with a leading slash", "create", "a", "-v", "x");
    SET(false, "error: -v x:/y:rx: unknown mode rx (ro, rw)", "create", "a", "-v", "x:/y:rx");
    SET(false, "error: -l x: KEY=VALUE is wanted", "create", "a", "-l", "x");
    SET(false, "error: --set x: KEY=VALUE is wanted", "create", "a", "--set", "x");
    SET(false, "error: unknown output format xml (table, json, yaml)", "create", "a", "-o", "xml");
    SET(false,
        "error: --cpus 1.5: a list of CPUs such as 0-3,6 is wanted / for the time of 1.5 CPUs: --cpu-cap 1.5",
        "create", "a", "--cpus", "1.5");
    SET(true,
        "error: --init --rm: a value is wanted, app or system / leave --init out: a small init (app) is PID "
        "1 as "
        "it is",
        "run", "--init", "--rm", "host", "true");
    SET(true, "init=\"system\" ; image=\"host\"", "run", "--init", "system", "host");
    SET(true, "error: an image is missing", "run");
    SET(true, "error: -d goes without -i and -t", "run", "-d", "-it", "x");
}

static void quoting(void)
{
    static const char *const words[] = {
        "", "a b", "\"\\", "\x7f\x01", "\xc2\x85\xc2\x9f", "\xe2\x80\xa8", "\xef\xbb\xbf", "é日"};
    for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
        char *q = ctl_quote(words[i]);
        json *back = js_parse(q, strlen(q), NULL);
        is_str(js_str_of(back, NULL), words[i], "quoted and read as JSON: %s", q);
        ok(!strpbrk(q, "\x7f\x01") && !strstr(q, "\xc2\x85"), "nothing that YAML refuses");
        js_free(back);
        free(q);
    }
}

static void yaml(void)
{
    const char *text = "{\"a\":[1,{\"b\":\"yes\",\"c\":[]},[\"x: "
                       "y\",null]],\"d\":{\"e\":\"1.5\",\"f\":\"plain words\"},\"g\":{}}";
    json *j = js_parse(text, strlen(text), NULL);
    struct str s = {0};
    ctl_yaml(j, &s);
    is_str(
        s.p,
        "a:\n- 1\n- b: \"yes\"\n  c: []\n- - \"x: y\"\n  - null\nd:\n  e: \"1.5\"\n  f: plain words\ng: {}\n",
        "YAML");
    str_done(&s);
    js_free(j);
}

static void escape(void)
{
    static const struct {
        const char *in, *out;
        bool leave;
    } cases[] = {{"ls\r~.", "ls\r", true}, {"~.", "", true},        {"a~.", "a~.", false},
                 {"~~.", "~.", false},     {"\n~x", "\n~x", false}, {"~\r~.x", "~\r", true},
                 {"~~~.", "~~.", false}};
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        for (int bytewise = 0; bytewise < 2; bytewise++) {
            struct ctl_escape st = {0};
            char out[64] = "";
            size_t m = 0, n = strlen(cases[i].in);
            bool leave = false;
            for (size_t k = 0; k < n && !leave; k += bytewise ? 1 : n)
                m += ctl_escape_keys(&st, cases[i].in + k, bytewise ? 1 : n, out + m, &leave);
            out[m] = '\0';
            is_str(out, cases[i].out, "escape %u", i);
            is_int(leave, cases[i].leave, "leaves %u", i);
        }
    }
}

/* A whole session over a socket pair: output, standard input, exit status; then a connection that breaks. */
static int session(const char *stdin_text, void (*peer)(int fd), char *out, size_t size)
{
    int s[2], in[2], o[2], ws = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) | pipe(in) | pipe(o))
        return -1;
    fflush(stdout);
    pid_t server = fork();
    if (server == 0) {
        close(s[0]);
        close(in[1]);
        close(o[1]);
        alarm(5);
        peer(s[1]);
        _exit(0);
    }
    pid_t client = fork();
    if (client == 0) {
        struct ctl c = {.own_failure = CTL_OWN_FAILURE};
        alarm(5);
        close(s[1]);
        close(in[1]);
        dup2(in[0], 0);
        dup2(o[1], 1);
        _exit(ctl_stream(&c, s[0], &(struct ctl_session){.stdin_ = stdin_text != NULL, .what = "run"}));
    }
    close(s[0]);
    close(s[1]);
    close(o[1]);
    close(in[0]);
    if (stdin_text && write(in[1], stdin_text, strlen(stdin_text)) < 0)
        return -1;
    close(in[1]);
    size_t n = 0;
    ssize_t r;
    while (n < size - 1 && (r = read(o[0], out + n, size - 1 - n)) > 0)
        n += (size_t)r;
    out[n] = '\0';
    close(o[0]);
    waitpid(server, NULL, 0);
    waitpid(client, &ws, 0);
    return WIFEXITED(ws) ? WEXITSTATUS(ws) : 1000 + WTERMSIG(ws);
}

/* Echoes until the end of the input, then leaves with 42. */
static void echo_peer(int fd)
{
    static struct api_frames f;
    enum api_frame_type t;
    const unsigned char *p;
    uint32_t n;
    for (;;) {
        int r = api_frames_next(&f, fd, &t, &p, &n);
        if (r < 0)
            _exit(1);
        if (r == 0)
            usleep(500);
        else if (t == API_STDIN)
            api_frame_send(fd, API_STDOUT, p, n);
        else if (t == API_EOF)
            break;
    }
    const char *last = "{\"exit_status\":42}";
    api_frame_send(fd, API_EXIT, last, (uint32_t)strlen(last));
}

static void garbage_peer(int fd)
{
    (void)!write(fd, "HTTP/1.1 200 OK", 15);
    usleep(100000);
}

static void closing_peer(int fd)
{
    api_frame_send(fd, API_STDOUT, "half", 4);
}

static void sessions(void)
{
    static char out[4096];
    is_int(session("hello\n~.\n", echo_peer, out, sizeof(out)), 42, "exit status");
    is_str(out, "hello\n~.\n", "echo; no escape without a terminal");
    is_int(session("", echo_peer, out, sizeof(out)), 42, "empty input is an end of file");
    is_int(session(NULL, closing_peer, out, sizeof(out)), 125, "a connection that ends early");
    is_str(out, "half", "what came before it");
    is_int(session(NULL, garbage_peer, out, sizeof(out)), 125, "garbage");
}

int main(void)
{
    create_edits();
    run_edits();
    refusals();
    quoting();
    yaml();
    escape();
    sessions();
    return done_testing();
}
