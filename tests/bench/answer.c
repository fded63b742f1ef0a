/* SPDX-License-Identifier: GPL-2.0-or-later */
/* answer PORT: an HTTP server that does next to nothing for a connection, so that what is measured is the way to it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static const char text[] = "HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nyes";
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0))};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 4096) < 0)
        return 1;
    for (;;) {
        char ask[2048];
        int c = accept(fd, NULL, NULL);
        if (c < 0)
            continue;
        if (read(c, ask, sizeof(ask)) > 0)
            (void)!write(c, text, sizeof(text) - 1);
        shutdown(c, SHUT_WR);
        close(c);
    }
}
