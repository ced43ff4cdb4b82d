#define _GNU_SOURCE
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Between fork and execve only async-signal-safe calls are allowed: other threads may have held any lock at the time of
// the fork. Calls that change IDs and capabilities are raw system calls, because those of the C library synchronize
// threads.

enum { LAST_CAPABILITY = 63 };

struct report {
    int step; // HF_STEP_NONE: `value` is the pid
    int value;
};

static void send_report(int channel, int step, int value) {
    struct report report = {.step = step, .value = value};
    ssize_t sent;
    do {
        sent = send(channel, &report, sizeof report, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
}

static _Noreturn void fail(int channel, int step) {
    send_report(channel, step, errno);
    _exit(127);
}

static int reset_signals(void) {
    // The kernel's struct sigaction is all zero for SIG_DFL, and no longer than this on any architecture. The C
    // library's call would refuse the two signals that it reserves, which may be ignored in this process.
    char standard[128] = {0};
    for (int number = 1; number <= 64; number++) {
        // SIGKILL and SIGSTOP cannot be changed and need no change.
        syscall(SYS_rt_sigaction, number, standard, NULL, 8);
    }
    sigset_t none;
    sigemptyset(&none);
    return sigprocmask(SIG_SETMASK, &none, NULL);
}

static int write_number(const char *path, int number) {
    char text[16];
    char *end = text + sizeof text, *start = end;
    unsigned rest = number < 0 ? 0u - (unsigned)number : (unsigned)number;
    do {
        *--start = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (number < 0) *--start = '-';
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t written = write(file, start, (size_t)(end - start));
    int code = errno;
    close(file);
    errno = code;
    return written < 0 ? -1 : 0;
}

struct scheduling {
    unsigned long mask[8192 / (8 * sizeof(unsigned long))]; // a bit for each processor, up to the kernel's limit
    long mask_size;
    int nice_value;
};

// Read before the fork: in another PID namespace, the number would mean another process.
static int read_scheduling(pid_t model, struct scheduling *scheduling) {
    scheduling->mask_size = syscall(SYS_sched_getaffinity, model, sizeof scheduling->mask, scheduling->mask);
    if (scheduling->mask_size < 0) return -1;
    errno = 0;
    scheduling->nice_value = getpriority(PRIO_PROCESS, (id_t)model);
    return errno ? -1 : 0;
}

static int take_scheduling(const struct scheduling *wanted) {
    if (syscall(SYS_sched_setaffinity, 0, wanted->mask_size, wanted->mask) < 0) return -1;
    errno = 0;
    int own = getpriority(PRIO_PROCESS, 0);
    if (errno) return -1;
    return wanted->nice_value == own ? 0 : setpriority(PRIO_PROCESS, 0, wanted->nice_value);
}

// Moves the descriptors to their numbers and marks all others close-on-exec. Sources are first duplicated above all
// targets, so that no target overwrites a source that is still needed.
static int place_descriptors(const struct hf_spawn_request *request, int *channel, int *namespaces_pidfd) {
    int base = 3;
    for (size_t index = 0; index < request->descriptor_count; index++) {
        if (request->targets[index] >= base) base = request->targets[index] + 1;
    }
    int moved_channel = fcntl(*channel, F_DUPFD_CLOEXEC, base);
    if (moved_channel < 0) return -1;
    *channel = moved_channel;
    if (*namespaces_pidfd >= 0) {
        *namespaces_pidfd = fcntl(*namespaces_pidfd, F_DUPFD_CLOEXEC, base);
        if (*namespaces_pidfd < 0) return -1;
    }
    int moved[request->descriptor_count + 1];
    for (size_t index = 0; index < request->descriptor_count; index++) {
        moved[index] = fcntl(request->sources[index], F_DUPFD_CLOEXEC, base);
        if (moved[index] < 0) return -1;
    }
    // 4 is CLOSE_RANGE_CLOEXEC: descriptors in use here stay usable until the execve.
    if (syscall(SYS_close_range, 0, ~0u, 4) < 0) return -1;
    for (size_t index = 0; index < request->descriptor_count; index++) {
        if (dup2(moved[index], request->targets[index]) < 0) return -1;
    }
    return 0;
}

static int set_limits(const struct hf_spawn_request *request) {
    for (size_t index = 0; index < request->limit_count; index++) {
        struct rlimit wanted = {.rlim_cur = request->limits[index].soft, .rlim_max = request->limits[index].hard};
        struct rlimit current;
        if (getrlimit(request->limits[index].resource, &current) < 0) return -1;
        if (current.rlim_cur == wanted.rlim_cur && current.rlim_max == wanted.rlim_max) continue;
        if (setrlimit(request->limits[index].resource, &wanted) < 0) return -1;
    }
    return 0;
}

static int drop_bounding_set(uint64_t kept) {
    for (int number = 0; number <= LAST_CAPABILITY; number++) {
        int present = prctl(PR_CAPBSET_READ, number, 0, 0, 0);
        if (present < 0) break; // beyond the kernel's last capability
        if (present && !(kept >> number & 1) && prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0) return -1;
    }
    return 0;
}

static bool same_groups(const struct hf_credentials *wanted) {
    gid_t current[1024];
    int count = getgroups(1024, current);
    return count >= 0 && (size_t)count == wanted->group_count &&
           (count == 0 || memcmp(current, wanted->groups, (size_t)count * sizeof(gid_t)) == 0);
}

// After execve, a process without root's privileges holds its ambient set; root holds the union of the bounding set and
// the inheritable set. So these three sets decide, and the current permitted set only has to allow them.
static int set_capabilities(const struct hf_credentials *wanted) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0) return -1;
    for (int word = 0; word < 2; word++) {
        uint32_t inheritable = (uint32_t)(wanted->inheritable >> 32 * word);
        uint32_t ambient = (uint32_t)(wanted->ambient >> 32 * word);
        if (wanted->effective_uid != 0 && wanted->real_uid != 0) data[word].permitted &= inheritable | ambient;
        data[word].inheritable = inheritable;
        data[word].effective = data[word].permitted;
    }
    if (syscall(SYS_capset, &header, data) < 0) return -1;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) return -1;
    for (int number = 0; number <= LAST_CAPABILITY; number++) {
        if (!(wanted->ambient >> number & 1)) continue;
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) < 0) return -1;
    }
    return 0;
}

