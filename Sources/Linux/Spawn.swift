internal import CLinux
internal import Glibc
internal import Logging

/// Starts a process that outlives this one: a child of init in its own session, which inherits only what the request
/// names.
///
/// The process is created first, then `beforeStart` is called with its identity, and only then does the process
/// proceed. If this process dies before, the new process exits. Signal handlers and mask are the defaults.
///
/// - Parameters:
///   - request: the program and its environment.
///   - beforeStart: records the new identity; if it returns false, the start is cancelled.
/// - Returns: the identity of the process. The program runs: the kernel has found and accepted its file.
/// - Throws: `SystemError` named after the step that failed (`execve`, `setns`, `chdir`, `setresuid`, ...); ECANCELED
///   if it was cancelled; ETIMEDOUT. No process is left then.
public func spawn(
    _ request: SpawnRequest, beforeStart: (ProcessIdentity) -> Bool = { _ in true }
) throws(SystemError) -> ProcessIdentity {
    let preparation = try SpawnPreparation(request)
    let identity = try preparation.start(beforeStart: beforeStart)
    Logger.current.debug("started \(request.executable)", metadata: ["pid": "\(identity.pid)"])
    return identity
}

/// Everything that the child needs, allocated before the fork; the child must not allocate.
private struct SpawnPreparation: ~Copyable {
    private let request: SpawnRequest
    private let arguments: CStringArray
    private let environment: CStringArray
    private let sources: [Int32]
    private let targets: [Int32]
    private let null: Descriptor
    private let cgroup: Descriptor?
    private let namespaces: (holder: ProcessHandle, flags: Int32)?
    private let limits: [hf_limit]

    init(_ request: SpawnRequest) throws(SystemError) {
        let arguments = try CStringArray(request.arguments, subject: request.executable)
        let environment = try CStringArray(request.environment, subject: request.executable)
        let null = try Descriptor.open("/dev/null", flags: O_RDWR)
        var descriptors = request.descriptors
        for number: Int32 in 0...2 where !descriptors.contains(where: { $0.number == number }) {
            descriptors.append(.init(source: null.number, number: number))
        }
        guard
            Set(descriptors.map(\.number)).count == descriptors.count, descriptors.allSatisfy({ $0.number >= 0 })
        else {
            throw SystemError(
                operation: "dup2", subject: request.executable, code: EINVAL,
                detail: "a descriptor number is negative or occurs twice"
            )
        }
        let cgroup = try Self.membership(of: request.cgroupFolder)
        namespaces = try request.namespacesOf.map { (identity) throws(SystemError) in
            try Self.namespaces(of: identity)
        }
        self.request = request
        self.arguments = arguments
        self.environment = environment
        self.null = null
        self.cgroup = cgroup
        sources = descriptors.map(\.source)
        targets = descriptors.map(\.number)
        limits = request.limits.map { limit in
            hf_limit(
                resource: limit.resource, soft: limit.soft ?? ProcessLimit.unlimited,
                hard: limit.hard ?? ProcessLimit.unlimited
            )
        }
    }

    private static func membership(of folder: String?) throws(SystemError) -> Descriptor? {
        guard let folder else { return nil }
        return try Descriptor.open("\(folder)/cgroup.procs", flags: O_WRONLY)
    }

    /// Returns the namespaces of a process that differ from those of this one.
    private static func namespaces(
        of identity: ProcessIdentity
    ) throws(SystemError) -> (holder: ProcessHandle, flags: Int32) {
        let handle = try ProcessHandle(identity)
        let theirs = try ProcFS.namespaces(identity.pid)
        let ours = try ProcFS.namespaces(getpid())
        var flags: Int32 = 0
        for (kind, number) in theirs where ours[kind] != number && !kind.hasSuffix("_for_children") {
            let flag = hf_namespace_flag(kind)
            // In another user namespace, user and group IDs would mean other users and groups.
            if flag == 0 || kind == "user" {
                throw SystemError(
                    operation: "setns", subject: "process \(identity.pid)", code: EOPNOTSUPP,
                    detail: "it has its own \(kind) namespace"
                )
            }
            flags |= flag
        }
        return (handle, flags)
    }

    func start(beforeStart: (ProcessIdentity) -> Bool) throws(SystemError) -> ProcessIdentity {
        var pid: Int32 = 0
        var step: Int32 = 0
        let (number, code) = withRawRequest { raw in
            var raw = raw
            let number = hf_spawn_begin(&raw, &pid, &step)
            return (number, errno)
        }
        guard number >= 0 else { throw failure(step, code) }
        // From here on, closing the channel cancels the start.
        let channel = Descriptor(adopting: number)
        guard let identity = ProcessIdentity.current(of: pid) else {
            throw failure(Int32(HF_STEP_FORK.rawValue), ESRCH)
        }
        guard beforeStart(identity) else {
            throw failure(Int32(HF_STEP_CANCELLED.rawValue), ECANCELED)
        }
        let timeout = Deadline(within: request.deadline).pollTimeout
        if hf_spawn_finish(channel.number, timeout, &step) < 0 {
            let code = errno
            if code == ETIMEDOUT { try? ProcessHandle(identity).signal(SIGKILL) }
            throw failure(step, code)
        }
        return identity
    }

