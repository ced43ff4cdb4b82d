import Foundation
import Glibc
import Linux
import Synchronization

/// Where one run keeps its files, and how everything that belongs to the run goes away again.
///
/// Whatever process the run starts, itself or through hyperfresh, has the run's token on its command line or in its
/// environment: by that it is found, whoever its parent is by then.
struct Scratch: Sendable {
    /// A word that nothing else has in its name; it begins with the number of the run's process.
    let token: String
    /// The name of the run's tap, if it makes one.
    let tap: String

    /// Sockets, logs and outputs.
    var directory: String { "/tmp/\(token)" }
    /// Where hyperfresh keeps what it has to remember.
    var stateDirectory: String { "\(directory)/state" }
    /// Guest memory, on tmpfs.
    var memoryDirectory: String { "/dev/shm/\(token)" }

    private static let prefix = "hyperfresh-bench-"

    /// Makes the folders, and removes them after use, in whatever way that ends.
    static func use(_ body: (Scratch) async throws -> Void) async throws {
        clearAbandoned()
        let scratch = try Scratch()
        defer { scratch.clear() }
        try Interruption.clear(scratch)
        do {
            try await body(scratch)
        } catch {
            // What failed because its processes were ended is not worth a message: the signal has the last word.
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
    /// Safe to call twice, and from another thread.
    func clear() {
        // Without the folder no process can be started any more; what was started until then is seen the second time.
        for _ in 0..<2 {
            endProcesses()
            if Files.exists("/sys/class/net/\(tap)") {
                _ = try? ChildProcess(executable: "ip", arguments: ["link", "delete", tap]).run(in: self)
            }
            for folder in [directory, memoryDirectory] { try? FileManager.default.removeItem(atPath: folder) }
        }
    }

    /// Clears up after runs that were killed, or that crashed.
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

    /// The processes of this run but this one; those that have ended are not among them.
    func processes() -> [Int32] {
        let all = (try? ProcFS.processes()) ?? []
        return all.filter { pid in
            guard pid != getpid() else { return false }
            let words = ((try? ProcFS.commandLine(pid)) ?? []) + ((try? ProcFS.environment(pid)) ?? [])
            return words.contains { $0.contains(token) }
        }
    }
}

/// Signals that end a run: they clean up first.
enum Interruption {
    /// Whether one has come.
    static var isUnderWay: Bool { underWay.load(ordering: .sequentiallyConsistent) }

    private static let underWay = Atomic(false)

    /// Cleans up and exits when one of them comes.
    static func clear(_ scratch: Scratch) throws(SystemError) {
        let (writer, reader) = try UnixStream.pair()
        signalPipe = writer.number
        // A handler, and no blocked signals: while its tasks run, a Swift program's main thread waits with none blocked.
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

/// Where signals are announced; written once, before the handler that reads it is set.
nonisolated(unsafe) private var signalPipe: Int32 = -1
