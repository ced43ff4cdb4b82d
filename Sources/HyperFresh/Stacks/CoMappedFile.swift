import Glibc
import Linux
import StackFile
import VirtualMachines

/// A file in this host's memory that several QEMUs map.
struct CoMappedFile: Sendable {
    let path: String
    /// Bytes.
    let size: UInt64
    /// How many bytes at its head say what it is, in whole pages: they stay when it is emptied.
    let headLength: Int
    /// What it is, as in `the memory file of guest g1`.
    let content: String
    let directory: String

    /// Makes the file, 0600 in a folder 0700, with all of its memory reserved.
    ///
    /// - Parameter block: What makes it a disk, or device DAX, for those that map it. It is written once, before any of them
    ///   sees it: each finds the same.
    /// - Throws: `HyperFreshError` when there is no room, or something has its name; nothing is left then.
    func create(_ block: DAXInfoBlock) throws(HyperFreshError) {
        do throws(SystemError) {
            try Files.createDirectory(directory)
            let file = try Descriptor.open(path, flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            do throws(SystemError) {
                try reserve(file)
                try Files.writeMapped(
                    block.bytes, to: file, at: Int(DAXInfoBlock.offset), mapped: headLength, name: path)
            } catch {
                // Made a moment ago, by this process: nobody else has it.
                unlink(path)
                throw error
            }
        } catch {
            if error.code == EEXIST { throw try alreadyThere(error) }
            throw HyperFreshError(
                "\(content) (\(size >> 20) MiB) cannot be made in \(directory)", because: error,
                remedy: "Make room there (df \(directory)), or name another folder in the stack file.")
        }
    }

    /// Something has its name: whoever removes it while a process maps it loses the guest that the process runs.
    private func alreadyThere(_ error: SystemError) throws(HyperFreshError) -> HyperFreshError {
        let holders = try FileUse.holders(of: path)
        guard holders.isEmpty else {
            return HyperFreshError(
                "\(content) is there already, and in use: \(path)",
                guestState: "Who uses it runs on. Nothing was started.",
                remedy:
                    "Leave it there. `hyperfresh recover` finds hypervisors that are not on record; see what the others are: "
                    + "ps -fp PID.",
                evidence: holders.map { "in use by \($0)" }, exitCode: RefreshOutcome.blocked.exitCode)
        }
        return HyperFreshError(
            "\(content) is there already: \(path)", because: error,
            remedy: "No process uses it. If the memory of a guest that has ended is not needed: rm \(path)",
            exitCode: RefreshOutcome.blocked.exitCode)
    }

    /// Memory that is not there when somebody writes to it ends their QEMU (SIGBUS): so it is taken now.
    func reserve(_ file: borrowing Descriptor) throws(SystemError) {
        let code = posix_fallocate(file.number, 0, off_t(size))
        guard code == 0 else { throw SystemError(operation: "posix_fallocate", subject: path, code: code) }
    }

    /// Whether it is as it was made: the right size, a file of ours alone, no link.
    func verify() throws(HyperFreshError) {
        do throws(SystemError) {
            let status = try Files.status(path, followingLinks: false)
            guard status.kind == .regular, status.size == Int64(size), status.mode & 0o077 == 0 else {
                throw SystemError(
                    operation: "stat", subject: path, code: EINVAL,
                    detail: "\(status.size) bytes, mode \(String(status.mode & 0o777, radix: 8)); wanted \(size), 600")
            }
        } catch {
            throw HyperFreshError(
                "\(content) is not as it was made", because: error,
                remedy: "Somebody changed it. Put the right one back, or take the stack down when it suits.")
        }
    }

    /// Makes sure that it is as it was made, and the very file that a hypervisor or OS VM maps.
    ///
    /// - Parameter hypervisor: Its QEMU.
    /// - Throws: ``HyperFreshError`` with status 3: nothing was touched.
    func verify(mappedBy hypervisor: ProcessIdentity) throws(HyperFreshError) {
        do throws(HyperFreshError) {
            try verify()
            guard try FileUse.holders(of: path).contains(where: { $0.process == hypervisor }) else {
                throw HyperFreshError(
                    "\(path) is not \(content): pid \(hypervisor.pid) maps another file",
                    remedy: "Somebody replaced it. Put the right one back, or take the stack down when it suits.")
            }
        } catch {
            var failure = error
            failure.guestState = "Nothing was touched: what uses it runs on."
            failure.exitCode = RefreshOutcome.blocked.exitCode
            throw failure
        }
    }

    /// Removes the file, once that is earned: no process has it.
    ///
    /// - Parameter idle: Processes that map it still, but were asked and do not use it: QEMU cannot give up an NVDIMM.
    /// - Throws: ``HyperFreshError`` with the processes that have it; it stays then.
    func remove(butFor idle: Set<ProcessIdentity> = []) throws(HyperFreshError) {
        let holders = try FileUse.holders(of: path, butFor: idle)
        guard holders.isEmpty else {
            throw HyperFreshError(
                "\(content) was not removed: it is in use", guestState: "Who uses it runs on.",
                remedy: "See what it is (ps -fp PID). When it has ended: rm \(path)",
                evidence: holders.map { "\(path) is in use by \($0)" }, exitCode: RefreshOutcome.incomplete.exitCode)
        }
        if !idle.isEmpty { empty() }
        unlink(path)
    }

    /// Gives the memory back to this host, though processes that do not use it map the file still.
    ///
    /// Best effort: at the latest it is given back when they end.
    private func empty() {
        guard let file = try? Descriptor.open(path, flags: O_RDWR | O_NOFOLLOW) else { return }
        // Where the file system knows no holes the memory is given back when the last process ends.
        try? Files.punchHole(Int64(headLength)..<Int64(size), in: file, name: path)
    }
}
