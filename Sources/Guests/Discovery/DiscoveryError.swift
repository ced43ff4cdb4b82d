/// Why discovery found no guest, or more than one.
public enum DiscoveryError: Error, Sendable, Hashable, CustomStringConvertible {
    /// /proc cannot be read.
    case processesUnreadable(String)
    /// No process on this host matches the selector; `hint` lists the guests there are.
    case notFound(selector: String, hint: String)
    /// Several guests have this name.
    case ambiguous(selector: String, candidates: [String])
    /// The process exists but is not a QEMU with a machine.
    case notAGuest(pid: Int32, program: String)
    /// The only match is the new side of an unfinished handoff.
    case unfinishedRefresh(selector: String, pid: Int32)

    /// What is wrong and what to do about it.
    public var description: String {
        switch self {
        case .processesUnreadable(let why):
            "cannot read the processes of this host: \(why)"
        case .notFound(let selector, let hint):
            "no QEMU on this host has the name, pid or QMP socket “\(selector)”. \(hint)"
        case .ambiguous(let selector, let candidates):
            "“\(selector)” is the name of \(candidates.count) guests; give the pid or the QMP socket of one: "
                + candidates.joined(separator: ", ")
        case .notAGuest(let pid, let program):
            "pid \(pid) is \(program), not a QEMU that runs a guest. `hyperfresh list` shows the guests."
        case .unfinishedRefresh(let selector, let pid):
            "“\(selector)” matches only the new QEMU (pid \(pid)) of an unfinished handoff. "
                + "If no handoff is running, run `hyperfresh recover`."
        }
    }
}
