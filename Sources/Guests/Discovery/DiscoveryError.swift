/// Why no guest, or not one guest, was found.
public enum DiscoveryError: Error, Sendable, Hashable, CustomStringConvertible {
    /// /proc cannot be read.
    case processesUnreadable(String)
    /// Nothing on this host answers to the selector. `hint` says what was there instead.
    case notFound(selector: String, hint: String)
    /// Several guests have this name.
    case ambiguous(selector: String, candidates: [String])
    /// The process runs, but it is no QEMU with a machine.
    case notAGuest(pid: Int32, program: String)
    /// The only match is the new side of a refresh that has not come to its end.
    case unfinishedRefresh(selector: String, pid: Int32)

    /// What happened and what to do.
    public var description: String {
        switch self {
        case .processesUnreadable(let why):
            "the processes of this host cannot be read: \(why)"
        case .notFound(let selector, let hint):
            "no QEMU on this host has the name, pid or QMP socket “\(selector)”. \(hint)"
        case .ambiguous(let selector, let candidates):
            "“\(selector)” is the name of \(candidates.count) guests; give the pid or the QMP socket of one: "
                + candidates.joined(separator: ", ")
        case .notAGuest(let pid, let program):
            "pid \(pid) is \(program), not a QEMU that runs a guest. `hyperfresh list` shows those."
        case .unfinishedRefresh(let selector, let pid):
            "“\(selector)” is only the new QEMU (pid \(pid)) of a refresh that has not ended. "
                + "If no refresh runs now, `hyperfresh recover` settles it."
        }
    }
}
