/// The properties of a guest: memory size and load.
struct GuestShape: Sendable, Hashable, Codable {
    /// Its memory in MiB.
    let memoryMiB: Int
    let load: Load

    /// Its load.
    enum Load: String, Sendable, Hashable, Codable, CaseIterable {
        /// Verifies 2048 pages a second and rewrites 128 of them.
        case idle
        /// Verifies and rewrites pages continuously.
        case dirtying

        /// The value of canary.dirty= on the guest's kernel command line.
        var pace: String {
            switch self {
            case .idle: "idle"
            case .dirtying: "\(Self.dirtyPagesPerSecond)"
            }
        }

        /// The rate of 128 MiB a second.
        static let dirtyPagesPerSecond = 32_768
    }

    /// The part of its memory that contains data: a quarter.
    ///
    /// Untouched memory is zeros, which a migration hardly has to send.
    var watchedMiB: Int { memoryMiB / 4 }

    /// A name such as `4G idle`.
    var name: String { "\(memoryName) \(load.rawValue)" }

    /// A size such as `256M` or `4G`.
    var memoryName: String { memoryMiB % 1024 == 0 ? "\(memoryMiB / 1024)G" : "\(memoryMiB)M" }
}

/// The paths of the programs.
struct Tools: Sendable {
    /// The QEMU for hyperfresh and the floor, both old and new.
    let qemu: String
    /// The QEMU for pre-copy migration, on both sides.
    let precopyQEMU: String
    let kernel: String
    let initramfs: String
    let hyperfresh: String
}
