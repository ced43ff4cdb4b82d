internal import Linux
internal import QMP

/// Asks QEMU binaries for their versions, each file once.
actor VersionQuery {
    /// The answers in this process: a file's answer is valid while its inode and modification time stay the same.
    static let shared = VersionQuery()

    /// How long a binary may take to print its version: it loads a hundred libraries, and the host may be busy.
    private static let deadline = Duration.seconds(5)

    private var answers: [FileFacts.Key: Task<QEMUVersion?, Never>] = [:]

    /// Returns the version of a binary; nil if it is missing, we may not run it, or it does not answer as QEMU does.
    ///
    /// - Parameters:
    ///   - path: the binary; may be /proc/PID/exe, which refers to the running file even after its deletion.
    ///   - owner: a user who runs it already; the query runs as this user if others can write the file.
    /// - Returns: the version.
    func version(of path: String, owner: HelperProgram.User?) async -> QEMUVersion? {
        guard let file = FileFacts.at(path), file.isExecutable else { return nil }
        if let known = answers[file.key] { return await known.value }
        let answer = Task { await Self.ask(path, file: file, owner: owner) }
        answers[file.key] = answer
        return await answer.value
    }

    private static func ask(_ path: String, file: FileFacts, owner: HelperProgram.User?) async -> QEMUVersion? {
        let isProcessLink = path.hasPrefix("/proc/") && path.hasSuffix("/exe")
        var program = HelperProgram(path: path, arguments: ["--version"])
        if isProcessLink ? file.isWritableByOthers : !ProgramTrust.isOurs(path) {
            guard let owner, ourUserID == 0, owner.uid != 0 else { return nil }
            program.user = owner
        }
        // A program that does not print its version has none to show; preflight asks again, and reports the reason.
        guard let output = try? await program.run(deadline: deadline), output.succeeded else { return nil }
        return QEMUVersion(versionOutput: output.standardOutput)
    }
}

extension QEMUVersion {
    /// Parses the output of `qemu-system-* --version`: `QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)`.
    ///
    /// Returns nil for the output of any other program.
    init?(versionOutput text: String) {
        let opening = "QEMU emulator version "
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(opening) }) else { return nil }
        let rest = line.dropFirst(opening.count)
        let number = rest.prefix { $0 != " " }.drop { $0 == "v" }
        let parts = number.split(separator: ".").map { $0.prefix { $0.isNumber } }.map { Int($0) }
        guard parts.count >= 2, let major = parts[0], let minor = parts[1] else { return nil }
        let micro = parts.count > 2 ? parts[2] ?? 0 : 0
        var package = ""
        if let open = rest.firstIndex(of: "("), let close = rest.lastIndex(of: ")"), open < close {
            package = String(rest[rest.index(after: open)..<close])
        }
        self.init(major: major, minor: minor, micro: micro, package: package)
    }
}
