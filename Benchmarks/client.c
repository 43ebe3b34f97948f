// One connection: TCP, TLS, the upgrade, hello and join, then frames in and out.
//
// A client answers pings and matches deliveries; what a finished, failed or closed connection means for the run is
// the worker's decision.

#include "loadgen.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { headBytesMax = 16 * 1024, requestBytesMax = 16 * 1024, outputBytesMax = 4 << 20, eventBytesShown = 200 };
enum { opcodeText = 1, opcodeClose = 8, opcodePing = 9, opcodePong = 10 };

// A published text starts with `#gb,<publisher>,<sequence>,<sent at>#`, which passes through JSON unchanged.
static const char marker[] = "#gb,";
enum { markerBytes = sizeof marker - 1 };

// The example nonce of RFC 6455 (section 1.3) and its answer.
static const char nonce[] = "dGhlIHNhbXBsZSBub25jZQ==", nonceAccepted[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

// MARK: Buffers

static void append(Buffer *buffer, const void *bytes, size_t count) {
    if (count == 0) return;
    if (buffer->count + count > buffer->capacity) {
        buffer->capacity = (buffer->count + count) * 2;
        buffer->bytes = realloc(buffer->bytes, buffer->capacity);
        if (!buffer->bytes) fail("out of memory");
    }
    memcpy(buffer->bytes + buffer->count, bytes, count);
    buffer->count += count;
}

static void release(Buffer *buffer) {
    free(buffer->bytes);
    *buffer = (Buffer){0};
}

static void watch(Worker *worker, Client *client, int operation, bool wantsWrite) {
    struct epoll_event event = {.events = EPOLLIN | (wantsWrite ? EPOLLOUT : 0), .data.ptr = client};
    epoll_ctl(worker->poller, operation, client->fd, &event);
    client->wantsWrite = wantsWrite;
}

// MARK: Sending

static uint32_t nextMask(Worker *worker) {  // xorshift64
    worker->random ^= worker->random << 13;
    worker->random ^= worker->random >> 7;
    worker->random ^= worker->random << 17;
    return (uint32_t)(worker->random >> 32);
}

static void appendFrame(Worker *worker, Client *client, int opcode, const void *payload, size_t count) {
    uint8_t header[8] = {(uint8_t)(0x80 | opcode), (uint8_t)(0x80 | (count < 126 ? count : 126))};
    size_t headerBytes = 2;
    if (count >= 126) {
        header[headerBytes++] = (uint8_t)(count >> 8);
        header[headerBytes++] = (uint8_t)count;
    }
    uint32_t mask = nextMask(worker);
    memcpy(header + headerBytes, &mask, 4);
    const uint8_t *key = header + headerBytes;
    append(&client->output, header, headerBytes + 4);
    append(&client->output, payload, count);
    uint8_t *masked = client->output.bytes + client->output.count - count;
    for (size_t i = 0; i < count; i++) masked[i] ^= key[i & 3];
}

void clientFlush(Worker *worker, Client *client) {
    Buffer *output = &client->output;
    size_t sent = 0;
    bool refused = false;
    while (sent < output->count && !refused) {
        ssize_t result;
        if (client->ssl) {
            result = SSL_write(client->ssl, output->bytes + sent, (int)(output->count - sent));
            int error = result > 0 ? SSL_ERROR_NONE : SSL_get_error(client->ssl, (int)result);
            refused = error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ;
        } else {
            result = send(client->fd, output->bytes + sent, output->count - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
            refused = result < 0 && errno == EAGAIN;
        }
        if (result > 0) sent += (size_t)result;
        if (result <= 0 && !refused) return workerClientFailed(worker, client, "sending failed");
    }
    output->count -= sent;
    if (output->count > 0) memmove(output->bytes, output->bytes + sent, output->count);
    if (output->count > outputBytesMax) fail("the server has stopped reading from connection %d", client->index);
    if (client->wantsWrite != refused) watch(worker, client, EPOLL_CTL_MOD, refused);
}

static void sendText(Worker *worker, Client *client, const char *text, size_t count) {
    appendFrame(worker, client, opcodeText, text, count);
    clientFlush(worker, client);
}

void clientPublish(Worker *worker, Client *client) {
    static _Thread_local char message[UINT16_MAX + 1];
    uint64_t sequence = ++client->published;
    int start = 0;
    if (options.hub) {
        start = snprintf(message, sizeof message, "{\"op\":\"send\",\"id\":\"%lx-%d-%lu\",\"room\":\"%s\",\"text\":\"",
                         options.run, client->publisher, sequence, options.room);
    }
    char *text = message + start;
    int marked = sprintf(text, "%s%d,%lu,%lu#", marker, client->publisher, sequence, now());
    memset(text + marked, 'x', options.payloadBytes - (size_t)marked);
    size_t count = (size_t)start + options.payloadBytes;
    if (options.hub) {
        memcpy(message + count, "\"}", 2);
        count += 2;
    }
    appendFrame(worker, client, opcodeText, message, count);
    atomic_fetch_add_explicit(&publishedTotal, 1, memory_order_relaxed);
}

// MARK: Opening

bool clientStart(Worker *worker, Client *client) {
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0) return false;
    int on = 1;
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (options.sources > 1) {
        struct sockaddr_in source = {.sin_family = AF_INET};
        source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(client->index % options.sources));
        setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (bind(client->fd, (struct sockaddr *)&source, sizeof source) < 0) fail("bind: %s", strerror(errno));
    }
    if (client->stalls) stalledPrepare(client);
    client->startedAt = now();
    const struct sockaddr *server = (const struct sockaddr *)&options.server;
    if (connect(client->fd, server, sizeof options.server) < 0 && errno != EINPROGRESS) {
        close(client->fd);
        return false;
    }
    client->state = stateConnecting;
    watch(worker, client, EPOLL_CTL_ADD, true);
    return true;
}

