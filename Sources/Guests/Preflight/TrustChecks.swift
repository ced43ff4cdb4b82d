internal import Glibc
internal import Linux

/// What a refresh has to take on trust of the old process, and what of its confinement it does not keep.
enum TrustChecks {
    /// Whether the new QEMU will be confined as the old one is: it gets our label.
    static func label(of guest: GuestProcess) -> Finding {
        label(
            old: (try? ProcFS.securityLabel(guest.identity.pid)) ?? nil,
            // Without a label of ours the guest's is compared with none, and differs.
            ours: (try? ProcFS.securityLabel(getpid())) ?? nil)
    }

    static func label(old: String?, ours: String?) -> Finding {
        let id = FindingID.confinementChanges
        guard old != ours else {
            return Finding(
                id, .pass, "the new QEMU will be confined as the old one is", evidence: [old].compactMap(\.self))
        }
        return Finding(
            id, .warn, "the new QEMU will not be confined as the old one is",
            evidence: ["the guest's QEMU: \(old ?? "unconfined")", "the new one: \(ours ?? "unconfined")"],
            remedy: "Run hyperfresh under that label (aa-exec -p, runcon), or know it.")
    }

    /// Whether the new QEMU begins with more rights than the old one has now, and by whose word.
    ///
    /// - Parameters:
    ///   - plan: how it would be started.
    ///   - guest: the old process.
    ///   - isTargetNamed: whether an administrator has named the binary.
    /// - Returns: the finding.
    static func rights(of plan: LaunchPlan, _ guest: GuestProcess, isTargetNamed: Bool) -> Finding {
        let pid = guest.identity.pid
        // In another mount namespace the path leads elsewhere from here; the file that runs does not.
        let isTrusted =
            isTargetNamed
            || (ProcessView(pid: pid).sharesOurFiles
                ? ProgramTrust.isOurs(plan.executable)
                : FileFacts.at("/proc/\(pid)/exe")?.isWritableByOthers == false)
        return rights(
            startsAsController: plan.startsAsController, isRoot: ourUserID == 0, user: guest.userID,
            isTrusted: isTrusted, binary: plan.executable)
    }

    static func rights(
        startsAsController: Bool, isRoot: Bool, user: UInt32?, isTrusted: Bool, binary: String
    ) -> Finding {
        let id = FindingID.rightsByCommandLine
        guard startsAsController, isRoot, user != 0 else {
            return Finding(id, .pass, "the new QEMU begins with no more rights than the old one has")
        }
        guard isTrusted else {
            return Finding(
                id, .fail, "the new QEMU would begin as root (-runas, -chroot), with a binary that others can change",
                evidence: [binary], remedy: "Name one that only root can change: --to /usr/bin/qemu-system-x86_64")
        }
        return Finding(
            id, .warn, "the new QEMU begins as root, as the command line of the guest's process asks (-runas, -chroot)",
            evidence: ["the process runs as user \(user.map(String.init) ?? "?") now"],
            remedy:
                "Who has taken that process over can have written its command line: refresh it only if you trust it.")
    }
}
