internal import Glibc
internal import Linux

/// Checks what a handoff trusts in the old process, and which of its confinement it does not keep.
enum TrustChecks {
    /// Checks whether the new QEMU will be confined as the old one is: it gets our label.
    static func label(of guest: GuestProcess) -> Finding {
        label(
            old: (try? ProcFS.securityLabel(guest.identity.pid)) ?? nil,
            // If we have no label, the guest's is compared with none, and differs.
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
            remedy: "Run hyperfresh under that label (aa-exec -p, runcon), or accept the difference.")
    }

    /// Checks whether the new QEMU starts with more privileges than the old one has now, and why.
    ///
    /// - Parameters:
    ///   - plan: how it would be started.
    ///   - guest: the old process.
    ///   - isTargetNamed: whether an administrator named the binary.
    /// - Returns: the finding.
    static func rights(of plan: LaunchPlan, _ guest: GuestProcess, isTargetNamed: Bool) -> Finding {
        let pid = guest.identity.pid
        // In another mount namespace, the path refers to another file here; the running file is the same.
        let isTrusted =
            isTargetNamed
            || (ProcessView(pid: pid).sharesOurFiles
                ? ProgramTrust.isOurs(plan.executable)
                : FileStatus.at("/proc/\(pid)/exe")?.isWritableByOthers == false)
        return rights(
            startsAsController: plan.startsAsController, isRoot: ourUserID == 0, user: guest.userID,
            isTrusted: isTrusted, binary: plan.executable)
    }

    static func rights(
        startsAsController: Bool, isRoot: Bool, user: UInt32?, isTrusted: Bool, binary: String
    ) -> Finding {
        let id = FindingID.rightsByCommandLine
        guard startsAsController, isRoot, user != 0 else {
            return Finding(id, .pass, "the new QEMU starts with no more privileges than the old one has")
        }
        guard isTrusted else {
            return Finding(
                id, .fail, "the new QEMU would start as root (-runas, -chroot), with a binary that others can change",
                evidence: [binary], remedy: "Choose one that only root can change: --to /usr/bin/qemu-system-x86_64")
        }
        return Finding(
            id, .warn, "the new QEMU starts as root, as the guest's command line requests (-runas, -chroot)",
            evidence: ["the process runs as user \(user.map(String.init) ?? "?") now"],
            remedy:
                "An attacker in that process could have rewritten its command line: refresh it only if you trust it.")
    }
}
