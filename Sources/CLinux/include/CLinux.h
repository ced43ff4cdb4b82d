// What Swift cannot call by itself: variadic calls, macros, calls behind _GNU_SOURCE, and fork.
// Every function returns -1 (or what is said) and sets errno on failure.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "spawn.h"

// sockets.c

/// Connects (or binds and listens, when `backlog` is positive) a close-on-exec stream socket at `path`.
///
/// A name longer than sun_path is reached through its folder's descriptor; ENAMETOOLONG when even its last part is too long.
/// `timeout_us` bounds the wait for room in the listener's queue (EAGAIN afterwards); it is ignored by the listener.
int hf_unix_connect(const char *path, int64_t timeout_us);
int hf_unix_listen(const char *path, int backlog, mode_t mode);
int hf_socket_pair(int ends[2]);

/// sendmsg(2) with SCM_RIGHTS, never blocking, without SIGPIPE.
ssize_t hf_send(int socket, const void *bytes, size_t count, const int *descriptors, size_t descriptor_count);

/// The most descriptors that one message can carry (SCM_MAX_FD in the kernel).
enum { HF_MAXIMUM_DESCRIPTORS = 253 };

/// recvmsg(2) with SCM_RIGHTS; what arrives is close-on-exec. Blocks where `wait` says so and the socket itself does not forbid it.
///
/// `descriptors` has room for HF_MAXIMUM_DESCRIPTORS. Fails with EMFILE when the kernel had to drop some for want of room
/// in the descriptor table; those that did arrive are then closed.
ssize_t hf_receive(int socket, void *bytes, size_t capacity, int *descriptors, size_t *descriptor_count, int wait);

/// accept4(2), close-on-exec.
int hf_accept(int socket);

int hf_peer_credentials(int socket, pid_t *pid, uid_t *uid, gid_t *gid);

/// TUNGETVNETHDRSZ, or TUNSETVNETHDRSZ when `set`: the length of the header before each packet of a tap.
int hf_tap_header(int descriptor, int *length, int set);

// processes.c

int hf_pidfd_open(pid_t pid);
int hf_pidfd_getfd(int pidfd, int number);
int hf_pidfd_send_signal(int pidfd, int signal);
int hf_close_range(unsigned first, unsigned last);
int hf_memfd_create(const char *name);

/// Starts a detached thread with a small stack and every signal blocked; returns an errno value, 0 when it runs.
///
/// `body` is called with `context`, which is the thread's to release.
int hf_start_thread(const char *name, void (*body)(void *context), void *context);

/// sched_setaffinity(2) with one processor, from 0.
int hf_pin_thread(pid_t thread, int processor);

/// The C library's text for an errno value, not translated; never NULL.
const char *hf_error_text(int code);
/// The C library's name of an errno value ("ENOENT"); never NULL.
const char *hf_error_name(int code);

// files.c

/// setns(2) flags of the namespaces by their names in /proc/PID/ns; 0 for a name that is not known.
int hf_namespace_flag(const char *name);

uint64_t hf_make_device(uint32_t major, uint32_t minor);

/// The rate of this CPU's time stamp counter in kHz, measured against CLOCK_MONOTONIC in 50 ms; 0 where it has none.
int64_t hf_tsc_kilohertz(void);

/// The flags of open(2) that Swift does not see.
extern const int hf_o_path;
extern const int hf_o_direct;