// Resets the connection: no TIME_WAIT is left to slow down the next run.
void clientClose(Client *client) {
    if (client->state == stateClosed) return;
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    SSL_free(client->ssl);
    client->ssl = NULL;
    close(client->fd);
    client->state = stateClosed;
    release(&client->input);
    release(&client->output);
}

static const char *tokenOf(const Client *client) {
    return options.tokenCount > 0 ? options.tokens[client->index % options.tokenCount] : "";
}

static void sendUpgrade(Worker *worker, Client *client) {
    char request[requestBytesMax];
    int count = snprintf(request, sizeof request,
                         "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n%s%s%s%s\r\n",
                         options.path, ntohs(options.server.sin_port), nonce,
                         options.hub ? "Sec-WebSocket-Protocol: gohub.v1\r\n" : "",
                         options.bearer ? "Authorization: Bearer " : "", options.bearer ? tokenOf(client) : "",
                         options.bearer ? "\r\n" : "");
    if (count >= (int)sizeof request) fail("--path or the token is too long");
    append(&client->output, request, (size_t)count);
    client->state = stateUpgrading;
    clientFlush(worker, client);
}

static void continueTLS(Worker *worker, Client *client) {
    int result = SSL_connect(client->ssl);
    if (result == 1) return sendUpgrade(worker, client);
    int error = SSL_get_error(client->ssl, result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        return workerClientFailed(worker, client, "the TLS handshake failed");
    }
    watch(worker, client, EPOLL_CTL_MOD, error == SSL_ERROR_WANT_WRITE);
}

static void connected(Worker *worker, Client *client) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) return workerClientFailed(worker, client, strerror(error));
    if (!options.tls) return sendUpgrade(worker, client);
    client->ssl = SSL_new(tlsContext);
    if (!client->ssl || !SSL_set_fd(client->ssl, client->fd)) fail("cannot set up TLS");
    client->state = stateTLS;
    continueTLS(worker, client);
}

// `options.hello` with %d as the connection's number and %t as its token.
static void sendHello(Worker *worker, Client *client) {
    Buffer text = {0};
    char number[16];
    int digits = snprintf(number, sizeof number, "%d", client->index);
    for (const char *next = options.hello; *next; next++) {
        bool placeholder = next[0] == '%' && (next[1] == 'd' || next[1] == 't');
        if (!placeholder) {
            append(&text, next, 1);
        } else if (*++next == 'd') {
            append(&text, number, (size_t)digits);
        } else {
            append(&text, tokenOf(client), strlen(tokenOf(client)));
        }
    }
    if (text.count > UINT16_MAX) fail("the hello is longer than %d bytes", UINT16_MAX);
    client->state = stateHello;
    sendText(worker, client, (const char *)text.bytes, text.count);
    release(&text);
}

