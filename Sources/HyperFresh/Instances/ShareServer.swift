import Glibc
import Guests
import Linux
import StackFile
import Systemd
import VirtualMachines

/// The process of this host that serves a container's bundle to one OS VM: virtiofsd.
///
/// It outlives this process, serves one connection, and ends with that. A server that never had a connection is found
/// by the socket on its command line.
struct ShareServer: Sendable {
    let container: ContainerSpec
    let folder: InstanceFolder

    /// Starts the server in place of any other one at its socket, and waits until it listens.
    func start() async throws(HyperFreshError) {
        try checkBundle()
        guard let program = Self.program() else {
            throw HyperFreshError(
                "virtiofsd, which serves a container's root file system, is not installed",
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
            // Evidence of the failure, if there is any.
            let words = (try? Files.readAll(folder.shareLog(container.name), limit: 1 << 20)) ?? []
            await end()
            throw HyperFreshError(
                "cannot serve the bundle of container \(container.name)", because: error,
                remedy: "See the messages of virtiofsd. Check that \(container.bundle) exists, and run this as root."
            ).adding(
                evidence: String(decoding: words, as: UTF8.self).split(whereSeparator: \.isNewline).suffix(6)
                    .map { "virtiofsd: \($0)" })
        }
    }

    /// Ends the server, if it still runs, and removes its files; an OS VM with this root file system then hangs.
    func end() async {
        let socket = folder.shareSocket(container.name)
        await Self.end(Self.servers { $0 == socket })
        for file in [socket] + Self.ownFiles(of: socket) { unlink(file) }
    }

    /// Ends the servers of an instance that has ended, and waits: they map its memory until they are gone.
    static func endAll(of folder: InstanceFolder) async { await end(Array(processes(below: folder.path))) }

    private static func end(_ processes: [ProcessIdentity]) async {
        for process in processes {
            // A process that cannot be opened is gone.
            _ = await (try? ProcessHandle(process))?.end(within: .seconds(5))
        }
    }

    /// Returns the files that virtiofsd creates and leaves: its pid file, next to the socket or in /run, by version.
    private static func ownFiles(of socket: String) -> [String] {
        ["\(socket).pid", "/run/virtiofsd/\(String(socket.map { $0 == "/" ? "." : $0 })).pid"]
    }

    /// Returns the servers of one instance or several: each maps all of the OS VM's memory, including image stores.
    ///
    /// - Parameter folder: The folder of the instance, or one above it.
    /// - Returns: Each server and its forked child, which is a server as well.
    static func processes(below folder: String) -> Set<ProcessIdentity> {
        Set(servers { $0.hasPrefix("\(folder)/") })
    }

    /// Ends all remaining servers of an instance that is gone.
    static func endAll(of folder: InstanceFolder, files: [String]) {
        for process in processes(below: folder.path) {
            // Fails only if it is gone already.
            try? ProcessHandle(process).signal(SIGKILL)
        }
        for name in files where name.hasSuffix(InstanceFolder.shareSocketSuffix) {
            for file in ownFiles(of: "\(folder.path)/\(name)") { unlink(file) }
        }
    }

    /// Returns this user's servers by the sockets on their own command lines: a record alone never ends a process.
    private static func servers(where isMeant: (String) -> Bool) -> [ProcessIdentity] {
        // Without /proc nothing can be found, and nothing is ended.
        ((try? ProcFS.processes()) ?? []).compactMap { pid in
            // A process that cannot be read is not this user's.
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
        // If the file cannot be examined, the folder is not a bundle.
        guard (try? Files.status(file).kind) != .regular else { return }
        throw HyperFreshError(
            "\(container.bundle) is not an OCI bundle: it has no config.json",
            remedy: "Create one: run `runc spec` in a folder with a root file system, or unpack an image with umoci.")
    }

    private static func program() -> String? {
        HypervisorChecks.virtiofsdPaths.first { access($0, X_OK) == 0 }
    }

    private func request(_ program: String, log: Int32) -> SpawnRequest {
        // cache=auto: an OS VM sees another one's changes when it opens the file. xattr: for capabilities and ACLs.
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
            // On failure, the loop tries again.
            if (try? ProcFS.unixSockets())?.contains(where: { $0.path == path && $0.isListening }) == true { return }
            guard !(await handle.waitForExit(within: .milliseconds(10))), !Task.isCancelled else { break }
        }
        throw HyperFreshError("virtiofsd does not listen", remedy: "See its messages.")
    }
}
