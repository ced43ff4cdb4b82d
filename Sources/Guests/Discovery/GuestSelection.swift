internal import Linux

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
