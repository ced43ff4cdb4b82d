public import Hypervisors

/// What CRIU can be asked before anything is frozen.
public struct ContainerCheck: Sendable, Hashable {
    /// The version of CRIU, such as `3.17.1`.
    public let version: String
    /// What `criu check` says against the kernel; empty where it is content.
    public let complaints: [String]
    /// What the container's processes have open that cannot be moved: `pid: what`.
    public let descriptors: [String]
}

extension ContainerPlace {
    /// Kinds of open files that CRIU 3.17 does not know how to make again.
    private static let immovable =
        "anon_inode:.*(io_uring|bpf|perf_event|userfaultfd|kvm|fscontext|landlock)|/dev/(fuse|kvm|net|vhost|dri|nvidia|loop|mapper)"

    /// Asks CRIU and looks through what the container has open.
    ///
    /// - Returns: What was found.
    /// - Throws: ``HypervisorError`` when the agent does not answer or CRIU is not there.
    public func check() async throws(HypervisorError) -> ContainerCheck {
        let text = try await agent.run(
            """
            command -v criu >/dev/null || { echo "criu is not in its image" >&2; exit 1; }
            criu --version | sed -n 's/^Version: */version /p'
            criu check 2>&1 | grep -v -e 'Looks good' -e 'criu/util.c' | sed 's/^/check /' || true
            [ -e \(files.controlGroupFolder)/cgroup.procs ] || exit 0
            while read -r process; do
                find /proc/$process/fd -type l -printf "fd $process: %l\\n" 2>/dev/null
            done <\(files.controlGroupFolder)/cgroup.procs | grep -E "fd [0-9]+: (\(Self.immovable))" || true
            """, to: "check container \(name)", within: .seconds(60))
        let lines = text.split(whereSeparator: \.isNewline).map(String.init)
        func rest(_ word: String) -> [String] {
            lines.filter { $0.hasPrefix(word + " ") }.map { String($0.dropFirst(word.count + 1)) }
        }
        return ContainerCheck(
            version: rest("version").first ?? "?", complaints: rest("check"), descriptors: rest("fd"))
    }
}
