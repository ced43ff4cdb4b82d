/// The properties of a container to move.
struct ContainerShape: Sendable, Hashable, Codable {
    /// The memory of all processes together.
    let memoryMiB: Int
    /// The rate of memory writes, in millions of bytes a second; 0 for a container that only reads.
    let dirtyMB: Int
    let processes: Int

    /// A name such as `256M, 50 MB/s, 4 processes`.
    var name: String { "\(memoryName), \(loadName), \(processName)" }

    var memoryName: String { "\(memoryMiB)M" }
    var loadName: String { dirtyMB == 0 ? "idle" : "\(dirtyMB) MB/s" }
    var processName: String { processes == 1 ? "1 process" : "\(processes) processes" }

    /// The canary's arguments.
    var words: [String] {
        ["/bin/canary", "memory=\(memoryMiB)M", "dirty=\(dirtyMB)000000", "processes=\(processes)"]
    }

    /// The container's memory limit in MiB: its memory, and room for kernel and CRIU memory that is charged to it.
    var limitMiB: Int { memoryMiB * 5 / 4 + 64 + processes * 2 }

    /// The memory of each OS VM in MiB: for both containers, and for one container's images in a tmpfs.
    var systemMiB: Int { 640 + limitMiB * 2 + memoryMiB * 5 / 4 }

    /// Returns the shapes of a run.
    ///
    /// - Parameters:
    ///   - sizes: Memory sizes in MiB.
    ///   - loads: Write rates in MB/s.
    ///   - processes: Numbers of processes.
    ///   - isWhole: Whether to combine everything; otherwise larger numbers of processes have only the middle size and
    ///     load.
    /// - Returns: The shapes, without duplicates.
    static func all(sizes: [Int], loads: [Int], processes: [Int], isWhole: Bool) -> [ContainerShape] {
        let fewest = processes.min() ?? 1
        var shapes: [ContainerShape] = []
        for count in processes {
            let isMain = isWhole || count == fewest
            for load in isMain ? loads : Array(loads.prefix(1)) {
                for size in isMain ? sizes : Array(sizes.sorted().dropFirst(sizes.count > 1 ? 1 : 0).prefix(1)) {
                    shapes.append(ContainerShape(memoryMiB: size, dirtyMB: load, processes: count))
                }
            }
        }
        return shapes
    }
}

/// A way to move a container to another OS VM.
enum ContainerMethod: String, Sendable, Hashable, Codable, CaseIterable {
    /// hyperfresh's `relocate container`.
    case relocate
    /// CRIU dumps into a tmpfs, the images are copied over the network, CRIU restores.
    case plain

    /// The name in tables and charts.
    var title: String {
        switch self {
        case .relocate: "relocate"
        case .plain: "plain CRIU, network copy"
        }
    }
}

/// One move of a container to another OS VM.
struct ContainerMove: Sendable {
    /// The longest gap between two lines received by a TCP client, in microseconds.
    var downtimeMicroseconds: Int
    /// The time from the freeze to the last step that resumes the container, as measured by the method.
    var switchMicroseconds: Int
    /// The time of the whole move.
    var wholeMicroseconds: Int
    /// The bytes copied while the container ran.
    var copiedRunningBytes: Int
    /// The bytes sent over the network while it was stopped.
    var sentBytes: Int
    /// The steps while it was stopped, in order, in milliseconds on the clocks of the OS VMs.
    var steps: [(name: String, milliseconds: Int)]
    /// The phases of the whole move, in microseconds.
    var phases: [(name: String, microseconds: Int)]
}
