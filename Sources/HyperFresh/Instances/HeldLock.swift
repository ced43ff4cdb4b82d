import Linux
import Synchronization

/// A lock that excludes other controllers from a guest (on its memory files) or from a hypervisor.
final class HeldLock: Sendable {
    private let lock: Mutex<FileLock?>
    /// The locks that are released with this one.
    private let others: [HeldLock]

    /// Locks a file; `nil` if somebody else has locked it.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - others: Locks that are released with this one.
    /// - Throws: `SystemError` if the file cannot be opened or cannot be locked.
    init?(_ path: String, with others: [HeldLock] = []) throws(SystemError) {
        guard let lock = try FileLock.tryAcquire(path) else { return nil }
        // The last holder may have removed the file before it released the lock; the name may then belong to another
        // file, which somebody else may lock.
        guard try Files.identity(path) == lock.identity else { return nil }
        self.lock = Mutex(lock)
        self.others = others
    }

    /// Locks several files; `nil` without files, or if somebody else has locked one of them.
    static func all(_ paths: [String]) throws(SystemError) -> HeldLock? {
        var held: HeldLock?
        // Always in the same order, so that one of two controllers gets all of them.
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

    /// Returns the holder of the lock on a file, as named in a sentence: `pid 4711 (hyperfresh refresh guest web-1)`.
    static func holder(of path: String) -> String? {
        // For messages only.
        guard let file = try? Files.identity(path), let pid = (try? ProcFS.lockHolder(of: file)) ?? nil
        else { return nil }
        // For messages only.
        var words = (try? ProcFS.commandLine(pid)) ?? []
        guard !words.isEmpty else { return "pid \(pid)" }
        words[0] = Paths.name(of: words[0])
        let line = words.joined(separator: " ").map { $0.isNewline ? " " : $0 }
        return "pid \(pid) (\(String(line.prefix(100))))"
    }
}
