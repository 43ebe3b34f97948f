// One thread's event loop: opens its share of the connections, publishes for its publishers, and stops when
// everything published has arrived or the time for stragglers is over.

#include "loadgen.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>

enum { eventsMax = 1024 };

static const uint64_t waitNsMax = 50 * 1000000;  // less than a second

// After the window closes, how long another thread may still be inside a publish that it began before.
static const uint64_t graceNs = 50 * 1000000;

// MARK: Reports of the clients

void workerClientOpened(Worker *worker, Client *client, uint64_t at) {
    worker->opening--;
    if (options.mode != modeConnect) {
        worker->openCount++;
        if (client->stalls) stalledBegin(worker, client);
        if (worker->number == 0 && worker->openCount == baselineConnections()) sampleMemoryBefore();
        return;
    }
    if (atomic_load_explicit(&schedule.begin, memory_order_acquire) && at >= schedule.open && at < schedule.close) {
        worker->counters.handshakesInWindow++;
        histogramAdd(&worker->counters.latency, at - client->startedAt);
    }
    clientClose(client);
}

void workerClientFailed(Worker *worker, Client *client, const char *reason) {
    Counters *counters = &worker->counters;
    if (client->state == stateOpen) {
        if (counters->closedByServer++ == 0) {
            fprintf(stderr, "loadgen: connection %d ended: %s\n", client->index, reason);
        }
    } else {
        worker->opening--;
        if (options.mode != modeConnect) fail("connection %d could not be opened: %s", client->index, reason);
        if (counters->handshakesFailed++ == 0) fprintf(stderr, "loadgen: a handshake failed: %s\n", reason);
    }
    clientClose(client);
}

// MARK: Work

static void start(Worker *worker, Client *client) {
    if (!clientStart(worker, client)) fail("connection %d could not be started: %s", client->index, strerror(errno));
    worker->opening++;
}

static void openMore(Worker *worker) {
    int share = options.concurrent / options.threads;
    while (worker->nextToOpen < worker->clientCount && worker->opening < (share > 0 ? share : 1)) {
        start(worker, &worker->clients[worker->nextToOpen++]);
    }
}

// When the publisher's next message is due at a given rate: the publishers take turns.
static uint64_t dueAt(const Client *client) {
    double turn = (double)client->published * options.publishers + client->publisher;
    return schedule.begin + (uint64_t)(turn * 1e9 / options.rate);
}

static bool isWindowFull(const Client *client) {
    return options.window > 0 && (int64_t)(client->published - client->seen) >= options.window;
}

static void publishDue(Worker *worker, Client *client, uint64_t at) {
    if (client->state != stateOpen || at < schedule.begin || at >= schedule.close) return;
    while (!isWindowFull(client) && (options.rate == 0 || dueAt(client) <= at)) {
        uint64_t lateness = options.rate > 0 ? at - dueAt(client) : 0;
        if (lateness > worker->counters.publishLatenessMax) worker->counters.publishLatenessMax = lateness;
        clientPublish(worker, client);
    }
    if (client->output.count > 0) clientFlush(worker, client);
}

static bool isDone(const Worker *worker, uint64_t at) {
    if (at < schedule.close) return false;
    if (at >= schedule.deadline || options.mode != modeBroadcast) return true;
    uint64_t acksDue = 0;
    for (int i = 0; i < worker->publisherCount && options.hub; i++) acksDue += worker->publishers[i]->published;
    uint64_t due = atomic_load(&publishedTotal) * (uint64_t)worker->readerCount;
    return at >= schedule.close + graceNs && worker->counters.deliveries >= due && worker->counters.acks >= acksDue;
}

// Nanoseconds until something is due.
static uint64_t waitNs(const Worker *worker, uint64_t at) {
    uint64_t next = at + waitNsMax;
    uint64_t moments[] = {schedule.begin, schedule.open, schedule.close, schedule.close + graceNs};
    for (int i = 0; i < 4; i++) {
        if (moments[i] > at && moments[i] < next) next = moments[i];
    }
    for (int i = 0; i < worker->publisherCount && options.rate > 0 && at < schedule.close; i++) {
        if (isWindowFull(worker->publishers[i])) continue;  // its next message waits for an answer
        uint64_t due = dueAt(worker->publishers[i]);
        if (due < next) next = due;
    }
    return next <= at ? 0 : next - at;
}

static void handleEvents(Worker *worker, uint64_t timeoutNs) {
    struct epoll_event events[eventsMax];
    struct timespec timeout = {.tv_nsec = (long)timeoutNs};
    int ready = epoll_pwait2(worker->poller, events, eventsMax, &timeout, NULL);
    if (ready < 0 && errno != EINTR) fail("epoll_pwait2: %s (it needs Linux 5.11)", strerror(errno));
    bool running = atomic_load_explicit(&schedule.begin, memory_order_acquire) != 0;
    for (int i = 0; i < ready; i++) {
        Client *client = events[i].data.ptr;
        clientHandle(worker, client, events[i].events);
        if (running && client->publisher >= 0) publishDue(worker, client, now());
        if (client->state == stateClosed && options.mode == modeConnect) start(worker, client);
    }
}

static void openAll(Worker *worker) {
    uint64_t giveUpAt = now() + (uint64_t)(options.connectTimeout * 1e9);
    // In the connect mode connections open and close continuously: the measurement is of opening, after the warm-up.
    do {
        openMore(worker);
        handleEvents(worker, waitNsMax);
        if (now() > giveUpAt) {
            fail("only %d of %d connections were open after %g s", worker->openCount, worker->clientCount,
                 options.connectTimeout);
        }
    } while (options.mode != modeConnect && worker->openCount < worker->clientCount);
    // Events that the joins have caused, such as presence, aren't measured.
    worker->toldAt = now();
    while (now() < worker->toldAt + (uint64_t)(options.quiet * 1e9)) {
        handleEvents(worker, 1000000);
        if (now() > giveUpAt) fail("it wasn't quiet for %g s within %g s", options.quiet, options.connectTimeout);
    }
    workerReady();
    while (atomic_load_explicit(&schedule.begin, memory_order_acquire) == 0) handleEvents(worker, 1000000);
}

void *workerRun(void *argument) {
    Worker *worker = argument;
    worker->poller = epoll_create1(EPOLL_CLOEXEC);
    worker->receiveBuffer = malloc(receiveBytes);
    if (worker->poller < 0 || !worker->receiveBuffer) fail("cannot set up a worker");
    prctl(PR_SET_TIMERSLACK, 1);  // by default the kernel may wake a paced publisher 50 µs late
    if (worker->number == 0) sampleMemoryBefore();
    openAll(worker);
    bool samples = worker->number == 0, opened = false;
    uint64_t at;
    while (!isDone(worker, at = now())) {
        if (samples && !opened && at >= schedule.open) {
            sampleServer(false);
            opened = true;
        }
        if (samples && opened && at >= schedule.close) {
            sampleServer(true);
            samples = false;
        }
        if (worker->number == 0) samplePeak(at);
        for (int i = 0; i < worker->publisherCount; i++) publishDue(worker, worker->publishers[i], at);
        handleEvents(worker, waitNs(worker, at));
    }
    if (samples) sampleServer(true);
    return NULL;
}
