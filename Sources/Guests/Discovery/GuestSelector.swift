internal import Linux

/// How an administrator names a guest: by name, by pid or by the path of its QMP socket.
package enum GuestSelector: Sendable, Hashable {
    /// The pid of the QEMU process.
    case pid(Int32)
    /// An absolute or relative path of a QMP socket.
    case socket(String)
    /// The guest's name, see ``GuestProcess/name``.
    case name(String)

    /// Parses a selector: digits are a pid, text with a slash is a path, anything else is a name.
    ///
    /// A number also matches a guest of that name if no QEMU has that pid.
    package init(_ text: String) {
        if let pid = Int32(text), pid > 0 {
            self = .pid(pid)
        } else if text.contains("/") {
            self = .socket(text)
        } else {
            self = .name(text)
        }
    }
}

/// Finds the guest that a selector matches.
enum GuestSelection {
    static func select(
        _ text: String, from guests: [GuestProcess], program: (Int32) -> String?
    ) throws(DiscoveryError) -> GuestProcess {
        let matches = matches(of: text, in: guests)
        let offered = matches.filter { !$0.isNewSideOfRefresh }
        if offered.count > 1 { throw .ambiguous(selector: text, candidates: offered.map(describe)) }
        if let guest = offered.first { return guest }
        if let waiting = matches.first { throw .unfinishedRefresh(selector: text, pid: waiting.identity.pid) }
        if case .pid(let pid) = GuestSelector(text), let program = program(pid) {
            throw .notAGuest(pid: pid, program: program)
        }
        throw .notFound(selector: text, hint: hint(guests))
    }

    private static func matches(of text: String, in guests: [GuestProcess]) -> [GuestProcess] {
        let named = guests.filter { $0.name == text || $0.uuid == text }
        switch GuestSelector(text) {
        case .name: return named
        case .pid(let pid):
            let guest = guests.filter { $0.identity.pid == pid }
            return guest.isEmpty ? named : guest
        case .socket(let path):
            let wanted = Paths.resolved(path)
            return guests.filter { guest in
                guest.monitors.contains { monitor in
                    monitor.path == path || monitor.lastingPath == path
                        || (wanted != nil && Paths.resolved(monitor.path) == wanted)
                }
            }
        }
    }

    private static func describe(_ guest: GuestProcess) -> String {
        "pid \(guest.identity.pid)" + (guest.monitors.first.map { " (\($0.path))" } ?? "")
    }

    private static func hint(_ guests: [GuestProcess]) -> String {
        let shown = guests.filter { !$0.isNewSideOfRefresh }.prefix(10).map { "\($0.name) (pid \($0.identity.pid))" }
        return shown.isEmpty
            ? "No QEMU that this user can see is running."
            : "Running guests: " + shown.joined(separator: ", ") + (guests.count > shown.count ? ", …" : "") + "."
    }
}

/// Why discovery found no guest, or more than one.
package enum DiscoveryError: Error, Sendable, Hashable, CustomStringConvertible {
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
    package var description: String {
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
