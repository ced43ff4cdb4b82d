internal import Linux

extension PreflightRun {
    /// Checks the guest's memory, and whether another handoff of it is in progress.
    mutating func checkMemory(_ description: GuestDescription) {
        let view = ProcessView(pid: guest.identity.pid, workingDirectory: guest.workingDirectory)
        var files: [String: MemoryChecks.File] = [:]
        var paths: [String] = []
        for backend in description.memory where backend.isNamedFile {
            guard let path = backend.mapping?.path ?? backend.path.map(view.absolute) else { continue }
            let place = view.reachable(path)
            paths.append(place)
            guard let facts = FileFacts.at(place) else { continue }
            files[backend.id] = MemoryChecks.File(
                mode: facts.mode & 0o7777, isReachableByOthers: Self.isReachableByOthers(place))
        }
        findings +=
            MemoryChecks(
                name: guest.name, stack: ManagementStack(arguments: guest.arguments), backends: description.memory,
                files: files,
                // If they are not readable, a finding reports that.
                knowsMappings: (try? ProcFS.mappings(guest.identity.pid)) != nil
            ).findings
        result.memoryFile = paths.first
        let lacks = PermissionChecks.memoryFiles(paths)
        if !lacks.isEmpty { findings.append(PermissionChecks(lacks: lacks).finding) }
        if let path = paths.first, lacks.isEmpty, !request.holdsLock { findings.append(lockFinding(path)) }
    }

    /// Checks the lock on the guest's memory file, by which controllers exclude each other, and releases it at once.
    private func lockFinding(_ path: String) -> Finding {
        let id = FindingID.refreshInProgress
        do throws(SystemError) {
            guard try FileLock.tryAcquire(Paths.resolved(path) ?? path) == nil else {
                return Finding(id, .pass, "no other handoff of this guest is in progress")
            }
            return Finding(
                id, .fail, "another handoff of this guest is in progress", evidence: ["\(path) is locked"],
                remedy: "Wait for it: `hyperfresh status` shows its progress.")
        } catch {
            return Finding(
                id, .warn, "cannot determine whether another handoff is in progress", evidence: ["\(error)"],
                remedy: "Run hyperfresh as root, or as the user that the guest runs as.")
        }
    }

    /// Returns whether every directory on the path grants others access.
    private static func isReachableByOthers(_ path: String) -> Bool {
        var folder = Paths.resolved(path) ?? path
        while let slash = folder.lastIndex(of: "/"), slash > folder.startIndex {
            folder = String(folder[..<slash])
            if let facts = FileFacts.at(folder), facts.mode & 0o011 == 0 { return false }
        }
        return true
    }
}
