// Clock, latency histogram, and the CPU time and memory of server and kernel, from /proc.

#include "loadgen.h"
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

// MARK: Histogram

// Values below one octave's steps are exact; above, the bucket is the octave and the bits after its leading one.
static unsigned bucketOf(uint64_t value) {
    if (value < 1u << histogramStepBits) return (unsigned)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - histogramStepBits;
    return (shift << histogramStepBits) + (unsigned)(value >> shift);
}

static double middleOf(unsigned bucket) {
    if (bucket < 2u << histogramStepBits) return bucket;
    unsigned shift = (bucket >> histogramStepBits) - 1;
    uint64_t steps = bucket - (shift << histogramStepBits);
    return (double)(steps << shift) + (double)(1ull << shift) / 2;
}

void histogramAdd(Histogram *histogram, uint64_t value) {
    histogram->counts[bucketOf(value)]++;
    histogram->total++;
    if (value > histogram->max) histogram->max = value;
}

void histogramMerge(Histogram *into, const Histogram *other) {
    for (int i = 0; i < histogramBuckets; i++) into->counts[i] += other->counts[i];
    into->total += other->total;
    if (other->max > into->max) into->max = other->max;
}

double histogramQuantile(const Histogram *histogram, double quantile) {
    uint64_t passed = 0;
    for (unsigned i = 0; i < histogramBuckets; i++) {
        passed += histogram->counts[i];
        if (passed > 0 && (double)passed >= quantile * (double)histogram->total) return middleOf(i);
    }
    return 0;
}

// MARK: The server

CPUTime cpuTimeOf(pid_t pid) {
    CPUTime result = {0};
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &time) == 0) {
        result.total = (double)time.tv_sec + (double)time.tv_nsec / 1e9;
    }
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file) return result;
    // The command's name is in parentheses and may hold anything, so the fields are counted from the last one.
    char *fields = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
    unsigned long user, system, perSecond = (unsigned long)sysconf(_SC_CLK_TCK);
    if (fields && sscanf(fields + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) == 2) {
        result.user = (double)user / (double)perSecond;
        result.system = (double)system / (double)perSecond;
    }
    fclose(file);
    return result;
}

// Adds up the fields of a file of "Name:  123 kB" lines that `name` starts, in bytes.
static double sumOfFields(const char *path, const char *name) {
    char line[256];
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    double sum = 0;
    while (fgets(line, sizeof line, file)) {
        char *value = strchr(line, ':');
        long kilobytes;
        if (value && strncmp(line, name, strlen(name)) == 0 && sscanf(value + 1, "%ld", &kilobytes) == 1) {
            sum += (double)kilobytes * 1024;
        }
    }
    fclose(file);
    return sum;
}

Memory memoryOf(pid_t pid) {
    char status[64], rollup[64];
    snprintf(status, sizeof status, "/proc/%d/status", pid);
    snprintf(rollup, sizeof rollup, "/proc/%d/smaps_rollup", pid);
    return (Memory){
        .resident = sumOfFields(status, "VmRSS"),
        .anonymous = sumOfFields(rollup, "Anonymous"),
        .private = sumOfFields(rollup, "Private_"),  // Private_Clean, Private_Dirty, Private_Hugetlb
    };
}

double heapOf(pid_t pid) {
    char path[64];
    long resident = 0, shared = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", pid);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    if (fscanf(file, "%*d %ld %ld", &resident, &shared) != 2) resident = shared = 0;
    fclose(file);
    return (double)(resident - shared) * (double)sysconf(_SC_PAGESIZE);
}

KernelMemory kernelMemory(void) {
    KernelMemory result = {.slab = sumOfFields("/proc/meminfo", "Slab")};
    FILE *file = fopen("/proc/net/sockstat", "r");
    char line[256];
    long pages;
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "TCP: inuse %*d orphan %*d tw %*d alloc %*d mem %ld", &pages) != 1) continue;
        result.socketBuffers = (double)pages * (double)sysconf(_SC_PAGESIZE);
    }
    if (file) fclose(file);
    return result;
}
