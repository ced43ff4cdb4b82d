/// Guests of one hypervisor that are handed over together: their number and size.
///
/// All of them rewrite memory continuously.
struct NestedShape: Sendable, Hashable, Codable {
    /// The memory of each guest in MiB.
    let memoryMiB: Int
    let guests: Int

    /// The part of its memory that each fills, verifies and rewrites: a quarter, as for the guests of `switch`.
    var watchedMiB: Int { memoryMiB / 4 }

    /// A name such as `4 x 512M`.
    var name: String { "\(guests) x \(memoryName)" }

    /// A size such as `512M` or `1G`.
    var memoryName: String { memoryMiB % 1024 == 0 ? "\(memoryMiB / 1024)G" : "\(memoryMiB)M" }

    /// The kernel arguments of each guest.
    var kernelWords: String {
        """
        console=tty0 quiet loglevel=0 canary.port=hvc0 canary.memory=\(watchedMiB)M canary.dirty=max canary.disk=none \
        canary.sample_us=20000
        """
    }
}

/// A way to move guests to another hypervisor.
enum NestedMethod: String, Sendable, Hashable, Codable, CaseIterable {
    /// `refresh hypervisor`, which by default stops one guest at a time.
    case oneByOne = "one-by-one"
    /// `refresh hypervisor --parallel N`: all guests stopped at once.
    case atOnce = "at-once"
    /// Ordinary live migration of all guests at once, which copies their memory.
    case precopy

    /// The name in tables and charts.
    var title: String {
        switch self {
        case .oneByOne: "refresh, one by one"
        case .atOnce: "refresh, all at once"
        case .precopy: "pre-copy migration"
        }
    }
}
