package import QEMUCommandLine

/// How to start the new QEMU while the old one runs: the old command line, changed only where two processes would
/// conflict.
///
/// The plan is a function of the command line and the facts; creating it has no side effects. From its own command line
/// it creates the same one again, except for the temporary names and descriptor numbers.
package struct LaunchPlan: Sendable, Hashable {
    /// The binary to execute.
    package var executable: String
    /// The argument vector, the binary's name first.
    package var arguments: [String]
    /// The complete environment, each entry as `NAME=value`.
    package var environment: [String]
    /// The directory to start in: the one for the relative paths of the old command line.
    package var workingDirectory: String
    /// Whether the new QEMU must be started with the privileges of the controller.
    ///
    /// It then drops them itself (`-runas`, `-chroot`, `-run-with`), as the old one did. Otherwise it is started with
    /// the old process's credentials.
    package var startsAsController: Bool
    /// The descriptors that it inherits.
    package var descriptors: [PlannedDescriptor]
    /// Standard input.
    package var standardInput: StandardStream
    /// Standard output.
    package var standardOutput: StandardStream
    /// Standard error, which also receives QEMU's log.
    package var standardError: StandardStream
    /// The paths to rename after commit.
    package var endpoints: [Endpoint]
    /// The actions after RESUME.
    package var followUps: [FollowUp]
    /// The absolute path of the unix socket where the new QEMU's QMP monitor listens until it is renamed.
    package var qmpSocket: String
    /// What the administrator should know before the handoff.
    package var warnings: [LaunchProblem]

    /// Creates the plan.
    ///
    /// - Parameters:
    ///   - commandLine: the old process's command line.
    ///   - facts: the other facts about the old process.
    ///   - target: the binary to start.
    ///   - handoffID: eight hexadecimal digits in lower case, not used by an earlier handoff of this guest.
    /// - Returns: the plan, with warnings about changes that are visible from outside the guest.
    /// - Throws: ``LaunchPlanError`` with everything that prevents a handoff.
    package static func make(
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

/// Why no command line for a new QEMU can be derived from the old one's.
///
/// Lists every problem, not only the first. Nothing has been changed.
package struct LaunchPlanError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The problems, in the order of the command line; never empty.
    package let problems: [LaunchProblem]

    /// One problem per line.
    package var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}

/// A part of a command line that prevents a handoff, or that the administrator should know about.
package struct LaunchProblem: Sendable, Hashable, CustomStringConvertible {
    /// The permanent name of the condition.
    package let finding: FindingID
    /// The affected option, as on the command line; nil if an option is missing.
    package let option: String?
    /// What is wrong.
    package let message: String
    /// What to do about it.
    package let remedy: String

    /// Creates a problem; the message and the remedy are complete sentences.
    package init(_ finding: FindingID, option: String?, message: String, remedy: String) {
        self.finding = finding
        self.option = option
        self.message = message
        self.remedy = remedy
    }

    /// The name, the option, the message and the remedy.
    package var description: String {
        "\(finding): \(option.map { $0 + ": " } ?? "")\(message) \(remedy)"
    }
}

/// An action in the new QEMU after RESUME, not possible while the old one exists, or not possible on a command line.
package enum FollowUp: Sendable, Hashable {
    /// Make the VNC display listen on these TCP sockets of the old process.
    ///
    /// Send `getfd` for each, then one `display-update` with all of them. The command line has the other settings.
    /// `display-update` changes only the first display, so `display` is always that one.
    case vncListen(display: String, oldDescriptors: [Int32])
    /// Add a forwarding rule once the old process has exited and its port is free: `hostfwd_add [NETDEV] RULE` (HMP).
    ///
    /// Without a netdev, the rule applies to the only user network.
    case hostForward(netdev: String?, rule: String)
}

/// Where a standard stream of the new QEMU goes.
package enum StandardStream: Sendable, Hashable {
    /// To the same place as this descriptor of the old process.
    case oldProcess(Int32)
    /// To this file, opened for append and created if missing; a path may be relative to the working directory.
    case append(path: String)
}

/// A descriptor that the new QEMU inherits at its start.
package struct PlannedDescriptor: Sendable, Hashable {
    /// Where the controller gets it.
    package enum Source: Sendable, Hashable {
        /// This descriptor of the old process, taken with pidfd_getfd.
        case oldProcess(Int32)
        /// A newly opened /dev/vhost-net.
        case vhostNet
    }

    /// The purpose of a descriptor; some require care while both processes hold it.
    package enum Role: Sendable, Hashable {
        /// The only queue of a tap interface.
        ///
        /// A starting QEMU sets the interface's vnet header length and offloads to its own defaults, while the old QEMU
        /// still uses the interface: the controller must restore the header length until the switch (TUNGETVNETHDRSZ,
        /// TUNSETVNETHDRSZ).
        case tap(interface: String?)
        /// A vhost-net device for a queue.
        case vhostNet
        /// A listening TCP socket.
        case listener
        /// A member of an fd set.
        case fdSet(id: Int)
        /// Any other descriptor that an option names by number.
        case other
    }

    /// Where it comes from.
    package var source: Source
    /// Its number in the new process; always 10 or above.
    package var number: Int32
    /// Its purpose.
    package var role: Role

    /// Creates a descriptor; `number` must be 10 or above.
    package init(source: Source, number: Int32, role: Role) {
        self.source = source
        self.number = number
        self.role = role
    }
}
