/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A raw HTTP client for the server's tests: no library between the test and the bytes. */
#pragma once
#include "base/auto.h"
#include "base/clock.h"
#include "base/str.h"
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

__attribute__((unused)) static int dial(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strncpy(a.sun_path, path, sizeof(a.sun_path) - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
        int code = errno;
        close(fd);
        return -code;
    }
    return fd;
}

__attribute__((unused)) static void put(int fd, const char *text)
{
    (void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* What arrives until the end of file, `until`, or the time is over; *ended: it was the end of file. */
__attribute__((unused)) static char *get_until(int fd, const char *until, int ms, bool *ended)
{
    struct str s = {0};
    uint64_t end = clock_mono_us() + (uint64_t)ms * 1000;
    str_add(&s, "");
    *ended = false;
    while (clock_mono_us() < end && !(until && strstr(s.p, until))) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char buf[4096];
        if (poll(&p, 1, (int)((end - clock_mono_us()) / 1000) + 1) <= 0)
            continue;
        ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
        if (n <= 0) {
            *ended = true;
            break;
        }
        str_addn(&s, buf, (size_t)n);
    }
    return str_take(&s);
}

/* One answer with a Content-Length, whole. */
__attribute__((unused)) static char *get_answer(int fd, int ms)
{
    struct str s = {0};
    bool ended = false;
    uint64_t end = clock_mono_us() + (uint64_t)ms * 1000;
    while (clock_mono_us() < end && !ended) {
        const char *head = s.p ? strstr(s.p, "\r\n\r\n") : NULL;
        const char *length = head ? strcasestr(s.p, "Content-Length: ") : NULL;
        if (length && s.len >= (size_t)(head + 4 - s.p) + (size_t)atol(length + 16))
            break;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char buf[4096];
        if (poll(&p, 1, 50) <= 0)
            continue;
        ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
        ended = n <= 0;
        if (n > 0)
            str_addn(&s, buf, (size_t)n);
    }
    return str_take(&s);
}

__attribute__((unused)) static int status_of(const char *answer)
{
    return strncmp(answer, "HTTP/1.1 ", 9) ? -1 : atoi(answer + 9);
}

__attribute__((unused)) static char *ask(const char *path, const char *request)
{
    int fd = dial(path);
    if (fd < 0)
        return strdup("");
    put(fd, request);
    char *a = get_answer(fd, 3000);
    close(fd);
    return a;
}

__attribute__((unused)) static uint64_t cpu_ticks(pid_t pid)
{
    char path[40], text[512] = "";
    unsigned long long u = 0, k = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    auto_file FILE *f = fopen(path, "re");
    if (!f || !fgets(text, sizeof(text), f))
        return 0;
    const char *p = strrchr(text, ')');
    (void)sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &u, &k);
    return u + k;
}

/* The next thing that a handler reports, or 0 after two seconds. */
__attribute__((unused)) static char reported(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char c = 0;
    return poll(&p, 1, 2000) > 0 && read(fd, &c, 1) == 1 ? c : 0;
}
