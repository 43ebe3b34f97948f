// Linux calls that Swift's Glibc module does not import.
#ifndef GOHUB_LINUX_SHIM_H
#define GOHUB_LINUX_SHIM_H
#define _GNU_SOURCE 1
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

// accept4 is hidden behind _GNU_SOURCE, which a module cannot set for a header already included.
extern int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);

#endif
