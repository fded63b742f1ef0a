/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The supervisor's side of the keeper: duplicates of what must not be lost go to the fork server, and come
 * back to the supervisor that adopts. Sending does not wait: a message that is in the socket's queue survives
 * our death. Must never fail a start: a zone without keeper runs, it only cannot be adopted with its console.
 */
#include "zoned/sup/rt.h"

#define FETCH_TIMEOUT_MS 5000

static void send_only(const char *keeper_socket, json *m, const int *fds, unsigned nfds)
{
    auto_js json *owned = m;
    auto_fd int sock = sup_connect(keeper_socket, NULL);
    if (sock >= 0)
        (void)sup_send(sock, owned, fds, nfds, NULL);
}

static json *op_for(const char *op, const char *zone)
{
    json *m = js_object();
    js_set_str(m, "op", op);
    js_set_str(m, "zone", zone);
    return m;
}

/* Ours, not the file's: that may be taken away or emptied while the zone runs. */
static int plan_copy(const struct sup *s)
{
    auto_js json *j = plan_to_json(s->plan);
    auto_free char *text = js_dump(j, false);
    return fd_memfd_sealed("plan", text, strlen(text), NULL);
}

void keep_all(struct sup *s)
{
    const struct rt *rt = &s->rt;
    auto_fd int plan = plan_copy(s);
    const struct {
        const char *name;
        int fd;
    } all[] = {{"plan", plan},           {"journal", s->journal_fd},
               {"pidfd", rt->pidfd},     {rt->io.tty ? "pty" : "out", rt->io.out},
               {"err", rt->io.err},      {"devpts", rt->devpts_fd},
               {"status", rt->status_fd}};
    int fds[ARRAY_LEN(all)];
    unsigned n = 0;
    json *names = js_array();
    for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
        if (all[i].fd < 0)
            continue;
        js_add(names, js_string(all[i].name));
        fds[n++] = all[i].fd;
    }
    json *m = op_for("keep", s->plan->zone);
    js_set_int(m, "pid", rt->pid);
    js_set(m, "names", names);
    send_only(s->plan->keeper_socket, m, fds, n);
}

void keep_drop(struct sup *s)
{
    send_only(s->plan->keeper_socket, op_for("drop", s->plan->zone), NULL, 0);
}

int keep_fetch(const char *keeper_socket, const char *zone, struct kept *out, struct err *e)
{
    memset(out, 0, sizeof(*out));
    auto_fd int sock = sup_connect(keeper_socket, e);
    if (sock < 0)
        return sock;
    auto_js json *reply = NULL;
    unsigned n = ARRAY_LEN(out->fds);
    int r = sup_call(sock, op_for("kept", zone), NULL, 0, &reply, out->fds, &n, FETCH_TIMEOUT_MS, e);
    if (r < 0)
        return r;
    out->n = n;
    out->names = js_get_strv(reply, "names");
    out->ended = js_get(reply, "wait_status") != NULL;
    out->wait_status = (int)js_get_int(reply, "wait_status", 0);
    if (strv_len(out->names) != n) {
        kept_done(out);
        return err_set(e, ERR_INTERNAL, EPROTO, "keeper: names and descriptors differ");
    }
    return 0;
}

int kept_take(struct kept *k, const char *name)
{
    for (unsigned i = 0; i < k->n; i++)
        if (str_eq(k->names[i], name))
            return take_fd(&k->fds[i]);
    return -1;
}

void kept_done(struct kept *k)
{
    for (unsigned i = 0; i < k->n; i++)
        close_fd(&k->fds[i]);
    strv_free(k->names);
    memset(k, 0, sizeof(*k));
}
