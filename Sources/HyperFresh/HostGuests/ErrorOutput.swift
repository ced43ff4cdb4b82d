import Glibc
import Guests
import Linux

/// The file for the new QEMU's standard error: the guest's own log file, or else a file next to the journal.
///
/// Its last lines often contain the only reason of a failure.
final class ErrorOutput: Sendable {
    private let path: String
    private let file: Descriptor
    /// The offset at which the new QEMU's output begins.
    private let begin: Int
    /// Whether the file belongs to this handoff: it is removed after a failure.
    private let isOwn: Bool

    init(plan: LaunchPlan, old: OldQEMU, handoff: String, stateDirectory: String) throws(SystemError) {
        let process = old.process.identity.pid
        // If the guest's log may not be opened with the guest's rights, use a file of this handoff.
        if let path = Self.path(plan.standardError, in: plan.workingDirectory, process),
            let log = try? GuestLog.open(path, of: process)
        {
            file = log
            isOwn = false
            self.path = path
        } else {
            path = "\(stateDirectory)/logs/\(handoff).stderr"
            isOwn = true
            try Files.createDirectory("\(stateDirectory)/logs")
            file = try Descriptor.open(path, flags: O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW)
        }
        begin = Int(try Files.status(of: file).size)
    }

    /// Returns the path of the guest's own log; nil if it has none.
    private static func path(_ stream: StandardStream, in folder: String, _ process: Int32) -> String? {
        switch stream {
        case .append(let path): return Paths.absolute(path, in: folder)
        case .oldProcess(let number):
            // A descriptor that cannot be read is not a log of the guest.
            let link = (try? ProcFS.descriptors(process)[number]) ?? ""
            return (try? Files.status(link).kind) == .regular ? link : nil
        }
    }

    var number: Int32 { file.number }

    /// Returns the last lines that the new QEMU has written, at most 8 KiB.
    ///
    /// The file may be the guest's own log of many years, and the program may write without end.
    func lines(limit: Int = 12) -> [String] {
        guard let reader = try? Files.reopen(file, flags: O_RDONLY),
            let size = try? Files.status(of: reader).size
        else { return [] }
        let start = max(begin, Int(size) - 8192)
        let bytes = [UInt8](unsafeUninitializedCapacity: 8192) { buffer, count in
            count = max(0, pread(reader.number, buffer.baseAddress, buffer.count, off_t(start)))
        }
        return String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).suffix(limit).map(String.init)
    }

    /// Removes the file if it was this handoff's own.
    func discard() { if isOwn { unlink(path) } }

    /// Opens a file for another stream of the new QEMU.
    static func open(_ path: String, in folder: String, of process: Int32) throws(SystemError) -> Descriptor {
        try GuestLog.open(Paths.absolute(path, in: folder), of: process)
    }
}
