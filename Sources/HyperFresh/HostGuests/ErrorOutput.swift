import Glibc
import Guests
import Linux

/// Where the new QEMU's standard error goes: the guest's own log file where it has one, else a file beside the journal.
///
/// Its last words are often the only place where the reason of a failure stands.
final class ErrorOutput: Sendable {
    private let path: String
    private let file: Descriptor
    /// Where the new QEMU's words begin.
    private let begin: Int
    /// A file of this handoff's own goes with a failed handoff.
    private let isOwn: Bool

    init(plan: LaunchPlan, old: OldQEMU, handoff: String, stateDirectory: String) throws(SystemError) {
        let process = old.process.identity.pid
        // A log that may not be opened in the guest's name is not used: there is a file of our own.
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

    /// The guest's own log; nil where it has none.
    private static func path(_ stream: StandardStream, in folder: String, _ process: Int32) -> String? {
        switch stream {
        case .append(let path): return absolute(path, in: folder)
        case .oldProcess(let number):
            // What cannot be seen is no log of the guest's.
            let link = (try? ProcFS.descriptors(process)[number]) ?? ""
            return (try? Files.status(link).kind) == .regular ? link : nil
        }
    }

    var number: Int32 { file.number }

    /// What the new QEMU has said since it was started, the last lines of it, at most 8 KiB.
    ///
    /// The file may be the guest's own log of many years, and the program one that never ends its words.
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
        try GuestLog.open(absolute(path, in: folder), of: process)
    }

    private static func absolute(_ path: String, in folder: String) -> String {
        path.hasPrefix("/") ? path : "\(folder)/\(path)"
    }
}
