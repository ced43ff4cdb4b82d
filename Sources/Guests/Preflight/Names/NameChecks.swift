internal import Glibc
internal import Linux
internal import QEMUCommandLine

/// Checks that the paths on the guest's command line still refer to what its QEMU opened.
enum NameChecks {
    /// The options whose files QEMU reads at its start and does not keep open.
    private static let readOnce = ["kernel", "initrd", "dtb"]

    /// Checks the images that the guest has open.
    static func images(of guest: GuestProcess, _ description: GuestDescription) -> Finding {
        let id = FindingID.nameLeadsElsewhere
        let names = ImageNames(of: guest, description)
        do throws(SystemError) {
            let strays = try names.strays(openBy: [guest.identity.pid])
            guard strays.isEmpty else {
                return Finding(
                    id, .fail, "the paths of the guest's disks do not refer to the files that it has open",
                    evidence: strays,
                    remedy:
                        "Restore the files at their paths (`ls -l /proc/\(guest.identity.pid)/fd` shows the open "
                        + "ones), or shut the guest down and start it again.")
            }
            return Finding(
                id, .pass, "the paths of the guest's disks refer to the files that it has open",
                evidence: names.images.map(\.path))
        } catch {
            return Finding(
                id, .fail, "cannot determine whether the paths of the guest's disks refer to its open files",
                evidence: ["\(error)"], remedy: "Run hyperfresh as root, or as the user that the guest runs as.")
        }
    }

    /// Checks the files of the guest's memory, which QEMU keeps open.
    ///
    /// - Returns: Empty if their paths refer to the open files.
    static func memory(of guest: GuestProcess, _ description: GuestDescription) -> [Finding] {
        let id = FindingID.nameLeadsElsewhere
        let pid = guest.identity.pid
        let view = ProcessView(pid: pid, workingDirectory: guest.workingDirectory)
        let names = description.memory.compactMap(\.mapping).filter { !$0.isDeleted }.map(\.path)
        do throws(SystemError) {
            let open = Set(
                try ProcFS.descriptors(pid).keys.compactMap { FileStatus.at("/proc/\(pid)/fd/\($0)")?.identity })
            var strays: [String] = []
            for name in names where try !leads(view.reachable(name), to: open) { strays.append(name) }
            guard !strays.isEmpty else { return [] }
            return [
                Finding(
                    id, .fail, "the paths of the guest's memory do not refer to the files that it has open",
                    evidence: strays,
                    remedy: "Unmount what covers them (`findmnt --target PATH` shows the mount), or restore the files "
                        + "at their paths.")
            ]
        } catch {
            return [
                Finding(
                    id, .fail, "cannot determine whether the paths of the guest's memory refer to its open files",
                    evidence: ["\(error)"], remedy: "Run hyperfresh as root, or as the user that the guest runs as.")
            ]
        }
    }

    /// Returns whether a path refers to one of these files; false if it does not exist.
    private static func leads(_ path: String, to files: Set<FileIdentity>) throws(SystemError) -> Bool {
        do throws(SystemError) { return files.contains(try Files.identity(path)) } catch {
            if error.code == ENOENT { return false }
            throw error
        }
    }

    /// Checks the kernel and related files, which a new QEMU reads again for the guest's next boot.
    static func kernel(of guest: GuestProcess) -> [Finding] {
        guard let line = guest.commandLine, let start = startSeconds(of: guest.identity) else { return [] }
        let view = ProcessView(pid: guest.identity.pid, workingDirectory: guest.workingDirectory)
        let changed = line.options.filter { readOnce.contains($0.name) }.compactMap { option -> String? in
            guard let path = option.value, let facts = FileStatus.at(view.place(path)) else { return nil }
            // The kernel reports the start in ticks since a boot time in whole seconds.
            return facts.modified.seconds > start + 2 ? "-\(option.name) \(path) was changed since the start" : nil
        }
        guard !changed.isEmpty else { return [] }
        return [
            Finding(
                .nameLeadsElsewhere, .warn, "the guest's next boot will use other files than its last one",
                evidence: changed, remedy: "No action is needed if they were replaced on purpose.")
        ]
    }

    /// Checks the sockets and the pid file that the handoff would replace.
    static func endpoints(of guest: GuestProcess, _ plan: LaunchPlan) -> [Finding] {
        let pid = guest.identity.pid
        let view = ProcessView(pid: pid, workingDirectory: guest.workingDirectory)
        do throws(SystemError) {
            let own = Set(try ProcFS.descriptors(pid).values)
            let listening = try (ProcFS.unixSockets() + ProcFS.unixSockets(of: pid)).filter {
                $0.isListening && !own.contains("socket:[\($0.inode)]")
            }
            let foreign = Set(listening.compactMap(\.path))
            let (used, rest) = (
                plan.endpoints.map(\.lasting).filter(foreign.contains),
                plan.endpoints.filter { !foreign.contains($0.lasting) }
            )
            let strays = rest.compactMap { endpoint -> String? in
                guard let facts = FileStatus.at(view.reachable(endpoint.lasting)) else { return nil }
                if endpoint.kind == .pidFile { return facts.isFolder ? "\(endpoint.lasting): it is a directory" : nil }
                return facts.kind == .socket ? nil : "\(endpoint.lasting): it is no longer a socket"
            }
            var findings: [Finding] = []
            if !used.isEmpty {
                findings.append(
                    Finding(
                        .nameLeadsElsewhere, .fail, "the guest's socket would replace another process's",
                        evidence: used.map { "\($0): another process listens there (`ss -xlp` shows it)" },
                        remedy:
                            "Give each guest its own sockets: restart one of the two with another path, when that is "
                            + "convenient."))
            }
            if !strays.isEmpty {
                findings.append(
                    Finding(
                        .nameLeadsElsewhere, .fail,
                        "the guest's socket or pid file would replace another file", evidence: strays,
                        remedy: "Move the other file away."))
            }
            return findings
        } catch {
            return [
                Finding(
                    .nameLeadsElsewhere, .fail, "cannot determine which process listens on the guest's sockets",
                    evidence: ["\(error)"], remedy: "Run hyperfresh as root, or as the user that the guest runs as.")
            ]
        }
    }

    /// Returns when a process started, in seconds since 1970; nil if unknown.
    private static func startSeconds(of identity: ProcessIdentity) -> Int? {
        // Only a warning depends on it.
        guard let bytes = try? Files.readAll("/proc/stat") else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard let boot = lines.first(where: { $0.hasPrefix("btime ") }).flatMap({ Int($0.dropFirst("btime ".count)) })
        else { return nil }
        return boot + Int(identity.startTime) / sysconf(Int32(_SC_CLK_TCK))
    }
}
