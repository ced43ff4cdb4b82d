internal import JSON
package import StackFile
package import VirtualMachines

/// A container's place in one OS VM: its preparation, CRIU's dump and restore, and its observation.
///
/// Each call is one verb of Scripts/container.sh, and one call of the agent: a round trip through two kernels.
/// hyperfresh calls CRIU directly, not through runc: runc can neither keep a restored container stopped until it may
/// run, nor keep a dumped one in case it must come back (docs/decisions/0012-criu-without-runc.md).
package struct ContainerPlace: Sendable {
    /// The container.
    package let spec: ContainerSpec
    /// The OS VM.
    package let system: Hypervisor

    /// Describes a place; nothing is prepared yet.
    ///
    /// - Parameters:
    ///   - spec: The container.
    ///   - system: The OS VM.
    package init(_ spec: ContainerSpec, in system: Hypervisor) {
        self.spec = spec
        self.system = system
    }

    private var name: String { spec.name }
    private var port: String { ControlChannel.port(of: name) }

    /// The shell script behind every call, for `/bin/sh -eu`.
    static let script = InnerFunctions.script + String(decoding: PackageResources.container_sh, as: UTF8.self)
    private static let timersProgram = String(decoding: PackageResources.timers_pl, as: UTF8.self)

    /// Runs a verb of the script; `startsUnit` tells whether the verb starts a unit, which runs a copy of the script.
    ///
    /// The verb reads `input`, and then the copy, from standard input.
    @discardableResult
    private func run(
        _ verb: String, _ arguments: [String] = [], input: [UInt8] = [], startsUnit: Bool = false, to purpose: String,
        within deadline: Duration = .seconds(30)
    ) async throws(HypervisorError) -> String {
        let files = InnerGuestFiles(guest: name)
        let card = spec.card
        return try await system.agent.run(
            Self.script, [verb, name, card == nil ? "" : files.tap(0), card?.mac ?? "", files.console] + arguments,
            input: input + (startsUnit ? Array(Self.script.utf8) : []), to: purpose, within: deadline)
    }
}

// MARK: - The place

extension ContainerPlace {
    /// Mounts the bundle, creates network and control group, and records the block device of the image store.
    ///
    /// Skips anything that exists already.
    ///
    /// - Parameters:
    ///   - store: The block device of the image store here, such as `/dev/pmem0`.
    ///   - rootFolder: The folder of the root file system within the bundle.
    /// - Throws: ``HypervisorError``.
    package func prepare(store: String, rootFolder: String) async throws(HypervisorError) {
        var network = ["", "", "", "", ""]
        if let card = spec.card {
            network = [
                InnerGuestFiles.bridge(card.network),
                HardwareAddress.derived(instance: system.record.runName, network: card.network), card.network,
                card.address, card.gateway ?? "",
            ]
        }
        try await run(
            "prepare", [store, rootFolder, "\(spec.memory)"] + network, to: "prepare container \(name)",
            within: .seconds(60))
    }

    /// Removes what ``prepare(store:rootFolder:)`` created, so that the bundle and the store can be unplugged.
    ///
    /// - Throws: ``HypervisorError``.
    package func clear() async throws(HypervisorError) {
        try await run("clear", to: "clean up after container \(name)")
    }

    /// Reads the word in the image store, replaces the contents of the store by another word, and unmounts it.
    ///
    /// - Parameter word: The new word; `nil` leaves the store as it is.
    /// - Returns: The word that was in the store.
    /// - Throws: ``HypervisorError``.
    package func exchange(_ word: String?) async throws(HypervisorError) -> String {
        try await run("exchange", [word ?? ""], to: "use the image store of container \(name)")
    }

    /// Starts a new run of the container with runc, in a systemd unit.
    ///
    /// - Parameter bundle: Its bundle.
    /// - Throws: ``HypervisorError`` with runc's message.
    package func start(_ bundle: OCIBundle) async throws(HypervisorError) {
        let config = Array(bundle.runtimeConfig(of: spec).encoded().utf8)
        try await run(
            "start", ["\(config.count)"], input: config, startsUnit: true, to: "start container \(name)",
            within: .seconds(60))
    }

