/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server against raw clients: it runs in a child, with handlers of its own; what they see comes back over
 * a pipe. */
#include "tests/unit/zoned/http/test_server.h"
#include "base/mem.h"
#include "tests/unit/tap.h"
#include "zoned/http/impl.h"
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define UPGRADE "Connection: Upgrade\r\nUpgrade: zoned-stream/1\r\n"

struct zd { /* the daemon of these tests */
    sd_event *event;
    int report;
    struct zd_request *waiting, *quitting;
    struct zd_stream *stream;
    sd_event_source *timer;
    int feeds;
};

static void report(struct zd *d, char c)
{
    (void)!write(d->report, &c, 1);
}

static int h_hello(struct zd *d, struct zd_request *r, struct err *e)
{
    json *j = js_object();
    js_set_str(j, "name", zd_param(r, 0));
    js_set_str(j, "q", zd_query(r, "q"));
    js_set_strv(j, "all", zd_query_all(r, "label"));
    js_set_int(j, "role", zd_role_of(r));
    zd_reply_json(r, 200, j);
    return 0;
}

static int h_echo(struct zd *d, struct zd_request *r, struct err *e)
{
    if (!zd_body_of(r))
        return err_set(e, ERR_CONFLICT, EEXIST, "no body");
    zd_reply_json(r, 201, js_ref((json *)zd_body_of(r)));
    return 0;
}

static int h_typed(struct zd *d, struct zd_request *r, struct err *e)
{
    zd_reply_text(r, 200, "text/plain", xstrdup(zd_query_flag(r, "force", false) ? "forced" : "asked"));
    return 0;
}

static int h_spool(struct zd *d, struct zd_request *r, struct err *e)
{
    zd_reply_fd(r, "application/x-tar", dup(zd_body_fd(r)));
    return 0;
}

static int on_later(sd_event_source *s, uint64_t usec, void *arg)
{
    struct zd *d = arg;
    if (d->waiting)
        zd_reply_text(d->waiting, 200, "text/plain", xstrdup("later"));
    d->waiting = NULL;
    return 0;
}

static void on_gone(struct zd_request *r, void *arg)
{
    struct zd *d = arg;
    struct err e = {0};
    report(d, 'G');
    err_set(&e, ERR_BUSY, EBUSY, "gone");
    d->waiting = NULL;
    zd_reply_error(r, &e, NULL);
}

static int h_later(struct zd *d, struct zd_request *r, struct err *e)
{
    d->waiting = r;
    zd_on_gone(r, on_gone, d);
    uint64_t us = (uint64_t)atol(zd_query(r, "ms")) * 1000;
    d->timer = sd_event_source_disable_unref(d->timer);
    (void)sd_event_add_time_relative(d->event, &d->timer, CLOCK_MONOTONIC, us, 1, on_later, d);
    report(d, 'W');
    return 0;
}

static void on_closed(void *arg)
{
    struct zd *d = arg;
    d->stream = NULL;
    report(d, 'C');
}

