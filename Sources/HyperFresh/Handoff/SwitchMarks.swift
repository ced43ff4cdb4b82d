import QMP

/// The moments of the switch as they pass, from which its timing is told.
struct SwitchMarks: Sendable {
    // Microseconds since the epoch, by QEMU's own clock.
    var stop: Int64?
    var resume: Int64?
    var oldCompleted: Int64?
    var newCompleted: Int64?

    // By this host's monotonic clock, when the event arrived or the command was written.
    var stopSeen: ContinuousClock.Instant?
    var oldCompletedSeen: ContinuousClock.Instant?
    var newCompletedSeen: ContinuousClock.Instant?
    var resumeWritten: ContinuousClock.Instant?
    var resumeSeen: ContinuousClock.Instant?

    /// Notes a side's `completed`; the second of the two begins the controller's own share.
    mutating func completed(_ side: WritableKeyPath<SwitchMarks, Int64?>, at event: QMPEvent) {
        self[keyPath: side] = event.timestamp.microsecondsSinceEpoch
        if side == \.oldCompleted { oldCompletedSeen = .now } else { newCompletedSeen = .now }
    }

    private var controller: Int? {
        guard let oldCompletedSeen, let newCompletedSeen, let resumeWritten else { return nil }
        return (resumeWritten - max(oldCompletedSeen, newCompletedSeen)).microseconds
    }

    /// By QEMU's event timestamps, both sides on this host; by the events' arrival where the host's clock was set meanwhile.
    var timing: SwitchTiming? {
        guard let stamped = stampedTiming, let arrived = arrivalTiming else { return stampedTiming }
        return abs(stamped.stopToResume - arrived.stopToResume) < Self.latestArrival ? stamped : arrived
    }

    /// How much later than the other an event may be read on a busy host, in microseconds.
    private static let latestArrival = 500_000

    private var stampedTiming: SwitchTiming? {
        guard let stop, let resume, let oldCompleted, let newCompleted, let controller else { return nil }
        return SwitchTiming(
            stopToResume: Int(resume - stop), stopToNewCompleted: Int(newCompleted - stop),
            stopToOldCompleted: Int(oldCompleted - stop), controller: controller)
    }

    /// By the arrival of the events here: the two sides have clocks of their own.
    var arrivalTiming: SwitchTiming? {
        guard let stopSeen, let resumeSeen, let oldCompletedSeen, let newCompletedSeen, let controller
        else { return nil }
        return SwitchTiming(
            stopToResume: (resumeSeen - stopSeen).microseconds,
            stopToNewCompleted: (newCompletedSeen - stopSeen).microseconds,
            stopToOldCompleted: (oldCompletedSeen - stopSeen).microseconds, controller: controller)
    }
}

extension Duration {
    /// Whole microseconds.
    var microseconds: Int { Int(milliseconds * 1000) }
}