    /// Asks the container to end, and kills it if it does not.
    ///
    /// - Parameter grace: How long it may take after SIGTERM; zero kills it at once.
    /// - Throws: ``HypervisorError`` if it may still run.
    package func stop(grace: Duration) async throws(HypervisorError) {
        try await run(
            "stop", ["\(grace.components.seconds * 10)"], to: "stop container \(name)", within: grace + .seconds(30))
    }
}

// MARK: - Out of an OS VM

extension ContainerPlace {
    /// Copies memory into the image store while the container runs: all of it, then the pages written since.
    ///
    /// - Parameter round: Counts from 0; each round once.
    /// - Returns: The bytes copied, and the bytes free in the store.
    /// - Throws: ``HypervisorError`` with CRIU's message; the container is unchanged.
    package func copyMemory(round: Int) async throws(HypervisorError) -> (copied: UInt64, left: UInt64) {
        let text = try await run(
            "copy-memory", ["\(round)"], to: "copy the memory of container \(name)", within: .seconds(120))
        let numbers = text.split(whereSeparator: \.isWhitespace).compactMap { UInt64($0) }
        guard numbers.count == 2 else {
            throw HypervisorError(
                "OS VM \(system.record.hypervisor) did not report how much of container \(name) was copied",
                remedy: "See the console of the OS VM.", evidence: [text])
        }
        return (copied: numbers[0], left: numbers[1])
    }

    /// Prepares ``dump(over:within:)``: a script waits for the order, so that no preparation is left when the container
    /// is frozen.
    ///
    /// - Parameters:
    ///   - rounds: The number of rounds already copied.
    ///   - channel: The channel on which the script waits.
    /// - Throws: ``HypervisorError``.
    package func prepareDump(afterRounds rounds: Int, over channel: ControlChannel) async throws(HypervisorError) {
        let purpose = "prepare the dump of container \(name)"
        try await run("prepare-dump", ["\(rounds)", port, channel.token], startsUnit: true, to: purpose)
        try await channel.hear(to: purpose, within: .seconds(20))
    }

    /// Freezes the container and writes the rest of it to the image store, which is then free for the new OS VM.
    ///
    /// The frozen processes remain until they are certainly not needed any more.
    ///
    /// - Parameters:
    ///   - channel: The channel on which the script of ``prepareDump(afterRounds:over:)`` waits.
    ///   - deadline: How long it may take.
    /// - Returns: The times of the steps.
    /// - Throws: ``HypervisorError`` with CRIU's message.
    package func dump(over channel: ControlChannel, within deadline: Duration) async throws(HypervisorError)
        -> StepTimes
    {
        StepTimes(try await channel.tell("dump", to: "dump container \(name)", within: deadline))
    }

    /// Kills every process of the container here and releases the image store.
    ///
    /// - Throws: ``HypervisorError`` if processes may remain.
    package func end() async throws(HypervisorError) {
        try await run("end", to: "end container \(name)", within: .seconds(20))
    }

    /// Takes a dumped container back: its processes continue where they were frozen.
    ///
    /// - Parameter thaw: Whether its processes ran before.
    /// - Throws: ``HypervisorError`` if it has no process any more.
    package func takeBack(thaw: Bool) async throws(HypervisorError) {
        try await run("take-back", [thaw ? "yes" : "no"], to: "resume container \(name)", within: .seconds(90))
    }
}

// MARK: - Into an OS VM

extension ContainerPlace {
    /// Starts the unit that will restore the container, up to the point where it needs the images.
    ///
    /// - Parameter channel: The channel on which its script waits.
    /// - Throws: ``HypervisorError``.
    package func prepareRestore(over channel: ControlChannel) async throws(HypervisorError) {
        let purpose = "prepare for container \(name)"
        try await run(
            "prepare-restore", [port, channel.token, Self.timersProgram], startsUnit: true, to: purpose)
        try await channel.hear(to: purpose, within: .seconds(20))
    }

