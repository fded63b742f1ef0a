/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is it text at all? Runs before libyaml sees a byte: NUL, control characters and broken UTF-8 are refused
 * with their line. Must never change what the text means, only its form where libyaml would stumble over
 * valid JSON. */
#include "base/mem.h"
#include "specs/node.h"
#include "specs/specs.h"
#include <errno.h>
#include <string.h>

/* Length of the UTF-8 sequence at s (at most n bytes), 0 if it is none (overlong, surrogate, above 10FFFF).
 */
static unsigned utf8_len(const unsigned char *s, size_t n)
{
    unsigned len = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
    if (!len || n < len)
        return 0;
    for (unsigned i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return len;
}

static int check_bytes(const char *text, size_t n, struct spec_load *l)
{
    int line = 1;
    for (size_t i = 0; i < n;) {
        unsigned char c = (unsigned char)text[i];
        unsigned len = 1;
        if (c == '\n')
            line++;
        else if (!c)
            spec_bad(l, line, NULL, "holds a NUL byte (text only)");
        else if ((c < 0x20 && c != '\t' && c != '\r') || c == 0x7f)
            spec_bad(l, line, NULL, "holds the control character 0x%02x (text only)", c);
        else if (c >= 0x80 && !(len = utf8_len((const unsigned char *)text + i, n - i)))
            spec_bad(l, line, NULL, "is not valid UTF-8 (byte 0x%02x)", c);
        if (l->bad)
            return -EINVAL;
        i += len;
    }
    return 0;
}

static bool hex4(const char *s, unsigned *out)
{
    unsigned v = 0;
    for (int i = 0; i < 4; i++) {
        char c = s[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                : 16;
        if (digit > 15)
            return false;
        v = v * 16 + digit;
    }
    *out = v;
    return true;
}

/* A surrogate pair at s ("\ud83d\ude00", at least 12 bytes)? */
static bool surrogates(const char *s, unsigned *code)
{
    unsigned high, low;
    if (s[1] != 'u' || s[6] != '\\' || s[7] != 'u' || !hex4(s + 2, &high) || !hex4(s + 8, &low) ||
        (high & 0xfc00) != 0xd800 || (low & 0xfc00) != 0xdc00)
        return false;
    *code = 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
    return true;
}

/* libyaml refuses JSON's way to write characters above FFFF; YAML's own \U is two bytes shorter. */
static size_t join_surrogates(char *text, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    size_t to = 0;
    for (size_t i = 0; i < n;) {
        unsigned code;
        if (text[i] == '\\' && n - i >= 12 && surrogates(text + i, &code)) {
            text[to++] = '\\';
            text[to++] = 'U';
            for (int shift = 28; shift >= 0; shift -= 4)
                text[to++] = digits[(code >> shift) & 15];
            i += 12;
            continue;
        }
        bool pair = text[i] == '\\' && i + 1 < n;
        text[to++] = text[i++];
        if (pair)
            text[to++] = text[i++];
    }
    text[to] = '\0';
    return to;
}

int spec_text_clean(const char *text, size_t n, char **out, size_t *len, struct spec_load *l)
{
    if (n > SPEC_TEXT_MAX) {
        spec_bad(l, 0, NULL, "is too large (%zu bytes; at most %u)", n, SPEC_TEXT_MAX);
        return -EINVAL;
    }
    if (n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
        text += 3;
        n -= 3;
    }
    if (check_bytes(text, n, l) < 0)
        return -EINVAL;
    char *copy = xstrndup(text, n);
    size_t blank = strspn(copy, " \t\r\n");
    if (copy[blank] == '{' && strstr(copy, "\\u"))
        n = join_surrogates(copy, n);
    *out = copy;
    *len = n;
    return 0;
}
