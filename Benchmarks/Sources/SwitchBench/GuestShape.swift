/// What a guest is like: how much memory it has, and what it does with it.
struct GuestShape: Sendable, Hashable, Codable {
    /// Its memory, in MiB.
    let memoryMiB: Int
    let load: Load

    /// How busy it is.
    enum Load: String, Sendable, Hashable, Codable, CaseIterable {
        /// Verifies 2048 pages a second and rewrites 128 of them.
        case idle
        /// Verifies and rewrites pages all the time.
        case dirtying

        /// The word for canary.dirty= on the guest's kernel command line.
        var pace: String {
            switch self {
            case .idle: "idle"
            case .dirtying: "\(Self.dirtyPagesPerSecond)"
            }
        }

        /// 128 MiB a second.
        static let dirtyPagesPerSecond = 32_768
    }

    /// How much of its memory holds data: a quarter.
    ///
    /// What it never touched is zeros, which a migration hardly has to send.
    var watchedMiB: Int { memoryMiB / 4 }

    /// Such as `4G idle`.
    var name: String { "\(memoryName) \(load.rawValue)" }

    /// Such as `256M` or `4G`.
    var memoryName: String { memoryMiB % 1024 == 0 ? "\(memoryMiB / 1024)G" : "\(memoryMiB)M" }
}

/// Where the programs are.
struct Tools: Sendable {
    /// The QEMU of hyperfresh and of the floor, the old one and the new one.
    let qemu: String
    /// The QEMU of pre-copy migration, both sides.
    let precopyQEMU: String
    let kernel: String
    let initramfs: String
    let hyperfresh: String
}
