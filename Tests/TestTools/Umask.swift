internal import Glibc
internal import Linux

/// Running with another mask for the modes of new files than the rest of the process, whose tests run at the same time.
public enum Umask {
    /// The masks that matter: one that takes nothing away, the usual one, and one that leaves nothing to others.
    public static let all: [UInt32] = [0o000, 0o022, 0o077]

    /// Runs in a thread that has a mask, and a working folder, of its own (unshare(2), CLONE_FS).
    ///
    /// - Parameters:
    ///   - mask: The mask.
    ///   - body: What is run.
    /// - Returns: What it returns.
    /// - Throws: What it throws.
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

    /// The kernel did not give the thread a mask of its own.
    struct Unavailable: Error {}

    /// Swift does not see unshare(2), which is behind _GNU_SOURCE.
    private static func unshareFileSystemState() -> Bool {
        typealias Unshare = @convention(c) (Int32) -> Int32
        guard let library = dlopen(nil, RTLD_NOW), let symbol = dlsym(library, "unshare") else { return false }
        let cloneFS: Int32 = 0x200
        return unsafeBitCast(symbol, to: Unshare.self)(cloneFS) == 0
    }
}