// Skips each step that would change nothing, so that an unprivileged user can start its own programs.
static void take_credentials(const struct hf_credentials *wanted, int channel) {
    if (drop_bounding_set(wanted->bounding) < 0) fail(channel, HF_STEP_BOUNDING_SET);
    if (!same_groups(wanted) && syscall(SYS_setgroups, wanted->group_count, wanted->groups) < 0) {
        fail(channel, HF_STEP_GROUPS);
    }
    if (syscall(SYS_setresgid, wanted->real_gid, wanted->effective_gid, wanted->saved_gid) < 0) {
        fail(channel, HF_STEP_GROUP_ID);
    }
    // Leaving UID 0 would clear the permitted set, which is needed to raise the ambient one.
    if (wanted->ambient && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) fail(channel, HF_STEP_CAPABILITIES);
    if (syscall(SYS_setresuid, wanted->real_uid, wanted->effective_uid, wanted->saved_uid) < 0) {
        fail(channel, HF_STEP_USER_ID);
    }
    if (set_capabilities(wanted) < 0) fail(channel, HF_STEP_CAPABILITIES);
    if (wanted->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        fail(channel, HF_STEP_NO_NEW_PRIVILEGES);
    }
}

static _Noreturn void become(
    const struct hf_spawn_request *request, const struct scheduling *scheduling, int channel) {
    char go;
    ssize_t count;
    do {
        count = recv(channel, &go, sizeof go, 0);
    } while (count < 0 && errno == EINTR);
    if (count != sizeof go) _exit(127);

    if (reset_signals() < 0) fail(channel, HF_STEP_SIGNALS);
    if (request->new_session && setsid() < 0) fail(channel, HF_STEP_SESSION);
    if (request->oom_score_adjustment != INT_MIN &&
        write_number("/proc/self/oom_score_adj", request->oom_score_adjustment) < 0) {
        fail(channel, HF_STEP_OOM_SCORE);
    }
    // In cgroup.procs, 0 means the writing process.
    if (request->cgroup_procs >= 0 && write(request->cgroup_procs, "0", 1) < 0) fail(channel, HF_STEP_CGROUP);
    if (request->scheduling_pid && take_scheduling(scheduling) < 0) fail(channel, HF_STEP_SCHEDULING);
    int namespaces_pidfd = request->namespaces_pidfd;
    if (place_descriptors(request, &channel, &namespaces_pidfd) < 0) fail(channel, HF_STEP_DESCRIPTORS);
    int namespaces = request->namespaces & ~CLONE_NEWPID;
    if (namespaces && setns(namespaces_pidfd, namespaces) < 0) fail(channel, HF_STEP_NAMESPACES);
    if (request->root && (chroot(request->root) < 0 || chdir("/") < 0)) fail(channel, HF_STEP_ROOT);
    if (request->working_directory && chdir(request->working_directory) < 0) {
        fail(channel, HF_STEP_WORKING_DIRECTORY);
    }
    if (request->umask >= 0) umask((mode_t)request->umask);
    if (set_limits(request) < 0) fail(channel, HF_STEP_LIMITS);
    if (request->credentials) take_credentials(request->credentials, channel);
    execve(request->executable, request->arguments, request->environment);
    fail(channel, HF_STEP_EXECVE);
}

