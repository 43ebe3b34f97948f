// Clients that were in rooms, lost their connections, missed messages, and all reconnect at once.
//
//     resume --port PORT --conns N --rooms R --messages M --pid PID
//
// N clients join R rooms in turn. Then all connections are cut except one a room, which publishes M messages and is
// then cut, too. The program prints `ready` and waits for a line with the id of the server's process, which may be a
// new one. Then all N clients connect at the same time, send `hello`, and join with `since`. Each must get exactly
// the M messages that it missed. Prints one JSON object. Fails after 60 s. Loopback only.

#include "loadgen.h"
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { connectionsMax = 30000, messagesMax = 500, eventsMax = 1024, secondsMax = 60, openingMax = 256 };
enum { opcodeText = 1, opcodeClose = 8 };

typedef enum { joinerClosed, joinerUpgrading, joinerHello, joinerJoining, joinerJoined } JoinerState;

typedef struct {
    int fd, index, acks;
    JoinerState state;
    Buffer input;
    char epoch[32];
    uint64_t offset, startedAt;
} Joiner;

static int port, count = 1000, rooms = 100, messages = 20, poller, joinedCount, ackedCount;
static bool resuming;
static pid_t server;
static Joiner *joiners;
static Histogram times;
static uint8_t received[1 << 20];

_Noreturn void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("resume: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static void keep(Buffer *buffer, const void *bytes, size_t byteCount) {
    if (buffer->count + byteCount > buffer->capacity) {
        buffer->capacity = buffer->count + byteCount;
        buffer->bytes = realloc(buffer->bytes, buffer->capacity);
        if (!buffer->bytes) fail("out of memory");
    }
    memcpy(buffer->bytes + buffer->count, bytes, byteCount);
    buffer->count += byteCount;
}

// MARK: Sending

// Commands are small, and few are pending at a time: if the socket doesn't take one, the run fails.
static void say(const Joiner *joiner, const void *bytes, size_t byteCount) {
    if (send(joiner->fd, bytes, byteCount, MSG_NOSIGNAL) != (ssize_t)byteCount) fail("a client can't send: %s", strerror(errno));
}

