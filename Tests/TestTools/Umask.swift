internal import Glibc
internal import Linux

/// Runs code with a umask that differs from that of the process, whose other tests run concurrently.
public enum Umask {
    /// The relevant masks: one that removes nothing, the usual one, and one that removes all permissions of others.
    public static let all: [UInt32] = [0o000, 0o022, 0o077]

    /// Runs in a thread that has its own umask and working directory (unshare(2), CLONE_FS).
    ///
    /// - Parameters:
    ///   - mask: The umask.
    ///   - body: The code to run.
    /// - Returns: The result of `body`.
    /// - Throws: The error of `body`.
    public static func with<T: Sendable>(_ mask: UInt32, _ body: @escaping @Sendable () throws -> T) async throws -> T {
        let result: Result<T, any Error> = await withCheckedContinuation { continuation in
            do throws(SystemError) {
                try startThread(name: "umask") {
                    guard unshareFileSystemState() else {
                        return continuation.resume(returning: .failure(Unavailable()))
                    }
                    umask(mask)
                    continuation.resume(returning: Result { try body() })
                }
            } catch {
                continuation.resume(returning: .failure(error))
            }
        }
        return try result.get()
    }

    /// The kernel refused a separate umask for the thread.
    struct Unavailable: Error {}

    /// Calls unshare(2) through dlsym(3): Swift cannot see it, because it needs _GNU_SOURCE.
    private static func unshareFileSystemState() -> Bool {
        typealias Unshare = @convention(c) (Int32) -> Int32
        guard let library = dlopen(nil, RTLD_NOW), let symbol = dlsym(library, "unshare") else { return false }
        let cloneFS: Int32 = 0x200
        return unsafeBitCast(symbol, to: Unshare.self)(cloneFS) == 0
    }
}
