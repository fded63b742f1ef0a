/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The caller's logins for registries, from the files that docker, podman and skopeo write. Read by zonectl as its user: zoned
 * and its workers read no auth file, they are handed the one login that a transfer needs.
 * Sources: containers-auth.json(5), docs.docker.com/engine/reference/commandline/login, docker-credential-helpers. */
#pragma once
#include "base/err.h"
#include "base/json.h"

/* The files in the order in which they are asked: REGISTRY_AUTH_FILE alone if set; else $XDG_RUNTIME_DIR/containers/auth.json,
 * ~/.config/containers/auth.json, $DOCKER_CONFIG or ~/.docker/config.json. strv, the caller's. */
char **cred_files(void);
/* The login for a repository ("docker.io/library/nginx") from the first file that has one, as the API takes it:
 * {"username","password"}, {"identity_token"} or {"registry_token"}; NULL: none. A file that others own or may write is refused
 * (denied), as is one that is no JSON. Helpers (credHelpers, credsStore) are run as the caller. */
int cred_find(char *const *files, const char *repository, json **out, struct err *e);