// The mask is zero. The server must unmask nevertheless.
static void sayText(const Joiner *joiner, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void sayText(const Joiner *joiner, const char *format, ...) {
    uint8_t frame[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf((char *)frame + 8, sizeof frame - 8, format, arguments);
    va_end(arguments);
    if (length < 0 || length >= (int)sizeof frame - 8) fail("a text is too long");
    uint8_t *start = length < 126 ? frame + 2 : frame;
    start[0] = 0x80 | opcodeText;
    start[1] = (uint8_t)(0x80 | (length < 126 ? length : 126));
    if (length >= 126) {
        start[2] = (uint8_t)(length >> 8);
        start[3] = (uint8_t)length;
    }
    memset(frame + 4, 0, 4);
    say(joiner, start, (size_t)(frame + 8 + length - start));
}

static void start(Joiner *joiner) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    joiner->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (joiner->fd < 0) fail("no socket: %s", strerror(errno));
    setsockopt(joiner->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    joiner->startedAt = now();
    joiner->state = joinerUpgrading;
    joiner->input.count = 0;
    if (connect(joiner->fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) {
        fail("a client can't connect: %s", strerror(errno));
    }
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = joiner};
    epoll_ctl(poller, EPOLL_CTL_ADD, joiner->fd, &event);
}

// Resets the connection, as a network that goes away does.
static void cut(Joiner *joiner) {
    if (joiner->state == joinerClosed) return;
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(joiner->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(joiner->fd);
    joiner->state = joinerClosed;
}

static void connected(Joiner *joiner) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(joiner->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) fail("client %d can't connect: %s", joiner->index, strerror(error));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = joiner};
    epoll_ctl(poller, EPOLL_CTL_MOD, joiner->fd, &event);
    // The example nonce of RFC 6455 (section 1.3).
    static const char request[] =
        "GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Protocol: gohub.v1\r\n\r\n";
    say(joiner, request, sizeof request - 1);
}

// MARK: Receiving

static bool has(const uint8_t *bytes, size_t byteCount, const char *text) {
    return memmem(bytes, byteCount, text, strlen(text)) != NULL;
}

static const char *after(const uint8_t *bytes, size_t byteCount, const char *text) {
    const char *found = memmem(bytes, byteCount, text, strlen(text));
    if (!found) fail("%s is missing in what the hub says", text);
    return found + strlen(text);
}

static void joined(Joiner *joiner, const uint8_t *text, size_t length, uint64_t at) {
    if (resuming) {
        int missed = 0;
        const uint8_t *next = text, *end = text + length;
        static const char marker[] = "\"text\":\"#missed";
        while ((next = memmem(next, (size_t)(end - next), marker, sizeof marker - 1))) missed++, next++;
        if (!has(text, length, "\"recovered\":true") || missed != messages) {
            fail("client %d got %d of %d messages: %.*s", joiner->index, missed, messages, 200, (const char *)text);
        }
        histogramAdd(&times, at - joiner->startedAt);
    } else {
        sscanf(after(text, length, "\"epoch\":\""), "%31[^\"]", joiner->epoch);
        joiner->offset = strtoull(after(text, length, "\"offset\":"), NULL, 10);
    }
    joiner->state = joinerJoined;
    joinedCount++;
}

static void hear(Joiner *joiner, const uint8_t *text, size_t length, uint64_t at) {
    if (has(text, length, "\"op\":\"error\"")) fail("the hub answered %.*s", (int)length, (const char *)text);
    if (joiner->state == joinerHello && has(text, length, "\"op\":\"welcome\"")) {
        joiner->state = joinerJoining;
        if (!resuming) return sayText(joiner, "{\"op\":\"join\",\"id\":\"j\",\"room\":\"r%d\"}", joiner->index % rooms);
        sayText(joiner, "{\"op\":\"join\",\"id\":\"j\",\"room\":\"r%d\",\"since\":{\"epoch\":\"%s\",\"offset\":%lu}}",
                joiner->index % rooms, joiner->epoch, joiner->offset);
    } else if (joiner->state == joinerJoining && has(text, length, "\"op\":\"joined\"")) {
        joined(joiner, text, length, at);
    } else if (joiner->state == joinerJoined && has(text, length, "\"op\":\"ack\"")) {
        joiner->acks++;
        ackedCount++;
    }
}

// Takes the complete frame at the start of `bytes`; returns its length, 0 while it is incomplete.
static size_t take(Joiner *joiner, const uint8_t *bytes, size_t byteCount, uint64_t at) {
    if (joiner->state == joinerUpgrading) {
        const uint8_t *end = memmem(bytes, byteCount, "\r\n\r\n", 4);
        if (!end) return 0;
        if (byteCount < 12 || memcmp(bytes, "HTTP/1.1 101", 12) != 0) fail("the upgrade was refused: %.40s", (const char *)bytes);
        joiner->state = joinerHello;
        sayText(joiner, "{\"op\":\"hello\",\"user\":\"u%d\",\"device\":\"d\"}", joiner->index);
        return (size_t)(end + 4 - bytes);
    }
    if (byteCount < 2) return 0;
    size_t length = bytes[1], header = 2, lengthBytes = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (byteCount < header + lengthBytes) return 0;
    if (lengthBytes > 0) length = 0;
    for (size_t i = 0; i < lengthBytes; i++) length = length << 8 | bytes[header + i];
    header += lengthBytes;
    if (length > sizeof received / 2) fail("a frame is too large");
    if (byteCount < header + length) return 0;
    if ((bytes[0] & 0x0f) == opcodeClose) fail("the hub has closed client %d", joiner->index);
    if ((bytes[0] & 0x0f) == opcodeText) hear(joiner, bytes + header, length, at);
    return header + length;
}

static void receive(Joiner *joiner) {
    size_t kept = joiner->input.count;
    if (kept > 0) memcpy(received, joiner->input.bytes, kept);
    ssize_t result = recv(joiner->fd, received + kept, sizeof received - kept, MSG_DONTWAIT);
    if (result < 0 && errno == EAGAIN) return;
    if (result <= 0) fail("the hub hung up on client %d", joiner->index);
    size_t total = kept + (size_t)result, used = 0, taken;
    uint64_t at = now();
    while ((taken = take(joiner, received + used, total - used, at)) > 0) used += taken;
    joiner->input.count = 0;
    if (used < total) keep(&joiner->input, received + used, total - used);
}

// MARK: The run

static void handleEvents(uint64_t giveUpAt, const char *what) {
    struct epoll_event events[eventsMax];
    if (now() > giveUpAt) fail("%s took longer than %d s: %d of %d have joined", what, secondsMax, joinedCount, count);
    int ready = epoll_wait(poller, events, eventsMax, 100);
    for (int i = 0; i < ready; i++) {
        Joiner *joiner = events[i].data.ptr;
        if (events[i].events & EPOLLOUT) connected(joiner);
        else receive(joiner);
    }
}

// Opens all connections, a bounded number at a time.
static void openAll(int atOnce, const char *what) {
    uint64_t giveUpAt = now() + secondsMax * 1000000000ull;
    joinedCount = 0;
    for (int next = 0; joinedCount < count;) {
        while (next < count && next - joinedCount < atOnce) start(&joiners[next++]);
        handleEvents(giveUpAt, what);
    }
}

static void publish(void) {
    uint64_t giveUpAt = now() + secondsMax * 1000000000ull, run = now();
    for (int i = 0; i < messages; i++) {
        for (int room = 0; room < rooms; room++) {
            sayText(&joiners[room], "{\"op\":\"send\",\"id\":\"%lx-%d\",\"room\":\"r%d\",\"text\":\"#missed %d %0100d\"}", run, i,
                    room, i, 0);
        }
        while (ackedCount < (i + 1) * rooms) handleEvents(giveUpAt, "publishing");
    }
}

static double peakOf(pid_t pid) {
    char path[64], line[256];
    double kilobytes = 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) sscanf(line, "VmHWM: %lf", &kilobytes);
    if (file) fclose(file);
    return kilobytes * 1024;
}

