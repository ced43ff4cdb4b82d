import Glibc
import Guests
import Linux
import Systemd

/// The checks of this host: its rights, programs and state for refreshing guests and hypervisors.
enum Doctor {
    static func examine(_ host: Host) async -> [Finding] {
        [
            rights(), await qemu(), HostChecks.kvm(isNeeded: false), HostChecks.memory(overhead: 0),
            HostChecks.disk(stateDirectory: host.stateDirectory), supervisor(), unfinished(host),
        ] + HypervisorChecks.all()
    }

    private static func rights() -> Finding {
        let id = FindingID.notPermitted
        if geteuid() == 0 { return Finding(id, .pass, "root may refresh every guest of this host") }
        return Finding(
            id, .warn, "only guests of user \(geteuid()) can be refreshed",
            remedy: "Run hyperfresh as root for the others.")
    }

    private static func qemu() async -> Finding {
        let id = FindingID.binaryUnusable
        let path = "/usr/bin/qemu-system-\(architecture)"
        do throws(QEMUProbeError) {
            let probe = try await QEMUProbe.ask(path)
            return Finding(id, .pass, "\(path) is QEMU \(probe.version)")
        } catch {
            return Finding(
                id, .warn, "the QEMU of this host cannot be used", evidence: ["\(error)"] + error.evidence,
                remedy: "Install it: `apt-get install qemu-system-x86`. Or name a binary with --to.")
        }
    }

    private static var architecture: String {
        var name = utsname()
        guard uname(&name) == 0 else { return "x86_64" }
        return withUnsafeBytes(of: name.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    private static func supervisor() -> Finding {
        let hasSystemd = SystemdManager.own() != nil
        return Finding(
            .supervisorRestarts, .pass,
            hasSystemd
                ? "each new QEMU gets its own systemd scope" : "no systemd: new QEMUs join the old one's cgroup")
    }

    private static func unfinished(_ host: Host) -> Finding {
        let id = FindingID.handoffUnfinished
        do throws(HyperFreshError) {
            let handoffs = try host.status().filter { !$0.isGoingOn }
            if handoffs.isEmpty { return Finding(id, .pass, "no handoff was left unfinished") }
            return Finding(
                id, .warn, "\(handoffs.count) handoffs were left unfinished",
                evidence: handoffs.map { "\($0.id): \($0.guest), \($0.state)" }, remedy: "Run `hyperfresh recover`.")
        } catch {
            return Finding(id, .warn, error.message, evidence: error.evidence, remedy: error.remedy)
        }
    }
}
