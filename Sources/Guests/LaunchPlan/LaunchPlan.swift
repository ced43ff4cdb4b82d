/// How to start the new QEMU beside the old one: the old command line, changed only where two processes would get
/// into each other's way.
///
/// The plan is a function of the command line and the facts. It takes nothing and touches nothing. Applied to the
/// command line that it makes, it makes the same one again but for the temporary names and descriptor numbers.
public struct LaunchPlan: Sendable, Hashable {
    /// The binary to execute.
    public var executable: String
    /// The argument vector, the binary's name first.
    public var arguments: [String]
    /// The whole environment, each as `NAME=value`.
    public var environment: [String]
    /// The folder to start in: the one in which the old command line's relative paths are right.
    public var workingDirectory: String
    /// Whether the new QEMU must be started with the rights of the controller.
    ///
    /// It gives them up by itself then (`-runas`, `-chroot`, `-run-with`), as the old one did. Otherwise it is started
    /// with the old process's credentials.
    public var startsAsController: Bool
    /// The descriptors that it finds open.
    public var descriptors: [InheritedDescriptor]
    /// Standard input.
    public var standardInput: StandardStream
    /// Standard output.
    public var standardOutput: StandardStream
    /// Standard error, where QEMU's log goes too.
    public var standardError: StandardStream
    /// The paths to rename after commit.
    public var endpoints: [Endpoint]
    /// What to do after RESUME.
    public var followUps: [FollowUp]
    /// The absolute path of the unix socket where the new QEMU's QMP monitor listens until it is renamed.
    public var qmpSocket: String
    /// What one should know before.
    public var warnings: [LaunchProblem]

    /// Makes the plan.
    ///
    /// - Parameters:
    ///   - commandLine: the old process's command line.
    ///   - facts: what else is known of the old process.
    ///   - target: the binary to start.
    ///   - handoffID: eight hexadecimal digits in lower case, which no earlier refresh of this guest used.
    /// - Returns: the plan, with warnings for what changes for those who look at the guest from outside.
    /// - Throws: ``LaunchPlanError`` with all that stands in the way.
    public static func make(
        commandLine: CommandLine,
        facts: LaunchFacts,
        target: QEMUBinary,
        handoffID: String
    ) throws(LaunchPlanError) -> LaunchPlan {
        throw LaunchPlanError(problems: [])
    }
}
