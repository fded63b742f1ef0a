/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client against a small server in a forked child that sends exactly what the test says. */
#include "base/mem.h"
#include "base/str.h"
#include "tests/unit/tap.h"
#include "zoned/api/api.h"
#include "zoned/api/http.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64], path[96];
static pid_t server;

static bool read_request(int fd)
{
    char buf[65536];
    size_t n = 0;
    while (n < sizeof(buf) - 1) {
        ssize_t r = read(fd, buf + n, sizeof(buf) - 1 - n);
        if (r <= 0)
            return false;
        n += (size_t)r;
        buf[n] = '\0';
        char *end = strstr(buf, "\r\n\r\n"), *cl = strstr(buf, "Content-Length: ");
        size_t body = end && cl && cl < end ? strtoul(cl + 16, NULL, 10) : 0;
        if (end && strstr(buf, "Transfer-Encoding: chunked") ? strstr(end, "\r\n0\r\n\r\n") != NULL
                                                             : end && n >= (size_t)(end + 4 - buf) + body)
            return true;
    }
    return true;
}

/* Each answer is for one request; NULL ends the list; a connection lives as long as the client keeps it.
 * slow: byte by byte. An answer that begins with '!' closes the connection after it. */
static void serve(const char *const *answers, bool slow)
{
    static int listening = -1;
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
    unlink(path);
    listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listening, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(listening, 5) < 0)
        exit(99);
    fflush(stdout);
    server = fork();
    if (server) {
        close(listening);
        return;
    }
    alarm(5);
    int fd = -1;
    while (*answers) {
        if (fd < 0 && (fd = accept(listening, NULL, NULL)) < 0)
            _exit(1);
        if (!read_request(fd)) {
            close(fd);
            fd = -1;
            continue;
        }
        const char *a = *answers++;
        bool end = *a == '!';
        a += end;
        for (size_t n = strlen(a), i = 0; i < n; i += slow ? 1 : n) {
            if (write(fd, a + i, slow ? 1 : n) < 0)
                break;
            if (slow)
                usleep(200);
        }
        if (end) {
            close(fd);
            fd = -1;
        }
    }
    if (fd >= 0)
        close(fd);
    _exit(0);
}

static void stop(void)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}

#define JSON "Content-Type: application/json; charset=utf-8\r\n"

static void good(bool slow)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\n" JSON "Content-Length: 7\r\n\r\n{\"a\":1}",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n" JSON
        "transfer-encoding: chunked\r\n\r\n3\r\n{\"a\r\n5;x=y\r\n\":2}\n\r\n0\r\nTrailer: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/yaml\r\nContent-Length: 5\r\n\r\na: b\n",
        "!HTTP/1.0 200 OK\r\n" JSON "\r\n{\"a\":3}",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 422 X\r\n" JSON
        "Content-Length: 131\r\n\r\n{\"error\":{\"kind\":\"invalid\",\"message\":\"bad "
        "spec\",\"hint\":\"look\","
        "\"details\":[{\"file\":\"f\",\"line\":3,\"key\":\"cpu\",\"message\":\"too much\"}]}} ",
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nno!!",
        NULL,
    };
    struct api_client *c = NULL;
    struct err e = {0};
    struct api_answer a = {0};
    struct problems ps = {0};
    serve(answers, slow);
    is_int(api_open(path, &c, &e), 0, "open");
    for (int i = 1; i <= 4; i++) {
        json *body = i == 1 ? js_object() : NULL;
        is_int(api_call(c, i == 1 ? "POST" : "GET", "/x", body, &a, &e, &ps), 0, "call %d: %s", i, e.text);
        if (i == 3)
            ok(a.text && a.text_len == 5 && !strcmp(a.text, "a: b\n"), "text");
        else
            ok(js_get_int(a.body, "a", 0) == (i == 4 ? 3 : i) && !a.text && !a.text_len,
               "body %d and no text", i);
        api_answer_done(&a);
    }
    is_int(api_call(c, "DELETE", "/x", NULL, &a, &e, &ps), 0, "no content");
    is_int(a.status, 204, "204");
    api_answer_done(&a);
    ok(api_call(c, "GET", "/x", NULL, &a, &e, &ps) < 0, "an error");
    ok(e.kind == ERR_INVALID && !strcmp(e.text, "bad spec") && !strcmp(e.hint, "look"),
       "kind, text, hint: %s", e.text);
    ok(ps.len == 1 && ps.at[0].line == 3 && !strcmp(ps.at[0].key, "cpu"), "detail");
    err_clear(&e);
    ok(api_call(c, "GET", "/x", NULL, &a, &e, &ps) < 0 && e.kind == ERR_DENIED,
       "an error that is no object: %s", e.text);
    problems_done(&ps);
    api_close(c);
    stop();
}

