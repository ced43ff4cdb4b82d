internal import QMP

/// Whether the guest is in a state in which it can be handed over.
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
            return Finding(id, .pass, "the guest is \(state.rawValue), and will be so on the new QEMU")
        case .ioError:
            return Finding(
                id, .warn, "the guest stands still because of a disk error, and will on the new QEMU",
                remedy: "Mend the disk and `cont` the guest first, if it is to run.")
        case .inmigrate, .finishMigrate, .postmigrate, .preconfig, .colo:
            return Finding(
                id, .fail, "the guest is \(state.rawValue): it is coming from, or has gone to, another QEMU",
                remedy: "Let that migration end, or cancel it (migrate_cancel); `hyperfresh recover` settles a refresh."
            )
        case .restoreVM, .saveVM:
            return Finding(
                id, .fail, "a snapshot of the guest is being saved or restored", remedy: "Wait until it is done.")
        case .suspended:
            return Finding(
                id, .fail, "the guest sleeps: QEMU before 9.0 would wake it up on the way",
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
            reasons.append("a migration is under way (\(status.rawValue))")
        }
        reasons += description.blockJobs.map { "a \($0.type) job runs on \($0.device)" }
        guard !reasons.isEmpty else {
            return [Finding(id, .pass, "QEMU names nothing that keeps the guest from migrating")]
        }
        return [
            Finding(
                id, .fail, "the guest cannot migrate now", evidence: reasons,
                remedy: "Unplug the device that is named (device_del), or wait for the job or cancel it "
                    + "(block-job-cancel, migrate_cancel).")
        ]
    }
}
