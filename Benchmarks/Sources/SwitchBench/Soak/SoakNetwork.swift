import Glibc
import Linux

/// A tap of this host, and the addresses at both ends.
struct SoakNetwork {
    let tap: String
    let guestAddress: String

    /// Creates the tap; it is removed with the run.
    ///
    /// - Throws: ``BenchError`` with the output of `ip`, or if this user cannot create taps.
    init(_ scratch: Scratch) throws {
        guard geteuid() == 0, Files.exists("/dev/net/tun") else {
            throw BenchError("a soak uses a TCP session through a tap, which needs root and /dev/net/tun")
        }
        tap = scratch.tap
        // Concurrent runs use different networks.
        let network = "10.231.\(128 + getpid() % 127)"
        guestAddress = "\(network).2"
        for words in [
            ["tuntap", "add", tap, "mode", "tap"], ["address", "add", "\(network).1/30", "dev", tap],
            ["link", "set", tap, "up"],
        ] {
            let outcome = try ChildProcess(executable: "ip", arguments: words).run(in: scratch)
            guard outcome.status == 0 else { throw BenchError("ip \(words.joined(separator: " ")): \(outcome.errors)") }
        }
    }
}
