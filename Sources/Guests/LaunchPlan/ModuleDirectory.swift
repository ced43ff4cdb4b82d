/// The environment variable that tells a QEMU where its modules are.
enum ModuleDirectory {
    static let variable = "QEMU_MODULE_DIR"

    /// Returns the directory; nil if the variable is not set.
    ///
    /// - Parameter environment: `NAME=VALUE` each.
    static func value(in environment: [String]) -> String? {
        environment.first { $0.hasPrefix("\(variable)=") }.map { String($0.dropFirst(variable.count + 1)) }
    }
}
