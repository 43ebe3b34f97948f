// A WebSocket load generator for broadcast servers. The files:
//
//   options.c  the command line
//   loadgen.c  the schedule of a run, the report
//   worker.c   one thread's event loop: opens connections, publishes, decides when it is done
//   client.c   one connection: TCP, TLS, upgrade, hello and join, frames in and out
//   stalled.c  clients that don't read
//   measure.c  clock, latency histogram, and values from /proc
//
// Times are nanoseconds of CLOCK_MONOTONIC.

#pragma once

#define _GNU_SOURCE
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// MARK: measure.c

// 64 linear steps an octave: a value is kept to within 1.6 %.
enum { histogramStepBits = 6, histogramBuckets = (64 - histogramStepBits + 1) << histogramStepBits };

typedef struct {
    uint64_t counts[histogramBuckets];
    uint64_t total, max;
} Histogram;

typedef struct {
    double total;         // seconds, exact (the process's CPU clock)
    double user, system;  // seconds, in clock ticks (/proc/PID/stat)
} CPUTime;

typedef struct {
    double resident, anonymous, private;  // bytes
} Memory;

// Kernel memory of the whole machine: of both ends of each connection, and of all other processes.
typedef struct {
    double slab, socketBuffers;  // bytes
} KernelMemory;

uint64_t now(void);
void histogramAdd(Histogram *histogram, uint64_t value);
void histogramMerge(Histogram *into, const Histogram *other);
double histogramQuantile(const Histogram *histogram, double quantile);
CPUTime cpuTimeOf(pid_t pid);
Memory memoryOf(pid_t pid);
// Resident bytes that no file backs; cheap, and off by at most some dozen pages for each core.
double heapOf(pid_t pid);
KernelMemory kernelMemory(void);

// MARK: options.c and loadgen.c

typedef enum { modeBroadcast, modeIdle, modeConnect } Mode;
typedef enum { untilUpgrade, untilJoined } Depth;

typedef struct {
    Mode mode;
    Depth until;  // how far a connection goes before it counts as open
    bool hub;     // speak the hub's protocol; otherwise a payload is broadcast unchanged
    bool tls;
    struct sockaddr_in server;
    const char *path, *room, *hello;
    char **tokens;
    int tokenCount;
    bool bearer;  // the token goes into the upgrade's Authorization header instead of into the hello
    int connections, publishers, threads;
    int sources;  // addresses that the connections come from, 127.0.0.1 and up: each has ports for 28,000
    int stalled;  // connections that join, and read nothing from then on
    int window;   // closed loop: own messages a publisher may have in flight; 0 is any number
    double rate;  // open loop: messages per second of all publishers together; 0 is as many as the window lets
    int concurrent;  // handshakes in progress
    size_t payloadBytes;
    uint64_t run;  // makes the message ids of two runs against one store differ
    double seconds, warmup, quiet, drain, connectTimeout;
    pid_t pid;
} Options;

// The times of a run, 0 until the last worker has opened its connections and no events arrive any more: publish from
// `begin`, count in [`open`, `close`), wait for late messages until `deadline`.
typedef struct {
    _Atomic uint64_t begin;
    uint64_t open, close, deadline;
} Schedule;

enum { threadsMax = 64 };

extern Options options;
extern Schedule schedule;
extern SSL_CTX *tlsContext;
extern _Atomic uint64_t publishedTotal;  // by all workers, warm-up included

void parseOptions(int argc, char **argv);
// Prints the reason and ends the process: a run that isn't whole has no result.
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void workerReady(void);
// With the first connections the server allocates one-time memory, so its memory is compared with that after them.
int baselineConnections(void);
void sampleMemoryBefore(void);
void sampleServer(bool atClose);
void samplePeak(uint64_t at);  // keeps the most memory that the server had since the first message

// MARK: worker.c and client.c

typedef struct {
    uint64_t deliveries, deliveryBytes, deliveriesInWindow;
    uint64_t acks, otherEvents, hubErrors, outOfOrder, closedByServer;
    uint64_t handshakesInWindow, handshakesFailed;
    uint64_t publishLatenessMax;
    Histogram latency;  // of deliveries, or of handshakes in the connect mode
} Counters;

typedef struct {
    uint8_t *bytes;
    size_t count, capacity;
} Buffer;

typedef enum { stateClosed, stateConnecting, stateTLS, stateUpgrading, stateHello, stateJoining, stateOpen } State;

typedef struct {
    State state;
    int fd, index;
    int publisher;  // number among the publishers, -1 for a subscriber
    bool wantsWrite, stalls;
    SSL *ssl;
    uint64_t startedAt;
    Buffer input;              // an incomplete frame, kept for the next read
    Buffer output;             // what the socket didn't take yet
    uint64_t published, seen;  // own messages sent, and received back
    uint64_t *lastSequence;    // by publisher, to notice a gap or a repeat
} Client;

typedef struct {
    int number, poller;
    Client *clients;
    int clientCount, readerCount, nextToOpen, opening, openCount;
    Client **publishers;
    int publisherCount;
    uint8_t *receiveBuffer;
    size_t markerHint;  // the last marker's place in its payload; the next one is usually at the same place
    uint64_t random;
    uint64_t toldAt;  // when the hub last sent an event other than a message or an acknowledgement
    Counters counters;
} Worker;

enum { receiveBytes = 1 << 20, inputSlack = 64 };

void *workerRun(void *worker);
void workerClientOpened(Worker *worker, Client *client, uint64_t at);
void workerClientFailed(Worker *worker, Client *client, const char *reason);

bool clientStart(Worker *worker, Client *client);
void clientHandle(Worker *worker, Client *client, uint32_t events);
void clientClose(Client *client);
// Queues one message; clientFlush sends what is queued.
void clientPublish(Worker *worker, Client *client);
void clientFlush(Worker *worker, Client *client);

// MARK: stalled.c

void chooseStalled(Client *clients);
void stalledPrepare(const Client *client);  // before it connects
void stalledBegin(const Worker *worker, const Client *client);
int countDropped(Client *clients);
