/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rooms of the registry client share. libcurl stays in registry_http.c and registry_url.c. What a registry says is
 * untrusted: bounded, checked, and cleaned of control characters before a person reads it. Sources: OCI distribution-spec 1.1,
 * docs.docker.com/registry/spec/auth/token, RFC 9110 (authentication, ranges, Retry-After). */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "storage/images.h"
#include <stdbool.h>
#include <stdint.h>

/* ---- registry_challenge.c: WWW-Authenticate ---- */
enum reg_scheme { REG_NO_SCHEME, REG_BASIC, REG_BEARER };
struct reg_challenge {
    enum reg_scheme scheme;
    char *realm, *service, *scope; /* scope may be NULL */
};
/* Adds what one header line offers: Bearer wins over Basic. Unknown schemes are skipped, malformed text is invalid. */
int reg_challenge_add(struct reg_challenge *c, const char *header, struct err *e);
void reg_challenge_done(struct reg_challenge *c);
void reg_secret_free(char **secret); /* overwrites, frees, sets to NULL */

/* ---- registry_token.c: what a token server is asked and answers ---- */
/* realm?service=…&scope=… (a scope each; the challenge's own is added if it is not among them). */
char *reg_token_url(const struct reg_challenge *c, char *const *scopes);
/* The form of an OAuth2 refresh with an identity token. */
char *reg_token_form(const struct reg_challenge *c, char *const *scopes, const char *identity_token);
int reg_token_parse(const char *text, size_t n, char **token, struct err *e);
char *reg_basic_header(const char *user, const char *password); /* "Authorization: Basic …" */

/* ---- registry_url.c ---- */
bool reg_is_loopback(const char *registry); /* localhost, *.localhost, 127/8, [::1], with or without port */
char *reg_base(const char *registry, bool plain); /* https://registry-1.docker.io for docker.io */
char *reg_url(const char *base, const char *repository, const char *what,
              const char *name); /* base/v2/repository/what/name */
char *reg_url_add_query(const char *url, const char *key, const char *value);
/* Where a Location of `from` leads. *same_host: scheme, host and port are the same, so credentials may go along. Refused:
 * anything but http(s), a user in the address, from TLS to plain HTTP. */
int reg_follow(const char *from, const char *location, char **to, bool *same_host, struct err *e);
char *reg_url_public(const char *url); /* for messages: without query, fragment and user */
/* May a credential for the registry at base be sent to the realm? TLS, or as plain as the registry itself is. */
int reg_realm_check(const char *base, const char *realm, struct err *e);

/* ---- registry_retry.c ---- */
enum reg_failure {
    REG_ANSWERED,
    REG_LOST /* cut, stalled, reset */,
    REG_UNREACHABLE /* refused, no route */,
    REG_FATAL
};
struct reg_outcome {
    enum reg_failure failure;
    int status;              /* HTTP, when answered */
    const char *retry_after; /* header or NULL */
    unsigned attempt;        /* without progress, from 0 */
    unsigned attempts;       /* in all, from 0 */
    bool reached_before;     /* the registry has answered in this session */
};
/* Milliseconds to wait before the next attempt, or -1: give up. now: seconds since the epoch, for dates. */
int64_t reg_retry_after(const struct reg_outcome *o, int64_t now, unsigned random);
enum reg_range { REG_RANGE_CONTINUE, REG_RANGE_RESTART, REG_RANGE_DONE, REG_RANGE_REFUSED };
/* What to do with an answer to a request for the bytes from `have` of `total`. */
enum reg_range reg_range_check(int status, const char *content_range, uint64_t have, uint64_t total);
int reg_upload_range(const char *range, uint64_t *next); /* "0-1023": 1024; "0-0" or absent: 0 */
/* "toomanyrequests: slow down", from {"errors": [{code, message}]}; else NULL. */
char *reg_error_text(const char *text, size_t n);
int reg_status_error(int status, const char *detail, const char *what, bool had_credential, struct err *e);
