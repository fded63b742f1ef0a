/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A full-screen view on a terminal by ECMA-48 escape sequences that every terminal of the last decades knows:
 * alternate screen, cursor away, one write per picture. Whatever ends the program (q, end of input, TERM, INT,
 * HUP, a fault) the terminal is as before: the state is kept here and put back by a handler that only uses
 * async-signal-safe calls. May assume: one screen per process. */
#include "base/fd.h"
#include "cmd/zonectl/zonectl.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>

static struct {
    struct termios before;
    volatile sig_atomic_t on, resized;
} screen;

static void leave_signal(int sig)
{
    ctl_screen_end();
    (void)signal(sig, SIG_DFL);
    (void)raise(sig);
}

static void window_signal(int sig)
{
    screen.resized = 1;
}

static void suspend_signal(int sig)
{
    ctl_screen_end();
    (void)signal(SIGTSTP, SIG_DFL);
    (void)raise(SIGSTOP);
}

static void resume_signal(int sig)
{
    (void)ctl_screen_begin();
    screen.resized = 1;
}

static void take_signals(void)
{
    static const int ends[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGFPE};
    struct sigaction leave = {.sa_handler = leave_signal, .sa_flags = SA_RESETHAND},
                     window = {.sa_handler = window_signal}, suspend = {.sa_handler = suspend_signal},
                     resume = {.sa_handler = resume_signal};
    for (unsigned i = 0; i < ARRAY_LEN(ends); i++)
        sigaction(ends[i], &leave, NULL);
    sigaction(SIGWINCH, &window, NULL);
    sigaction(SIGTSTP, &suspend, NULL);
    sigaction(SIGCONT, &resume, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

int ctl_screen_begin(void)
{
    static const char on[] = "\033[?1049h\033[?25l\033[?7l";
    struct termios t;
    if (screen.on)
        return 0;
    if (!isatty(0) || !isatty(1) || tcgetattr(0, &screen.before) < 0)
        return -ENOTTY;
    t = screen.before;
    t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    t.c_cc[VMIN] = 0;
    t.c_cc[VTIME] = 0;
    screen.on = 1;
    take_signals();
    if (tcsetattr(0, TCSANOW, &t) < 0)
        return -errno;
    return fd_write_full(1, on, sizeof(on) - 1);
}

void ctl_screen_end(void)
{
    static const char off[] = "\033[0m\033[?7h\033[?25h\033[?1049l";
    if (!screen.on)
        return;
    screen.on = 0;
    (void)!write(1, off, sizeof(off) - 1);
    (void)tcsetattr(0, TCSANOW, &screen.before);
}

int ctl_screen_show(const struct str *lines, int rows)
{
    struct str out = {0};
    const char *p = lines->p ? lines->p : "";
    str_add(&out, "\033[H");
    for (int i = 0; i < rows && *p; i++) {
        size_t n = strcspn(p, "\n");
        str_addn(&out, p, n);
        str_add(&out, "\033[0m\033[K");
        p += n + (p[n] == '\n');
        if (i + 1 < rows && *p)
            str_add(&out, "\n");
    }
    str_add(&out, "\033[0m\033[J");
    int r = fd_write_full(1, out.p, out.len);
    str_done(&out);
    return r;
}

static bool next_byte(char *c)
{
    struct pollfd p = {.fd = 0, .events = POLLIN};
    return poll(&p, 1, 20) == 1 && read(0, c, 1) == 1;
}

/* Arrows and the like are one unknown key: ESC [ … up to a letter, or ESC and one byte (ECMA-48). */
static int skip_sequence(void)
{
    char c;
    if (next_byte(&c) && (c == '[' || c == 'O'))
        while (next_byte(&c) && (c < 0x40 || c > 0x7e))
            ;
    return CTL_KEY_NONE;
}

int ctl_screen_key(int timeout_ms)
{
    struct pollfd p = {.fd = 0, .events = POLLIN};
    char c;
    int n = screen.resized ? 0 : poll(&p, 1, timeout_ms);
    if (screen.resized || (n < 0 && errno == EINTR)) {
        screen.resized = 0;
        return CTL_KEY_WINDOW;
    }
    if (n <= 0)
        return n < 0 ? CTL_KEY_END : CTL_KEY_NONE;
    ssize_t got = read(0, &c, 1);
    if (got <= 0)
        return CTL_KEY_END;
    return c == '\033' ? skip_sequence() : (unsigned char)c;
}
