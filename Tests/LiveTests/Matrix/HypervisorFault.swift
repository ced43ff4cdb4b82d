/// Faults in the refresh of a hypervisor.
enum HypervisorFault: String, MatrixFault {
    case oldKilled = "old-killed"
    case newKilled = "new-killed"
    case newHangs = "new-hangs"
    case agentDead = "agent-dead"
    case relayDead = "relay-dead"
    case linkCut = "link-cut"

    static let heading = "## Every fault everywhere, in hypervisors"

    /// One place for each stage, because each cell boots a hypervisor.
    static let places: [MatrixPlace] = [
        MatrixPlace(name: "before-action:launchNew", stage: .planned),
        MatrixPlace(name: "after-record:launched", stage: .launched),
        MatrixPlace(name: "after-record:switching", stage: .linked),
        MatrixPlace(name: "after-action:beginSwitch", stage: .switched),
        MatrixPlace(name: "after-record:committed", stage: .committed),
        MatrixPlace(name: "after-record:running", stage: .running),
        MatrixPlace(name: "after-action:retireOld", stage: .retired),
    ]
}
