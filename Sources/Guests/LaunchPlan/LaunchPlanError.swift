/// Why no command line for a new QEMU can be derived from the old one's.
///
/// Lists every problem, not only the first. Nothing has been changed.
public struct LaunchPlanError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The problems, in the order of the command line; never empty.
    public let problems: [LaunchProblem]

    /// One problem per line.
    public var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}