static void expect_bad(const char *answer, enum err_kind kind, const char *what)
{
    const char *const answers[] = {answer, answer, NULL};
    struct api_client *c = NULL;
    struct err e = {0};
    struct api_answer a = {0};
    serve(answers, false);
    is_int(api_open(path, &c, &e), 0, "open");
    int r = api_call(c, "POST", "/x", NULL, &a, &e, NULL);
    ok(r < 0 && e.kind == kind, "%s: %s", what, e.text);
    api_answer_done(&a);
    api_close(c);
    stop();
}

static void bad(void)
{
    expect_bad("!", ERR_UNREACHABLE, "closed at once");
    expect_bad("!HTTP/1.1 200 OK\r\nContent-", ERR_UNREACHABLE, "closed in the head");
    expect_bad("!HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", ERR_UNREACHABLE, "closed in the body");
    expect_bad("!HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", ERR_UNREACHABLE,
               "closed in a chunk");
    expect_bad("!SSH-2.0-OpenSSH\r\n\r\n", ERR_INTERNAL, "another protocol");
    expect_bad("!HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", ERR_INTERNAL, "negative length");
    expect_bad("!HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", ERR_INTERNAL,
               "two lengths");
    expect_bad("!HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", ERR_INTERNAL,
               "both");
    expect_bad("!HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ERR_INTERNAL, "no chunk size");
    expect_bad("!HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n", ERR_INTERNAL,
               "long chunk");
    expect_bad("!HTTP/1.1 200 OK\r\n" JSON "Content-Length: 3\r\n\r\n{x}", ERR_INVALID, "no JSON");
    expect_bad("!HTTP/1.1 200 OK\r\n" JSON "Content-Length: 1125899906842624\r\n\r\n{x}", ERR_UNREACHABLE,
               "vast length");
    char *huge = malloc(40000);
    memset(huge, 'h', 39999);
    memcpy(huge, "!HTTP/1.1 200 OK\r\nX: ", 21);
    huge[39999] = '\0';
    expect_bad(huge, ERR_INTERNAL, "endless head");
    free(huge);
}

static void stale(void)
{
    static const char *const answers[] = {"!HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                                          "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL};
    struct api_client *c = NULL;
    struct err e = {0};
    serve(answers, false);
    is_int(api_open(path, &c, &e), 0, "open");
    is_int(api_call(c, "GET", "/1", NULL, NULL, &e, NULL), 0, "first");
    usleep(20000);
    is_int(api_call(c, "GET", "/2", NULL, NULL, &e, NULL), 0, "a GET on a connection closed meanwhile: %s",
           e.text);
    api_close(c);
    stop();
}

static int take_line(void *arg, const char *text, size_t n)
{
    struct str *s = arg;
    str_addn(s, text, n);
    str_add(s, "|");
    return s->len > 8;
}

static void streams(void)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
        "chunked\r\n\r\n2\r\na\n\r\n4\r\nb\ncd\r\n2\r\ne\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\nlong line\nanother one\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbytes",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 404 Not Found\r\n" JSON
        "Content-Length: 52\r\n\r\n{\"error\":{\"kind\":\"not_found\",\"message\":\"no zone a\"}}",
        NULL};
    struct api_client *c = NULL;
    struct err e = {0};
    struct str s = {0};
    serve(answers, false);
    is_int(api_open(path, &c, &e), 0, "open");
    is_int(api_follow(c, "GET", "/e", NULL, take_line, &s, &e, NULL), 0, "follow");
    is_str(s.p, "a|b|cde|", "lines");
    str_done(&s);
    is_int(api_follow(c, "GET", "/e", NULL, take_line, &s, &e, NULL), 0, "follow, stopped");
    is_str(s.p, "long line|", "one line");
    str_done(&s);
    int p[2], in[2];
    is_int(pipe(p) | pipe(in), 0, "pipes");
    is_int(api_transfer(c, "GET", "/t", -1, p[1], &e, NULL), 0, "transfer down: %s", e.text);
    char buf[8] = "";
    ok(read(p[0], buf, 7) == 5 && !strcmp(buf, "bytes"), "bytes");
    if (write(in[1], "tar", 3) != 3)
        ok(false, "write");
    close(in[1]);
    is_int(api_transfer(c, "PUT", "/t", in[0], -1, &e, NULL), 0, "transfer up, chunked: %s", e.text);
    ok(api_follow(c, "GET", "/e", NULL, take_line, &s, &e, NULL) < 0 && e.kind == ERR_NOT_FOUND,
       "refused: %s", e.text);
    str_done(&s);
    api_close(c);
    stop();
}

