import QMP

/// The moments of the switch as they pass, from which its timing is told.
///
/// QEMU's own event timestamps (microseconds since the epoch, one host's clock for both sides) give what the guest
/// lived through; the controller's monotonic clock gives its own share.
struct SwitchMarks: Sendable {
    var stop: Int64?
    var stopSeen: ContinuousClock.Instant?
    var resume: Int64?
    var oldCompleted: Int64?
    var newCompleted: Int64?
    var secondCompletedSeen: ContinuousClock.Instant?
    var resumeWritten: ContinuousClock.Instant?

    /// Notes a side's `completed`; the second of the two begins the controller's own share.
    mutating func completed(_ side: WritableKeyPath<SwitchMarks, Int64?>, at event: QMPEvent) {
        self[keyPath: side] = event.timestamp.microsecondsSinceEpoch
        if oldCompleted != nil, newCompleted != nil { secondCompletedSeen = .now }
    }

    var timing: SwitchTiming? {
        guard let stop, let resume, let oldCompleted, let newCompleted, let secondCompletedSeen, let resumeWritten
        else { return nil }
        return SwitchTiming(
            stopToResume: Int(resume - stop),
            stopToNewCompleted: Int(newCompleted - stop),
            stopToOldCompleted: Int(oldCompleted - stop),
            controller: Int((resumeWritten - secondCompletedSeen).milliseconds * 1000))
    }
}
