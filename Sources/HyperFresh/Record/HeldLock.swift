import Linux
import Synchronization

/// A lock on a file that says who may change something: a guest (its first memory file), or a hypervisor.
final class HeldLock: Sendable {
    private let lock: Mutex<FileLock?>

    /// Locks; `nil` when somebody else has it.
    init?(_ path: String) throws(SystemError) {
        guard let lock = try FileLock.tryAcquire(path) else { return nil }
        // Whoever held it may have removed the file before it let go: then somebody else may lock the one that has the name now.
        guard try Files.identity(path) == lock.identity else { return nil }
        self.lock = Mutex(lock)
    }

    func release() { lock.withLock { $0 = nil } }
}
