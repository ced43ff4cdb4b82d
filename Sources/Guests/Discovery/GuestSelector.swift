/// How an administrator names a guest: by name, by pid or by the path of its QMP socket.
public enum GuestSelector: Sendable, Hashable {
    /// The pid of the QEMU process.
    case pid(Int32)
    /// An absolute or relative path of a QMP socket.
    case socket(String)
    /// The guest's name, see ``GuestProcess/name``.
    case name(String)

    /// Parses a selector: digits are a pid, text with a slash is a path, anything else is a name.
    ///
    /// A number also matches a guest of that name if no QEMU has that pid.
    public init(_ text: String) {
        if let pid = Int32(text), pid > 0 {
            self = .pid(pid)
        } else if text.contains("/") {
            self = .socket(text)
        } else {
            self = .name(text)
        }
    }
}
