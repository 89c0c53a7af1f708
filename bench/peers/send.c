/* The limit: one thread that does nothing but send().
 *
 *   send COUNT BYTES PATH FIFO    waits for COUNT connections to the unix socket PATH
 *   send COUNT BYTES PORT FIFO    the same on 127.0.0.1:PORT
 *
 * Then for every number N on a line of FIFO it sends N * BYTES bytes to each, in one send().
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MOST 64

static int listening(const char *where) {
    if (where[0] == '/') {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        strncpy(address.sun_path, where, sizeof address.sun_path - 1);
        unlink(where);
        if (bind(fd, (struct sockaddr *)&address, sizeof address)) return -1;
        return listen(fd, 4096) ? -1 : fd;
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(where)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address)) return -1;
    return listen(fd, 4096) ? -1 : fd;
}

int main(int words, char **word) {
    if (words != 5) return 2;
    int count = atoi(word[1]), bytes = atoi(word[2]), one = 1, fd = listening(word[3]);
    if (fd < 0) return perror("listen"), 1;
    int *sockets = calloc(count, sizeof *sockets);
    char *frames = malloc((size_t)bytes * MOST), line[32];
    memset(frames, 'x', (size_t)bytes * MOST);
    puts("listening");
    fflush(stdout);
    for (int i = 0; i < count; i++) {
        if ((sockets[i] = accept(fd, NULL, NULL)) < 0) return perror("accept"), 1;
        setsockopt(sockets[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    if (!freopen(word[4], "r", stdin)) return perror("open"), 1;
    while (fgets(line, sizeof line, stdin)) {
        size_t size = (size_t)bytes * atoi(line);
        if (size == 0 || size > (size_t)bytes * MOST) return 2;
        for (int i = 0; i < count; i++)
            for (size_t sent = 0; sent < size;) {
                ssize_t n = send(sockets[i], frames + sent, size - sent, MSG_NOSIGNAL);
                if (n < 0) return perror("send"), 1;
                sent += n;
            }
    }
    return 0;
}
