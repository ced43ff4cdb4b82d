internal import Glibc
internal import Linux

/// Whether what the guest's command line names is still what its QEMU took by these names.
enum NameChecks {
    /// What QEMU reads at its start and does not keep open.
    private static let readOnce = ["kernel", "initrd", "dtb"]

    /// The images that the guest has open.
    static func images(of guest: GuestProcess, _ description: GuestDescription) -> Finding {
        let id = FindingID.nameLeadsElsewhere
        let names = ImageNames(of: guest, description)
        do throws(SystemError) {
            let strays = try names.strays(openBy: [guest.identity.pid])
            guard strays.isEmpty else {
                return Finding(
                    id, .fail, "the names of the guest's disks do not lead to the files that it has open",
                    evidence: strays,
                    remedy:
                        "Put the files back under their names (`ls -l /proc/\(guest.identity.pid)/fd` shows those that "
                        + "are open), or shut the guest down and start it anew.")
            }
            return Finding(
                id, .pass, "the names of the guest's disks lead to the files that it has open",
                evidence: names.images.map(\.path))
        } catch {
            return Finding(
                id, .fail, "it cannot be told whether the guest's disks are still the files of their names",
                evidence: ["\(error)"], remedy: "Run hyperfresh as root, or as the user that the guest runs as.")
        }
    }

    /// The files of the guest's memory, which QEMU keeps open.
    ///
    /// - Returns: Nothing where their names lead to what is open.
    static func memory(of guest: GuestProcess, _ description: GuestDescription) -> [Finding] {
        let id = FindingID.nameLeadsElsewhere
        let pid = guest.identity.pid
        let view = ProcessView(pid: pid, workingDirectory: guest.workingDirectory)
        let names = description.memory.compactMap(\.mapping).filter { !$0.isDeleted }.map(\.path)
        do throws(SystemError) {
            let open = Set(
                try ProcFS.descriptors(pid).keys.compactMap { FileFacts.at("/proc/\(pid)/fd/\($0)")?.identity })
            var strays: [String] = []
            for name in names where try !leads(view.reachable(name), to: open) { strays.append(name) }
            guard !strays.isEmpty else { return [] }
            return [
                Finding(
                    id, .fail, "the names of the guest's memory do not lead to the files that it has open",
                    evidence: strays,
                    remedy: "Take away what covers them (`findmnt --target PATH` names a mount), or put the files back "
                        + "under their names.")
            ]
        } catch {
            return [
                Finding(
                    id, .fail, "it cannot be told whether the guest's memory is still the file of its name",
                    evidence: ["\(error)"], remedy: "Run hyperfresh as root, or as the user that the guest runs as.")
            ]
        }
    }

    /// Whether a name leads to one of these files; it does not where there is nothing.
    private static func leads(_ path: String, to files: Set<FileIdentity>) throws(SystemError) -> Bool {
        do throws(SystemError) { return files.contains(try Files.identity(path)) } catch {
            if error.code == ENOENT { return false }
            throw error
        }
    }

    /// The kernel and what goes with it, which a new QEMU reads anew for the guest's next boot.
    static func kernel(of guest: GuestProcess) -> [Finding] {
        guard let line = guest.commandLine, let start = startSeconds(of: guest.identity) else { return [] }
        let view = ProcessView(pid: guest.identity.pid, workingDirectory: guest.workingDirectory)
        let changed = line.options.filter { readOnce.contains($0.name) }.compactMap { option -> String? in
            guard let path = option.value, let facts = FileFacts.at(view.place(path)) else { return nil }
            // The kernel tells the start in ticks since a boot in whole seconds.
            return facts.key.modifiedSeconds > start + 2 ? "-\(option.name) \(path) was changed since the start" : nil
        }
        guard !changed.isEmpty else { return [] }
        return [
            Finding(
                .nameLeadsElsewhere, .warn, "the guest's next boot will be from other files than its last one",
                evidence: changed, remedy: "Nothing, if they were replaced on purpose.")
        ]
    }

    /// The sockets and the pid file that would be put in the place of the guest's.
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
                guard let facts = FileFacts.at(view.reachable(endpoint.lasting)) else { return nil }
                if endpoint.kind == .pidFile { return facts.isFolder ? "\(endpoint.lasting): it is a folder" : nil }
                return facts.mode & S_IFMT == S_IFSOCK ? nil : "\(endpoint.lasting): it is no socket any more"
            }
            var findings: [Finding] = []
            if !used.isEmpty {
                findings.append(
                    Finding(
                        .nameLeadsElsewhere, .fail, "the guest's socket would be put in the place of another's",
                        evidence: used.map { "\($0): another process listens there (`ss -xlp` names it)" },
                        remedy:
                            "Give each guest sockets of its own: start one of the two anew with another path, when it "
                            + "suits."))
            }
            if !strays.isEmpty {
                findings.append(
                    Finding(
                        .nameLeadsElsewhere, .fail,
                        "the guest's socket or pid file would be put in the place of something else", evidence: strays,
                        remedy: "Move aside what is there."))
            }
            return findings
        } catch {
            return [
                Finding(
                    .nameLeadsElsewhere, .fail, "it cannot be told who listens at the guest's sockets",
                    evidence: ["\(error)"], remedy: "Run hyperfresh as root, or as the user that the guest runs as.")
            ]
        }
    }

    /// When a process started, in seconds since 1970.
    private static func startSeconds(of identity: ProcessIdentity) -> Int? {
        // A warning only hangs on it.
        guard let bytes = try? Files.readAll("/proc/stat") else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard let boot = lines.first(where: { $0.hasPrefix("btime ") }).flatMap({ Int($0.dropFirst("btime ".count)) })
        else { return nil }
        return boot + Int(identity.startTime) / sysconf(Int32(_SC_CLK_TCK))
    }
}
