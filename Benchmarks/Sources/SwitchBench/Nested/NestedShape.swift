/// Guests of one hypervisor that are handed over together: how many, and how large each is.
///
/// All of them rewrite memory without pause.
struct NestedShape: Sendable, Hashable, Codable {
    /// The memory of each, in MiB.
    let memoryMiB: Int
    let guests: Int

    /// How much of its memory each fills, verifies and rewrites: a quarter, as the guests of `switch`.
    var watchedMiB: Int { memoryMiB / 4 }

    /// Such as `4 x 512M`.
    var name: String { "\(guests) x \(memoryName)" }

    /// Such as `512M` or `1G`.
    var memoryName: String { memoryMiB % 1024 == 0 ? "\(memoryMiB / 1024)G" : "\(memoryMiB)M" }

    /// The kernel's words in each guest.
    var kernelWords: String {
        """
        console=tty0 quiet loglevel=0 canary.port=hvc0 canary.memory=\(watchedMiB)M canary.dirty=max canary.disk=none \
        canary.sample_us=20000
        """
    }
}

/// A way to bring guests to another hypervisor.
enum NestedMethod: String, Sendable, Hashable, Codable, CaseIterable {
    /// `refresh hypervisor`, one guest stopped at a time: its default.
    case oneByOne = "one-by-one"
    /// `refresh hypervisor --parallel N`: all guests stopped at once.
    case atOnce = "at-once"
    /// Ordinary live migration of all guests at once, their memory copied.
    case precopy

    /// As tables and charts call it.
    var title: String {
        switch self {
        case .oneByOne: "refresh, one by one"
        case .atOnce: "refresh, all at once"
        case .precopy: "pre-copy migration"
        }
    }
}
