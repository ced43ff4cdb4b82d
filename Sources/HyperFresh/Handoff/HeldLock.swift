import Linux
import Synchronization

/// A lock on files that say who may change something: a guest (its memory files), or a hypervisor.
final class HeldLock: Sendable {
    private let lock: Mutex<FileLock?>
    /// Those that are held along with it.
    private let others: [HeldLock]

    /// Locks one more file; `nil` when somebody else has it.
    ///
    /// - Parameters:
    ///   - path: Of the file.
    ///   - others: Locks that are released with this one.
    /// - Throws: `SystemError` when the file cannot be opened or is none that can be locked.
    init?(_ path: String, with others: [HeldLock] = []) throws(SystemError) {
        guard let lock = try FileLock.tryAcquire(path) else { return nil }
        // Whoever held it may have removed the file before it let go: then somebody else may lock the one that has the name now.
        guard try Files.identity(path) == lock.identity else { return nil }
        self.lock = Mutex(lock)
        self.others = others
    }

    /// Locks several files; `nil` when there is none, or somebody else has one of them.
    static func all(_ paths: [String]) throws(SystemError) -> HeldLock? {
        var held: HeldLock?
        // In one order, so that of two controllers one gets all of them.
        for path in Set(paths).sorted() {
            guard let next = try HeldLock(path, with: held.map { [$0] } ?? []) else { return nil }
            held = next
        }
        return held
    }

    func release() {
        lock.withLock { $0 = nil }
        for other in others { other.release() }
    }

    /// Who has the lock on a file, for a sentence: `pid 4711 (hyperfresh refresh guest web-1)`.
    static func holder(of path: String) -> String? {
        // For messages only.
        guard let file = try? Files.identity(path), let pid = (try? ProcFS.lockHolder(of: file)) ?? nil
        else { return nil }
        // For messages only.
        var words = (try? ProcFS.commandLine(pid)) ?? []
        guard !words.isEmpty else { return "pid \(pid)" }
        words[0] = words[0].split(separator: "/").last.map(String.init) ?? words[0]
        let line = words.joined(separator: " ").map { $0.isNewline ? " " : $0 }
        return "pid \(pid) (\(String(line.prefix(100))))"
    }
}
