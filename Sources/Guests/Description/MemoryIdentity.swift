package import Linux

/// The proof that two QEMU processes map the same guest memory at the same guest addresses.
///
/// QEMU reports a migration with `x-ignore-shared` as completed even if the new side mapped other memory, a private
/// copy, or none. Therefore the mappings of both processes are compared before the switch.
package struct MemoryIdentity: Sendable, Hashable, CustomStringConvertible {
    /// A backend that both processes map.
    package struct Backend: Sendable, Hashable {
        /// Its id.
        package let id: String
        /// The file.
        package let file: FileIdentity
        /// In bytes.
        package let size: UInt64
        /// The path by which both mapped it.
        package let path: String
    }

    /// The backends, in the old QEMU's order; never empty.
    package let backends: [Backend]
    /// Where the backends lie in the guest's physical address space.
    package let layout: [GuestMemoryRange]

    /// The backends as text, such as `ram0 = /dev/shm/vm1 (26:4711), 4294967296 bytes`.
    package var description: String {
        backends.map { "\($0.id) = \($0.path) (\($0.file)), \($0.size) bytes" }.joined(separator: "; ")
    }

    /// Proves that both processes have the same memory.
    ///
    /// Reads the mappings now; takes ids, sizes, sharing and guest addresses from the descriptions.
    ///
    /// - Parameters:
    ///   - old: the process that runs the guest.
    ///   - oldDescription: the description from its QEMU.
    ///   - new: the process that waits for the guest.
    ///   - newDescription: the description from its QEMU.
    /// - Returns: the backends and the layout, which are the same on both sides.
    /// - Throws: ``MemoryIdentityError`` with the first difference.
    package static func prove(
        old: ProcessIdentity, _ oldDescription: GuestDescription,
        new: ProcessIdentity, _ newDescription: GuestDescription
    ) throws(MemoryIdentityError) -> MemoryIdentity {
        let oldMemory = try remapped(oldDescription.memory, in: old, side: "old")
        let newMemory = try remapped(newDescription.memory, in: new, side: "new")
        return try compare(
            old: oldMemory, oldDescription.memoryLayout, new: newMemory, newDescription.memoryLayout)
    }

    /// Returns the backends with the mappings that the process has now.
    private static func remapped(
        _ backends: [MemoryBackend], in process: ProcessIdentity, side: String
    ) throws(MemoryIdentityError) -> [MemoryBackend] {
        let files: [MappedFile]
        do {
            files = MappedFile.all(in: try ProcFS.mappings(process.pid))
        } catch {
            throw MemoryIdentityError(.unreadable, backend: "", "cannot read the \(side) QEMU's mappings: \(error)")
        }
        guard process.isAlive else {
            throw MemoryIdentityError(.unreadable, backend: "", "the \(side) QEMU (\(process)) has ended")
        }
        return backends.map { $0.mapped(in: process.pid, files: files) }
    }

    static func compare(
        old: [MemoryBackend], _ oldLayout: [GuestMemoryRange], new: [MemoryBackend], _ newLayout: [GuestMemoryRange]
    ) throws(MemoryIdentityError) -> MemoryIdentity {
        guard !old.isEmpty else {
            throw MemoryIdentityError(.backendMissing, backend: "", "the old QEMU reports no memory backend")
        }
        var proven: [Backend] = []
        for backend in old {
            let twins = new.filter { $0.id == backend.id }
            guard let twin = twins.first, twins.count == 1 else {
                throw MemoryIdentityError(.backendMissing, backend: backend.id, "the new QEMU does not have it")
            }
            proven.append(try compare(backend, twin))
        }
        for backend in new where !old.contains(where: { $0.id == backend.id }) {
            throw MemoryIdentityError(.backendMissing, backend: backend.id, "the old QEMU does not have it")
        }
        try compareLayouts(old: oldLayout, new: newLayout)
        return MemoryIdentity(backends: proven, layout: oldLayout)
    }

    private static func compare(_ old: MemoryBackend, _ new: MemoryBackend) throws(MemoryIdentityError) -> Backend {
        let id = old.id
        let oldFile = try mappedFile(of: old, side: "old")
        let newFile = try mappedFile(of: new, side: "new")
        guard oldFile.identity == newFile.identity else {
            throw MemoryIdentityError(
                .fileDiffers, backend: id,
                "the old QEMU maps \(oldFile.path) (\(oldFile.identity)), the new one \(newFile.path) "
                    + "(\(newFile.identity)): not the same file"
                    + (oldFile.path == newFile.path ? ", although the path is the same" : "")
            )
        }
        guard old.size == new.size, oldFile.offset == newFile.offset, oldFile.size == newFile.size else {
            throw MemoryIdentityError(
                .sizeDiffers, backend: id,
                "the old QEMU has \(old.size) bytes and maps \(oldFile.size) at offset \(oldFile.offset), the new one "
                    + "has \(new.size) bytes and maps \(newFile.size) at offset \(newFile.offset)")
        }
        return Backend(id: id, file: oldFile.identity, size: old.size, path: newFile.path)
    }

    /// Returns the file behind a backend if it can be handed over.
    private static func mappedFile(of backend: MemoryBackend, side: String) throws(MemoryIdentityError) -> MappedFile {
        let id = backend.id
        guard backend.type == "memory-backend-file" else {
            throw MemoryIdentityError(.notNamedFile, backend: id, "it is a \(backend.type) in the \(side) QEMU")
        }
        guard backend.isShared else {
            throw MemoryIdentityError(.notShared, backend: id, "it has share=off in the \(side) QEMU")
        }
        guard let file = backend.mapping else {
            throw MemoryIdentityError(
                .fileDiffers, backend: id,
                "the \(side) QEMU has no file \(backend.path ?? "") of \(backend.size) bytes mapped")
        }
        guard !file.isDeleted else {
            throw MemoryIdentityError(
                .notNamedFile, backend: id, "the file \(file.path), which the \(side) QEMU maps, was removed")
        }
        guard file.isShared else {
            throw MemoryIdentityError(.notShared, backend: id, "the \(side) QEMU maps \(file.path) privately")
        }
        return file
    }

    private static func compareLayouts(
        old: [GuestMemoryRange], new: [GuestMemoryRange]
    ) throws(MemoryIdentityError) {
        guard !old.isEmpty else {
            throw MemoryIdentityError(
                .layoutDiffers, backend: "", "the old QEMU does not report where the guest's memory lies (info mtree)")
        }
        guard old != new else { return }
        let missing = old.filter { !new.contains($0) }
        let added = new.filter { !old.contains($0) }
        throw MemoryIdentityError(
            .layoutDiffers, backend: (missing + added).first?.backend ?? "",
            "its guest addresses differ: old \(missing.map(\.description)), new \(added.map(\.description))")
    }
}

