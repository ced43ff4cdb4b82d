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

    /// The files of the guest's memory.
    ///
    /// - Returns: Nothing where their names lead to what is mapped, or where that may not be seen.
    static func memory(of guest: GuestProcess, _ description: GuestDescription) -> [Finding] {
        let pid = guest.identity.pid
        let view = ProcessView(pid: pid, workingDirectory: guest.workingDirectory)
        // That they cannot be read is a finding of its own.
        let mappings = (try? ProcFS.mappings(pid)) ?? []
        let strays = description.memory.compactMap(\.mapping).filter { !$0.isDeleted }.compactMap { file -> String? in
            guard let mapping = mappings.first(where: { $0.identity == file.identity }),
                let mapped = FileFacts.at("/proc/\(pid)/map_files/\(mapping.addresses)")
            else { return nil }
            return FileFacts.at(view.reachable(file.path))?.isSameFile(as: mapped) == true ? nil : file.path
        }
        guard !strays.isEmpty else { return [] }
        return [
            Finding(
                .nameLeadsElsewhere, .fail,
                "the names of the guest's memory do not lead to the files that it has mapped",
                evidence: strays,
                remedy:
                    "Take away what covers them (`findmnt --target PATH`), or shut the guest down and start it anew.")
        ]
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
            let strays = plan.endpoints.compactMap { endpoint -> String? in
                if foreign.contains(endpoint.lasting) { return "\(endpoint.lasting): another process listens there" }
                guard let facts = FileFacts.at(view.reachable(endpoint.lasting)) else { return nil }
                if endpoint.kind == .pidFile { return facts.isFolder ? "\(endpoint.lasting): it is a folder" : nil }
                return facts.mode & S_IFMT == S_IFSOCK ? nil : "\(endpoint.lasting): it is no socket any more"
            }
            guard !strays.isEmpty else { return [] }
            return [
                Finding(
                    .nameLeadsElsewhere, .fail,
                    "the guest's socket or pid file would be put in the place of something else",
                    evidence: strays,
                    remedy:
                        "Move aside what is there. Give each guest sockets of its own: end the process that listens there "
                        + "(`ss -xlp` names it), or start one of the two anew with another path.")
            ]
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
