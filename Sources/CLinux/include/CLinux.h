// Calls that Swift cannot make: variadic calls, macros, calls that need _GNU_SOURCE, and fork. Unless stated otherwise,
// each function returns -1 and sets errno on failure.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "spawn.h"

// sockets.c

/// Connects a close-on-exec stream socket to `path`, or binds it there and listens.
///
/// A name longer than sun_path is reached through a descriptor of its folder; ENAMETOOLONG if even its last component
/// is too long. `timeout_us` limits the wait for room in the listener's queue (EAGAIN afterwards).
int hf_unix_connect(const char *path, int64_t timeout_us);
int hf_unix_listen(const char *path, int backlog, mode_t mode);
int hf_socket_pair(int ends[2]);

/// sendmsg(2) with SCM_RIGHTS; never blocks and raises no SIGPIPE.
ssize_t hf_send(int socket, const void *bytes, size_t count, const int *descriptors, size_t descriptor_count);

/// The most descriptors in one message (SCM_MAX_FD in the kernel).
enum { HF_MAXIMUM_DESCRIPTORS = 253 };

/// recvmsg(2) with SCM_RIGHTS; received descriptors are close-on-exec. Blocks if `wait` is set and the socket is
/// blocking.
///
/// `descriptors` must have room for HF_MAXIMUM_DESCRIPTORS. Fails with EMFILE if the kernel dropped descriptors because
/// the descriptor table is full; those that arrived are closed then.
ssize_t hf_receive(int socket, void *bytes, size_t capacity, int *descriptors, size_t *descriptor_count, int wait);

/// accept4(2), close-on-exec.
int hf_accept(int socket);

int hf_peer_credentials(int socket, pid_t *pid, uid_t *uid, gid_t *gid);

/// TUNGETVNETHDRSZ, or TUNSETVNETHDRSZ if `set`: the length of the header before each packet of a tap.
int hf_tap_header(int descriptor, int *length, int set);

// processes.c

int hf_pidfd_open(pid_t pid);
int hf_pidfd_getfd(int pidfd, int number);
int hf_pidfd_send_signal(int pidfd, int signal);
int hf_close_range(unsigned first, unsigned last);
int hf_memfd_create(const char *name);

/// Starts a detached thread with a small stack and all signals blocked; returns 0 or an errno value.
///
/// `body` is called with `context`, which it must release.
int hf_start_thread(const char *name, void (*body)(void *context), void *context);

/// sched_setaffinity(2) with a single processor, numbered from 0.
int hf_pin_thread(pid_t thread, int processor);

/// The C library's untranslated text for an errno value; never NULL.
const char *hf_error_text(int code);
/// The C library's name for an errno value ("ENOENT"); never NULL.
const char *hf_error_name(int code);

// files.c

/// The setns(2) flag of a namespace named as in /proc/PID/ns; 0 for an unknown name.
int hf_namespace_flag(const char *name);

uint64_t hf_make_device(uint32_t major, uint32_t minor);

/// The frequency of this CPU's time stamp counter in kHz, measured against CLOCK_MONOTONIC for 50 ms; 0 if there is
/// none.
int64_t hf_tsc_kilohertz(void);

/// Flags of open(2) that Swift cannot see.
extern const int hf_o_path;
extern const int hf_o_direct;