static int number(int min, int max) {
    char *end;
    long value = strtol(optarg, &end, 10);
    if (*optarg == 0 || *end != 0 || value < min || value > max) fail("%s is not a number from %d to %d", optarg, min, max);
    return (int)value;
}

int main(int argc, char **argv) {
    static const struct option names[] = {{"port", 1, 0, 'p'}, {"conns", 1, 0, 'n'}, {"rooms", 1, 0, 'r'},
                                          {"messages", 1, 0, 'm'}, {"pid", 1, 0, 'i'}, {0, 0, 0, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (option) {
        case 'p': port = number(1, 65535); break;
        case 'n': count = number(1, connectionsMax); break;
        case 'r': rooms = number(1, connectionsMax); break;
        case 'm': messages = number(0, messagesMax); break;
        case 'i': server = number(1, 1 << 22); break;
        default: fail("usage: resume --port PORT --conns N --rooms R --messages M --pid PID");
        }
    }
    if (port == 0 || rooms > count) fail("--port is missing, or there are more rooms than clients");
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < (rlim_t)count + 64) fail("%d clients need more than the %lu descriptors permitted", count, limit.rlim_cur);
    signal(SIGPIPE, SIG_IGN);
    alarm(4 * secondsMax);
    poller = epoll_create1(EPOLL_CLOEXEC);
    joiners = calloc((size_t)count, sizeof *joiners);
    if (poller < 0 || !joiners) fail("cannot set up");
    for (int i = 0; i < count; i++) joiners[i].index = i;

    openAll(openingMax, "joining");
    for (int i = rooms; i < count; i++) cut(&joiners[i]);
    publish();
    for (int i = 0; i < rooms; i++) cut(&joiners[i]);
    printf("ready\n");
    fflush(stdout);
    int pid;
    if (scanf("%d", &pid) != 1) fail("nobody said where to go on");
    server = pid;

    double memory = memoryOf(server).resident, cpu = cpuTimeOf(server).total;
    resuming = true;
    uint64_t begin = now();
    openAll(count, "resuming");
    uint64_t end = now();
    printf("{\"clients\": %d, \"rooms\": %d, \"missed\": %d, \"last_ms\": %.1f, \"p50_ms\": %.1f, \"p99_ms\": %.1f, "
           "\"server_cpu_s\": %.3f, \"rss_bytes_before\": %.0f, \"rss_bytes\": %.0f, \"rss_bytes_peak\": %.0f}\n",
           count, rooms, messages, (double)(end - begin) / 1e6, histogramQuantile(&times, 0.5) / 1e6,
           histogramQuantile(&times, 0.99) / 1e6, cpuTimeOf(server).total - cpu, memory, memoryOf(server).resident,
           peakOf(server));
    return 0;
}