    private func withRawRequest<Result>(_ body: (hf_spawn_request) -> Result) -> Result {
        withRawCredentials { credentials in
            sources.withUnsafeBufferPointer { sources in
                targets.withUnsafeBufferPointer { targets in
                    limits.withUnsafeBufferPointer { limits in
                        withOptionalCString(request.rootDirectory) { root in
                            withOptionalCString(request.workingDirectory) { workingDirectory in
                                request.executable.withCString { executable in
                                    body(
                                        hf_spawn_request(
                                            executable: executable, arguments: arguments.pointers,
                                            environment: environment.pointers, root: root,
                                            working_directory: workingDirectory, sources: sources.baseAddress,
                                            targets: targets.baseAddress, descriptor_count: sources.count,
                                            namespaces_pidfd: namespaces?.holder.number ?? -1,
                                            namespaces: namespaces?.flags ?? 0, cgroup_procs: cgroupNumber,
                                            scheduling_pid: request.schedulingOf?.pid ?? 0,
                                            new_session: request.newSession ? 1 : 0,
                                            umask: request.umask.map { Int32($0) } ?? -1,
                                            oom_score_adjustment: request.oomScoreAdjustment ?? .min,
                                            limits: limits.baseAddress, limit_count: limits.count,
                                            credentials: credentials
                                        )
                                    )
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    private var cgroupNumber: Int32 {
        switch cgroup {
        case .some(let descriptor): descriptor.number
        case .none: -1
        }
    }

    private func withRawCredentials<Result>(_ body: (UnsafePointer<hf_credentials>?) -> Result) -> Result {
        guard let wanted = request.credentials else { return body(nil) }
        return wanted.groups.withUnsafeBufferPointer { groups in
            var raw = hf_credentials()
            (raw.real_uid, raw.effective_uid, raw.saved_uid) = (
                wanted.user.real, wanted.user.effective, wanted.user.saved
            )
            (raw.real_gid, raw.effective_gid, raw.saved_gid) = (
                wanted.group.real, wanted.group.effective, wanted.group.saved
            )
            raw.groups = groups.baseAddress
            raw.group_count = groups.count
            raw.bounding = wanted.boundingForExec
            raw.inheritable = wanted.inheritableForExec
            raw.ambient = wanted.ambient
            raw.no_new_privileges = wanted.noNewPrivileges ? 1 : 0
            return body(&raw)
        }
    }

    private func failure(_ step: Int32, _ code: Int32) -> SystemError {
        let executable = request.executable
        func error(_ operation: String, _ subject: String? = nil, _ detail: String? = nil) -> SystemError {
            SystemError(operation: operation, subject: subject ?? executable, code: code, detail: detail)
        }
        switch hf_spawn_step(UInt32(step)) {
        case HF_STEP_CANCELLED: return error("spawn")
        case HF_STEP_SIGNALS: return error("sigprocmask")
        case HF_STEP_SESSION: return error("setsid")
        case HF_STEP_OOM_SCORE: return error("write", "/proc/self/oom_score_adj")
        case HF_STEP_CGROUP: return error("write", request.cgroupFolder.map { "\($0)/cgroup.procs" })
        case HF_STEP_SCHEDULING: return error("sched_setaffinity")
        case HF_STEP_DESCRIPTORS: return error("dup2", nil, "descriptors \(sources) as \(targets)")
        case HF_STEP_NAMESPACES: return error("setns")
        case HF_STEP_ROOT: return error("chroot", request.rootDirectory)
        case HF_STEP_WORKING_DIRECTORY: return error("chdir", request.workingDirectory)
        case HF_STEP_LIMITS: return error("setrlimit")
        case HF_STEP_BOUNDING_SET: return error("prctl", nil, "PR_CAPBSET_DROP: CAP_SETPCAP is missing")
        case HF_STEP_GROUPS: return error("setgroups")
        case HF_STEP_GROUP_ID: return error("setresgid")
        case HF_STEP_USER_ID: return error("setresuid")
        case HF_STEP_CAPABILITIES: return error("capset")
        case HF_STEP_NO_NEW_PRIVILEGES: return error("prctl", nil, "PR_SET_NO_NEW_PRIVS")
        case HF_STEP_EXECVE: return error("execve")
        default: return error("fork")
        }
    }
}
