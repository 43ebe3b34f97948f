// The floor: a broadcast server that does nothing but move bytes.
//
// It accepts an upgrade on any path and sends each text message to every client, the sender included. What arrives in
// one round of the loop (a tick) is framed into one buffer, so it costs one send() per client. There are no rooms,
// names, limits, timeouts, pings or close handshakes: its cost is that of the kernel and the machine.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { inputBytesMax = 256 * 1024, tickBytesMax = 256 * 1024, pendingBytesMax = 1 << 20 };
enum { headBytesMax = 16 * 1024, membersMax = 1 << 17, eventsMax = 1024 };

typedef struct {
    uint8_t *bytes;
    size_t count;
} Chunk;

typedef struct {
    int fd, member;  // its index in `members`, -1 before the upgrade
    Chunk input;    // an incomplete request or frame, kept for the next read
    Chunk pending;  // what the socket didn't take
} Client;

static int poller;
static Client *members[membersMax];
static int memberCount;
static uint8_t tick[tickBytesMax];
static size_t tickCount;

static void keep(Chunk *chunk, const void *bytes, size_t count) {
    if (count == 0) return;
    chunk->bytes = realloc(chunk->bytes, chunk->count + count);
    if (!chunk->bytes) abort();
    memcpy(chunk->bytes + chunk->count, bytes, count);
    chunk->count += count;
}

static void watch(Client *client, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = client};
    epoll_ctl(poller, operation, client->fd, &event);
}

// The socket is shut down now and freed when its hang-up event comes: no pointer in the current batch goes stale.
static void hangUp(Client *client) {
    if (client->member >= 0) {
        Client *last = members[--memberCount];
        members[client->member] = last;
        last->member = client->member;
        client->member = -1;
    }
    shutdown(client->fd, SHUT_RDWR);
}

static void release(Client *client) {
    hangUp(client);
    close(client->fd);
    free(client->input.bytes);
    free(client->pending.bytes);
    free(client);
}

static void transmit(Client *client, const void *bytes, size_t count) {
    size_t sent = 0;
    if (client->pending.count == 0) {
        ssize_t result = send(client->fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (result == (ssize_t)count) return;
        if (result < 0 && errno != EAGAIN) return hangUp(client);
        sent = result < 0 ? 0 : (size_t)result;
        watch(client, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    }
    if (client->pending.count + count - sent > pendingBytesMax) return hangUp(client);
    keep(&client->pending, (const uint8_t *)bytes + sent, count - sent);
}

static void transmitPending(Client *client) {
    Chunk pending = client->pending;
    client->pending = (Chunk){0};
    watch(client, EPOLL_CTL_MOD, EPOLLIN);
    if (pending.count) transmit(client, pending.bytes, pending.count);
    free(pending.bytes);
}

static void flushTick(void) {
    for (int i = memberCount - 1; i >= 0 && tickCount; i--) transmit(members[i], tick, tickCount);
    tickCount = 0;
}

// Appends an unmasked text frame to the tick.
static void broadcast(const uint8_t *payload, size_t count, const uint8_t mask[4]) {
    if (tickCount + count + 4 > sizeof tick) flushTick();
    uint8_t *frame = tick + tickCount;
    size_t header = count < 126 ? 2 : 4;
    frame[0] = 0x81;
    frame[1] = count < 126 ? (uint8_t)count : 126;
    if (header == 4) frame[2] = (uint8_t)(count >> 8), frame[3] = (uint8_t)count;
    for (size_t i = 0; i < count; i++) frame[header + i] = payload[i] ^ mask[i & 3];
    tickCount += header + count;
}

// Answers the upgrade request at the start of `bytes`. Returns its length, 0 while it is incomplete, -1 if it is none.
static ssize_t upgrade(Client *client, char *bytes, size_t count) {
    char *end = memmem(bytes, count, "\r\n\r\n", 4);
    if (!end) return count < headBytesMax ? 0 : -1;
    *end = 0;
    char *key = strcasestr(bytes, "Sec-WebSocket-Key: ");
    if (!key || memberCount == membersMax) return -1;
    key += strlen("Sec-WebSocket-Key: ");
    char salted[128], accept[32], response[256];
    uint8_t digest[20];
    int length = snprintf(salted, sizeof salted, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    EVP_Digest(salted, (size_t)length, digest, NULL, EVP_sha1(), NULL);
    EVP_EncodeBlock((uint8_t *)accept, digest, sizeof digest);
    length = snprintf(response, sizeof response,
                      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
    transmit(client, response, (size_t)length);
    client->member = memberCount;
    members[memberCount++] = client;
    return end + 4 - bytes;
}

// Takes one masked frame at the start of `bytes`. Returns its length, 0 while it is incomplete, -1 to hang up.
static ssize_t takeFrame(const uint8_t *bytes, size_t count) {
    if (count < 6) return 0;
    size_t length = bytes[1] & 0x7f, header = length == 126 ? 8 : 6;
    if (length == 127) return -1;
    if (count < header) return 0;
    if (header == 8) length = (size_t)bytes[2] << 8 | bytes[3];
    if (count < header + length) return 0;
    int opcode = bytes[0] & 0x0f;
    if (opcode == 8) return -1;
    if (opcode == 1) broadcast(bytes + header, length, bytes + header - 4);
    return (ssize_t)(header + length);
}

static void receive(Client *client) {
    static uint8_t buffer[inputBytesMax];
    size_t count = client->input.count, used = 0;
    if (count) memcpy(buffer, client->input.bytes, count);
    free(client->input.bytes);
    client->input = (Chunk){0};
    ssize_t result = recv(client->fd, buffer + count, sizeof buffer - count, MSG_DONTWAIT);
    if (result == 0 || (result < 0 && errno != EAGAIN)) return release(client);
    if (result > 0) count += (size_t)result;
    while (used < count) {
        ssize_t taken = client->member < 0 ? upgrade(client, (char *)buffer + used, count - used)
                                           : takeFrame(buffer + used, count - used);
        if (taken < 0) return release(client);
        if (taken == 0) break;
        used += (size_t)taken;
    }
    keep(&client->input, buffer + used, count - used);
}

static void acceptAll(int listener) {
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        Client *client = malloc(sizeof *client);
        if (!client) abort();
        *client = (Client){.fd = fd, .member = -1};
        watch(client, EPOLL_CTL_ADD, EPOLLIN);
    }
}

int main(int argc, char **argv) {
    int port = argc == 2 ? atoi(argv[1]) : 0, on = 1;
    if (port <= 0 || port > 65535) return fprintf(stderr, "usage: floor PORT\n"), 2;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) {
        perror("floor: cannot listen");
        return 1;
    }
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event incoming = {.events = EPOLLIN, .data.ptr = NULL}, events[eventsMax];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &incoming);
    for (;;) {
        int ready = epoll_wait(poller, events, eventsMax, -1);
        for (int i = 0; i < ready; i++) {
            Client *client = events[i].data.ptr;
            if (client && events[i].events & EPOLLOUT) transmitPending(client);
            if (client && events[i].events & ~EPOLLOUT) receive(client);
            if (!client) acceptAll(listener);
        }
        flushTick();
    }
}
