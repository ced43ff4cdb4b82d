import Foundation
import Glibc
import Linux
import Synchronization

/// Where one run keeps its files, and how everything that belongs to the run goes away again.
///
/// Whatever process the run starts, itself or through hyperfresh, has a path in here on its command line: by that it is
/// found, whoever its parent is by then.
struct Scratch: Sendable {
    /// Sockets, logs and outputs.
    let directory: String
    /// Guest memory, on tmpfs.
    let memoryDirectory: String

    private var token: String

    /// Makes the folders, and removes them after use, in whatever way that ends.
    static func use(_ body: (Scratch) async throws -> Void) async throws {
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
        token = "hyperfresh-bench-\(getpid())-\(UInt16.random(in: 0...UInt16.max))"
        directory = "/tmp/\(token)"
        memoryDirectory = "/dev/shm/\(token)"
        try Files.createDirectory(directory, mode: 0o700)
        try Files.createDirectory(memoryDirectory, mode: 0o700)
    }

    /// Ends every process of this run and removes every file.
    ///
    /// Safe to call twice, and from another thread.
    func clear() {
        endProcesses()
        for folder in [directory, memoryDirectory] { try? FileManager.default.removeItem(atPath: folder) }
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

    private func processes() -> [Int32] {
        let all = (try? ProcFS.processes()) ?? []
        return all.filter { pid in
            pid != getpid() && ((try? ProcFS.commandLine(pid)) ?? []).contains { $0.contains(token) }
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
        for signal in [SIGINT, SIGTERM, SIGHUP] { sigaction(signal, &action, nil) }
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
