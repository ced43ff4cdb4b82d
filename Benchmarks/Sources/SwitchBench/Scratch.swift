import Foundation
import Glibc
import Linux
import Synchronization

/// The files of one run, and the cleanup of everything that belongs to the run.
///
/// Every process that the run starts, itself or through hyperfresh, has the run's token on its command line or in its
/// environment; the cleanup finds it by that token, whatever its parent.
struct Scratch: Sendable {
    /// A unique text; it begins with the pid of the run.
    let token: String
    /// The name of the run's tap, if it creates one.
    let tap: String

    /// The folder for sockets, logs and outputs.
    var directory: String { "/tmp/\(token)" }
    /// hyperfresh's state folder.
    var stateDirectory: String { "\(directory)/state" }
    /// The folder for guest memory, on tmpfs.
    var memoryDirectory: String { "/dev/shm/\(token)" }

    private static let prefix = "hyperfresh-bench-"

    /// Creates the folders, and removes them after `body`, however it ends.
    static func use(_ body: (Scratch) async throws -> Void) async throws {
        clearAbandoned()
        let scratch = try Scratch()
        defer { scratch.clear() }
        try Interruption.clear(scratch)
        do {
            try await body(scratch)
        } catch {
            // Errors caused by the cleanup are not reported: the run exits by the signal.
            while Interruption.isUnderWay { Clock.sleep(milliseconds: 100) }
            throw error
        }
    }

    private init() throws {
        self.init(owner: getpid(), token: "\(Self.prefix)\(getpid())-\(UInt16.random(in: 0...UInt16.max))")
        try Files.createDirectory(directory, mode: 0o700)
        try Files.createDirectory(memoryDirectory, mode: 0o700)
    }

    private init(owner: Int32, token: String) {
        self.token = token
        tap = "hfcanary\(owner)"
    }

    /// Ends every process of this run and removes every file.
    ///
    /// It may be called twice, and from another thread.
    func clear() {
        // Without the folder, no further process can be started; the second pass finds those started during the first.
        for _ in 0..<2 {
            endProcesses()
            if Files.exists("/sys/class/net/\(tap)") {
                _ = try? ChildProcess(executable: "ip", arguments: ["link", "delete", tap]).run(in: self)
            }
            for folder in [directory, memoryDirectory] { try? FileManager.default.removeItem(atPath: folder) }
        }
    }

    /// Cleans up after runs that were killed or crashed.
    private static func clearAbandoned() {
        for folder in ["/tmp", "/dev/shm"] {
            for name in (try? ProcFS.names(inFolder: folder)) ?? [] where name.hasPrefix(prefix) {
                guard let owner = Int32(name.dropFirst(prefix.count).prefix { $0 != "-" }),
                    (try? Files.status("\(folder)/\(name)", followingLinks: false))?.uid == geteuid(),
                    kill(owner, 0) != 0, errno == ESRCH
                else { continue }
                Scratch(owner: owner, token: name).clear()
            }
        }
    }

    /// Ends every process of this run.
    func endProcesses() {
        for _ in 0..<200 {
            let pids = processes()
            if pids.isEmpty { break }
            for pid in pids { kill(pid, SIGKILL) }
            Clock.sleep(milliseconds: 20)
        }
    }

    /// Returns the living processes of this run, except this one.
    func processes() -> [Int32] {
        let all = (try? ProcFS.processes()) ?? []
        return all.filter { pid in
            guard pid != getpid() else { return false }
            let words = ((try? ProcFS.commandLine(pid)) ?? []) + ((try? ProcFS.environment(pid)) ?? [])
            return words.contains { $0.contains(token) }
        }
    }
}

/// Signals that end a run after a cleanup.
enum Interruption {
    /// Whether one has arrived.
    static var isUnderWay: Bool { underWay.load(ordering: .sequentiallyConsistent) }

    private static let underWay = Atomic(false)

    /// Cleans up and exits when one of them arrives.
    static func clear(_ scratch: Scratch) throws(SystemError) {
        let (writer, reader) = try UnixStream.pair()
        signalPipe = writer.number
        // A handler, not blocked signals: while its tasks run, a Swift program's main thread waits with no signals
        // blocked.
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { signal in
            var byte = UInt8(signal)
            _ = write(signalPipe, &byte, 1)
        }
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE] { sigaction(signal, &action, nil) }
        Thread.detachNewThread {
            var signal: UInt8 = 0
            while read(reader.number, &signal, 1) != 1 {}
            underWay.store(true, ordering: .sequentiallyConsistent)
            scratch.clear()
            withExtendedLifetime(writer) {}
            _exit(128 + Int32(signal))
        }
    }
}

/// The pipe for signals; written once, before the handler that reads it is installed.
nonisolated(unsafe) private var signalPipe: Int32 = -1
