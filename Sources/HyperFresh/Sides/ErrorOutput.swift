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
        switch plan.standardError {
        case .append(let path):
            (self.path, isOwn) = (Self.absolute(path, in: plan.workingDirectory), false)
        case .oldProcess(let number):
            let link = (try? ProcFS.descriptors(old.process.identity.pid)[number]) ?? ""
            let isFile = (try? Files.status(link).kind) == .regular
            (path, isOwn) = isFile ? (link, false) : (Self.ownPath(handoff, in: stateDirectory), true)
        }
        if isOwn { try Files.createDirectory("\(stateDirectory)/logs") }
        file = try Descriptor.open(path, flags: O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW)
        begin = Int(try Files.status(of: file).size)
    }

    var number: Int32 { file.number }

    /// What the new QEMU has said since it was started, the last lines of it, at most 8 KiB.
    ///
    /// The file may be the guest's own log of many years, and the program one that never ends its words.
    func lines(limit: Int = 12) -> [String] {
        guard let reader = try? Descriptor.open(path, flags: O_RDONLY | O_NOFOLLOW),
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

    static func open(_ path: String, in folder: String) throws(SystemError) -> Descriptor {
        try Descriptor.open(absolute(path, in: folder), flags: O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW)
    }

    private static func ownPath(_ handoff: String, in stateDirectory: String) -> String {
        "\(stateDirectory)/logs/\(handoff).stderr"
    }

    private static func absolute(_ path: String, in folder: String) -> String {
        path.hasPrefix("/") ? path : "\(folder)/\(path)"
    }
}