static void upgrade(bool slow)
{
    /* The frame comes in the same packet as the head: not a byte of it may be lost. */
    static const char *const answers[] = {
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " API_UPGRADE "\r\n\r\nframe",
        "HTTP/1.1 200 OK\r\n" JSON "Content-Length: 12\r\n\r\n{\"name\":\"z\"}", NULL};
    struct api_client *c = NULL;
    struct err e = {0};
    struct api_answer a = {0};
    int fd = -1;
    serve(answers, slow);
    is_int(api_open(path, &c, &e), 0, "open");
    is_int(api_upgrade(c, "/run", js_object(), &fd, &a, &e, NULL), 0, "upgrade: %s", e.text);
    char buf[8] = "";
    ok(fd >= 0 && recv(fd, buf, 5, MSG_WAITALL) == 5 && !strcmp(buf, "frame"),
       "what follows the head is there");
    close(fd);
    fd = 77;
    is_int(api_upgrade(c, "/run", js_object(), &fd, &a, &e, NULL), 0, "an answer without upgrade: %s",
           e.text);
    ok(fd == -1 && a.status == 200 && !strcmp(js_get_str(a.body, "name", ""), "z"), "is an answer");
    api_answer_done(&a);
    api_close(c);
    stop();
}

static void unreachable(void)
{
    struct api_client *c = NULL;
    struct err e = {0};
    unlink(path);
    ok(api_open(path, &c, &e) < 0 && e.kind == ERR_UNREACHABLE && e.hint[0] && !c, "nobody there: %s",
       e.text);
    err_clear(&e);
    char long_path[300];
    memset(long_path, 'a', 299);
    long_path[299] = '\0';
    ok(api_open(long_path, &c, &e) < 0 && e.kind == ERR_UNREACHABLE, "a name too long: %s", e.text);
}

/* A path that does not fit into sun_path works all the same. */
static void long_folder(void)
{
    static const char *const answers[] = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL};
    struct api_client *c = NULL;
    struct err e = {0};
    char far[200];
    snprintf(far, sizeof(far), "%s/%0100d/../s", dir, 0);
    char folder[180];
    snprintf(folder, sizeof(folder), "%s/%0100d", dir, 0);
    mkdir(folder, 0700);
    serve(answers, false);
    is_int(api_open(far, &c, &e), 0, "a path of %zu bytes: %s", strlen(far), e.text);
    is_int(c ? api_call(c, "GET", "/", NULL, NULL, &e, NULL) : -1, 0, "answers");
    api_close(c);
    stop();
    rmdir(folder);
}

static void parsing(void)
{
    struct api_head h;
    uint64_t n;
    static const char *const heads[] = {"",
                                        "\r\n",
                                        "HTTP/1.1 200\n\r\n",
                                        "HTTP/2 200 OK\r\n\r\n",
                                        "HTTP/1.1 20 OK\r\n\r\n",
                                        "HTTP/1.1 999 OK\r\n\r\n",
                                        "HTTP/1.1 200OK\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nA\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\n folded\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n"};
    for (unsigned i = 0; i < sizeof(heads) / sizeof(*heads); i++)
        is_int(api_head_parse(heads[i], strlen(heads[i]), &h), -EPROTO, "bad head %u", i);
    const char *fine = "HTTP/1.1 200\r\nCONNECTION: keep-alive ,  Close\r\nX:\r\n\r\n";
    ok(api_head_parse(fine, strlen(fine), &h) == 0 && h.close && h.length == -1, "good head");
    ok(api_chunk_parse("1aF", 3, &n) == 0 && n == 0x1af, "chunk");
    ok(api_chunk_parse("", 0, &n) < 0 && api_chunk_parse("-1", 2, &n) < 0 &&
           api_chunk_parse("0x1", 3, &n) < 0 && api_chunk_parse("ffffffffffffffffff", 18, &n) < 0,
       "bad chunks");
    char *q = api_quote("a/b c?\xc3\xa9~");
    is_str(q, "a%2Fb%20c%3F%C3%A9~", "quoting");
    free(q);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    snprintf(dir, sizeof(dir), "/tmp/zoned-api-XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof(path), "%s/s", dir);
    parsing();
    good(false);
    good(true);
    bad();
    stale();
    streams();
    upgrade(false);
    upgrade(true);
    long_folder();
    unreachable();
    rmdir(dir);
    return done_testing();
}
