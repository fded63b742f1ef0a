/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The environment of a zone's program, built from nothing. Must never pass on anything of ours. */
#include "base/mem.h"
#include "base/str.h"
#include "namespaces/inner.h"
#include <string.h>

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Owns kv; a later value of the same name replaces the earlier one. */
static void put(char ***env, char *kv)
{
    const char *eq = strchr(kv, '=');
    if (!eq || eq == kv) {
        free(kv);
        return;
    }
    size_t n = (size_t)(eq - kv) + 1;
    for (char **p = *env; p && *p; p++) {
        if (!strncmp(*p, kv, n)) {
            free(*p);
            *p = kv;
            return;
        }
    }
    strv_take(env, kv);
}

char **nspace_env_build(const struct nspace_final *f, const struct nspace_user *u)
{
    char **env = NULL;
    put(&env, xstrdup("PATH=" PATH_DEFAULT));
    put(&env, xasprintf("HOME=%s", u->home));
    put(&env, xstrdup("container=zoned"));
    if (f->hostname)
        put(&env, xasprintf("HOSTNAME=%s", f->hostname));
    if (f->terminal)
        put(&env, xstrdup("TERM=xterm"));
    if (f->login) {
        put(&env, xasprintf("USER=%s", u->name ? u->name : ""));
        put(&env, xasprintf("LOGNAME=%s", u->name ? u->name : ""));
        put(&env, xasprintf("SHELL=%s", u->shell && *u->shell ? u->shell : "/bin/sh"));
    }
    for (char *const *p = f->extra_env; p && *p; p++)
        put(&env, xstrdup(*p));
    for (unsigned i = 0; f->env && i < f->env->len; i++)
        put(&env, xasprintf("%s=%s", f->env->at[i].key, f->env->at[i].value));
    return env;
}
