/// What a soak notes after each refresh.
enum SoakFigure: String, Codable, Sendable, CaseIterable {
    /// Which QEMU has the guest now, by its place among the versions.
    case version

    // The refresh, by its own report and by the clock of who called it.
    case switchMicroseconds, controllerMicroseconds, wholeMicroseconds
    /// The most memory that the command had resident.
    case controllerKibibytes

    // The guest, all counted since its boot.
    case pagesVerified, recordsVerified, answers

    // The QEMU that has the guest.
    case qemuKibibytes, qemuDescriptors, qemuSockets
    /// What the file of the guest's memory occupies.
    case memoryFileKibibytes

    // What belongs to the run on this host.
    case processes, unreaped, boundSockets, taps, stateFiles, journals, guestFiles, memoryFiles

    // This host as a whole, whoever it works for.
    case hostDescriptors, hostSockets, hostProcesses, hostFiles
}

extension SoakFigure {
    /// What may become of a figure during a run.
    enum Rule {
        /// Nothing is expected of it.
        case none
        /// It does not grow.
        case constant
        /// Nine of ten values stay below what they stayed below before, and so many percent.
        case flat(percent: Int)
        /// It never exceeds a number.
        case atMost(Int)
    }

    /// How many handoffs hyperfresh remembers, and the one that goes on.
    static let mostJournals = 101
    /// Init reaps when it gets to it; some take a second or two.
    static let mostUnreaped = 10

    /// What is promised of it.
    ///
    /// Counts of what belongs to the run are exact, so they may not grow at all. Memory is never twice the same.
    var rule: Rule {
        switch self {
        case .qemuKibibytes, .controllerKibibytes: .flat(percent: 10)
        case .memoryFileKibibytes: .atMost(SoakGuest.memoryMiB << 10)
        case .journals: .atMost(Self.mostJournals)
        case .unreaped: .atMost(Self.mostUnreaped)
        case .qemuDescriptors, .qemuSockets, .processes, .boundSockets, .taps, .stateFiles, .guestFiles, .memoryFiles:
            .constant
        default: .none
        }
    }

    /// Whether QEMUs of different versions are told apart: they need not be alike.
    var differsByVersion: Bool {
        switch self {
        case .qemuKibibytes, .qemuDescriptors, .qemuSockets, .controllerKibibytes: true
        default: false
        }
    }

    /// As tables call it.
    ///
    /// - Parameter version: That of the QEMU.
    /// - Returns: Its name; nil for what has a table of its own.
    func title(_ version: String = "") -> String? {
        switch self {
        case .version, .switchMicroseconds, .controllerMicroseconds, .wholeMicroseconds, .pagesVerified,
            .recordsVerified, .answers:
            nil
        case .controllerKibibytes: "peak memory of `hyperfresh refresh` to \(version), KiB, p90"
        case .qemuKibibytes: "memory of QEMU \(version) but the guest's, KiB, p90"
        case .qemuDescriptors: "descriptors of QEMU \(version)"
        case .qemuSockets: "of these, sockets of QEMU \(version)"
        case .memoryFileKibibytes: "what the file of guest memory occupies, KiB"
        case .processes: "processes"
        case .unreaped: "earlier QEMUs that init has not reaped yet"
        case .boundSockets: "unix sockets with a name"
        case .taps: "taps"
        case .stateFiles: "files in the state folder but journals"
        case .journals: "journals"
        case .guestFiles: "files in the guest's folder"
        case .memoryFiles: "files in /dev/shm"
        case .hostDescriptors: "open files of the whole host"
        case .hostSockets: "sockets of the whole host"
        case .hostProcesses: "processes of the whole host"
        case .hostFiles: "names in /dev/shm, /tmp and /run of the whole host"
        }
    }
}