    /// Restores the container from the image store; its processes are then complete and stopped.
    ///
    /// - Parameters:
    ///   - channel: The channel on which the script of ``prepareRestore(over:)`` waits.
    ///   - deadline: How long it may take.
    /// - Returns: The times of the steps.
    /// - Throws: ``HypervisorError`` with CRIU's message.
    package func restore(over channel: ControlChannel, within deadline: Duration) async throws(HypervisorError)
        -> StepTimes
    {
        StepTimes(try await channel.tell("restore", to: "restore container \(name)", within: deadline))
    }

    /// Resumes the restored processes and announces the container to its network.
    ///
    /// - Parameter channel: The channel on which the script waits after ``restore(over:within:)``.
    /// - Throws: ``HypervisorError``; the container may run nevertheless, and ``resume()`` may be tried.
    package func resume(over channel: ControlChannel) async throws(HypervisorError) {
        _ = try await channel.tell("resume", to: "run container \(name)", within: .seconds(10))
    }

    /// Resumes the restored processes, without a waiting script; harmless if they run already.
    ///
    /// - Throws: ``HypervisorError``.
    package func resume() async throws(HypervisorError) {
        try await run("resume", to: "run container \(name)")
    }

    /// Registers the restored container with runc and releases the image store.
    ///
    /// - Throws: ``HypervisorError``.
    package func adopt() async throws(HypervisorError) {
        try await run("adopt", to: "register container \(name) with runc")
    }
}

// MARK: - Observation and checks

extension ContainerPlace {
    /// Observes the container.
    ///
    /// - Returns: Its state in this OS VM.
    /// - Throws: ``HypervisorError`` if the agent does not answer.
    package func observe() async throws(HypervisorError) -> ContainerObservation {
        let word = try await run("observe", to: "observe container \(name)", within: .seconds(15))
        guard let observation = ContainerObservation(rawValue: word.filter { !$0.isWhitespace }) else {
            throw HypervisorError(
                "OS VM \(system.record.hypervisor) did not report the state of container \(name)",
                remedy: "See the console of the OS VM.", evidence: [word])
        }
        return observation
    }

    /// Runs `criu check` and examines the open files of the container.
    ///
    /// - Returns: The results.
    /// - Throws: ``HypervisorError`` if the agent does not answer or CRIU is not installed.
    package func check() async throws(HypervisorError) -> ContainerCheck {
        ContainerCheck(try await run("check", to: "check container \(name)", within: .seconds(60)))
    }

    /// Dumps and restores a test process; once in the life of an OS VM, before any container is frozen.
    ///
    /// - Throws: ``HypervisorError`` with CRIU's message.
    package func tryCRIU() async throws(HypervisorError) {
        try await run(
            "try-criu", to: "try a dump and a restore in OS VM \(system.record.hypervisor)", within: .seconds(60))
    }

    /// Bytes that must stay free in addition to a container's memory: a kernel without free memory kills processes.
    private static let margin: UInt64 = 32 << 20

    /// Returns how many bytes the container's processes, and their files in memory, use now.
    ///
    /// - Throws: ``HypervisorError``.
    package func memoryInUse() async throws(HypervisorError) -> UInt64 {
        try bytes(try await run("memory-in-use", to: "measure the memory of container \(name)"))
    }

    /// Checks that the OS VM has enough free memory.
    ///
    /// - Parameter bytes: The memory needed.
    /// - Throws: ``HypervisorError`` if less is free.
    package func requireRoom(for bytes: UInt64) async throws(HypervisorError) {
        let available = try self.bytes(
            try await run("memory-left", to: "measure the free memory for container \(name)"))
        guard available >= bytes + Self.margin else {
            throw HypervisorError(
                "OS VM \(system.record.hypervisor) has \(available >> 20) MiB of free memory, and container "
                    + "\(name) uses \(bytes >> 20) MiB",
                remedy: "Give the OS VM more memory in the stack file and refresh it, or relocate another container "
                    + "away.")
        }
    }

    private func bytes(_ text: String) throws(HypervisorError) -> UInt64 {
        guard let bytes = UInt64(text.filter { !$0.isWhitespace }) else {
            throw HypervisorError(
                "OS VM \(system.record.hypervisor) did not report an amount of memory",
                remedy: "See the console of the OS VM.", evidence: [text])
        }
        return bytes
    }
}