// Takes the server's answer to the upgrade; returns its length, 0 while it is incomplete or when it is refused.
static size_t takeResponse(Worker *worker, Client *client, const uint8_t *bytes, size_t count, uint64_t at) {
    const uint8_t *end = memmem(bytes, count, "\r\n\r\n", 4);
    char head[headBytesMax];
    size_t length = end ? (size_t)(end + 4 - bytes) : count;
    if (length >= sizeof head) {
        workerClientFailed(worker, client, "the answer to the upgrade is too long");
        return 0;
    }
    if (!end) return 0;
    memcpy(head, bytes, length);
    head[length] = 0;
    bool agreed = strncmp(head, "HTTP/1.1 101", 12) == 0 && strstr(head, nonceAccepted);
    if (agreed && options.hub) agreed = strstr(head, "gohub.v1");
    if (!agreed) {
        head[strcspn(head, "\r")] = 0;
        char reason[256];
        snprintf(reason, sizeof reason, "the upgrade was refused or answered wrongly: %.160s", head);
        workerClientFailed(worker, client, reason);
        return 0;
    }
    if (options.hub && options.until == untilJoined) {
        sendHello(worker, client);
    } else {
        client->state = stateOpen;
        workerClientOpened(worker, client, at);
    }
    return length;
}

// MARK: Receiving

static bool has(const uint8_t *payload, size_t count, const char *text) {
    return memmem(payload, count, text, strlen(text)) != NULL;
}

static void takeJoiningEvent(Worker *worker, Client *client, const uint8_t *payload, size_t count, uint64_t at) {
    if (client->state == stateHello && has(payload, count, "\"op\":\"welcome\"")) {
        char join[256];
        int length = snprintf(join, sizeof join, "{\"op\":\"join\",\"id\":\"j\",\"room\":\"%s\"}", options.room);
        client->state = stateJoining;
        sendText(worker, client, join, (size_t)length);
    } else if (client->state == stateJoining && has(payload, count, "\"op\":\"joined\"")) {
        client->state = stateOpen;
        workerClientOpened(worker, client, at);
    } else if (has(payload, count, "\"op\":\"error\"")) {
        char reason[eventBytesShown + 32];
        int shown = count < eventBytesShown ? (int)count : eventBytesShown;
        snprintf(reason, sizeof reason, "the hub answered %.*s", shown, (const char *)payload);
        workerClientFailed(worker, client, reason);
    }
}

static uint64_t takeNumber(const uint8_t **next, const uint8_t *end) {
    uint64_t number = 0;
    for (; *next < end && (uint8_t)(**next - '0') < 10; (*next)++) number = number * 10 + (uint8_t)(**next - '0');
    if (*next < end) (*next)++;  // the separator
    return number;
}

static void takeOtherEvent(Worker *worker, Client *client, const uint8_t *payload, size_t count, uint64_t at) {
    Counters *counters = &worker->counters;
    if (has(payload, count, "\"op\":\"ack\"")) {
        counters->acks++;
        return;
    }
    counters->otherEvents++;
    worker->toldAt = at;
    if (has(payload, count, "\"op\":\"ping\"")) sendText(worker, client, "{\"op\":\"pong\"}", 13);
    if (has(payload, count, "\"op\":\"error\"") && counters->hubErrors++ == 0) {
        int shown = count < eventBytesShown ? (int)count : eventBytesShown;
        fprintf(stderr, "loadgen: the hub's first error: %.*s\n", shown, (const char *)payload);
    }
}

static void takeMessage(Worker *worker, Client *client, const uint8_t *payload, size_t count, uint64_t at) {
    size_t hint = worker->markerHint;
    const uint8_t *found = payload + hint;
    if (hint + markerBytes > count || memcmp(found, marker, markerBytes) != 0) {
        found = memmem(payload, count, marker, markerBytes);
        if (!found) return takeOtherEvent(worker, client, payload, count, at);
        worker->markerHint = (size_t)(found - payload);
    }
    const uint8_t *next = found + markerBytes, *end = payload + count;
    uint64_t publisher = takeNumber(&next, end), sequence = takeNumber(&next, end), sentAt = takeNumber(&next, end);
    if (publisher >= (uint64_t)options.publishers) return takeOtherEvent(worker, client, payload, count, at);
    Counters *counters = &worker->counters;
    counters->deliveries++;
    counters->deliveryBytes += count + (count < 126 ? 2 : count <= UINT16_MAX ? 4 : 10);
    if (sequence != client->lastSequence[publisher] + 1) counters->outOfOrder++;
    client->lastSequence[publisher] = sequence;
    if ((int)publisher == client->publisher) client->seen++;
    if (at >= schedule.open && at < schedule.close) {
        counters->deliveriesInWindow++;
        histogramAdd(&counters->latency, at > sentAt ? at - sentAt : 0);
    }
}

