/// Checks that the guest's memory is a file that a second QEMU can map and that other users cannot access.
struct MemoryChecks {
    /// The stat(2) result of a file.
    struct File: Sendable, Hashable {
        /// The permission bits.
        var mode: UInt32
        /// Whether other users can reach it at all: all directories above it grant them access.
        var isReachableByOthers: Bool
    }

    let name: String
    let stack: ManagementStack
    /// The backends as QEMU reports them.
    let backends: [MemoryBackend]
    /// The files behind them, by backend id.
    let files: [String: File]
    /// Whether the process's mappings could be read at all.
    var knowsMappings = true

    /// The findings, at least one for each check.
    var findings: [Finding] {
        shared + namedFile + tooOpen + discardData + prealloc
    }

    private var shared: [Finding] {
        let id = FindingID.ramNotShared
        guard !backends.isEmpty else {
            return [Finding(id, .fail, "QEMU reports no memory backend", remedy: stack.sharedMemoryRemedy(name: name))]
        }
        let bad = backends.compactMap { backend -> String? in
            if !backend.isShared {
                return "\(backend.id) (\(backend.type)): share=off, so its pages are private to this process"
            }
            if let mapping = backend.mapping, !mapping.isShared {
                return "\(backend.id): \(mapping.path) is mapped privately"
            }
            return nil
        }
        guard bad.isEmpty else {
            return [
                Finding(
                    id, .fail, "the guest's RAM is private to its QEMU", evidence: bad,
                    remedy: stack.sharedMemoryRemedy(name: name))
            ]
        }
        return [Finding(id, .pass, "the guest's RAM is shared", evidence: backends.map(Self.line))]
    }

    private var namedFile: [Finding] {
        let id = FindingID.ramNotNamedFile
        let bad = backends.filter(\.isShared).compactMap { backend -> String? in
            guard backend.type == "memory-backend-file" else {
                return "\(backend.id) is a \(backend.type): it has no name in the file system"
            }
            guard let mapping = backend.mapping else {
                guard knowsMappings else { return nil }
                return "\(backend.id): no file \(backend.path ?? "") of \(backend.size) bytes is mapped"
            }
            guard !mapping.isDeleted else {
                return "\(backend.id): \(mapping.path) no longer has a name"
                    + (mapping.path.contains("/qemu_back_mem.")
                        ? "; mem-path is a directory, in which QEMU unlinks its file" : "")
            }
            return nil
        }
        guard bad.isEmpty else {
            return [
                Finding(
                    id, .fail, "the guest's RAM is not a file that a second QEMU can open by its name", evidence: bad,
                    remedy: "mem-path must be a file, not a directory (huge pages: mem-path=/dev/hugepages/NAME): "
                        + stack.sharedMemoryRemedy(name: name))
            ]
        }
        return backends.contains { !$0.isShared } || backends.isEmpty
            ? []
            : [
                Finding(
                    id, .pass, "the guest's RAM is a named file", evidence: backends.compactMap(\.mapping?.path))
            ]
    }

    private var tooOpen: [Finding] {
        let id = FindingID.ramFileTooOpen
        var findings: [Finding] = []
        for backend in backends {
            guard let file = files[backend.id], let path = backend.mapping?.path ?? backend.path else { continue }
            let mode = "0" + String(file.mode & 0o777, radix: 8)
            guard file.isReachableByOthers, file.mode & 0o066 != 0 else {
                findings.append(Finding(id, .pass, "\(path) is not accessible to other users (\(mode))"))
                continue
            }
            let canWrite = file.mode & 0o022 != 0
            findings.append(
                Finding(
                    id, canWrite ? .fail : .warn,
                    "other users can \(canWrite ? "write to" : "read") the guest's memory: \(path) has mode \(mode)",
                    remedy: "chmod 600 \(path), and keep it in a directory with mode 0700"))
        }
        return findings
    }

    private var discardData: [Finding] {
        let id = FindingID.ramDiscardData
        let bad = backends.filter(\.discardsData)
        guard !bad.isEmpty else { return [Finding(id, .pass, "no memory backend discards its data at exit")] }
        return [
            Finding(
                id, .warn, "a QEMU that exits normally would discard the guest's RAM from the file",
                evidence: bad.map { "\($0.id): discard-data=on" },
                remedy: bad.map { "qom-set /objects/\($0.id) discard-data false" }.joined(separator: "; ")
                    + "; the new QEMU is started without it")
        ]
    }

    private var prealloc: [Finding] {
        let id = FindingID.ramPrealloc
        let bad = backends.filter(\.isPreallocated)
        guard !bad.isEmpty else { return [Finding(id, .pass, "no memory backend is preallocated")] }
        return [
            Finding(
                id, .warn, "the new QEMU is started without prealloc: it must not touch the pages of a running guest",
                evidence: bad.map { "\($0.id): prealloc=on" },
                remedy: "No action is needed: the pages already exist.")
        ]
    }

    private static func line(_ backend: MemoryBackend) -> String {
        "\(backend.id): \(backend.mapping?.path ?? backend.path ?? backend.type), \(backend.size) bytes"
    }
}
