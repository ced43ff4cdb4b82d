/// Faults in the refresh of a guest.
enum GuestFault: String, MatrixFault {
    static let heading = "## Every fault everywhere"
    static let places = MatrixPlace.all

    case controllerKilled = "controller-killed"
    case controllerTerminated = "controller-terminated"
    case controllerInterrupted = "controller-interrupted"
    case oldKilled = "old-killed"
    case oldHangs = "old-hangs"
    case newKilled = "new-killed"
    case newHangs = "new-hangs"
    case linkCut = "link-cut"
    case oldMonitorCut = "old-monitor-cut"
    case newMonitorCut = "new-monitor-cut"
    case stateFull = "state-full"
    case stateReadOnly = "state-read-only"
    /// Before the action, it is not performed; after it, its answer is lost.
    case actionFails = "action-fails"

    /// A record that is already written cannot fail.
    func exists(at place: MatrixPlace) -> Bool { self != .actionFails || !place.name.hasPrefix("after-record:") }
}