// The intermediate process: it exits at once, so that init adopts its child.
static _Noreturn void middle(
    const struct hf_spawn_request *request, const struct scheduling *scheduling, int channel) {
    // Only children enter a PID namespace.
    if (request->namespaces & CLONE_NEWPID && setns(request->namespaces_pidfd, CLONE_NEWPID) < 0) {
        fail(channel, HF_STEP_NAMESPACES);
    }
    pid_t pid = fork();
    if (pid < 0) fail(channel, HF_STEP_FORK);
    if (pid == 0) become(request, scheduling, channel);
    send_report(channel, HF_STEP_NONE, pid);
    _exit(0);
}

// Receives the next report: returns 1 if there is one, 0 at end of file, -1 on error.
static int next_report(int channel, int timeout_ms, struct report *report) {
    struct pollfd entry = {.fd = channel, .events = POLLIN};
    int ready;
    do {
        ready = poll(&entry, 1, timeout_ms);
    } while (ready < 0 && errno == EINTR);
    if (ready == 0) errno = ETIMEDOUT;
    if (ready <= 0) return -1;
    ssize_t count;
    do {
        count = recv(channel, report, sizeof *report, MSG_DONTWAIT);
    } while (count < 0 && errno == EINTR);
    if (count == 0) return 0;
    if (count == sizeof *report) return 1;
    if (count > 0) errno = EPROTO;
    return -1;
}

int hf_spawn_begin(const struct hf_spawn_request *request, pid_t *pid, int *failed_step) {
    struct scheduling scheduling;
    *failed_step = HF_STEP_SCHEDULING;
    if (request->scheduling_pid && read_scheduling(request->scheduling_pid, &scheduling) < 0) return -1;
    *failed_step = HF_STEP_FORK;
    int ends[2];
    // SOCK_SEQPACKET keeps reports whole; a socket lets each side see that the other is gone.
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return -1;
    sigset_t all, previous;
    sigfillset(&all);
    // This process's signal handlers must not run in the child.
    pthread_sigmask(SIG_SETMASK, &all, &previous);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        middle(request, &scheduling, ends[1]);
    }
    int code = errno;
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        errno = code;
        return -1;
    }
    // ECHILD if this process ignores SIGCHLD: then the kernel reaps the child.
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    struct report report;
    int result = next_report(ends[0], 10000, &report);
    if (result == 1 && report.step == HF_STEP_NONE) {
        *pid = report.value;
        *failed_step = HF_STEP_NONE;
        return ends[0];
    }
    if (result == 1) {
        *failed_step = report.step;
        errno = report.value;
    } else if (result == 0) {
        errno = ECHILD;
    }
    code = errno;
    close(ends[0]);
    errno = code;
    return -1;
}

int hf_spawn_finish(int channel, int timeout_ms, int *failed_step) {
    *failed_step = HF_STEP_CANCELLED;
    char go = 1;
    if (send(channel, &go, sizeof go, MSG_NOSIGNAL) < 0) return -1;
    struct report report;
    int result = next_report(channel, timeout_ms, &report);
    *failed_step = HF_STEP_EXECVE;
    if (result == 0) return 0; // execve closed its end
    if (result == 1) {
        *failed_step = report.step;
        errno = report.value;
    }
    return -1;
}