static void takeClose(Worker *worker, Client *client, const uint8_t *payload, size_t count) {
    char reason[192];
    int code = count >= 2 ? payload[0] << 8 | payload[1] : 1005;
    snprintf(reason, sizeof reason, "closed by the server with %d %.*s", code, count > 2 ? (int)count - 2 : 0,
             (const char *)payload + 2);
    workerClientFailed(worker, client, reason);
}

// Takes the frame at the start of `bytes`; returns its length, 0 while it is incomplete.
static size_t takeFrame(Worker *worker, Client *client, const uint8_t *bytes, size_t count, uint64_t at) {
    if (count < 2) return 0;
    size_t length = bytes[1], header = 2;
    if (length >= 126) {
        size_t lengthBytes = length == 126 ? 2 : 8;
        header += lengthBytes;
        if (count < header) return 0;
        length = 0;
        for (size_t i = 0; i < lengthBytes; i++) length = length << 8 | bytes[2 + i];
    }
    bool control = bytes[0] & 0x08, whole = (bytes[0] & 0xf0) == 0x80 && (bytes[0] & 0x0f) != 0;
    if (!whole || bytes[1] & 0x80 || length > receiveBytes / 2 || (control && length > 125)) {
        workerClientFailed(worker, client, "got a frame that is masked, fragmented, compressed or too large");
        return 0;
    }
    if (count < header + length) return 0;
    const uint8_t *payload = bytes + header;
    int opcode = bytes[0] & 0x0f;
    if (opcode == opcodePing) {
        appendFrame(worker, client, opcodePong, payload, length);
        clientFlush(worker, client);
    } else if (opcode == opcodeClose) {
        takeClose(worker, client, payload, length);
    } else if (!control && client->state == stateOpen) {
        takeMessage(worker, client, payload, length, at);
    } else if (!control) {
        takeJoiningEvent(worker, client, payload, length, at);
    }
    return header + length;
}

// Reads into the worker's buffer, behind what the last read left over. Returns what `recv` does.
static ssize_t readMore(Worker *worker, Client *client) {
    size_t kept = client->input.count, space = receiveBytes - kept;
    if (kept > 0) memcpy(worker->receiveBuffer, client->input.bytes, kept);
    if (!client->ssl) return recv(client->fd, worker->receiveBuffer + kept, space, MSG_DONTWAIT);
    int result = SSL_read(client->ssl, worker->receiveBuffer + kept, (int)space);
    int error = result > 0 ? SSL_ERROR_NONE : SSL_get_error(client->ssl, result);
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
    return result > 0 ? result : error == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static void receive(Worker *worker, Client *client) {
    do {
        ssize_t result = readMore(worker, client);
        if (result < 0 && errno == EAGAIN) return;
        if (result <= 0) return workerClientFailed(worker, client, "the server hung up");
        uint64_t at = now();
        const uint8_t *bytes = worker->receiveBuffer;
        size_t count = client->input.count + (size_t)result, used = 0, taken;
        do {
            taken = client->state == stateUpgrading
                        ? takeResponse(worker, client, bytes + used, count - used, at)
                        : takeFrame(worker, client, bytes + used, count - used, at);
            if (client->state == stateClosed) return;
            used += taken;
        } while (taken > 0);
        client->input.count = 0;
        append(&client->input, bytes + used, count - used);
    } while (client->ssl);  // bytes that OpenSSL has already read cause no socket event, so read until it wants more
}

void clientHandle(Worker *worker, Client *client, uint32_t events) {
    if (client->state == stateConnecting) return connected(worker, client);
    if (client->state == stateTLS) return continueTLS(worker, client);
    if (events & EPOLLOUT) clientFlush(worker, client);
    if (client->state != stateClosed && events & ~EPOLLOUT) receive(worker, client);
}