static int on_feed(sd_event_source *s, uint64_t usec, void *arg)
{
    struct zd *d = arg;
    if (!d->stream)
        return 0;
    zd_stream_write(d->stream, "line\n", 5);
    if (--d->feeds == 0) {
        zd_stream_end(d->stream);
        return 0;
    }
    (void)sd_event_source_set_time_relative(s, 2000);
    return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

static int h_stream(struct zd *d, struct zd_request *r, struct err *e)
{
    d->feeds = atoi(zd_query(r, "n"));
    d->stream = zd_reply_stream(r, "text/plain", on_closed, d);
    d->timer = sd_event_source_disable_unref(d->timer);
    return sd_event_add_time_relative(d->event, &d->timer, CLOCK_MONOTONIC, 2000, 1, on_feed, d);
}

static int h_flood(struct zd *d, struct zd_request *r, struct err *e)
{
    static char block[65536];
    d->stream = zd_reply_stream(r, "text/plain", on_closed, d);
    for (int i = 0; i < 40; i++)
        zd_stream_write(d->stream, block, sizeof(block));
    return 0;
}

static void on_taken(void *arg, int fd)
{
    struct zd *d = arg;
    report(d, fd < 0 ? 'N' : 'U');
    if (fd < 0)
        return;
    if (fork() == 0) { /* the session: outlives the server's knowledge of the connection */
        char buf[64];
        ssize_t n;
        if (fcntl(fd, F_GETFL) & O_NONBLOCK)
            _exit(1);
        usleep(200000);
        (void)!write(fd, "hello ", 6);
        while ((n = read(fd, buf, sizeof(buf))) > 0)
            (void)!write(fd, buf, (size_t)n);
        _exit(0);
    }
    close(fd);
}

static int h_upgrade(struct zd *d, struct zd_request *r, struct err *e)
{
    if (!zd_wants_upgrade(r))
        return err_set(e, ERR_USAGE, EINVAL, "needs an upgrade");
    zd_reply_upgrade(r, on_taken, d);
    return 0;
}

static int h_problems(struct zd *d, struct zd_request *r, struct err *e)
{
    problem_add(zd_problems(r), ERR_INVALID, "a.yaml", 3, "cpu.cap", "too small");
    return -EINVAL;
}

static int h_quit(struct zd *d, struct zd_request *r, struct err *e)
{
    d->quitting = r; /* unanswered: the server must let go of it */
    return sd_event_exit(d->event, 0);
}

static const struct zd_field any[] = {{.name = "*", .type = ZD_ANY}, {.name = NULL}};
static const struct zd_field part[] = {{.name = "text", .type = ZD_TEXT, .required = true}, {.name = NULL}};
static const struct zd_field typed[] = {{.name = "sure", .type = ZD_BOOL, .required = true},
                                        {.name = "count", .type = ZD_INT},
                                        {.name = "words", .type = ZD_TEXTS},
                                        {.name = "part", .type = ZD_OBJECT, .of = part},
                                        {.name = "parts", .type = ZD_OBJECTS, .of = part},
                                        {.name = NULL}};
static const struct zd_field typed_query[] = {
    {.name = "force", .type = ZD_BOOL}, {.name = "n", .type = ZD_INT}, {.name = NULL}};
static const struct zd_route routes[] = {
    {"GET", "/v1/hello", ROLE_VIEWER, BODY_NONE, h_hello, "hello", NULL, any},
    {"GET", "/v1/zones/{name}/hello", ROLE_VIEWER, BODY_NONE, h_hello, "helloZone", NULL, any},
    {"POST", "/v1/echo", ROLE_ADMIN, BODY_JSON, h_echo, "echo", any, NULL},
    {"POST", "/v1/typed", ROLE_ADMIN, BODY_JSON, h_typed, "typed", typed, typed_query},
    {"PUT", "/v1/spool", ROLE_ADMIN, BODY_SPOOL, h_spool, "spool", NULL, NULL},
    {"GET", "/v1/later", ROLE_VIEWER, BODY_NONE, h_later, "later", NULL, any},
    {"GET", "/v1/stream", ROLE_VIEWER, BODY_NONE, h_stream, "stream", NULL, any},
    {"GET", "/v1/flood", ROLE_VIEWER, BODY_NONE, h_flood, "flood", NULL, NULL},
    {"POST", "/v1/upgrade", ROLE_ADMIN, BODY_JSON, h_upgrade, "upgrade", any, NULL},
    {"GET", "/v1/problems", ROLE_VIEWER, BODY_NONE, h_problems, "problems", NULL, NULL},
    {"POST", "/v1/quit", ROLE_ADMIN, BODY_NONE, h_quit, "quit", NULL, NULL},
};

static pid_t start(const char *path, int *pipe_out)
{
    int p[2];
    if (pipe2(p, O_CLOEXEC) < 0)
        exit(1);
    pid_t pid = fork();
    if (pid > 0) {
        close(p[1]);
        *pipe_out = p[0];
        return pid;
    }
    struct zd d = {.report = p[1]};
    struct zd_server *s = NULL;
    struct err e = {0};
    close(p[0]);
    signal(SIGCHLD, SIG_IGN);
    if (sd_event_new(&d.event) < 0 || zd_server_new(&d, d.event, path, -1, open("/tmp", O_PATH | O_CLOEXEC),
                                                    routes, ARRAY_LEN(routes), &s, &e) < 0) {
        fprintf(stderr, "%s\n", e.text);
        _exit(1);
    }
    s->limits.request_us = 1000000;
    report(&d, 'R');
    int r = sd_event_loop(d.event);
    zd_server_free(s);
    zd_reply_text(d.quitting, 200, "text/plain", xstrdup("an answer after the end only frees"));
    sd_event_source_disable_unref(d.timer);
    sd_event_unref(d.event);
    report(&d, 'E');
    exit(r);
}

static void is_status(const char *path, const char *request, int want, const char *contains, const char *what)
{
    auto_free char *a = ask(path, request);
    if (!ok(status_of(a) == want && (!contains || strstr(a, contains)), "%s: %d", what, want))
        printf("# %s\n", a);
}

static void test_requests(const char *s)
{
    is_status(s, GET("/v1/hello"), 200, "Server: zoned/" ZONED_VERSION, "a request");
    is_status(s, GET("/v1/hello"), 200, "Content-Type: application/json", "its type");
    is_status(s, GET("/v1/zones/a%2Db/hello?q=x%20y%2Bz+&label=a%3d1&label=b"), 200,
              "{\"name\":\"a-b\",\"q\":\"x y+z+\",\"all\":[\"a=1\",\"b\"],\"role\":3}", "decoding");
    is_status(s, GET("/v1/zones/a%2Fb/hello"), 404, "\"kind\":\"not_found\"", "a slash in a name");
    is_status(s, GET("/v1/zones/a%00/hello"), 400, "\"kind\":\"invalid\"", "a NUL in a name");
    is_status(s, GET("/v1/zones/a%4/hello"), 400, "\"kind\":\"invalid\"", "a broken escape");
    is_status(s, GET("/v1/zones//hello"), 404, "\"kind\":\"not_found\"", "an empty name");
    is_status(s, GET("/v1/nothing"), 404, "\"kind\":\"not_found\"", "an unknown route");
    is_status(s, GET("/v1/1/2/3/4/5/6/7/8/9"), 404, "\"kind\":\"not_found\"", "a long path");
    is_status(s, GET("/v1/echo"), 405, "Allow: POST", "a wrong method");
    is_status(s, GET("/v1/problems"), 422, "\"details\":[{\"file\":\"a.yaml\",\"line\":3",
              "problems as details");
    is_status(s, "GET /v1/hello HTTP/9.9\r\n\r\n", 505, NULL, "another HTTP");
    is_status(s, "rubbish\r\n\r\n", -1, NULL, "no HTTP: closed");
    is_status(s, "POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{\"a\":[1]}", 201,
              "{\"a\":[1]}", "a body");
    is_status(s, "POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 409, "no body", "no body");
    is_status(s, "POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n{\"a\":\n1,", 400, "line 2",
              "bad JSON");
    is_status(s, "POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]", 400, "object",
              "no object");
    is_status(s, "POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n", 413,
              "\"kind\":\"limit\"", "a gigabyte announced");
    is_status(s, "PUT /v1/spool HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", 413,
              "\"kind\":\"limit\"", "a spooled body beyond 4 GiB");
    is_status(
        s, "PUT /v1/spool HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        200, "\r\n\r\nhello", "a chunked body into a file, and back");
    is_status(s, "POST /v1/upgrade HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 400, "upgrade",
              "no upgrade asked");
}

static void typed_is(const char *s, const char *query, const char *body, int want, const char *contains)
{
    auto_free char *request = xasprintf(
        "POST /v1/typed%s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", query, strlen(body), body);
    auto_free char *what = xasprintf("%s %s", query, body);
    is_status(s, request, want, contains, what);
}

static void test_fields(const char *s)
{
    typed_is(s, "", "{\"sure\":true}", 200, "asked");
    typed_is(s, "", "{\"sure\":true,\"count\":0,\"words\":[\"a\"],\"part\":{\"text\":\"\"},\"parts\":[]}",
             200, NULL);
    typed_is(s, "", "{\"sure\":true,\"count\":null,\"words\":null,\"part\":null}", 200, NULL);
    typed_is(s, "", "", 400, "sure: is missing: true or false is wanted");
    typed_is(s, "", "{\"sure\":null}", 400, "sure: is missing");
    typed_is(s, "", "{\"sure\":\"true\"}", 400, "sure: must be true or false");
    typed_is(s, "", "{\"sure\":1}", 400, "\"kind\":\"invalid\"");
    typed_is(s, "", "{\"sure\":true,\"cuont\":1}", 400,
             "cuont: is not known (sure, count, words, part, parts)");
    typed_is(s, "", "{\"sure\":true,\"count\":5.0}", 400, "count: must be a whole number, 0 or more");
    typed_is(s, "", "{\"sure\":true,\"count\":-1}", 400, "count: must be");
    typed_is(s, "", "{\"sure\":true,\"words\":\"a=1\"}", 400, "words: must be a list of strings");
    typed_is(s, "", "{\"sure\":true,\"words\":[1]}", 400, "words: must be a list of strings");
    typed_is(s, "", "{\"sure\":true,\"part\":{\"txet\":\"a\"}}", 400, "\"key\":\"part.text\"");
    typed_is(s, "", "{\"sure\":true,\"parts\":[{\"text\":\"\"},{\"text\":1}]}", 400,
             "parts[1].text: must be a string");
    typed_is(s, "?force=1", "{\"sure\":true}", 200, "forced");
    typed_is(s, "?force=true&n=3", "{\"sure\":true}", 200, "forced");
    typed_is(s, "?force=false", "{\"sure\":true}", 200, "asked");
    typed_is(s, "?force=yes", "{\"sure\":true}", 400, "force: must be 1, 0, true or false");
    typed_is(s, "?force", "{\"sure\":true}", 400, "force: must be");
    typed_is(s, "?n=-1", "{\"sure\":true}", 400, "n: must be a whole number");
    typed_is(s, "?forse=1", "{\"sure\":true}", 400, "forse: is not known (force, n)");
    typed_is(s, "?n=1&n=2", "{\"sure\":true}", 400, "n: is given twice");
    is_status(s, "GET /v1/hello HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n{\"a\":1}", 400,
              "takes no body", "a body where none is wanted");
    is_status(s, "GET /v1/hello HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 200, "",
              "one that says nothing is none");
}

/* The head alone, and its body when an answer could be there: a client that sends all before it reads. */
static void refused_early(const char *s, const char *head, int want)
{
    auto_fd int fd = dial(s);
    auto_free char *body = xcalloc(1, 200001);
    memset(body, ' ', 200000);
    put(fd, head);
    usleep(50000);
    put(fd, body);
    auto_free char *a = get_answer(fd, 2000);
    is_int(status_of(a), want, "%.30s is refused when its body is there", head);
    put(fd, GET("/v1/hello"));
    auto_free char *b = get_answer(fd, 2000);
    is_int(status_of(b), 200, "... and the connection goes on");
}

static void test_early(const char *s)
{
#define LONG " HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n"
    refused_early(s, "POST /v1/nothing" LONG, 404);
    refused_early(s, "PUT /v1/echo" LONG, 405);
    refused_early(s, "POST /v1/zones/a%00/hello" LONG, 400);
    is_status(s, "POST /v1/nothing HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
              404, NULL, "who waits to be let go on is answered at once");
}

static void test_limits(const char *s)
{
    bool ended;
    auto_fd int fd = dial(s);
    put(fd, "POST /v1/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    auto_free char *block = xcalloc(1, 65537 + 16);
    memset(block, ' ', 65536);
    for (int i = 0; i < 60; i++) {
        put(fd, "10000\r\n");
        put(fd, block);
        put(fd, "\r\n");
    }
    auto_free char *a = get_answer(fd, 2000);
    is_int(status_of(a), 413, "a chunked body beyond 3 MiB");
    auto_free char *head = NULL;
    struct str h = {0};
    str_addf(&h, "GET /v1/hello HTTP/1.1\r\nHost: x\r\nX: %s%s\r\n\r\n", block, block);
    head = str_take(&h);
    is_status(s, head, 431, NULL, "a head beyond 32 kB");
    auto_fd int slow = dial(s), drip = dial(s), silent = dial(s);
    uint64_t t = clock_mono_us();
    put(slow, "GET /v1/hello HTT");
    for (int i = 0; i < 30; i++) {
        put(drip, i ? "a" : "GET /v1/hello?");
        usleep(100000);
    }
    auto_free char *one = get_until(slow, NULL, 4000, &ended);
    ok(ended && clock_mono_us() - t < 5000000, "half a request and silence is closed");
    auto_free char *two = get_until(drip, NULL, 4000, &ended);
    ok(ended, "so is a request that drips");
    auto_free char *three = get_until(silent, NULL, 4000, &ended);
    ok(ended, "and silence alone");
    is_status(s, GET("/v1/hello"), 200, NULL, "the next one is served");
}

static void test_keep_alive(const char *s)
{
    auto_fd int fd = dial(s);
    int good = 0;
    for (int i = 0; i < 100; i++) {
        put(fd, GET("/v1/hello"));
        auto_free char *a = get_answer(fd, 1000);
        good += status_of(a) == 200;
    }
    put(fd, GET("/v1/nothing"));
    auto_free char *b = get_answer(fd, 1000);
    put(fd, GET("/v1/hello"));
    auto_free char *c = get_answer(fd, 1000);
    is_int(good, 100, "100 requests over one connection");
    ok(status_of(b) == 404 && status_of(c) == 200, "an error does not end it");
}

static void test_later(const char *s, int reports, pid_t server)
{
    uint64_t before = cpu_ticks(server);
    is_status(s, GET("/v1/later?ms=300"), 200, "later", "an answer later");
    ok(cpu_ticks(server) - before <= 3, "waiting costs no processor time");
    is_int(reported(reports), 'W', "it waited");
    int fd = dial(s);
    put(fd, GET("/v1/later?ms=20000"));
    is_int(reported(reports), 'W', "a client waits");
    close(fd);
    is_int(reported(reports), 'G', "and its end is noticed");
    fd = dial(s);
    put(fd, GET("/v1/later?ms=100"));
    shutdown(fd, SHUT_WR);
    auto_free char *a = get_answer(fd, 1000);
    ok(status_of(a) == 200, "a client that closes its writing side gets its answer");
    close(fd);
    is_int(reported(reports), 'W', "it waited too");
}

static void test_stream(const char *s, int reports)
{
    bool ended;
    int fd = dial(s);
    put(fd, GET("/v1/stream?n=5"));
    auto_free char *a = get_until(fd, "\r\n0\r\n\r\n", 2000, &ended);
    int lines = 0;
    for (const char *p = a; (p = strstr(p, "line\n")); p++)
        lines++;
    is_int(lines, 5, "a stream brings its lines");
    ok(strstr(a, "chunked") && str_ends(a, "0\r\n\r\n"), "in chunks, to its end");
    is_int(reported(reports), 'C', "then it is closed");
    put(fd, GET("/v1/hello"));
    auto_free char *b = get_answer(fd, 1000);
    is_int(status_of(b), 200, "and the connection is good for more");
    put(fd, GET("/v1/stream?n=100000"));
    auto_free char *c = get_until(fd, "line", 2000, &ended);
    close(fd);
    is_int(reported(reports), 'C', "a stream whose client has gone is closed");
    fd = dial(s);
    put(fd, GET("/v1/flood"));
    is_int(reported(reports), 'C', "a client that does not read is cut off");
    close(fd);
}

static void test_upgrade(const char *s, int reports)
{
    bool ended;
    int fd = dial(s);
    put(fd, "POST /v1/upgrade HTTP/1.1\r\nHost: x\r\n" UPGRADE "Content-Length: 2\r\n\r\n{}");
    auto_free char *a = get_until(fd, "\r\n\r\n", 1000, &ended);
    ok(status_of(a) == 101 && strstr(a, "Upgrade: zoned-stream/1"), "101");
    is_int(reported(reports), 'U', "the descriptor is handed over");
    auto_free char *other = ask(s, GET("/v1/hello")); /* MHD has run since, and forgotten it */
    is_int(status_of(other), 200, "the server goes on");
    auto_free char *b = get_until(fd, "hello ", 1000, &ended);
    is_str(b, "hello ", "bytes come after the server forgot the connection");
    put(fd, "ping");
    auto_free char *c = get_until(fd, "ping", 1000, &ended);
    is_str(c, "ping", "and go");
    shutdown(fd, SHUT_WR);
    auto_free char *d = get_until(fd, NULL, 1000, &ended);
    ok(ended, "the end of file arrives");
    close(fd);
    fd = dial(s);
    put(fd, "POST /v1/upgrade HTTP/1.1\r\nHost: x\r\n" UPGRADE "Content-Length: 2\r\n\r\n{}early");
    auto_free char *e = get_until(fd, NULL, 2000, &ended);
    ok(ended, "a client that does not wait for the 101 is cut off");
    is_int(reported(reports), 'N', "and nothing is handed over");
    close(fd);
}

static int as_user(const char *s, uid_t uid, gid_t gid, const char *request, const char *contains)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (setgroups(1, &gid) < 0 || setresgid(65533, 65533, 65533) < 0 || setresuid(uid, uid, uid) < 0)
            _exit(1);
        auto_free char *a = ask(s, request);
        _exit(contains && !strstr(a, contains) ? 2 : status_of(a) / 2);
    }
    int st = 0;
    waitpid(pid, &st, 0);
    return WIFEXITED(st) ? WEXITSTATUS(st) * 2 : -1;
}

static void test_roles(const char *s)
{
    struct group *g = getgrnam("zoned-viewer");
    is_int(as_user(s, 65534, 65534, GET("/v1/hello"), "\"kind\":\"denied\""), 403 / 2 * 2, "nobody");
    is_int(as_user(s, 1234, 1234, GET("/v1/hello"), "\"hint\":"), 403 / 2 * 2,
           "a user without a group, with a hint");
    is_int(as_user(s, 1234, 1234, GET("/v1/nothing"), NULL), 403 / 2 * 2, "who learns nothing of routes");
    struct zd_groups none = {.gid = {(gid_t)-1, 5001, 5002, 5003}};
    none.read.tv_sec = 1;
    int pair[2];
    struct zd_peer p;
    ok(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "a pair");
    zd_peer_of(pair[0], &none, &p);
    ok(p.role == ROLE_ADMIN && p.pid == getpid(), "root is admin");
    close(pair[0]);
    close(pair[1]);
    if (!g)
        printf("# no group zoned-viewer here\n");
    else
        is_int(as_user(s, 1234, g->gr_gid, GET("/v1/hello"), NULL), 200, "a viewer looks");
}

static void test_crowd(const char *s)
{
    enum { MANY = 5000 };
    static int fds[MANY];
    int open_ = 0, refused = 0;
    for (int i = 0; i < MANY; i++) {
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        strncpy(a.sun_path, s, sizeof(a.sun_path) - 1);
        if (fds[i] >= 0 && connect(fds[i], (struct sockaddr *)&a, sizeof(a)) == 0)
            open_++;
        else
            refused++;
    }
    printf("# %d connected, %d refused\n", open_, refused);
    ok(open_ >= 1000, "of a crowd of 5,000 a thousand at least are connected or wait");
    put(fds[0], GET("/v1/hello"));
    auto_free char *a = get_answer(fds[0], 2000);
    is_int(status_of(a), 200, "who is in is served");
    for (int i = 0; i < MANY; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    is_status(s, GET("/v1/hello"), 200, NULL, "after it all is as before");
}

static void test_per_user(const char *s)
{
    pid_t pid = fork();
    if (pid == 0) {
        int last = -1;
        if (setgroups(0, NULL) < 0 || setresgid(1234, 1234, 1234) < 0 || setresuid(1234, 1234, 1234) < 0)
            _exit(1);
        for (int i = 0; i < 65; i++)
            last = dial(s);
        auto_free char *a = get_answer(last, 2000);
        _exit(status_of(a) == 429 && strstr(a, "\"kind\":\"limit\"") ? 0 : 3);
    }
    int st;
    waitpid(pid, &st, 0);
    is_int(st, 0, "a stranger's 65th connection is refused with a reason");
}

int main(void)
{
    char dir[] = "/tmp/zdtest-XXXXXX", path[64];
    int reports = -1, st = 0;
    struct stat sb;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && (files.rlim_cur = files.rlim_max) > 0)
        (void)setrlimit(RLIMIT_NOFILE, &files);
    if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
        return 1;
    snprintf(path, sizeof(path), "%s/s", dir);
    signal(SIGPIPE, SIG_IGN);
    pid_t server = start(path, &reports);
    is_int(reported(reports), 'R', "the server runs");
    ok(stat(path, &sb) == 0 && (sb.st_mode & 07777) == 0666, "at a socket for all");
    test_requests(path);
    test_fields(path);
    test_early(path);
    test_keep_alive(path);
    test_roles(path);
    test_later(path, reports, server);
    test_stream(path, reports);
    test_upgrade(path, reports);
    test_limits(path);
    test_crowd(path);
    test_per_user(path);
    auto_fd int fd = dial(path), streaming = dial(path), last = dial(path);
    put(fd, GET("/v1/stream?n=100000"));
    usleep(20000);
    put(streaming, GET("/v1/later?ms=60000"));
    is_int(reported(reports), 'W', "one waits");
    put(last, "POST /v1/quit HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    is_int(reported(reports), 'G', "at the end of the server who waits is told");
    is_int(reported(reports), 'C', "and streams are closed");
    is_int(reported(reports), 'E', "and it ends");
    is_int(waitpid(server, &st, 0), server, "quietly");
    is_int(st, 0, "and well");
    ok(stat(path, &sb) < 0, "and takes its socket away");
    rmdir(dir);
    return done_testing();
}
