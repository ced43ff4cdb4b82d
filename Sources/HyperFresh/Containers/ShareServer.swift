import Glibc
import Guests
import Linux
import StackFile
import Systemd
import VirtualMachines

/// The process of this host that serves a container's bundle to one OS VM: virtiofsd.
///
/// It outlives us, serves one connection, and ends with it. One to which nobody ever came is found by the socket on its
/// command line.
struct ShareServer: Sendable {
    let container: ContainerSpec
    let folder: InstanceFolder

    /// Starts it, unless one waits already; it listens then.
    func start() async throws(HyperFreshError) {
        try checkBundle()
        guard let program = Self.program() else {
            throw HyperFreshError(
                "virtiofsd is not installed: it gives a container its root file system",
                remedy: HypervisorChecks.virtiofsdRemedy)
        }
        await end()
        do {
            let log = try Descriptor.open(
                folder.shareLog(container.name), flags: O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600)
            let process = try spawn(request(program, log: log.number))
            try await SystemdManager.isolate(
                process.pid, named: "share-\(container.name)", like: getpid(),
                description: "Root file system of container \(container.name)")
            try await waitUntilItListens(process)
        } catch {
            // Evidence for a failure, where there is any.
            let words = (try? Files.readAll(folder.shareLog(container.name), limit: 1 << 20)) ?? []
            await end()
            throw HyperFreshError(
                "the bundle of container \(container.name) cannot be served", because: error,
                remedy: "The words of virtiofsd say why. Does \(container.bundle) exist, and is this root?"
            ).adding(
                evidence: String(decoding: words, as: UTF8.self).split(whereSeparator: \.isNewline).suffix(6)
                    .map { "virtiofsd: \($0)" })
        }
    }

    /// Ends it, if it is still there, and removes its files; an OS VM that has it for a root file system hangs then.
    func end() async {
        let socket = folder.shareSocket(container.name)
        await Self.end(Self.servers { $0 == socket })
        for file in [socket] + Self.ownFiles(of: socket) { unlink(file) }
    }

    /// Ends those of an instance that has ended, and waits: until they are gone they map its memory.
    static func endAll(of folder: InstanceFolder) async { await end(Array(processes(below: folder.path))) }

    private static func end(_ processes: [ProcessIdentity]) async {
        for process in processes {
            // A process that cannot be opened is gone.
            _ = await (try? ProcessHandle(process))?.end(within: .seconds(5))
        }
    }

    /// What virtiofsd makes for itself and leaves: a file with its pid, beside the socket or below /run, by version.
    private static func ownFiles(of socket: String) -> [String] {
        ["\(socket).pid", "/run/virtiofsd/\(String(socket.map { $0 == "/" ? "." : $0 })).pid"]
    }

    /// Those that serve an instance, or several: each of them maps all of the OS VM's memory, image stores among it.
    ///
    /// - Parameter folder: The folder of the instance, or one above it.
    /// - Returns: Each with its forked child, which is one as well.
    static func processes(below folder: String) -> Set<ProcessIdentity> {
        Set(servers { $0.hasPrefix("\(folder)/") })
    }

    /// Ends all that are left of an instance that is gone.
    static func endAll(of folder: InstanceFolder, files: [String]) {
        for process in processes(below: folder.path) {
            // Refused only when it is gone already.
            try? ProcessHandle(process).signal(SIGKILL)
        }
        for name in files where name.hasSuffix(InstanceFolder.shareSocketSuffix) {
            for file in ownFiles(of: "\(folder.path)/\(name)") { unlink(file) }
        }
    }

    /// This user's processes that serve at a socket, by their own command line: none is ended on the word of a record.
    private static func servers(where isMeant: (String) -> Bool) -> [ProcessIdentity] {
        // Without /proc nothing can be found, and nothing is ended.
        ((try? ProcFS.processes()) ?? []).compactMap { pid in
            // One that cannot be looked at is not this user's.
            guard let arguments = try? ProcFS.commandLine(pid),
                let socket = arguments.first(where: { $0.hasPrefix(socketOption) })?.dropFirst(socketOption.count),
                isMeant(String(socket)), (try? ProcFS.credentials(pid))?.user.effective == geteuid()
            else { return nil }
            return ProcessIdentity.current(of: pid)
        }
    }

    private static let socketOption = "--socket-path="

    private func checkBundle() throws(HyperFreshError) {
        let file = "\(container.bundle)/config.json"
        // What cannot be looked at is no bundle.
        guard (try? Files.status(file).kind) != .regular else { return }
        throw HyperFreshError(
            "\(container.bundle) is no OCI bundle: it has no config.json",
            remedy: "Make one: `runc spec` in a folder beside a root file system, or unpack an image with umoci.")
    }

    private static func program() -> String? {
        HypervisorChecks.virtiofsdPaths.first { access($0, X_OK) == 0 }
    }

    private func request(_ program: String, log: Int32) -> SpawnRequest {
        // cache=auto: what one OS VM wrote, the other sees when it opens the file. Extended attributes: of capabilities, ACLs.
        var request = SpawnRequest(
            executable: program,
            arguments: [
                program, "\(Self.socketOption)\(folder.shareSocket(container.name))",
                "-o", "source=\(container.bundle),cache=auto,xattr",
            ], environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"])
        request.workingDirectory = folder.path
        request.descriptors = [.init(source: log, number: 1), .init(source: log, number: 2)]
        request.umask = 0o077
        return request
    }

    private func waitUntilItListens(_ process: ProcessIdentity) async throws {
        let handle = try ProcessHandle(process)
        for _ in 0..<500 {
            let path = folder.shareSocket(container.name)
            // Looked at again in a moment.
            if (try? ProcFS.unixSockets())?.contains(where: { $0.path == path && $0.isListening }) == true { return }
            guard !(await handle.waitForExit(within: .milliseconds(10))), !Task.isCancelled else { break }
        }
        throw HyperFreshError("virtiofsd does not listen", remedy: "Its own words say why.")
    }
}
