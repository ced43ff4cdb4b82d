/// Why two QEMUs do not have the same memory.
///
/// Nothing was changed; a switch would lose the guest.
public struct MemoryIdentityError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of difference.
    public enum Code: String, Sendable, Hashable {
        /// One of the processes cannot be read, or is not the one described.
        case unreadable
        /// A backend of one QEMU is missing in the other.
        case backendMissing
        /// The backend is not a named file (memfd, anonymous memory): QEMU would copy or lose it.
        case notNamedFile
        /// The backend is not shared (`share=off`), or mapped privately.
        case notShared
        /// The sizes differ.
        case sizeDiffers
        /// The files differ, even if their names are the same.
        case fileDiffers
        /// The backend lies at other guest-physical addresses.
        case layoutDiffers
    }

    /// The kind of difference.
    public let code: Code
    /// The backend's id; empty if the error is about a process.
    public let backend: String
    /// What was found on both sides.
    public let message: String

    init(_ code: Code, backend: String, _ message: String) {
        self.code = code
        self.backend = backend
        self.message = message
    }

    /// The message, preceded by the backend.
    public var description: String {
        backend.isEmpty ? message : "memory backend \(backend): \(message)"
    }
}
