// The options of the command line.

#include "loadgen.h"
#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { payloadBytesMin = 64, payloadBytesMax = 60000, publishersMax = 1024 };

Options options = {
    .until = untilJoined, .room = "bench", .connections = 100, .publishers = 1, .threads = 1, .sources = 1,
    .concurrent = 64, .payloadBytes = 128, .seconds = 5, .warmup = 1, .drain = 5, .connectTimeout = 60,
};

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
    "  --quiet S               publish only after the hub has told nothing for so long, such as who joined (0)\n"
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
    {"bearer", 0, 0, 'B'},  {"sources", 1, 0, 'I'},    {"stalled", 1, 0, 'z'},  {"quiet", 1, 0, 'q'},
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

void parseOptions(int argc, char **argv) {
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
        case 'q': options.quiet = number(0, 60); break;
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
