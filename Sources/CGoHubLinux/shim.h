// Linux calls that Swift's Glibc module does not import.
#ifndef GOHUB_LINUX_SHIM_H
#define GOHUB_LINUX_SHIM_H

#include <malloc.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

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
