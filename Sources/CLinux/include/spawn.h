// Starting a process that outlives us, in two steps, so that its identity is known before it does anything.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// What the new process must not exceed. Capability sets are masks of bit numbers, see capabilities(7).
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
    const int *sources;            // our descriptors
    const int *targets;            // their numbers in the new process, each at most once
    size_t descriptor_count;
    int namespaces_pidfd;          // whose namespaces to enter, -1 for none
    int namespaces;                // CLONE_NEW* of setns(2)
    int cgroup_procs;              // a cgroup.procs open for writing, or -1
    pid_t scheduling_pid;          // whose CPU affinity and nice value to take, 0 for ours
    int new_session;
    int umask;                     // -1 keeps ours
    int oom_score_adjustment;      // INT_MIN keeps ours
    const struct hf_limit *limits;
    size_t limit_count;
    const struct hf_credentials *credentials; // NULL keeps ours
};

/// The step in which a start failed; also the order in which they are taken.
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

/// Forks the new process, which then waits for `hf_spawn_finish`. It is a child of init, never a zombie of ours.
///
/// Returns the channel to it, which is the caller's to close, and its number; -1, errno and the step when that failed.
/// When the channel is closed (by the caller, or because the caller died) before the finish, the new process goes away
/// without a trace.
int hf_spawn_begin(const struct hf_spawn_request *request, pid_t *pid, int *failed_step);

/// Lets the process take its steps and become the executable; waits `timeout_ms` for that.
///
/// Returns 0 when it runs; -1, errno and the step otherwise. After ETIMEDOUT it may still be stuck in a step: kill it.
int hf_spawn_finish(int channel, int timeout_ms, int *failed_step);
