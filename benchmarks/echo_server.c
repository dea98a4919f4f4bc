/* The least a server can do for an echo: one thread, epoll, and what was read is written back.
 *
 *     gcc -O2 -o echo_server echo_server.c && ./echo_server [PORT]
 *
 * It stands in for "a server that is faster than the load generator" in benchmarks of the generator. It prints its port
 * and ends with its standard input. What cannot be written at once is waited for, which is fine for short lines only.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_EVENTS 256

static char buffer[1 << 17];

static void watch(int poller, int descriptor) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event) < 0) perror("epoll_ctl");
}

static void echo(int connection) {
    ssize_t received = recv(connection, buffer, sizeof buffer, 0);
    if (received < 0 && errno == EAGAIN) return;
    for (ssize_t sent = 0; sent < received;) {
        ssize_t part = send(connection, buffer + sent, received - sent, MSG_NOSIGNAL);
        if (part < 0 && errno == EAGAIN) {
            struct pollfd writable = {.fd = connection, .events = POLLOUT};
            poll(&writable, 1, -1);
        } else if (part < 0) {
            received = 0;
        } else {
            sent += part;
        }
    }
    if (received <= 0) close(connection);
}

int main(int argc, char **argv) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 0)};
    /* With a port it is meant to be reached from elsewhere; without one, from this machine alone. */
    address.sin_addr.s_addr = htonl(argc > 1 ? INADDR_ANY : INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) < 0) {
        perror("listen");
        return 1;
    }
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    int poller = epoll_create1(EPOLL_CLOEXEC);
    watch(poller, listener);
    watch(poller, STDIN_FILENO);
    struct epoll_event events[MOST_EVENTS];
    for (;;) {
        int ready = epoll_wait(poller, events, MOST_EVENTS, -1);
        for (int place = 0; place < ready; place++) {
            int descriptor = events[place].data.fd;
            if (descriptor == STDIN_FILENO) return 0;
            if (descriptor == listener) {
                int connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (connection < 0) continue;
                setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                watch(poller, connection);
            } else {
                echo(descriptor);
            }
        }
    }
}
