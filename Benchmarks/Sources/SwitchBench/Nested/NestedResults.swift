/// Everything that one run of `hypervisor` has measured.
struct NestedResults: TurnResults {
    /// What one method did with guests of one shape: the arrays of guests have one place for each guest and round, those of
    /// moves one for each round.
    struct Series: TurnSeries {
        let shape: NestedShape
        let method: NestedMethod
        /// From STOP to RESUME.
        var switchMicroseconds: [Int] = []
        var newCompletedMicroseconds: [Int] = []
        var oldCompletedMicroseconds: [Int] = []
        /// From the second `completed` seen to `cont` written.
        var controllerMicroseconds: [Int] = []
        /// The longest time between two looks of the guest at its own clock.
        var gapMicroseconds: [Int] = []
        /// By how much the guest's clock fell behind this host's.
        var clockMicroseconds: [Int] = []
        /// What QEMU has sent; for a refresh nobody can ask it: it is gone by then.
        var transferredBytes: [Int] = []
        /// For each guest: whether it did not come within any downtime limit.
        var wasForced: [Bool] = []
        /// For each guest: whether it was silent afterwards, although QEMU called it running.
        var fellSilent: [Bool] = []
        /// Each move from its begin to its end.
        var wholeMicroseconds: [Int] = []
        /// The boot of the new hypervisor.
        var bootMicroseconds: [Int] = []
        var phaseMicroseconds: [String: [Int]] = [:]

        static func empty(_ shape: NestedShape, _ method: NestedMethod) -> Self { Self(shape: shape, method: method) }
    }

    /// What a canary found, after all its moves.
    struct Witness: Codable, Sendable {
        let shape: NestedShape
        /// Whether it was migrated by pre-copy; else it was refreshed.
        let isCopied: Bool
        let pagesVerified: Int
        let anomalies: Int
    }

    /// What ran in the hypervisors, and by what they ran.
    struct Inside: Codable, Sendable {
        let kernel: String
        let qemu: String
        /// `tcg` or `kvm`.
        let accelerator: String
    }

    var schema = 1
    let date: String
    let machine: MachineFacts
    let inside: Inside
    /// How the command was called.
    let arguments: [String]
    /// What else kept the machine busy: its load average of one minute just before the run.
    let loadBefore: Double
    var series: [Series] = []
    var witnesses: [Witness] = []
    /// What did not come to its end, and why: the shape's other rounds are missing then.
    var failures: [String] = []
    var minutes = 0.0

    mutating func add(_ move: NestedMove, _ shape: NestedShape, _ method: NestedMethod) {
        change(shape, method) { series in
            for handover in move.handovers { series.add(handover) }
            series.wholeMicroseconds.append(move.wholeMicroseconds)
            if let boot = move.bootMicroseconds { series.bootMicroseconds.append(boot) }
            for (name, value) in move.phases { series.phaseMicroseconds[name, default: []].append(value) }
        }
    }
}

extension NestedResults.Series {
    fileprivate mutating func add(_ handover: NestedHandover) {
        switchMicroseconds.append(handover.switchMicroseconds)
        newCompletedMicroseconds.append(handover.newCompletedMicroseconds)
        oldCompletedMicroseconds.append(handover.oldCompletedMicroseconds)
        if let value = handover.controllerMicroseconds { controllerMicroseconds.append(value) }
        if let gap = handover.gap {
            gapMicroseconds.append(gap.gapMicroseconds)
            clockMicroseconds.append(gap.clockMicroseconds)
        }
        if let value = handover.transferredBytes { transferredBytes.append(value) }
        wasForced.append(handover.wasForced)
        fellSilent.append(handover.fellSilent)
    }
}
