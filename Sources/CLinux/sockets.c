#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

// Closes descriptors after a failure without changing errno.
static int fail_closing(int first, int second) {
    int code = errno;
    if (first >= 0) close(first);
    if (second >= 0) close(second);
    errno = code;
    return -1;
}

// Fills in the address of `path`. If the path does not fit, its folder is opened and the address refers to the
// descriptor, which is stored in `folder` and must stay open until the call is made.
static int unix_address(const char *path, struct sockaddr_un *address, int *folder) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    *folder = -1;
    size_t length = strlen(path);
    if (length == 0) {
        errno = ENOENT;
        return -1;
    }
    if (length < sizeof address->sun_path) {
        memcpy(address->sun_path, path, length + 1);
        return 0;
    }
    const char *slash = strrchr(path, '/');
    size_t folder_length = slash ? (size_t)(slash - path) : 0;
    if (!slash || folder_length >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    char folder_path[PATH_MAX];
    memcpy(folder_path, path, folder_length);
    folder_path[folder_length] = 0;
    *folder = open(folder_length ? folder_path : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*folder < 0) return -1;
    int written = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", *folder, slash + 1);
    if (written < 0 || (size_t)written >= sizeof address->sun_path) {
        errno = ENAMETOOLONG;
        return fail_closing(*folder, -1);
    }
    return 0;
}

static int set_send_timeout(int socket, int64_t microseconds) {
    struct timeval timeout = {.tv_sec = microseconds / 1000000, .tv_usec = microseconds % 1000000};
    return setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
}

int hf_unix_connect(const char *path, int64_t timeout_us) {
    struct sockaddr_un address;
    int folder;
    if (unix_address(path, &address, &folder) < 0) return -1;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return fail_closing(folder, -1);
    // unix(7): with a full queue, connect waits for up to SO_SNDTIMEO. Zero would mean no limit.
    if (set_send_timeout(descriptor, timeout_us > 0 ? timeout_us : 1) < 0) return fail_closing(folder, descriptor);
    int result;
    do {
        result = connect(descriptor, (struct sockaddr *)&address, sizeof address);
    } while (result < 0 && errno == EINTR);
    if (result < 0) return fail_closing(folder, descriptor);
    if (folder >= 0) close(folder);
    if (set_send_timeout(descriptor, 0) < 0) return fail_closing(descriptor, -1);
    return descriptor;
}

int hf_unix_listen(const char *path, int backlog, mode_t mode) {
    struct sockaddr_un address;
    int folder;
    if (unix_address(path, &address, &folder) < 0) return -1;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return fail_closing(folder, -1);
    // The socket file inherits its mode from the socket's inode, so it is never wider, not even briefly.
    if (fchmod(descriptor, mode) < 0) return fail_closing(folder, descriptor);
    if (bind(descriptor, (struct sockaddr *)&address, sizeof address) < 0) return fail_closing(folder, descriptor);
    if (folder >= 0) close(folder);
    if (listen(descriptor, backlog) < 0) return fail_closing(descriptor, -1);
    return descriptor;
}

int hf_socket_pair(int ends[2]) { return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends); }

ssize_t hf_send(int socket, const void *bytes, size_t count, const int *descriptors, size_t descriptor_count) {
    if (descriptor_count > HF_MAXIMUM_DESCRIPTORS) {
        errno = E2BIG;
        return -1;
    }
    struct iovec vector = {.iov_base = (void *)bytes, .iov_len = count};
    union {
        char bytes[CMSG_SPACE(HF_MAXIMUM_DESCRIPTORS * sizeof(int))];
        struct cmsghdr alignment;
    } control;
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    if (descriptor_count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(descriptor_count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(descriptor_count * sizeof(int));
        memcpy(CMSG_DATA(header), descriptors, descriptor_count * sizeof(int));
    }
    ssize_t result;
    do {
        result = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (result < 0 && errno == EINTR);
    return result;
}

ssize_t hf_receive(int socket, void *bytes, size_t capacity, int *descriptors, size_t *descriptor_count, int wait) {
    *descriptor_count = 0;
    struct iovec vector = {.iov_base = bytes, .iov_len = capacity};
    union {
        char bytes[CMSG_SPACE(HF_MAXIMUM_DESCRIPTORS * sizeof(int))];
        struct cmsghdr alignment;
    } control;
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t result;
    do {
        result = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    } while (result < 0 && errno == EINTR);
    if (result < 0) return -1;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        size_t arrived = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t index = 0; index < arrived; index++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(header) + index * sizeof(int), sizeof descriptor);
            if (*descriptor_count < HF_MAXIMUM_DESCRIPTORS) {
                descriptors[(*descriptor_count)++] = descriptor;
            } else {
                close(descriptor);
            }
        }
    }
    if (message.msg_flags & MSG_CTRUNC) {
        for (size_t index = 0; index < *descriptor_count; index++) close(descriptors[index]);
        *descriptor_count = 0;
        errno = EMFILE;
        return -1;
    }
    return result;
}

int hf_accept(int socket) { return accept4(socket, NULL, NULL, SOCK_CLOEXEC); }

int hf_peer_credentials(int socket, pid_t *pid, uid_t *uid, gid_t *gid) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0) return -1;
    *pid = credentials.pid;
    *uid = credentials.uid;
    *gid = credentials.gid;
    return 0;
}

int hf_tap_header(int descriptor, int *length, int set) {
    return ioctl(descriptor, set ? TUNSETVNETHDRSZ : TUNGETVNETHDRSZ, length);
}
