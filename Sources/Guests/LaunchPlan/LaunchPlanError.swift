/// Why no command line for a new QEMU can be made from the old one's.
///
/// It names everything that stands in the way, not only the first thing. Nothing has been touched.
public struct LaunchPlanError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What stands in the way, in the order of the command line; never empty.
    public let problems: [LaunchProblem]

    /// One line a problem.
    public var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}
