/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LIB/networks: what was chosen for each network, so that its addresses stay, with its spec as it was last taken, by which zones
 * run on while its file is broken; and what the host's switches were before the first network came up. Must never touch the
 * kernel. */
#include "base/file.h"
#include "base/str.h"
#include "zoned/networks.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#define SAVED "forwarding" /* what the host's switches were; not a network's name plus .json */
#define STATE_MAX (4u * SPEC_TEXT_MAX)

char *network_state_path(struct zd *d, const char *name)
{
    return xasprintf("%s/networks/%s.json", d->lib_dir, name);
}

char **network_states(struct zd *d)
{
    auto_free char *path = xasprintf("%s/networks", d->lib_dir);
    auto_dir DIR *dir = opendir(path);
    char **names = NULL;
    for (struct dirent *ent; dir && (ent = readdir(dir));) {
        auto_free char *name = str_ends(ent->d_name, ".json")
                                   ? xstrndup(ent->d_name, strlen(ent->d_name) - strlen(".json"))
                                   : NULL;
        if (name && spec_check_name("network", name, NULL) == 0)
            strv_add(&names, name);
    }
    return names;
}

/* NULL: an older zoned kept none. */
static struct spec_network *taken_spec(const json *j, const char *name)
{
    struct spec_network *s = NULL;
    struct problems ps = {0};
    const json *kept = js_get(j, "spec");
    if (kept && spec_network_from_json(kept, &s, &ps) == 0 && strcmp(s->network, name) != 0) {
        spec_network_free(s);
        s = NULL;
    }
    problems_done(&ps);
    return s;
}

int network_state_load(struct zd *d, const char *name, struct net_network *n, struct spec_network **taken,
                       struct err *e)
{
    auto_free char *path = network_state_path(d, name), *text = NULL;
    size_t len;
    int r = file_read(AT_FDCWD, path, STATE_MAX, &text, &len, e);
    if (r < 0)
        return r;
    auto_js json *j = js_parse(text, len, e);
    r = j ? net_network_from_json(j, n, e) : -EINVAL;
    if (r < 0)
        return err_prefix(e, "%s", path), r;
    *taken = taken_spec(j, name);
    return 0;
}

int network_state_save(struct zd *d, const struct net_network *n, const struct spec_network *taken,
                       struct err *e)
{
    auto_js json *j = net_network_to_json(n);
    js_set(j, "spec", spec_network_to_json(taken));
    auto_free char *text = js_dump(j, true), *path = network_state_path(d, n->name), *has = NULL;
    if (file_read(AT_FDCWD, path, STATE_MAX, &has, NULL, NULL) == 0 && !strcmp(has, text))
        return 0;
    return file_replace(AT_FDCWD, path, text, strlen(text), 0600, true, e);
}

void network_switches_save(struct zd *d)
{
    auto_free char *path = xasprintf("%s/networks/" SAVED, d->lib_dir);
    auto_free char *text = d->net_saved ? js_dump(d->net_saved, false) : NULL;
    if (!text)
        (void)unlink(path);
    else
        (void)file_replace(AT_FDCWD, path, text, strlen(text), 0600, false, NULL);
}

void network_switches_load(struct zd *d)
{
    auto_free char *path = xasprintf("%s/networks/" SAVED, d->lib_dir), *text = NULL;
    size_t len;
    if (file_read(AT_FDCWD, path, 65536, &text, &len, NULL) == 0)
        d->net_saved = js_parse(text, len, NULL);
}
