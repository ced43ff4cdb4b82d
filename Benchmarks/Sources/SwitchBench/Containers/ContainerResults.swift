/// All results of one run of `containers`.
struct ContainerResults: TurnResults {
    /// The moves of containers of one shape by one method: each array has one element for each move.
    struct Series: TurnSeries {
        let shape: ContainerShape
        let method: ContainerMethod
        var downtimeMicroseconds: [Int] = []
        var switchMicroseconds: [Int] = []
        var wholeMicroseconds: [Int] = []
        var copiedRunningBytes: [Int] = []
        var sentBytes: [Int] = []
        /// The steps in chronological order.
        var stepNames: [String] = []
        var stepMilliseconds: [String: [Int]] = [:]
        var phaseNames: [String] = []
        var phaseMicroseconds: [String: [Int]] = [:]

        static func empty(_ shape: ContainerShape, _ method: ContainerMethod) -> Self {
            Self(shape: shape, method: method)
        }
    }

    /// A canary's findings after all moves.
    struct Witness: Codable, Sendable {
        let shape: ContainerShape
        let method: ContainerMethod
        let pagesVerified: Int
        let anomalies: Int
        /// Whether one connection survived every move, with no line lost or repeated.
        let keptConnection: Bool
    }

    /// The software in the OS VMs.
    struct Inside: Codable, Sendable {
        let kernel: String
        let criu: String
        /// `tcg` or `kvm`.
        let accelerator: String
    }

    var schema = 1
    let date: String
    let machine: MachineFacts
    var inside: Inside
    /// The command's arguments.
    let arguments: [String]
    /// The one-minute load average just before the run.
    let loadBefore: Double
    var series: [Series] = []
    var witnesses: [Witness] = []
    /// Failures with their reasons; the remaining rounds of such a shape are missing.
    var failures: [String] = []
    var minutes = 0.0

    mutating func add(_ move: ContainerMove, _ shape: ContainerShape, _ method: ContainerMethod) {
        change(shape, method) { $0.add(move) }
    }
}

extension ContainerResults.Series {
    fileprivate mutating func add(_ move: ContainerMove) {
        downtimeMicroseconds.append(move.downtimeMicroseconds)
        switchMicroseconds.append(move.switchMicroseconds)
        wholeMicroseconds.append(move.wholeMicroseconds)
        copiedRunningBytes.append(move.copiedRunningBytes)
        sentBytes.append(move.sentBytes)
        for step in move.steps {
            if !stepNames.contains(step.name) { stepNames.append(step.name) }
            stepMilliseconds[step.name, default: []].append(step.milliseconds)
        }
        for phase in move.phases {
            if !phaseNames.contains(phase.name) { phaseNames.append(phase.name) }
            phaseMicroseconds[phase.name, default: []].append(phase.microseconds)
        }
    }
}
