import Glibc
import Linux
import StackFile

/// The processes that use a guest's or container's file, determined before it is created, used or removed.
///
/// Files are identified by device and inode: a path may lead to another file by now.
enum FileUse {
    /// A file that belongs to a guest or container.
    struct Claim: Sendable {
        /// The file as named in messages, such as `the memory file of guest g1`.
        let content: String
        let path: String
        /// Whether another process may read it at the same time: only writers damage a disk.
        let allowsReaders: Bool
    }

    /// Returns the processes that use a file, except for this one, which may hold its lock, and the known ones.
    ///
    /// Returns none if the file does not exist.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - known: Processes that may use it.
    /// - Returns: The holders, by pid.
    /// - Throws: ``HyperFreshError`` if that cannot be determined.
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

    /// Throws if a process that is not known uses one of the files.
    ///
    /// - Parameters:
    ///   - claims: The files; a file that does not exist is skipped.
    ///   - known: The processes that may use them: instances on record.
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
                    "Find out what these processes run (`ps -fp PID`): they may be running guests. Do not remove the "
                    + "files while the processes live.",
                evidence: strangers, exitCode: RefreshOutcome.blocked.exitCode)
        }
    }

    private static func unknown(_ path: String, _ error: SystemError) -> HyperFreshError {
        HyperFreshError(
            "cannot determine which processes use \(path)", because: error,
            remedy: "Run as the user who owns it; nothing was touched.", exitCode: RefreshOutcome.unknown.exitCode)
    }
}

extension FileUse.Claim {
    /// Returns all files that a guest writes to: its memory, and its disks that are not read-only.
    static func all(of guest: InnerGuestSpec, in stack: Stack) -> [FileUse.Claim] {
        let memory = FileUse.Claim(
            content: "the memory file of guest \(guest.name)", path: stack.memoryFile(of: guest.name),
            allowsReaders: false)
        let disks = guest.disks.filter { !$0.isReadOnly }.map { disk in
            FileUse.Claim(content: "disk \(disk.name) of guest \(guest.name)", path: disk.path, allowsReaders: true)
        }
        return [memory] + disks
    }

    /// Returns a container's image store; the bundle is not claimed, because virtiofsd serves it and it may be shared.
    static func all(of container: ContainerSpec, in stack: Stack) -> [FileUse.Claim] {
        [
            FileUse.Claim(
                content: "the image store of container \(container.name)", path: stack.storeFile(of: container.name),
                allowsReaders: false)
        ]
    }
}
