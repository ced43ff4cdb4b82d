import Glibc
import Guests
import Linux
import Systemd

/// Checks whether systemd acts when the old QEMU ends: restarts its service, or cleans up after it.
enum ServiceChecks {
    /// The manager of the units that a process can be in.
    private enum Manager {
        case none
        case asked(SystemdManager)
        /// The manager of another user, which answers only to that user; with the unit.
        case outOfReach(user: UInt32, unit: String)
        /// There is one, by its files, but it cannot be reached; with the unit.
        case unreachable(unit: String)
    }

    /// Asks systemd about the unit that the guest's QEMU is in.
    ///
    /// - Parameters:
    ///   - process: the guest's QEMU.
    ///   - memoryFile: the guest's memory, which must not go away.
    /// - Returns: the reasons against a refresh.
    static func findings(of process: GuestProcess, memoryFile: String?) async -> [Finding] {
        switch manager(of: process) {
        case .none: return []
        case .outOfReach(let user, let unit):
            return [
                Finding(
                    .supervisorRestarts, .fail,
                    "cannot ask the systemd of user \(user) whether it starts a second QEMU when the old one ends",
                    evidence: ["the guest's QEMU is in \(unit)"],
                    remedy: "Run it as that user: setpriv --reuid \(user) --init-groups hyperfresh refresh guest "
                        + process.name)
            ]
        case .unreachable(let unit):
            return [
                Finding(
                    .supervisorRestarts, .fail,
                    "cannot ask systemd whether it starts a second QEMU when the old one ends",
                    evidence: [
                        "the guest's QEMU is in \(unit); there is neither a message bus nor /run/systemd/private"
                    ],
                    remedy: "Start dbus.service, or run hyperfresh as root.")
            ]
        case .asked(let manager):
            do throws(SystemdError) {
                guard let unit = try await manager.unit(of: process.identity.pid) else { return [] }
                return findings(on: unit, process, memoryFile: memoryFile)
            } catch {
                return [
                    Finding(
                        .supervisorRestarts, .fail,
                        "systemd did not report whether it starts a second QEMU when the old one ends",
                        evidence: ["\(error)"],
                        remedy: "See `systemctl status \(process.identity.pid)`, and try again."
                    )
                ]
            }
        }
    }

    /// Returns the findings about a unit.
    static func findings(on unit: SystemdUnit, _ process: GuestProcess, memoryFile: String?) -> [Finding] {
        let pid = process.identity.pid
        let ancestors = ancestors(of: pid)
        guard unit.ends(whenKilled: pid, ancestors: ancestors) else { return [] }
        func edit(_ setting: String) -> String {
            "systemctl edit --runtime \(unit.name)  ([Service], \(setting)), then systemctl daemon-reload"
        }
        var findings: [Finding] = []
        if unit.restarts(whenKilled: pid, ancestors: ancestors) {
            let main = unit.mainPID == pid ? "" : ", and its main process (pid \(unit.mainPID ?? 0)) waits for QEMU"
            findings.append(
                Finding(
                    .supervisorRestarts, .fail, "systemd would start a second QEMU as soon as the old one is retired",
                    evidence: ["\(unit.name) has Restart=\(unit.restart ?? "?")\(main)"], remedy: edit("Restart=no")))
        }
        if !unit.stopPrograms.isEmpty {
            findings.append(
                Finding(
                    .parentActs, .fail, "systemd cleans up after \(unit.name) when the old QEMU ends",
                    evidence: unit.stopPrograms.map { "ExecStopPost=\($0) …" }, remedy: edit("ExecStopPost=")))
        }
        let files = [memoryFile].compactMap(\.self) + process.monitors.map(\.lastingPath)
        let lost = unit.passingFolders.filter { folder in
            files.contains { $0.hasPrefix(folder + "/") || $0.hasPrefix("/var\(folder)/") }
        }
        if !lost.isEmpty {
            findings.append(
                Finding(
                    .parentActs, .fail, "systemd removes files of the guest when the old QEMU ends",
                    evidence: lost.map { "\(unit.name) has RuntimeDirectory=\($0.dropFirst("/run/".count))" },
                    remedy: edit("RuntimeDirectoryPreserve=yes")))
        }
        return findings
    }

    private static func manager(of process: GuestProcess) -> Manager {
        // Without a control group there is no unit.
        let group: String
        do throws(SystemError) { group = try ProcFS.cgroup(process.identity.pid) } catch {
            return SystemdManager.own().map { .asked($0) } ?? .none
        }
        let parts = group.split(separator: "/").map(String.init)
        // Scopes are not restarted.
        let service = parts.last { $0.hasSuffix(".service") }
        guard let index = parts.lastIndex(where: { $0.hasPrefix("user@") && $0.hasSuffix(".service") }),
            let user = UInt32(parts[index].dropFirst("user@".count).dropLast(".service".count)),
            index + 1 < parts.count
        else { return manager(SystemdManager.system(), of: service) }
        let inner = parts[index...].dropFirst().last { $0.hasSuffix(".service") }
        if user == geteuid() { return manager(SystemdManager.own(), of: inner) }
        return inner.map { .outOfReach(user: user, unit: $0) } ?? .none
    }

    private static func manager(_ manager: SystemdManager?, of service: String?) -> Manager {
        if let manager { return .asked(manager) }
        guard let service, Files.exists("/run/systemd/system") else { return .none }
        return .unreachable(unit: service)
    }

    private static func ancestors(of pid: Int32) -> [Int32] {
        var ancestors: [Int32] = []
        // A parent that has ended since does not wait for QEMU any more.
        while let parent = (try? ProcFS.status(ancestors.last ?? pid))?.parent, parent > 1 { ancestors.append(parent) }
        return ancestors
    }
}
