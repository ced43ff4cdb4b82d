/*
 * slow-monitor: a library for LD_PRELOAD that slows down every command of a real QEMU's main monitor.
 *
 * On connections to a socket with "qmp.sock" in its name, it delays the end of each line read by SLOW_MONITOR_MS
 * milliseconds. QEMU reads its monitors byte by byte in their own thread, so that guest, migration and other sockets
 * are not affected.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

static int is_monitor(int fd) {
    struct sockaddr_un address = {0};
    socklen_t size = sizeof address - 1;
    return getsockname(fd, (struct sockaddr *)&address, &size) == 0 && address.sun_family == AF_UNIX &&
           strstr(address.sun_path, "qmp.sock");
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    ssize_t (*next)(int, struct msghdr *, int) = dlsym(RTLD_NEXT, "recvmsg");
    const char *text = getenv("SLOW_MONITOR_MS");
    long milliseconds = text ? atol(text) : 0;
    ssize_t count = next(fd, message, flags);
    if (count == 1 && *(char *)message->msg_iov[0].iov_base == '\n' && is_monitor(fd)) {
        struct timespec pause = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
        nanosleep(&pause, NULL);
    }
    return count;
}
