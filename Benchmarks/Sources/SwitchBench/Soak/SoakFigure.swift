/// The figures recorded after each refresh.
enum SoakFigure: String, Codable, Sendable, CaseIterable {
    /// The index of the QEMU version that runs the guest now.
    case version

    // The refresh, by its own report and by the caller's clock.
    case switchMicroseconds, controllerMicroseconds, wholeMicroseconds
    /// The peak of the command's resident memory.
    case controllerKibibytes

    // The guest; all figures count from its boot.
    case pagesVerified, recordsVerified, answers

    // The QEMU that runs the guest.
    case qemuKibibytes, qemuDescriptors, qemuSockets
    /// The space occupied by the guest's memory file.
    case memoryFileKibibytes

    // Objects on this host that belong to the run.
    case processes, unreaped, boundSockets, taps, stateFiles, journals, guestFiles, memoryFiles

    // The host as a whole.
    case hostDescriptors, hostSockets, hostProcesses, hostFiles
}

extension SoakFigure {
    /// The allowed change of a figure during a run.
    enum Rule {
        /// Any change.
        case none
        /// No growth.
        case constant
        /// Growth of the 90th percentile by at most this many percent.
        case flat(percent: Int)
        /// At most this value.
        case atMost(Int)
    }

    /// The number of handoffs that hyperfresh keeps, plus the current one.
    static let mostJournals = 101
    /// init reaps with delay; sometimes after a second or two.
    static let mostUnreaped = 10

    /// The allowed change of the figure.
    ///
    /// Counts of objects that belong to the run are exact, so they must not grow at all. Memory varies between
    /// measurements.
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

    /// Whether the figure is compared separately for each QEMU version.
    var differsByVersion: Bool {
        switch self {
        case .qemuKibibytes, .qemuDescriptors, .qemuSockets, .controllerKibibytes: true
        default: false
        }
    }

    /// Returns the name in tables.
    ///
    /// - Parameter version: The QEMU version.
    /// - Returns: The name; nil for a figure with a table of its own.
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
