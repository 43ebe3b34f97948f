// Clients that join and then stop reading.

#include "loadgen.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint64_t dropsSeenWithinNs = 10000000000;  // the bytes in the server's kernel arrive in small pieces

// Spread evenly over the connections like the publishers, of which none stalls.
void chooseStalled(Client *clients) {
    for (int i = 0; i < options.stalled; i++) {
        Client *client = &clients[(int64_t)i * options.connections / options.stalled];
        if (client->publisher >= 0) client++;
        client->stalls = true;
    }
}

// The kernel is to hold little, so that the server does: loopback's own segments of 64 KB make for megabytes of send
// buffer, those of Ethernet for less than 100 KB.
void stalledPrepare(const Client *client) {
    int received = 4096, segment = 1448;
    setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &received, sizeof received);
    setsockopt(client->fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
}

void stalledBegin(const Worker *worker, const Client *client) {
    epoll_ctl(worker->poller, EPOLL_CTL_DEL, client->fd, NULL);
}

// Reads and discards all that was sent. Returns whether the server has closed the connection.
static bool wasDropped(const Client *client) {
    static uint8_t sink[64 * 1024];
    ssize_t result;
    do result = recv(client->fd, sink, sizeof sink, MSG_DONTWAIT);
    while (result > 0);
    return result == 0 || errno != EAGAIN;
}

// The bytes in both kernels come first, then the end of the connection, if the server has closed it.
int countDropped(Client *clients) {
    int dropped = 0;
    for (uint64_t end = now() + dropsSeenWithinNs; dropped < options.stalled && now() < end; usleep(10000)) {
        for (int i = 0; i < options.connections; i++) {
            if (!clients[i].stalls || !wasDropped(&clients[i])) continue;
            clients[i].stalls = false;
            dropped++;
        }
    }
    return dropped;
}
