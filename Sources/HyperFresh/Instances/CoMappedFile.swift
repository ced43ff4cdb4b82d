import Glibc
import Linux
import StackFile
import VirtualMachines

/// A file in this host's memory that several QEMUs map.
struct CoMappedFile: Sendable {
    let path: String
    /// Bytes.
    let size: UInt64
    /// The length in bytes of the header that describes the file, in whole pages; it stays when the file is emptied.
    let headLength: Int
    /// A description for messages, as in `the memory file of guest g1`.
    let content: String
    let directory: String

    /// Creates the file (mode 0600, in a folder with mode 0700) and reserves all of its memory.
    ///
    /// - Parameter block: The header that makes it a disk, or device DAX, for those that map it. It is written once,
    ///   before any of them sees the file, so that each finds the same.
    /// - Throws: `HyperFreshError` if there is no space, or if its name is taken; no file is left then.
    func create(_ block: DAXInfoBlock) throws(HyperFreshError) {
        do throws(SystemError) {
            try Files.createDirectory(directory)
            let file = try Descriptor.open(path, flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            do throws(SystemError) {
                try reserve(file)
                try Files.writeMapped(
                    block.bytes, to: file, at: Int(DAXInfoBlock.offset), mapped: headLength, name: path)
            } catch {
                // Just created by this process: no other process uses it.
                unlink(path)
                throw error
            }
        } catch {
            if error.code == EEXIST { throw try alreadyThere(error) }
            throw HyperFreshError(
                "cannot allocate \(content) (\(size >> 20) MiB) in \(directory)", because: error,
                remedy: "Free space there (`df \(directory)`), or name another folder in the stack file.")
        }
    }

    /// Returns the error for a file that exists already: removing it while a process maps it would lose that process's
    /// guest.
    private func alreadyThere(_ error: SystemError) throws(HyperFreshError) -> HyperFreshError {
        let holders = try FileUse.holders(of: path)
        guard holders.isEmpty else {
            return HyperFreshError(
                "\(content) exists already and is in use: \(path)",
                guestState: "The processes that use it keep running. Nothing was started.",
                remedy:
                    "Do not remove it. `hyperfresh recover` finds hypervisors that are not on record; identify other "
                    + "processes with `ps -fp PID`.",
                evidence: holders.map { "in use by \($0)" }, exitCode: RefreshOutcome.blocked.exitCode)
        }
        return HyperFreshError(
            "\(content) exists already: \(path)", because: error,
            remedy: "No process uses it. If you do not need the memory of the guest that has ended: `rm \(path)`.",
            exitCode: RefreshOutcome.blocked.exitCode)
    }

    /// Reserves the memory now: a write to memory that is not available would end a QEMU (SIGBUS).
    func reserve(_ file: borrowing Descriptor) throws(SystemError) {
        let code = posix_fallocate(file.number, 0, off_t(size))
        guard code == 0 else { throw SystemError(operation: "posix_fallocate", subject: path, code: code) }
    }

    /// Checks that the file is unchanged since it was created: its size, a regular file, closed to other users.
    func verify() throws(HyperFreshError) {
        do throws(SystemError) {
            let status = try Files.status(path, followingLinks: false)
            guard status.kind == .regular, status.size == Int64(size), status.mode & 0o077 == 0 else {
                throw SystemError(
                    operation: "stat", subject: path, code: EINVAL,
                    detail:
                        "\(status.size) bytes, mode \(String(status.mode & 0o777, radix: 8)); expected \(size), 600")
            }
        } catch {
            throw HyperFreshError(
                "\(content) was changed since it was created", because: error,
                remedy: "Restore the original file, or take the stack down: `hyperfresh down STACK`.")
        }
    }

    /// Checks that the file is unchanged since it was created, and that it is the file that a hypervisor or OS VM maps.
    ///
    /// - Parameter hypervisor: The QEMU of the hypervisor or OS VM.
    /// - Throws: ``HyperFreshError`` with status 3: nothing was touched.
    func verify(mappedBy hypervisor: ProcessIdentity) throws(HyperFreshError) {
        do throws(HyperFreshError) {
            try verify()
            guard try FileUse.holders(of: path).contains(where: { $0.process == hypervisor }) else {
                throw HyperFreshError(
                    "\(path) is not \(content): pid \(hypervisor.pid) maps another file",
                    remedy:
                        "The file was replaced. Restore the original, or take the stack down: `hyperfresh down STACK`.")
            }
        } catch {
            var failure = error
            failure.guestState = "Nothing was touched; the processes that use it keep running."
            failure.exitCode = RefreshOutcome.blocked.exitCode
            throw failure
        }
    }

    /// Removes the file, if no process uses it.
    ///
    /// - Parameter idle: Processes that still map it, but were asked and do not use it: QEMU cannot unplug an NVDIMM.
    /// - Throws: ``HyperFreshError`` with the processes that use it; the file then stays.
    func remove(butFor idle: Set<ProcessIdentity> = []) throws(HyperFreshError) {
        let holders = try FileUse.holders(of: path, butFor: idle)
        guard holders.isEmpty else {
            throw HyperFreshError(
                "\(content) was not removed: it is in use", guestState: "The processes that use it keep running.",
                remedy: "Identify the process (`ps -fp PID`). When it has ended: `rm \(path)`.",
                evidence: holders.map { "\(path) is in use by \($0)" }, exitCode: RefreshOutcome.incomplete.exitCode)
        }
        if !idle.isEmpty { empty() }
        unlink(path)
    }

    /// Frees the file's memory on this host, although processes that do not use it still map the file.
    ///
    /// Best effort: the memory is freed at the latest when they end.
    private func empty() {
        guard let file = try? Descriptor.open(path, flags: O_RDWR | O_NOFOLLOW) else { return }
        // If the file system does not support holes, the memory is freed when the last process ends.
        try? Files.punchHole(Int64(headLength)..<Int64(size), in: file, name: path)
    }
}
