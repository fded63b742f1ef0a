/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers: objects, text, files, errors, and the hand-over of a connection. Each may come at once or later.
 */
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "zoned/api/api.h"
#include "zoned/http/impl.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define SERVER_NAME "zoned/" ZONED_VERSION

/* response is taken. After this the request is no longer the handler's. */
void zd_answer(struct zd_request *r, int status, const char *content_type, struct MHD_Response *response)
{
    if (!r->server) {
        MHD_destroy_response(response);
        if (r->take)
            r->take(r->take_arg, -1);
        zd_request_free(r);
        return;
    }
    if (r->answered) {
        log_error("%s was answered twice", r->uri);
        MHD_destroy_response(response);
        return;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_SERVER, SERVER_NAME);
    if (content_type)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    r->answered = true;
    r->gone = NULL;
    r->status = status;
    r->response = response;
    zd_conn_resume(r->conn);
}

static struct MHD_Response *from_text(char *text /* stolen */)
{
    return MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
}

void zd_reply_json(struct zd_request *r, int status, json *body)
{
    auto_js json *j = body;
    char *text = js_dump(j, false);
    zd_answer(r, status, "application/json", from_text(text ? text : xstrdup("null")));
}

void zd_reply_text(struct zd_request *r, int status, const char *content_type, char *text)
{
    zd_answer(r, status, content_type, from_text(text ? text : xstrdup("")));
}

void zd_reply_fd(struct zd_request *r, const char *content_type, int fd)
{
    struct stat st;
    struct err e = {0};
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        err_set(&e, ERR_INTERNAL, EINVAL, "the answer is not a regular file");
        zd_reply_error(r, &e, NULL);
        return;
    }
    zd_answer(r, MHD_HTTP_OK, content_type, MHD_create_response_from_fd64((uint64_t)st.st_size, fd));
}

static char *error_text(const struct err *e, const struct problems *ps)
{
    auto_js json *j = js_object();
    js_set(j, "error", js_from_err(e, ps));
    char *text = js_dump(j, false);
    return text ? text : xstrdup("{}");
}

void zd_reply_error_status(struct zd_request *r, int status, const char *allow, const struct err *e,
                           const struct problems *ps)
{
    struct MHD_Response *response = from_text(error_text(e, ps));
    if (allow)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
    zd_answer(r, status ? status : err_http_status(e->kind), "application/json", response);
}

void zd_reply_error(struct zd_request *r, const struct err *e, const struct problems *ps)
{
    zd_reply_error_status(r, 0, NULL, e, ps);
}

void zd_refuse_raw(int fd, int status, const struct err *e)
{
    auto_free char *body = error_text(e, NULL);
    auto_free char *text = xasprintf("HTTP/1.1 %d Refused\r\nServer: " SERVER_NAME "\r\nConnection: close\r\n"
                                     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                                     status, strlen(body), body);
    (void)!send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_RDWR);
}

/* ---- hand-over ---- */
/* Without TLS, MHD only closes its descriptor at MHD_UPGRADE_ACTION_CLOSE, no shutdown(2) (0.9.75, response.c
 * MHD_upgrade_action and daemon.c MHD_cleanup_connections; test_server holds it to that), so a duplicate
 * lives on. Bytes that came with the request cannot be put back: a client that does not wait for the 101 is
 * cut off. */
static void on_upgrade(void *arg, struct MHD_Connection *mhd, void *context, const char *extra,
                       size_t extra_len, MHD_socket sock, struct MHD_UpgradeResponseHandle *urh)
{
    struct zd_request *r = arg;
    int fd = extra_len > 0 ? -1 : fcntl(sock, F_DUPFD_CLOEXEC, 3);
    if (fd >= 0 && fd_nonblock(fd, false) < 0)
        close_fd(&fd);
    if (fd < 0)
        (void)shutdown(sock, SHUT_RDWR);
    zd_call_later(r->server, r->take, r->take_arg, fd);
    r->take = NULL;
    (void)MHD_upgrade_action(urh, MHD_UPGRADE_ACTION_CLOSE);
}

void zd_reply_upgrade(struct zd_request *r, void (*take)(void *arg, int fd), void *arg)
{
    r->take = take;
    r->take_arg = arg;
    struct MHD_Response *response = MHD_create_response_for_upgrade(on_upgrade, r);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_UPGRADE, API_UPGRADE);
    zd_answer(r, MHD_HTTP_SWITCHING_PROTOCOLS, NULL, response);
}
