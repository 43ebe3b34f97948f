// Options, the schedule of a run, and its report.

#include "loadgen.h"
#include <arpa/inet.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { payloadBytesMin = 64, payloadBytesMax = 60000, threadsMax = 64, publishersMax = 1024 };

static const uint64_t peakEveryNs = 50 * 1000000, dropsSeenWithinNs = 3000000000;

// Between the last join and the first message: the server's announcements of who joined die down.
static const uint64_t settleNs = 500 * 1000000;

Options options = {
    .until = untilJoined, .room = "bench", .connections = 100, .publishers = 1, .threads = 1, .sources = 1,
    .concurrent = 64, .payloadBytes = 128, .seconds = 5, .warmup = 1, .drain = 5, .connectTimeout = 60,
};
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

// What waits in both kernels comes first, then the end of the connection, if the server has closed it.
static int countDropped(Client *clients) {
    int dropped = 0;
    for (uint64_t end = now() + dropsSeenWithinNs; dropped < options.stalled && now() < end; usleep(10000)) {
        for (int i = 0; i < options.connections; i++) {
            if (!clients[i].stalls || !clientWasDropped(&clients[i])) continue;
            clients[i].stalls = false;
            dropped++;
        }
    }
    return dropped;
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
    // So are the ones that stall, as neighbours of others.
    for (int i = 0; i < options.stalled; i++) {
        Client *client = &clients[(int64_t)i * options.connections / options.stalled];
        if (client->publisher >= 0) client++;
        client->stalls = true;
    }
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

// MARK: Options

static const char usage[] =
    "usage: loadgen --port PORT [options]\n"
    "  --host ADDRESS          loopback only (127.0.0.1)\n"
    "  --server raw|gohub      raw: payloads are broadcast as they are; gohub: the hub's protocol (raw)\n"
    "  --mode broadcast|echo|idle|connect   echo is a broadcast of one connection to itself (broadcast)\n"
    "  --path PATH             (/v1/ws for gohub, / for raw)\n"
    "  --conns N               connections that join (100)\n"
    "  --publishers P          how many of them publish (1)\n"
    "  --rate R                open loop: R messages per second in total\n"
    "  --window W              closed loop: W own messages in flight per publisher (1); with --rate: as many at most\n"
    "  --size BYTES --pad BYTES   length of the text, and what to add to it (128, 0)\n"
    "  --conc N                handshakes in progress (64)\n"
    "  --until upgrade|joined  when a connection counts as open (joined; for --mode connect: upgrade)\n"
    "  --room NAME             (bench)\n"
    "  --hello TEMPLATE        the first message; %d is the connection's number, %t its token\n"
    "  --token TOKEN, --token-file FILE   one token, or one a line, for the connections in turn\n"
    "  --bearer                the token goes into the upgrade's Authorization header, not into the hello\n"
    "  --sources N             addresses that the connections come from, 127.0.0.1 and up (1)\n"
    "  --stalled N             how many connections read nothing after they joined (0)\n"
    "  --secs S --warmup S     what is counted, and what is published before (5, 1)\n"
    "  --drain S --connect-timeout S      how long to wait for stragglers, and for all connections (5, 60)\n"
    "  --threads N             (1)\n"
    "  --pid PID               the server, to account its CPU time and memory\n"
    "  --tls                   without verification\n";

static const struct option longOptions[] = {
    {"host", 1, 0, 'h'},    {"port", 1, 0, 'p'},       {"server", 1, 0, 's'},  {"mode", 1, 0, 'm'},
    {"path", 1, 0, 'u'},    {"conns", 1, 0, 'n'},      {"publishers", 1, 0, 'P'}, {"rate", 1, 0, 'r'},
    {"window", 1, 0, 'w'},  {"size", 1, 0, 'b'},       {"pad", 1, 0, 'a'},     {"conc", 1, 0, 'c'},
    {"until", 1, 0, 'l'},   {"room", 1, 0, 'o'},       {"hello", 1, 0, 'H'},   {"token", 1, 0, 't'},
    {"token-file", 1, 0, 'T'}, {"secs", 1, 0, 'S'},    {"warmup", 1, 0, 'W'},  {"drain", 1, 0, 'D'},
    {"bearer", 0, 0, 'B'},  {"sources", 1, 0, 'I'},    {"stalled", 1, 0, 'z'},
    {"connect-timeout", 1, 0, 'C'}, {"threads", 1, 0, 'j'}, {"pid", 1, 0, 'i'}, {"tls", 0, 0, 'x'},
    {"help", 0, 0, '?'},    {0, 0, 0, 0},
};

static double number(double min, double max) {
    char *end;
    double value = strtod(optarg, &end);
    if (*optarg == 0 || *end != 0 || !(value >= min && value <= max)) {
        fail("%s is not a number between %g and %g", optarg, min, max);
    }
    return value;
}

static int choice(const char *const *names, int count) {
    for (int i = 0; i < count; i++) {
        if (strcmp(optarg, names[i]) == 0) return i;
    }
    fail("%s is not a choice here; see --help", optarg);
}

static void addToken(const char *token) {
    options.tokens = realloc(options.tokens, (size_t)(options.tokenCount + 1) * sizeof *options.tokens);
    char *copy = strdup(token);
    if (!options.tokens || !copy) fail("out of memory");
    options.tokens[options.tokenCount++] = copy;
}

static void readTokens(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file) fail("cannot read %s", path);
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, file) > 0) {
        line[strcspn(line, "\r\n")] = 0;
        if (*line) addToken(line);
    }
    free(line);
    fclose(file);
    if (options.tokenCount == 0) fail("%s has no tokens", path);
}

