import Guests
import Linux

/// New QEMUs of handoffs without a record: it was lost, or is in another state folder.
struct UnrecordedHandoffs {
    /// The handoffs that are on record.
    let known: Set<String>

    /// Recovers each, unless a controller is working on its guest.
    ///
    /// - Returns: One report for each.
    func recover() async -> [RecoveryReport] {
        var reports: [RecoveryReport] = []
        // Without /proc nothing else could be recovered either, and that was reported.
        for guest in (try? await GuestDiscovery.all()) ?? [] where guest.isNewSideOfRefresh {
            guard let id = Self.handoff(of: guest), !known.contains(id) else { continue }
            // The holder of the lock has the record too, wherever that is. A guest whose lock cannot be taken is not
            // touched either.
            guard let lock = try? HeldLock.all(GuestMemory.lockPaths(of: guest)) else { continue }
            defer { lock.release() }
            let conclusion = await DamagedRecovery(unrecorded: id).run()
            reports.append(RecoveryReport(id: id, guest: guest.name, recorded: "none", conclusion))
        }
        return reports
    }

    private static func handoff(of guest: GuestProcess) -> String? {
        let path = guest.monitors.first { $0.boundPath != $0.lastingPath }?.boundPath
        return path.map { String($0.suffix(8)) }
    }
}
