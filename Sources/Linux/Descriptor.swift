internal import Glibc

/// An open file descriptor that has exactly one owner and is closed with it.
public struct Descriptor: ~Copyable, Sendable {
    /// The number, for as long as this value lives.
    public let number: Int32

    /// Takes over an open descriptor, which from now on is closed by this value alone.
    public init(adopting number: Int32) {
        self.number = number
    }

    deinit {
        // close(2): the descriptor is gone whatever is returned; a retry could hit somebody else's.
        _ = close(number)
    }

    /// Gives the number away unclosed.
    public consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }

    /// A second descriptor of the same open file, close-on-exec.
    ///
    /// - Throws: `SystemError` from `fcntl`, EMFILE when the process has no descriptor left.
    public func duplicate() throws(SystemError) -> Descriptor {
        let number = number
        return Descriptor(
            adopting: try retrying("fcntl", "descriptor \(number)") { fcntl(number, F_DUPFD_CLOEXEC, 3) }
        )
    }

    /// Opens a path, always close-on-exec.
    ///
    /// - Parameters:
    ///   - path: what to open.
    ///   - flags: open(2) flags; O_CLOEXEC is added.
    ///   - mode: permissions of a file that is created, narrowed by the umask.
    /// - Returns: the open file.
    /// - Throws: `SystemError` from `open`.
    public static func open(_ path: String, flags: Int32, mode: UInt32 = 0o600) throws(SystemError) -> Descriptor {
        Descriptor(adopting: try retrying("open", path) { Glibc.open(path, flags | O_CLOEXEC, mode) })
    }
}
