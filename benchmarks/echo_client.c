/* Drives echo servers from one thread: CONNECTIONS at once, each with one request in flight, for SECONDS.
 *
 *     echo_client HOST PORT CONNECTIONS SECONDS persistent|per-request BYTES
 *
 * Prints "REPLIES FAILURES ELAPSED_SECONDS". Every reply is compared with its request. In per-request mode each
 * connection carries one request and is then closed; over loopback the kernel uses its port again after a second.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in server;
static int loop, bytes, per_request;
static char *request;
static int *received; /* by descriptor: bytes of the reply so far; -1 while it connects */
static char (*replies)[65536];
static long ok, failed;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void open_one(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    if (fd < 0) { perror("socket"); exit(1); }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS) { perror("connect"); exit(1); }
    received[fd] = -1;
    struct epoll_event event = {.events = EPOLLOUT, .data.fd = fd};
    epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
}

static void again(int fd, int is_failure) {
    if (is_failure) failed++;
    if (!is_failure && !per_request) {
        received[fd] = 0;
        if (write(fd, request, bytes) == bytes) return;
        failed++;
    }
    close(fd);
    open_one();
}

static void handle(int fd, unsigned events) {
    if (received[fd] < 0) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error || write(fd, request, bytes) != bytes) { again(fd, 1); return; }
        received[fd] = 0;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(loop, EPOLL_CTL_MOD, fd, &event);
        return;
    }
    (void)events;
    ssize_t n = read(fd, replies[fd] + received[fd], bytes - received[fd]);
    if (n <= 0) { if (n < 0 && errno == EAGAIN) return; again(fd, 1); return; }
    received[fd] += n;
    if (received[fd] < bytes) return;
    int good = !memcmp(replies[fd], request, bytes);
    ok += good;
    again(fd, !good);
}

int main(int count, char **words) {
    if (count != 7) { fprintf(stderr, "usage: echo_client HOST PORT CONNECTIONS SECONDS MODE BYTES\n"); return 2; }
    int connections = atoi(words[3]);
    double seconds = atof(words[4]);
    per_request = !strcmp(words[5], "per-request");
    bytes = atoi(words[6]);
    server.sin_family = AF_INET;
    server.sin_port = htons(atoi(words[2]));
    inet_pton(AF_INET, words[1], &server.sin_addr);
    request = malloc(bytes);
    memset(request, 'x', bytes);
    request[bytes - 1] = '\n';
    received = calloc(65536, sizeof *received);
    replies = calloc(connections + 64, sizeof *replies);
    loop = epoll_create1(0);
    for (int n = 0; n < connections; n++) open_one();
    struct epoll_event events[256];
    double began = now(), ends = began + seconds, moment = began;
    while (moment < ends) {
        int n = epoll_wait(loop, events, 256, 100);
        for (int i = 0; i < n; i++) handle(events[i].data.fd, events[i].events);
        moment = now();
    }
    printf("%ld %ld %.6f\n", ok, failed, moment - began);
    return 0;
}
