internal import Glibc

/// Where the product remembers what it does.
///
/// A host that crashes takes its guests along, so memory is the right place.
public enum StateDirectory {
    /// The folder for this user.
    ///
    /// `$HYPERFRESH_STATE_DIR` where it is set; `/run/hyperfresh` for root; `$XDG_RUNTIME_DIR/hyperfresh` for others, and
    /// `/tmp/hyperfresh-UID` where there is no such folder. Whoever uses it makes sure that it is this user's alone.
    public static var standard: String {
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
