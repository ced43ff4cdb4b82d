/// A QEMU binary, with the options and the environment that it needs to run.
package struct QEMUBinary: Sendable, Hashable {
    /// A version of QEMU, as far as the meaning of options depends on it.
    package struct Version: Sendable, Hashable, Comparable, CustomStringConvertible {
        /// The first number, such as 7.
        package let major: Int
        /// The second number, such as 2.
        package let minor: Int

        /// Creates a version from the numbers before and after the first dot.
        package init(_ major: Int, _ minor: Int) {
            self.major = major
            self.minor = minor
        }

        /// Whether one version is older than the other.
        package static func < (left: Version, right: Version) -> Bool {
            (left.major, left.minor) < (right.major, right.minor)
        }

        /// The version as text, such as `7.2`.
        package var description: String { "\(major).\(minor)" }
    }

    /// The absolute path to execute.
    package var path: String
    /// The version that `--version` prints.
    package var version: Version
    /// Directories for `-L` if the binary does not find its firmware on its own (a QEMU unpacked into a directory).
    package var firmwareDirectories: [String]
    /// The value for QEMU_MODULE_DIR if the binary does not find its modules on its own.
    package var moduleDirectory: String?

    /// Creates a description; does not check that the binary exists.
    package init(
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

/// The environment variable that tells a QEMU where its modules are.
enum ModuleDirectory {
    static let variable = "QEMU_MODULE_DIR"

    /// Returns the directory; nil if the variable is not set.
    ///
    /// - Parameter environment: `NAME=VALUE` each.
    /// - Returns: The value of the variable.
    static func value(in environment: [String]) -> String? {
        environment.first { $0.hasPrefix("\(variable)=") }.map { String($0.dropFirst(variable.count + 1)) }
    }
}
