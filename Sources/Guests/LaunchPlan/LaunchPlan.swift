internal import QEMUCommandLine

/// How to start the new QEMU while the old one runs: the old command line, changed only where two processes would
/// conflict.
///
/// The plan is a function of the command line and the facts; creating it has no side effects. From its own command line
/// it creates the same one again, except for the temporary names and descriptor numbers.
public struct LaunchPlan: Sendable, Hashable {
    /// The binary to execute.
    public var executable: String
    /// The argument vector, the binary's name first.
    public var arguments: [String]
    /// The complete environment, each entry as `NAME=value`.
    public var environment: [String]
    /// The directory to start in: the one for the relative paths of the old command line.
    public var workingDirectory: String
    /// Whether the new QEMU must be started with the privileges of the controller.
    ///
    /// It then drops them itself (`-runas`, `-chroot`, `-run-with`), as the old one did. Otherwise it is started with
    /// the old process's credentials.
    public var startsAsController: Bool
    /// The descriptors that it inherits.
    public var descriptors: [PlannedDescriptor]
    /// Standard input.
    public var standardInput: StandardStream
    /// Standard output.
    public var standardOutput: StandardStream
    /// Standard error, which also receives QEMU's log.
    public var standardError: StandardStream
    /// The paths to rename after commit.
    public var endpoints: [Endpoint]
    /// The actions after RESUME.
    public var followUps: [FollowUp]
    /// The absolute path of the unix socket where the new QEMU's QMP monitor listens until it is renamed.
    public var qmpSocket: String
    /// What the administrator should know before the handoff.
    public var warnings: [LaunchProblem]

    /// Creates the plan.
    ///
    /// - Parameters:
    ///   - commandLine: the old process's command line.
    ///   - facts: the other facts about the old process.
    ///   - target: the binary to start.
    ///   - handoffID: eight hexadecimal digits in lower case, not used by an earlier handoff of this guest.
    /// - Returns: the plan, with warnings about changes that are visible from outside the guest.
    /// - Throws: ``LaunchPlanError`` with everything that prevents a handoff.
    public static func make(
        commandLine: CommandLine,
        facts: LaunchFacts,
        target: QEMUBinary,
        handoffID: String
    ) throws(LaunchPlanError) -> LaunchPlan {
        precondition(LastingPath.isHandoffID(handoffID), "a handoff's id is eight hexadecimal digits in lower case")
        let kept = RemovedObject.filter(commandLine.options, removing: facts.removals)
        var planner = LaunchPlanner(
            options: kept + facts.additions,
            facts: facts,
            target: target,
            handoffID: handoffID
        )
        let arguments = planner.arguments(commandLine, options: kept)
        let qmpSocket = planner.qmpSocket()
        guard planner.problems.isEmpty, let qmpSocket else { throw LaunchPlanError(problems: planner.problems) }
        return LaunchPlan(
            executable: target.path,
            arguments: arguments,
            environment: planner.environment(),
            workingDirectory: planner.directory,
            startsAsController: kept.contains(where: \.givesUpRights),
            descriptors: planner.descriptors,
            standardInput: planner.stream(0),
            standardOutput: planner.stream(1),
            standardError: planner.logPath.map { .append(path: $0) } ?? planner.stream(2),
            endpoints: planner.endpoints,
            followUps: planner.followUps,
            qmpSocket: qmpSocket,
            warnings: planner.warnings
        )
    }
}

extension LaunchPlanner {
    /// Returns the complete argument vector.
    fileprivate mutating func arguments(_ commandLine: CommandLine, options old: [CommandLineOption]) -> [String] {
        let setOptions = old.filter { $0.name == "add-fd" }
        var options = old.filter { $0.name != "add-fd" }.flatMap { plan($0) }
        options += facts.additions.flatMap { plan($0) }
        if !setOptions.isEmpty || facts.fdSets?.isEmpty == false { options += fdSets(setOptions) }
        checkMemory(options)
        let added =
            target.firmwareDirectories.map { CommandLineOption("L", $0) } + missingMachine(options)
            + missingAccelerators(commandLine)
        let waiting = [CommandLineOption("S"), CommandLineOption("incoming", "defer")]
        var folders: Set<String> = []
        let all = (added + options + waiting).filter { option in
            // A wrapper around a binary may add its directories to a command line that already has them.
            option.name != "L" || folders.insert(option.value ?? "").inserted
        }
        return CommandLine(executable: target.path, options: all).arguments
    }

    /// Returns the old process's stream, or /dev/null if it was started without.
    fileprivate func stream(_ number: Int32) -> StandardStream {
        let isThere = facts.descriptors.isEmpty || facts.descriptors[number] != nil
        return isThere ? .oldProcess(number) : .append(path: "/dev/null")
    }

    /// Returns the environment with the new binary's module directory instead of the old one's.
    fileprivate func environment() -> [String] {
        let name = "\(ModuleDirectory.variable)="
        let kept = facts.environment.filter { variable in
            let isOurs = facts.binary.moduleDirectory.map { variable == name + $0 } ?? false
            return !isOurs && !(target.moduleDirectory != nil && variable.hasPrefix(name))
        }
        return kept + (target.moduleDirectory.map { [name + $0] } ?? [])
    }

    /// Returns where the new QEMU's monitor answers until it is renamed.
    fileprivate mutating func qmpSocket() -> String? {
        let monitors = endpoints.filter { $0.kind == .qmp }
        let chosen = monitors.first { $0.lasting == facts.qmpSocket } ?? monitors.first
        if chosen == nil {
            refuse(
                .monitorMissing,
                nil,
                "No QMP monitor listens on a unix socket.",
                remedy: "Start the guest with -qmp unix:PATH,server=on,wait=off."
            )
        }
        return chosen?.temporary
    }
}

extension CommandLineOption {
    /// Whether the option makes QEMU drop privileges once it has opened everything.
    fileprivate var givesUpRights: Bool {
        switch name {
        case "runas", "chroot": true
        case "run-with": properties?["user"] != nil || properties?["chroot"] != nil
        default: false
        }
    }
}