static void setServer(const char *host, int port) {
    options.server.sin_family = AF_INET;
    options.server.sin_port = htons((uint16_t)port);
    if (strcmp(host, "localhost") == 0) host = "127.0.0.1";
    bool valid = inet_pton(AF_INET, host, &options.server.sin_addr) == 1;
    if (!valid || ntohl(options.server.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET) {
        fail("%s is not a loopback address, and load goes nowhere else", host);
    }
}

static void parse(int argc, char **argv) {
    static const char *const servers[] = {"raw", "gohub"}, *const modes[] = {"broadcast", "idle", "connect", "echo"};
    static const char *const depths[] = {"upgrade", "joined"};
    const char *host = "127.0.0.1";
    int port = 0, mode = modeBroadcast, until = -1, option;
    size_t pad = 0;
    while ((option = getopt_long(argc, argv, "", longOptions, NULL)) != -1) {
        switch (option) {
        case 'h': host = optarg; break;
        case 'p': port = (int)number(1, 65535); break;
        case 's': options.hub = choice(servers, 2); break;
        case 'm': mode = choice(modes, 4); break;
        case 'u': options.path = optarg; break;
        case 'n': options.connections = (int)number(1, 1e6); break;
        case 'P': options.publishers = (int)number(1, publishersMax); break;
        case 'r': options.rate = number(0.001, 1e6); break;
        case 'w': options.window = (int)number(1, 10000); break;
        case 'b': options.payloadBytes = (size_t)number(payloadBytesMin, payloadBytesMax / 2); break;
        case 'a': pad = (size_t)number(0, payloadBytesMax / 2); break;
        case 'c': options.concurrent = (int)number(1, 10000); break;
        case 'l': until = choice(depths, 2); break;
        case 'o': options.room = optarg; break;
        case 'H': options.hello = optarg; break;
        case 't': addToken(optarg); break;
        case 'T': readTokens(optarg); break;
        case 'S': options.seconds = number(0.1, 600); break;
        case 'W': options.warmup = number(0, 600); break;
        case 'D': options.drain = number(0, 600); break;
        case 'C': options.connectTimeout = number(1, 600); break;
        case 'j': options.threads = (int)number(1, threadsMax); break;
        case 'i': options.pid = (pid_t)number(1, 1 << 22); break;
        case 'B': options.bearer = true; break;
        case 'I': options.sources = (int)number(1, 250); break;
        case 'z': options.stalled = (int)number(0, 1e6); break;
        case 'x': options.tls = true; break;
        default: fputs(usage, stderr); exit(2);
        }
    }
    if (port == 0 || optind < argc) fputs(usage, stderr), exit(2);
    setServer(host, port);
    if (mode == 3) {
        mode = modeBroadcast;
        options.connections = options.publishers = 1;
    }
    options.mode = (Mode)mode;
    if (mode == modeConnect) options.connections = options.concurrent;
    options.until = until >= 0 ? (Depth)until : mode == modeConnect ? untilUpgrade : untilJoined;
    if (mode == modeBroadcast && options.until != untilJoined) fail("a broadcast needs --until joined");
    options.payloadBytes += pad;
    if (options.rate == 0 && options.window == 0) options.window = 1;
    if (options.publishers > options.connections) fail("there are more publishers than connections");
    if (options.stalled > 0 && (options.stalled + options.publishers) * 2 > options.connections) {
        fail("more than half of the connections stall or publish");
    }
    if (options.bearer && options.tokenCount == 0) fail("--bearer needs --token or --token-file");
    if (options.threads > options.connections) options.threads = options.connections;
    if (strlen(options.room) > 64) fail("--room is longer than 64 bytes");
    if (!options.path) options.path = options.hub ? "/v1/ws" : "/";
    if (!options.hello) {
        options.hello = options.bearer ? "{\"op\":\"hello\",\"device\":\"d%d\"}"
                        : options.tokenCount ? "{\"op\":\"hello\",\"device\":\"d%d\",\"token\":\"%t\"}"
                                           : "{\"op\":\"hello\",\"user\":\"u%d\",\"device\":\"d%d\"}";
    }
}

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
    parse(argc, argv);
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
