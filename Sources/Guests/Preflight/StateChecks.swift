internal import QMP

/// Checks that the guest is in a state in which it can be handed over.
struct StateChecks {
    let description: GuestDescription

    var findings: [Finding] {
        [runState] + blockers
    }

    private var runState: Finding {
        let id = FindingID.guestState
        let state = description.runState
        switch state {
        case .running, .paused, .prelaunch:
            return Finding(id, .pass, "the guest is \(state.rawValue), and stays so on the new QEMU")
        case .ioError:
            return Finding(
                id, .warn, "the guest is stopped by a disk error, and stays stopped on the new QEMU",
                remedy: "To let it run, first fix the disk and continue the guest (cont).")
        case .inmigrate, .finishMigrate, .postmigrate, .preconfig, .colo:
            return Finding(
                id, .fail, "the guest is \(state.rawValue): it is migrating from, or has migrated to, another QEMU",
                remedy: "Wait for that migration, or cancel it (migrate_cancel). If it belongs to a handoff, "
                    + "run `hyperfresh recover`."
            )
        case .restoreVM, .saveVM:
            return Finding(
                id, .fail, "a snapshot of the guest is being saved or restored", remedy: "Wait until it is done.")
        case .suspended:
            return Finding(
                id, .fail, "the guest is suspended: QEMU before 9.0 would wake it up during the handoff",
                remedy: "Wake it first (system_wakeup).")
        case .debug:
            return Finding(
                id, .fail, "a debugger has stopped the guest", remedy: "Continue it in the debugger and detach.")
        case .shutdown, .guestPanicked, .internalError, .watchdog:
            return Finding(
                id, .fail, "the guest is \(state.rawValue): there is nothing to hand over",
                remedy: "Reset the guest: system_reset, then cont.")
        }
    }

    private var blockers: [Finding] {
        let id = FindingID.migrationBlocked
        var reasons = description.migrationBlockers
        if let status = description.migrationStatus, !status.isFinal, status != .none {
            reasons.append("a migration is in progress (\(status.rawValue))")
        }
        reasons += description.blockJobs.map { "a \($0.type) job runs on \($0.device)" }
        guard !reasons.isEmpty else {
            return [Finding(id, .pass, "QEMU reports nothing that prevents a migration")]
        }
        return [
            Finding(
                id, .fail, "the guest cannot migrate now", evidence: reasons,
                remedy: "Unplug the named device (device_del), or wait for the job, or cancel it "
                    + "(block-job-cancel, migrate_cancel).")
        ]
    }
}
