/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A job that takes long: its answer is a stream of lines. On a terminal each item has a bar with rate and remaining time, drawn
 * in place; elsewhere each item that is done is one line. All of it on standard error. */
#include "base/clock.h"
#include "cmd/zonectl/image.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SHOWN 32 /* items; the oldest that are done go first */
#define DRAW_EVERY_US 100000
#define BAR 24
#define LEAST 65536 /* bytes that are worth a line */

struct item {
    char name[40], phase[16];
    int64_t done, total; /* bytes; total 0: unknown */
    uint64_t since_us;
    int64_t since_done; /* where it began: what a former try had is no rate */
    bool ended;
};
struct job_view {
    struct ctl *c;
    const char *what;
    bool terminal;
    struct item items[SHOWN];
    unsigned n, drawn; /* lines that are on the terminal */
    uint64_t drawn_us;
    json *result;
    struct err e;
    struct problems details;
    bool failed;
};

static void print_bar(const struct item *i, uint64_t now, int cols)
{
    char done[24], total[24], rate[24], left[24] = "", bar[BAR + 1], line[256];
    double seconds = (double)(now - i->since_us) / 1e6;
    double speed = seconds > 0.2 ? (double)(i->done - i->since_done) / seconds : 0;
    unsigned full = i->total > 0 ? (unsigned)((double)i->done / (double)i->total * BAR) : 0;
    for (unsigned k = 0; k < BAR; k++)
        bar[k] = k < full || i->ended ? '=' : '.';
    bar[BAR] = '\0';
    ctl_size(i->done, done);
    ctl_size(i->total, total);
    ctl_size((int64_t)speed, rate);
    if (speed > 0 && i->total > i->done)
        ctl_duration((int64_t)((double)(i->total - i->done) / speed) + 1, left);
    if (i->ended)
        snprintf(line, sizeof(line), "%-14.39s %-8.15s [%s] %s", i->name, i->phase, bar, done);
    else if (i->total > 0)
        snprintf(line, sizeof(line), "%-14.39s %-8.15s [%s] %s/%s %s/s %s", i->name, i->phase, bar, done,
                 total, rate, left);
    else
        snprintf(line, sizeof(line), "%-14.39s %-8.15s %s %s/s", i->name, i->phase, done, rate);
    fprintf(stderr, "\r\033[K%.*s\n", cols - 1, line);
}

static void draw(struct job_view *v, bool now_please)
{
    uint64_t now = clock_mono_us();
    int rows, cols;
    if (!v->terminal || (!now_please && now - v->drawn_us < DRAW_EVERY_US))
        return;
    ctl_window(&rows, &cols);
    unsigned most = rows > 2 ? (unsigned)rows - 2 : 1, first = v->n > most ? v->n - most : 0;
    if (v->drawn)
        fprintf(stderr, "\033[%uA", v->drawn);
    for (unsigned k = first; k < v->n; k++)
        print_bar(&v->items[k], now, cols);
    v->drawn = v->n - first;
    v->drawn_us = now;
    fflush(stderr);
}

static void item_ended(struct job_view *v, struct item *i)
{
    char size[24];
    if (i->ended)
        return;
    i->ended = true;
    ctl_size(i->done, size);
    if (!v->terminal && i->done >= LEAST)
        fprintf(stderr, "%s: %s %s\n", i->name, i->phase, size);
}

static void drop_oldest(struct job_view *v)
{
    unsigned k = 0;
    while (k + 1 < v->n && !v->items[k].ended)
        k++;
    item_ended(v, &v->items[k]);
    memmove(&v->items[k], &v->items[k + 1], (v->n - k - 1) * sizeof(v->items[0]));
    v->n--;
}

static void clean_copy(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text);
    for (char *p = out; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
}

static struct item *find_item(struct job_view *v, const char *name, const char *phase)
{
    char want[sizeof(v->items[0].name)];
    clean_copy(want, sizeof(want), name);
    for (unsigned k = 0; k < v->n; k++)
        if (!strcmp(v->items[k].name, want) && !strcmp(v->items[k].phase, phase))
            return &v->items[k];
    if (v->n == SHOWN)
        drop_oldest(v);
    struct item *i = &v->items[v->n++];
    *i = (struct item){.since_us = clock_mono_us(), .since_done = -1};
    memcpy(i->name, want, sizeof(want));
    clean_copy(i->phase, sizeof(i->phase), phase);
    return i;
}

static void take_progress(struct job_view *v, const json *p)
{
    struct item *i = find_item(v, js_get_str(p, "item", "?"), js_get_str(p, "phase", ""));
    i->done = js_get_int(p, "done", 0);
    i->total = js_get_int(p, "total", 0);
    if (i->since_done < 0)
        i->since_done = i->done;
    if (i->total > 0 && i->done >= i->total)
        item_ended(v, i);
    draw(v, i->ended);
}

static int take_line(void *arg, const char *text, size_t n)
{
    struct job_view *v = arg;
    auto_js json *j = js_parse(text, n, NULL);
    const json *error = js_get(j, "error");
    if (js_get(j, "progress")) {
        take_progress(v, js_get(j, "progress"));
    } else if (js_get(j, "note")) {
        json *list = js_array(), *o = js_object();
        js_add(list, js_ref(js_get(j, "note")));
        js_set(o, "messages", list);
        ctl_messages(o);
        js_free(o);
        v->drawn = 0; /* the bars begin again below it */
    } else if (error) {
        js_to_err(error, &v->e, &v->details);
        v->failed = true;
    } else if (js_get(j, "result")) {
        js_free(v->result);
        v->result = js_ref(js_get(j, "result"));
    }
    return 0;
}

static int end_job(struct job_view *v, int r, json **result)
{
    int status = 0;
    for (unsigned k = 0; r == 0 && !v->failed && k < v->n; k++)
        item_ended(v, &v->items[k]);
    draw(v, true);
    if (r == 0 && !v->failed && !v->result) {
        err_set(&v->e, ERR_UNREACHABLE, EPIPE, "zoned ended before the work was done");
        err_hint(&v->e, "nothing half done is left; try again");
    }
    if (r < 0 || v->failed || !v->result)
        status = ctl_fail(v->c, &v->e, &v->details, v->what);
    else
        *result = take_ptr(&v->result);
    js_free(v->result);
    problems_done(&v->details);
    return status;
}

static int follow(struct job_view *v, const char *path, json *body)
{
    int r = ctl_connect(v->c, &v->e);
    if (r < 0)
        js_free(body);
    else
        r = api_follow(v->c->client, "POST", path, body, take_line, v, &v->e, &v->details);
    return r;
}

int ctl_job(struct ctl *c, const char *path, json *body, json **result, const char *what)
{
    struct job_view v = {.c = c, .what = what, .terminal = ctl_colours(2)};
    int r = follow(&v, path, body);
    return end_job(&v, r, result);
}

int ctl_job_pull(struct ctl *c, const char *path, json *body, json **result, const char *what)
{
    struct job_view v = {.c = c, .what = what, .terminal = ctl_colours(2)};
    auto_js json *again = js_ref(body), *pulled = NULL;
    int r = follow(&v, path, body), status;
    auto_free char *image = r < 0 ? ctl_absent_image(&v.e, &v.details) : NULL;
    if (image) {
        fprintf(stderr, "image %s is not in the store: pulling it\n", image);
        problems_done(&v.details);
        err_clear(&v.e);
        if ((status = ctl_pull(c, image, &(struct transfer_options){0}, &pulled)))
            return status;
        r = follow(&v, path, js_ref(again));
    }
    return end_job(&v, r, result);
}