extension MemoryBackend {
    /// Returns the backend with its mapping in the process.
    func mapped(in pid: Int32, files: [MappedFile]) -> MemoryBackend {
        var backend = self
        backend.mapping = nil
        guard let path else { return backend }
        // Without a working directory, relative paths do not resolve, and the proof fails.
        let view = ProcessView(pid: pid, workingDirectory: try? ProcFS.workingDirectory(pid))
        let absolute = view.absolute(path)
        let resolved = Paths.resolved(view.reachable(absolute))
        backend.mapping = MappedFile.backing(path: absolute, resolvedPath: resolved, id: id, size: size, in: files)
        return backend
    }
}

/// Why two QEMUs do not have the same memory.
///
/// Nothing was changed; a switch would lose the guest.
package struct MemoryIdentityError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of difference.
    package enum Code: String, Sendable, Hashable {
        /// One of the processes cannot be read, or is not the one described.
        case unreadable
        /// A backend of one QEMU is missing in the other.
        case backendMissing
        /// The backend is not a named file (memfd, anonymous memory): QEMU would copy or lose it.
        case notNamedFile
        /// The backend is not shared (`share=off`), or mapped privately.
        case notShared
        /// The sizes differ.
        case sizeDiffers
        /// The files differ, even if their names are the same.
        case fileDiffers
        /// The backend lies at other guest-physical addresses.
        case layoutDiffers
    }

    /// The kind of difference.
    package let code: Code
    /// The backend's id; empty if the error is about a process.
    package let backend: String
    /// What was found on both sides.
    package let message: String

    init(_ code: Code, backend: String, _ message: String) {
        self.code = code
        self.backend = backend
        self.message = message
    }

    /// The message, preceded by the backend.
    package var description: String {
        backend.isEmpty ? message : "memory backend \(backend): \(message)"
    }
}
