/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of networks (ETC/networks/NAME.yaml): what one says, and what of it may change while zoned serves the network.
 * They are the operator's: what is wrong in one is told with its line, and never written over. Must never touch the kernel: doctor
 * reads them in a process of its own. */
#include "base/file.h"
#include "base/str.h"
#include "zoned/networks.h"
#include <errno.h>
#include <fcntl.h>

char *network_path(struct zd *d, const char *name)
{
    return xasprintf("%s/networks/%s.yaml", d->etc_dir, name);
}

int network_file(struct zd *d, const char *name, struct spec_network **out, struct err *e)
{
    auto_free char *path = network_path(d, name), *text = NULL;
    auto_spec_network struct spec_network *s = NULL;
    struct problems ps = {0};
    size_t len;
    int r = file_read(AT_FDCWD, path, SPEC_TEXT_MAX, &text, &len, e);
    if (r == 0 && spec_network_parse(text, len, path, &s, &ps) < 0)
        r = problems_to_line(&ps, e);
    problems_done(&ps);
    if (r == 0 && strcmp(s->network, name) != 0)
        r = err_set(e, ERR_INVALID, EINVAL, "%s names network %s", path, s->network);
    if (r == 0)
        *out = take_ptr(&s);
    return r;
}

static bool is_live(const char *key)
{
    static const char *const live[] = {"rules", "policy", "reach"};
    bool is = false;
    for (unsigned i = 0; i < ARRAY_LEN(live); i++)
        is |= !strcmp(key, live[i]);
    return is;
}

int network_check_patch(const json *patch, struct err *e)
{
    for (void *it = js_iter((json *)patch); it; it = js_next((json *)patch, it))
        if (!is_live(js_iter_key(it))) {
            err_set(e, ERR_CONFLICT, EINVAL, "%s of a network cannot change (rules, policy and reach can)",
                    js_iter_key(it));
            return err_hint(e, "make another network, and let the zones join it while they run");
        }
    return 0;
}

/* A key of which the two differ; NULL: none. live: also one that may change. */
static const char *differs(const json *a, const json *b, bool live)
{
    for (void *it = js_iter((json *)a); it; it = js_next((json *)a, it)) {
        const char *key = js_iter_key(it);
        const json *other = js_get(b, key);
        auto_free char *one = js_dump(js_iter_value(it), false), *two = other ? js_dump(other, false) : NULL;
        if ((live || !is_live(key)) && !str_eq(one, two))
            return key;
    }
    return NULL;
}

int network_check_edit(const struct spec_network *has, const struct spec_network *wants, const char *path,
                       struct err *e)
{
    auto_js json *a = spec_network_to_json(has), *b = spec_network_to_json(wants);
    const char *key = differs(a, b, false);
    key = key ? key : differs(b, a, false);
    if (!key)
        return 0;
    err_set(e, ERR_CONFLICT, EINVAL, "%s: %s was edited, which a network that zoned serves cannot change",
            path, key);
    return err_hint(
        e,
        "put it back as it was (zonectl network show %s has it), or stop the zones on the network and start "
        "zoned anew",
        has->network);
}

char *network_file_told(struct zd *d, const struct net_entry *n, bool *pending)
{
    struct err e = {0};
    auto_spec_network struct spec_network *s = NULL;
    int r = network_file(d, n->net.name, &s, &e);
    auto_js json *a = spec_network_to_json(n->spec), *b = s ? spec_network_to_json(s) : NULL;
    *pending = r < 0 || differs(a, b, true) || differs(b, a, true);
    return r == -ENOENT ? network_gone_text(d, n->net.name) : r < 0 ? xstrdup(e.text) : NULL;
}
