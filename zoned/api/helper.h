/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "base/err.h"
#include "base/json.h"
/* What docker-credential-NAME says of a registry: its JSON object, or NULL if it knows none. Found in PATH, run as the caller,
 * at most 30 seconds. */
int cred_helper_get(const char *name, const char *registry, json **out, struct err *e);
