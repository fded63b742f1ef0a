/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A growing array of T: VEC(int) v = {0}; *vec_add(&v) = 3; v.at[i], v.len; vec_done(&v). Most have one item for life (a
 * zone's links, its ports), so they begin with room for one. */
#pragma once
#include "base/mem.h"
#include <string.h>
#define VEC(T)                                                                                               \
    struct {                                                                                                 \
        T *at;                                                                                               \
        unsigned len, cap;                                                                                   \
    }
/* Pointer to a new zeroed slot at the end; valid until the next vec_add. */
#define vec_add(v)                                                                                           \
    ({                                                                                                       \
        __typeof__(v) v_ = (v);                                                                              \
        if (v_->len == v_->cap) {                                                                            \
            v_->cap = v_->cap ? v_->cap * 2 : 1;                                                             \
            v_->at = xrealloc(v_->at, v_->cap, sizeof(*v_->at));                                             \
        }                                                                                                    \
        memset(&v_->at[v_->len], 0, sizeof(*v_->at));                                                        \
        &v_->at[v_->len++];                                                                                  \
    })
/* Frees the array, not what its items own. */
#define vec_done(v)                                                                                          \
    do {                                                                                                     \
        free((v)->at);                                                                                       \
        memset((v), 0, sizeof(*(v)));                                                                        \
    } while (0)
#define vec_remove(v, i)                                                                                     \
    do {                                                                                                     \
        memmove(&(v)->at[i], &(v)->at[(i) + 1], ((v)->len - (i)-1) * sizeof(*(v)->at));                      \
        (v)->len--;                                                                                          \
    } while (0)
