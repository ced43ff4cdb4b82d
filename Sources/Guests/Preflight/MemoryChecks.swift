/// Whether the guest's memory is a file that a second QEMU can map and that nobody else can read.
struct MemoryChecks {
    /// A file as stat(2) sees it.
    struct File: Sendable, Hashable {
        /// The permission bits.
        var mode: UInt32
        /// Whether others can reach it at all: whether all folders above let them through.
        var isReachableByOthers: Bool
    }

    let name: String
    let stack: ManagementStack
    /// The backends as QEMU describes them.
    let backends: [MemoryBackend]
    /// The files behind them, by backend.
    let files: [String: File]
    /// Whether the process's mappings could be read at all.
    var knowsMappings = true

    /// The findings, one at least for each check.
    var findings: [Finding] {
        shared + namedFile + tooOpen + discardData + prealloc
    }

    private var shared: [Finding] {
        let id = FindingID.ramNotShared
        guard !backends.isEmpty else {
            return [Finding(id, .fail, "QEMU names no memory backend", remedy: stack.sharedMemoryRemedy(name: name))]
        }
        let bad = backends.compactMap { backend -> String? in
            if !backend.isShared {
                return "\(backend.id) (\(backend.type)): share=off, so its pages belong to this process"
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
                return "\(backend.id): \(mapping.path) has no name any more"
                    + (mapping.path.contains("/qemu_back_mem.")
                        ? "; mem-path is a folder, where QEMU unlinks its file" : "")
            }
            return nil
        }
        guard bad.isEmpty else {
            return [
                Finding(
                    id, .fail, "the guest's RAM is not a file that a second QEMU can open by its name", evidence: bad,
                    remedy: "mem-path must be a file, not a folder (hugepages: mem-path=/dev/hugepages/NAME): "
                        + stack.sharedMemoryRemedy(name: name))
            ]
        }
        return backends.contains { !$0.isShared } || backends.isEmpty
            ? []
            : [
                Finding(
                    id, .pass, "the guest's RAM is a file with a name", evidence: backends.compactMap(\.mapping?.path))
            ]
    }

    private var tooOpen: [Finding] {
        let id = FindingID.ramFileTooOpen
        var findings: [Finding] = []
        for backend in backends {
            guard let file = files[backend.id], let path = backend.mapping?.path ?? backend.path else { continue }
            let mode = "0" + String(file.mode & 0o777, radix: 8)
            guard file.isReachableByOthers, file.mode & 0o066 != 0 else {
                findings.append(Finding(id, .pass, "\(path) is closed to others (\(mode))"))
                continue
            }
            let canWrite = file.mode & 0o022 != 0
            findings.append(
                Finding(
                    id, canWrite ? .fail : .warn,
                    "others can \(canWrite ? "write to" : "read") the guest's memory: \(path) has mode \(mode)",
                    remedy: "chmod 600 \(path), and keep it in a folder with mode 0700"))
        }
        return findings
    }

    private var discardData: [Finding] {
        let id = FindingID.ramDiscardData
        let bad = backends.filter(\.discardsData)
        guard !bad.isEmpty else { return [Finding(id, .pass, "no memory backend discards its data at exit")] }
        return [
            Finding(
                id, .warn, "a QEMU that exits by itself would punch the guest's RAM out of the file",
                evidence: bad.map { "\($0.id): discard-data=on" },
                remedy: bad.map { "qom-set /objects/\($0.id) discard-data false" }.joined(separator: "; ")
                    + "; the new QEMU is started without it")
        ]
    }

    private var prealloc: [Finding] {
        let id = FindingID.ramPrealloc
        let bad = backends.filter(\.isPreallocated)
        guard !bad.isEmpty else { return [Finding(id, .pass, "no memory backend is preallocated again")] }
        return [
            Finding(
                id, .warn, "the new QEMU is started without prealloc: it must not touch the pages of a guest that runs",
                evidence: bad.map { "\($0.id): prealloc=on" },
                remedy: "Nothing has to be done: the pages are there already.")
        ]
    }

    private static func line(_ backend: MemoryBackend) -> String {
        "\(backend.id): \(backend.mapping?.path ?? backend.path ?? backend.type), \(backend.size) bytes"
    }
}
