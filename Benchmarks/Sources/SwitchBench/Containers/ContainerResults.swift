/// Everything that one run of `containers` has measured.
struct ContainerResults: TurnResults {
    /// What one method did with containers of one shape: each array has one place for each move.
    struct Series: TurnSeries {
        let shape: ContainerShape
        let method: ContainerMethod
        var downtimeMicroseconds: [Int] = []
        var switchMicroseconds: [Int] = []
        var wholeMicroseconds: [Int] = []
        var copiedRunningBytes: [Int] = []
        var sentBytes: [Int] = []
        /// In the order in which they happen.
        var stepNames: [String] = []
        var stepMilliseconds: [String: [Int]] = [:]
        var phaseNames: [String] = []
        var phaseMicroseconds: [String: [Int]] = [:]

        static func empty(_ shape: ContainerShape, _ method: ContainerMethod) -> Self {
            Self(shape: shape, method: method)
        }
    }

    /// What a canary found, after all its moves.
    struct Witness: Codable, Sendable {
        let shape: ContainerShape
        let method: ContainerMethod
        let pagesVerified: Int
        let anomalies: Int
        /// Whether one connection was kept through every move, and no line of it lost or repeated.
        let keptConnection: Bool
    }

    /// What the OS VMs are made of.
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
    /// How the command was called.
    let arguments: [String]
    /// What else kept the machine busy: its load average of one minute just before the run.
    let loadBefore: Double
    var series: [Series] = []
    var witnesses: [Witness] = []
    /// What did not come to its end, and why: the shape's other rounds are missing then.
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
