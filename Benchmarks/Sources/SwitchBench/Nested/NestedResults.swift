/// All results of one run of `hypervisor`.
struct NestedResults: TurnResults {
    /// The moves of guests of one shape by one method: arrays for guests have one element for each guest and round,
    /// arrays for moves one for each round.
    struct Series: TurnSeries {
        let shape: NestedShape
        let method: NestedMethod
        /// The times from STOP to RESUME.
        var switchMicroseconds: [Int] = []
        var newCompletedMicroseconds: [Int] = []
        var oldCompletedMicroseconds: [Int] = []
        /// The times from receiving the second `completed` to writing `cont`.
        var controllerMicroseconds: [Int] = []
        /// The longest intervals between two looks of the guest at its own clock.
        var gapMicroseconds: [Int] = []
        /// The increases of the guest clock's lag behind this host's.
        var clockMicroseconds: [Int] = []
        /// The bytes sent by QEMU; unknown for a refresh, because QEMU is gone by then.
        var transferredBytes: [Int] = []
        /// For each guest: whether the downtime limit had to be lifted.
        var wasForced: [Bool] = []
        /// For each guest: whether it sent no reports afterwards, although QEMU reported it as running.
        var fellSilent: [Bool] = []
        /// The times of whole moves.
        var wholeMicroseconds: [Int] = []
        /// The boot times of new hypervisors.
        var bootMicroseconds: [Int] = []
        var phaseMicroseconds: [String: [Int]] = [:]

        static func empty(_ shape: NestedShape, _ method: NestedMethod) -> Self { Self(shape: shape, method: method) }
    }

    /// A canary's findings after all moves.
    struct Witness: Codable, Sendable {
        let shape: NestedShape
        /// Whether it was moved by pre-copy; otherwise it was refreshed.
        let isCopied: Bool
        let pagesVerified: Int
        let anomalies: Int
    }

    /// The software in the hypervisors, and their accelerator.
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
    /// The command's arguments.
    let arguments: [String]
    /// The one-minute load average just before the run.
    let loadBefore: Double
    var series: [Series] = []
    var witnesses: [Witness] = []
    /// Failures with their reasons; the remaining rounds of such a shape are missing.
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
