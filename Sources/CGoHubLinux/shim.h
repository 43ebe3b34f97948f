// Linux calls that Swift's Glibc module does not import.
#ifndef GOHUB_LINUX_SHIM_H
#define GOHUB_LINUX_SHIM_H

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

// The headers hide these two behind _GNU_SOURCE, which would give this module other definitions of types that the
// Glibc module has already.
extern int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
extern int pthread_setname_np(pthread_t thread, const char *name);

#endif
