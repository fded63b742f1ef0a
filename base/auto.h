/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cleanup by scope. Declare with auto_free, auto_fd, auto_dir, auto_file; hand over with take_ptr, take_fd.
 */
#pragma once
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void auto_free_(void *p)
{
    free(*(void **)p);
}
static inline void auto_close_(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
static inline void auto_closedir_(DIR **d)
{
    if (*d)
        closedir(*d);
}
static inline void auto_fclose_(FILE **f)
{
    if (*f)
        fclose(*f);
}
#define auto_free __attribute__((cleanup(auto_free_)))
#define auto_fd __attribute__((cleanup(auto_close_)))
#define auto_dir __attribute__((cleanup(auto_closedir_)))
#define auto_file __attribute__((cleanup(auto_fclose_)))
/* For a type with a destructor `void x_free(struct x *)` that accepts NULL: DEFINE_AUTO(struct x, x_free)
 * gives auto_of(x_free). For a by-value type with `void x_done(struct x *)`:
 * __attribute__((cleanup(x_done))). */
#define DEFINE_AUTO(type, fn)                                                                                \
    static inline void auto_##fn##_(type **p)                                                                \
    {                                                                                                        \
        if (*p)                                                                                              \
            fn(*p);                                                                                          \
    }                                                                                                        \
    struct auto_##fn##_needs_a_semicolon
#define auto_of(fn) __attribute__((cleanup(auto_##fn##_)))
#define auto_done(fn) __attribute__((cleanup(fn)))

static inline int take_fd(int *fd)
{
    int t = *fd;
    *fd = -1;
    return t;
}
#define take_ptr(pp)                                                                                         \
    ({                                                                                                       \
        __typeof__(pp) pp_ = (pp);                                                                           \
        __typeof__(*pp) t_ = *pp_;                                                                           \
        *pp_ = NULL;                                                                                         \
        t_;                                                                                                  \
    })
/* Closes and forgets; safe on -1 and twice. */
static inline void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
