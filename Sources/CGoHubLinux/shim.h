// Linux calls that Swift's Glibc module does not import.
#ifndef GOHUB_LINUX_SHIM_H
#define GOHUB_LINUX_SHIM_H

#include <malloc.h>
#include <pthread.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

// The headers hide these two behind _GNU_SOURCE, which would give this module other definitions of types that the
// Glibc module has already.
extern int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
extern int pthread_setname_np(pthread_t thread, const char *name);

// <sys/timerfd.h> would bring types that the Glibc module has already. This is `struct itimerspec` as on every 64-bit
// Linux: two `struct timespec` of two longs each, the interval and the first expiration.
struct gohub_itimerspec {
    long interval_sec, interval_nsec, value_sec, value_nsec;
};
extern int timerfd_create(int clock, int flags);
extern int timerfd_settime(int fd, int flags, const struct gohub_itimerspec *value, void *old);

// Hidden behind _GNU_SOURCE, as those above.
extern int pipe2(int ends[2], int flags);
extern int sync_file_range(int fd, long offset, long bytes, unsigned int flags);
// SYNC_FILE_RANGE_WAIT_BEFORE, SYNC_FILE_RANGE_WRITE and SYNC_FILE_RANGE_WAIT_AFTER.
#define GOHUB_SYNC_FILE_RANGE_WRITE_AND_WAIT 7
extern int posix_spawn_file_actions_addclosefrom_np(void *actions, int from);
#define GOHUB_SPAWN_SETSID 0x80

// prctl takes a variable list of arguments, which Swift can't call.
static inline int gohub_prctl(int option, unsigned long argument) {
    return prctl(option, argument, 0UL, 0UL, 0UL);
}

// A macro with casts, which Swift doesn't import.
#if defined(__x86_64__)
static const unsigned int gohub_audit_arch = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
static const unsigned int gohub_audit_arch = AUDIT_ARCH_AARCH64;
#endif

// Puts a filter of system calls on the calling thread. To be called before there are others.
static inline int gohub_set_filter(struct sock_filter *instructions, unsigned short count) {
    struct sock_fprog program = {count, instructions};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0UL, 0UL);
}

// For tests.

extern int pthread_setattr_default_np(const pthread_attr_t *attributes);

// Bytes that the process has from malloc and hasn't given back.
static inline size_t gohub_malloc_in_use(void) {
#if __GLIBC_PREREQ(2, 33)
    struct mallinfo2 info = mallinfo2();
#else
    struct mallinfo info = mallinfo();
#endif
    return (size_t)info.uordblks + (size_t)info.hblkhd;
}

#endif
