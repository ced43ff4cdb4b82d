/// Why two QEMUs do not have the same memory.
///
/// Nothing was touched; switching would lose the guest.
public struct MemoryIdentityError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What differs.
    public enum Code: String, Sendable, Hashable {
        /// One of the processes cannot be read, or is not the one that was described.
        case unreadable
        /// A backend of one is missing in the other.
        case backendMissing
        /// The backend is not a file with a name (memfd, anonymous memory): QEMU copies it, or loses it.
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

    /// What differs.
    public let code: Code
    /// The backend's id; empty where it is about a process.
    public let backend: String
    /// What was seen on both sides, and what to do.
    public let message: String

    init(_ code: Code, backend: String, _ message: String) {
        self.code = code
        self.backend = backend
        self.message = message
    }

    /// What was seen on both sides.
    public var description: String {
        backend.isEmpty ? message : "memory backend \(backend): \(message)"
    }
}
