/// Faults in the relocation of a container.
enum ContainerFault: String, MatrixFault {
    case controllerKilled = "controller-killed"
    case oldKilled = "old-killed"
    case newKilled = "new-killed"

    static let heading = "## Every fault everywhere, for containers"

    static let places: [MatrixPlace] = [
        MatrixPlace(name: "before-action:launchNew", stage: .planned),
        MatrixPlace(name: "after-record:launched", stage: .launched),
        MatrixPlace(name: "after-record:linked", stage: .linked),
        MatrixPlace(name: "after-action:beginSwitch", stage: .switching),
        MatrixPlace(name: "before-record:committed", stage: .switched),
        MatrixPlace(name: "after-record:committed", stage: .committed),
        MatrixPlace(name: "after-record:running", stage: .running),
        MatrixPlace(name: "after-action:retireOld", stage: .retired),
    ]
}
