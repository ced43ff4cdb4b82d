/// A QEMU binary with what has to be said on its command line and in its environment to make it run.
public struct QEMUBinary: Sendable, Hashable {
    /// A version of QEMU, as far as the meaning of options depends on it.
    public struct Version: Sendable, Hashable, Comparable, CustomStringConvertible {
        /// The first number, such as 7.
        public let major: Int
        /// The second number, such as 2.
        public let minor: Int

        /// Makes a version from its numbers.
        public init(_ major: Int, _ minor: Int) {
            self.major = major
            self.minor = minor
        }

        /// Whether one version is older than the other.
        public static func < (left: Version, right: Version) -> Bool {
            (left.major, left.minor) < (right.major, right.minor)
        }

        /// The version as `7.2`.
        public var description: String { "\(major).\(minor)" }
    }

    /// The absolute path to execute.
    public var path: String
    /// The version that `--version` says.
    public var version: Version
    /// Folders for `-L`, where the binary does not find its firmware by itself (a QEMU unpacked into a folder).
    public var firmwareDirectories: [String]
    /// The value for QEMU_MODULE_DIR, where the binary does not find its modules by itself.
    public var moduleDirectory: String?

    /// Describes a binary.
    public init(
        path: String,
        version: Version,
        firmwareDirectories: [String] = [],
        moduleDirectory: String? = nil
    ) {
        self.path = path
        self.version = version
        self.firmwareDirectories = firmwareDirectories
        self.moduleDirectory = moduleDirectory
    }
}
