import Glibc
import Linux
import StackFile

/// Who has a guest's or container's file: asked before it is made, used or removed.
///
/// Files are told apart by device and inode: a name may lead elsewhere by now.
enum FileUse {
    /// A file that belongs to a guest or container.
    struct Claim: Sendable {
        /// As in `the memory file of guest g1`.
        let content: String
        let path: String
        /// Whether another process may read it meanwhile: a disk is harmed by writers only.
        let allowsReaders: Bool
    }

    /// The processes that have a file, but for this one, which may hold its lock, and those named; none where there is no such file.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - known: Processes that may have it.
    /// - Returns: The holders, by pid.
    /// - Throws: ``HyperFreshError`` when that cannot be found out.
    static func holders(
        of path: String, butFor known: Set<ProcessIdentity> = []
    ) throws(HyperFreshError) -> [FileHolder] {
        do throws(SystemError) {
            return try FileHolder.all(of: try Files.identity(path)).filter { holder in
                holder.process.pid != getpid() && !known.contains(holder.process)
            }
        } catch {
            if error.code == ENOENT { return [] }
            throw unknown(path, error)
        }
    }

    /// Refuses to begin where a process that is not known uses one of the files.
    ///
    /// - Parameters:
    ///   - claims: The files; one that is not there is nobody's.
    ///   - known: The processes that have them rightly: instances on record.
    /// - Throws: ``HyperFreshError`` with status 3 and the processes; nothing was started then.
    static func refuseStrangers(_ claims: [Claim], known: Set<ProcessIdentity>) throws(HyperFreshError) {
        var identities: [FileIdentity: Claim] = [:]
        for claim in claims {
            do throws(SystemError) { identities[try Files.identity(claim.path)] = claim } catch {
                if error.code != ENOENT { throw unknown(claim.path, error) }
            }
        }
        let holders: [FileIdentity: [FileHolder]]
        do throws(SystemError) { holders = try FileHolder.all(of: Set(identities.keys)) } catch {
            throw unknown("/proc", error)
        }
        let strangers = identities.flatMap { identity, claim in
            (holders[identity] ?? [])
                .filter { $0.process.pid != getpid() && !known.contains($0.process) }
                .filter { !claim.allowsReaders || $0.writes }
                .map { "\(claim.content) (\(claim.path)) is in use by \($0)" }
        }.sorted()
        guard strangers.isEmpty else {
            throw HyperFreshError(
                "files are in use by processes that are not on record", guestState: "Nothing was started.",
                remedy:
                    "Find out what these processes run (ps -fp PID): they may be guests that run. Nothing may be removed while "
                    + "they live.",
                evidence: strangers, exitCode: RefreshOutcome.blocked.exitCode)
        }
    }

    private static func unknown(_ path: String, _ error: SystemError) -> HyperFreshError {
        HyperFreshError(
            "it cannot be said who uses \(path)", because: error,
            remedy: "Run as the user who owns it; nothing was touched.", exitCode: RefreshOutcome.unknown.exitCode)
    }
}

extension FileUse.Claim {
    /// All that a guest writes to: its memory, and its disks that are not read-only.
    static func all(of guest: InnerGuestSpec, in stack: Stack) -> [FileUse.Claim] {
        let memory = FileUse.Claim(
            content: "the memory file of guest \(guest.name)", path: stack.memoryFile(of: guest.name),
            allowsReaders: false)
        let disks = guest.disks.filter { !$0.isReadOnly }.map { disk in
            FileUse.Claim(content: "disk \(disk.name) of guest \(guest.name)", path: disk.path, allowsReaders: true)
        }
        return [memory] + disks
    }

    /// A container's image store; its bundle is served by a process of ours, and is shared.
    static func all(of container: ContainerSpec, in stack: Stack) -> [FileUse.Claim] {
        [
            FileUse.Claim(
                content: "the image store of container \(container.name)", path: stack.storeFile(of: container.name),
                allowsReaders: false)
        ]
    }
}
