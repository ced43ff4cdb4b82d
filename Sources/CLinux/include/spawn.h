// Starts a process that outlives this one, in two steps, so that its identity is known before it does anything.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// The most that the new process may get. Capability sets are masks of bit numbers, see capabilities(7).
struct hf_credentials {
    uid_t real_uid, effective_uid, saved_uid;
    gid_t real_gid, effective_gid, saved_gid;
    const gid_t *groups;
    size_t group_count;
    uint64_t bounding, inheritable, ambient;
    int no_new_privileges;
};

struct hf_limit {
    int resource;
    uint64_t soft, hard;
};

struct hf_spawn_request {
    const char *executable;
    char *const *arguments;
    char *const *environment;
    const char *root;              // chroot(2), or NULL
    const char *working_directory; // chdir(2) within the root, or NULL
    const int *sources;            // descriptors of this process
    const int *targets;            // their numbers in the new process, each at most once
    size_t descriptor_count;
    int namespaces_pidfd;          // the process whose namespaces to join, -1 for none
    int namespaces;                // CLONE_NEW* of setns(2)
    int cgroup_procs;              // a cgroup.procs open for writing, or -1
    pid_t scheduling_pid;          // the process whose CPU affinity and nice value to copy, 0 for none
    int new_session;
    int umask;                     // -1 keeps the current one
    int oom_score_adjustment;      // INT_MIN keeps the current one
    const struct hf_limit *limits;
    size_t limit_count;
    const struct hf_credentials *credentials; // NULL keeps the current ones
};

/// The step in which a start failed; the steps are taken in this order.
enum hf_spawn_step {
    HF_STEP_NONE,
    HF_STEP_FORK,
    HF_STEP_CANCELLED,
    HF_STEP_SIGNALS,
    HF_STEP_SESSION,
    HF_STEP_OOM_SCORE,
    HF_STEP_CGROUP,
    HF_STEP_SCHEDULING,
    HF_STEP_DESCRIPTORS,
    HF_STEP_NAMESPACES,
    HF_STEP_ROOT,
    HF_STEP_WORKING_DIRECTORY,
    HF_STEP_LIMITS,
    HF_STEP_BOUNDING_SET,
    HF_STEP_GROUPS,
    HF_STEP_GROUP_ID,
    HF_STEP_USER_ID,
    HF_STEP_CAPABILITIES,
    HF_STEP_NO_NEW_PRIVILEGES,
    HF_STEP_EXECVE,
};

/// Forks the new process, which then waits for `hf_spawn_finish`. It is a child of init, so it never becomes a zombie
/// of this process.
///
/// Returns the channel to it, which the caller must close, and its pid; on failure -1, errno and the step. If the
/// channel is closed before `hf_spawn_finish` (by the caller, or because the caller died), the new process exits
/// without having done anything.
int hf_spawn_begin(const struct hf_spawn_request *request, pid_t *pid, int *failed_step);

/// Lets the process take its steps and execute the program; waits up to `timeout_ms`.
///
/// Returns 0 if the program runs; otherwise -1, errno and the step. After ETIMEDOUT the process may be stuck in a step:
/// kill it.
int hf_spawn_finish(int channel, int timeout_ms, int *failed_step);
