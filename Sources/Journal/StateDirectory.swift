internal import Glibc

/// The folder in which the product keeps its journals and records.
///
/// It is in memory, because the guests do not survive a crash of the host either.
package enum StateDirectory {
    /// The folder for this user.
    ///
    /// `$HYPERFRESH_STATE_DIR` if it is set; `/run/hyperfresh` for root; `$XDG_RUNTIME_DIR/hyperfresh` for others, and
    /// `/tmp/hyperfresh-UID` if there is no such folder. Callers verify that it belongs to this user alone.
    package static var standard: String {
        standard(uid: geteuid()) { name in getenv(name).map { String(cString: $0) } }
    }

    static func standard(uid: UInt32, environment: (String) -> String?) -> String {
        func folder(_ name: String) -> String? {
            guard let path = environment(name), path.hasPrefix("/") else { return nil }
            return path
        }
        if let chosen = folder("HYPERFRESH_STATE_DIR") { return chosen }
        if uid == 0 { return "/run/hyperfresh" }
        if let runtime = folder("XDG_RUNTIME_DIR") { return "\(runtime)/hyperfresh" }
        return "/tmp/hyperfresh-\(uid)"
    }
}
