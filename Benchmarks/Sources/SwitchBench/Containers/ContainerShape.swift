/// What the relocated containers are like.
struct ContainerShape: Sendable, Hashable, Codable {
    /// Of all processes together.
    let memoryMiB: Int
    /// How much memory is written a second, in units of a million bytes; 0 for a container that only reads.
    let dirtyMB: Int
    let processes: Int

    /// Such as `256M, 50 MB/s, 4 processes`.
    var name: String { "\(memoryName), \(loadName), \(processName)" }

    var memoryName: String { "\(memoryMiB)M" }
    var loadName: String { dirtyMB == 0 ? "idle" : "\(dirtyMB) MB/s" }
    var processName: String { processes == 1 ? "1 process" : "\(processes) processes" }

    /// What the canary is told.
    var words: [String] {
        ["/bin/canary", "memory=\(memoryMiB)M", "dirty=\(dirtyMB)000000", "processes=\(processes)"]
    }

    /// The most that the container may use, in MiB: its memory, and room for what the kernel and CRIU put down to it.
    var limitMiB: Int { memoryMiB * 5 / 4 + 64 + processes * 2 }

    /// The memory of each OS VM in MiB: both containers, and the images of the one in a file system of memory.
    var systemMiB: Int { 640 + limitMiB * 2 + memoryMiB * 5 / 4 }

    /// The kinds of containers of a run.
    ///
    /// - Parameters:
    ///   - sizes: Memory, in MiB.
    ///   - loads: Writing, in MB/s.
    ///   - processes: How many.
    ///   - isWhole: Whether to combine all; else more processes than the least have one size and one load, the middle ones.
    /// - Returns: The kinds, each once.
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

/// A way to bring a container to another OS VM.
enum ContainerMethod: String, Sendable, Hashable, Codable, CaseIterable {
    /// `relocate container`.
    case relocate
    /// CRIU dumps into a tmpfs, the images go over the network, CRIU restores.
    case plain

    /// As tables and charts call it.
    var title: String {
        switch self {
        case .relocate: "relocate"
        case .plain: "plain CRIU, network copy"
        }
    }
}

/// A container brought to another OS VM once.
struct ContainerMove: Sendable {
    /// The longest time between two of the lines that a TCP client gets from it all the while, in microseconds.
    var downtimeMicroseconds: Int
    /// From the freeze to the last of what the method does to let it run, as the method itself sees it.
    var switchMicroseconds: Int
    /// From the begin to the end of all of it.
    var wholeMicroseconds: Int
    /// What was copied while the container ran.
    var copiedRunningBytes: Int
    /// What was sent over the network while it stood still.
    var sentBytes: Int
    /// What took how long while it stood still, in order, in milliseconds by the clocks of the OS VMs.
    var steps: [(name: String, milliseconds: Int)]
    /// The parts of the whole, in microseconds.
    var phases: [(name: String, microseconds: Int)]
}
