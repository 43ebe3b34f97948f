// The schedule of a run, and its report.

#include "loadgen.h"
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const uint64_t peakEveryNs = 50 * 1000000;

// Between the last join and the first message: the server's announcements of who joined die down.
static const uint64_t settleNs = 500 * 1000000;

Schedule schedule;
SSL_CTX *tlsContext;
_Atomic uint64_t publishedTotal;

static _Atomic int workersReady;

typedef struct {
    uint64_t at;
    CPUTime server;
    Memory memory;
    double generator;  // own CPU seconds
} Sample;

static Memory memoryBefore;  // with the first of the connections open
static KernelMemory kernelBefore, kernelAfter;
static double heapAtBegin, heapPeak;
static int stalledDropped;
static Sample opening, closing;

// MARK: The run

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("loadgen: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static uint64_t nanoseconds(double seconds) { return (uint64_t)(seconds * 1e9); }

// The last worker to be ready sets the schedule; `begin` is stored last, and tells the others that the rest is set.
void workerReady(void) {
    if (atomic_fetch_add(&workersReady, 1) + 1 < options.threads) return;
    uint64_t begin = now() + settleNs;
    schedule.open = begin + nanoseconds(options.warmup);
    schedule.close = schedule.open + nanoseconds(options.seconds);
    schedule.deadline = schedule.close + nanoseconds(options.drain);
    atomic_store_explicit(&schedule.begin, begin, memory_order_release);
}

int baselineConnections(void) { return options.connections / 50; }

void sampleMemoryBefore(void) {
    if (options.pid) memoryBefore = memoryOf(options.pid);
    kernelBefore = kernelMemory();
}

void samplePeak(uint64_t at) {
    static uint64_t next;
    if (!options.pid || at < next) return;
    next = at + peakEveryNs;
    double heap = heapOf(options.pid);
    if (at < schedule.begin || heapAtBegin == 0) heapAtBegin = heap;
    if (heap > heapPeak) heapPeak = heap;
}

void sampleServer(bool atClose) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    Sample sample = {
        .at = now(),
        .generator = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                     (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
    };
    if (options.pid) sample.server = cpuTimeOf(options.pid);
    if (options.pid && atClose) sample.memory = memoryOf(options.pid);
    if (atClose) kernelAfter = kernelMemory();
    if (atClose) closing = sample;
    else opening = sample;
}

static Counters run(void) {
    Worker *workers = calloc((size_t)options.threads, sizeof *workers);
    Client *clients = calloc((size_t)options.connections, sizeof *clients);
    uint64_t *sequences = calloc((size_t)options.connections * (size_t)options.publishers, sizeof *sequences);
    Client **publishers = calloc((size_t)options.publishers, sizeof *publishers);
    if (!workers || !clients || !sequences || !publishers) fail("out of memory");
    for (int i = 0; i < options.connections; i++) {
        clients[i].index = i;
        clients[i].publisher = -1;
        clients[i].lastSequence = sequences + (size_t)i * (size_t)options.publishers;
    }
    // The publishers are spread evenly over the connections, and each worker has a contiguous share of both.
    for (int i = 0; i < options.publishers && options.mode == modeBroadcast; i++) {
        publishers[i] = &clients[(int64_t)i * options.connections / options.publishers];
        publishers[i]->publisher = i;
    }
    chooseStalled(clients);
    pthread_t threads[threadsMax];
    for (int i = 0, client = 0, publisher = 0; i < options.threads; i++) {
        int clientsEnd = (int)((int64_t)(i + 1) * options.connections / options.threads), first = publisher;
        while (publisher < options.publishers && publishers[publisher] && publishers[publisher]->index < clientsEnd) {
            publisher++;
        }
        workers[i] = (Worker){
            .number = i, .clients = clients + client, .clientCount = clientsEnd - client,
            .publishers = publishers + first, .publisherCount = publisher - first,
            .random = now() | 1,
        };
        for (int reader = client; reader < clientsEnd; reader++) workers[i].readerCount += !clients[reader].stalls;
        client = clientsEnd;
        if (pthread_create(&threads[i], NULL, workerRun, &workers[i]) != 0) fail("cannot start a thread");
    }
    Counters all = {0};
    for (int i = 0; i < options.threads; i++) {
        pthread_join(threads[i], NULL);
        const Counters *one = &workers[i].counters;
        all.deliveries += one->deliveries;
        all.deliveryBytes += one->deliveryBytes;
        all.deliveriesInWindow += one->deliveriesInWindow;
        all.acks += one->acks;
        all.otherEvents += one->otherEvents;
        all.hubErrors += one->hubErrors;
        all.outOfOrder += one->outOfOrder;
        all.closedByServer += one->closedByServer;
        all.handshakesInWindow += one->handshakesInWindow;
        all.handshakesFailed += one->handshakesFailed;
        if (one->publishLatenessMax > all.publishLatenessMax) all.publishLatenessMax = one->publishLatenessMax;
        histogramMerge(&all.latency, &one->latency);
    }
    stalledDropped = countDropped(clients);
    return all;
}

// MARK: The report

static double per(double amount, double count) { return count > 0 ? amount / count : 0; }

static void reportMemory(const char *name, double before, double after) {
    printf("\"%s_bytes_before\": %.0f, \"%s_bytes\": %.0f, \"%s_bytes_per_connection\": %.1f, ", name, before, name,
           after, name, per(after - before, options.connections - baselineConnections()));
}

static void report(const Counters *counters) {
    static const char *const names[] = {"broadcast", "idle", "connect"};
    double seconds = (double)(closing.at - opening.at) / 1e9;
    double cpu = closing.server.total - opening.server.total;
    if (options.pid && cpu == 0 && counters->deliveriesInWindow + counters->handshakesInWindow > 0) {
        fail("process %d used no CPU time, so it isn't the server", options.pid);
    }
    printf("{\"mode\": \"%s\", \"server\": \"%s\", \"connections\": %d, \"publishers\": %d, \"payload_bytes\": %zu, ",
           names[options.mode], options.hub ? "gohub" : "raw", options.connections, options.publishers,
           options.payloadBytes);
    printf("\"seconds\": %.4f, ", seconds);
    if (options.mode == modeBroadcast) {
        uint64_t expected = publishedTotal * (uint64_t)(options.connections - options.stalled);
        double deliveries = (double)counters->deliveriesInWindow;
        double publishing = (double)(schedule.close - schedule.begin) / 1e9;
        printf("\"published\": %lu, \"published_per_s\": %.1f, \"publish_lateness_us_max\": %.1f, \"acks\": %lu, ",
               publishedTotal, per((double)publishedTotal, publishing), (double)counters->publishLatenessMax / 1e3,
               counters->acks);
        printf("\"expected\": %lu, \"received\": %lu, \"lost\": %ld, \"out_of_order\": %lu, ", expected,
               counters->deliveries, (long)(expected - counters->deliveries), counters->outOfOrder);
        printf("\"stalled\": %d, \"stalled_dropped\": %d, \"heap_bytes_before\": %.0f, \"heap_bytes_peak\": %.0f, ",
               options.stalled, stalledDropped, heapAtBegin, heapPeak);
        printf("\"deliveries\": %.0f, \"deliveries_per_s\": %.1f, \"server_cpu_us_per_delivery\": %.4f, "
               "\"bytes_per_delivery\": %.2f, ",
               deliveries, per(deliveries, seconds), per(cpu * 1e6, deliveries),
               per((double)counters->deliveryBytes, (double)counters->deliveries));
    }
    if (options.mode == modeConnect) {
        double handshakes = (double)counters->handshakesInWindow;
        printf("\"handshakes\": %.0f, \"handshakes_failed\": %lu, \"handshakes_per_s\": %.1f, "
               "\"cpu_us_per_handshake\": %.2f, ",
               handshakes, counters->handshakesFailed, per(handshakes, seconds), per(cpu * 1e6, handshakes));
    }
    const Histogram *latency = &counters->latency;
    printf("\"latency_us\": {\"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"max\": %.1f}, ",
           histogramQuantile(latency, 0.5) / 1e3, histogramQuantile(latency, 0.9) / 1e3,
           histogramQuantile(latency, 0.99) / 1e3, (double)latency->max / 1e3);
    printf("\"server_cpu_s\": %.6f, \"server_user_s\": %.2f, \"server_system_s\": %.2f, \"generator_cpu_s\": %.3f, ",
           cpu, closing.server.user - opening.server.user, closing.server.system - opening.server.system,
           closing.generator - opening.generator);
    reportMemory("rss", memoryBefore.resident, closing.memory.resident);
    reportMemory("anonymous", memoryBefore.anonymous, closing.memory.anonymous);
    reportMemory("private", memoryBefore.private, closing.memory.private);
    reportMemory("kernel_slab", kernelBefore.slab, kernelAfter.slab);
    reportMemory("kernel_socket", kernelBefore.socketBuffers, kernelAfter.socketBuffers);
    printf("\"other_events\": %lu, \"hub_errors\": %lu, \"closed_by_server\": %lu}\n", counters->otherEvents,
           counters->hubErrors, counters->closedByServer);
}

// MARK: The process

static void raiseDescriptorLimit(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < (rlim_t)options.connections + 64) {
        fail("%d connections need more than the %lu descriptors permitted", options.connections, limit.rlim_cur);
    }
}

static void overdue(int signal) {
    (void)signal;
    static const char text[] = "loadgen: the run took longer than its options allow\n";
    _exit(write(STDERR_FILENO, text, sizeof text - 1) < 0 ? 1 : 1);
}

int main(int argc, char **argv) {
    parseOptions(argc, argv);
    raiseDescriptorLimit();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGALRM, overdue);
    alarm((unsigned)(options.connectTimeout + options.warmup + options.seconds + options.drain) + 15);
    if (options.tls) {
        tlsContext = SSL_CTX_new(TLS_client_method());
        if (!tlsContext) fail("cannot set up TLS");
        SSL_CTX_set_verify(tlsContext, SSL_VERIFY_NONE, NULL);
        SSL_CTX_set_mode(tlsContext, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        SSL_CTX_set_read_ahead(tlsContext, 1);
    }
    options.run = now();
    Counters counters = run();
    report(&counters);
    return 0;
}
