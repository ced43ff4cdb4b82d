internal import JSON
public import StackFile
public import VirtualMachines

/// A container's place in one OS VM: what is prepared for it there, how CRIU takes it out and in, and what is seen of it.
///
/// Each call is one verb of Scripts/container.sh, and one call of the agent: a round trip through two kernels. CRIU is called
/// itself, not through runc: runc can neither keep what it restored from running until it may, nor keep what it dumped for the
/// case that it must come back (docs/decisions/0012-criu-without-runc.md).
public struct ContainerPlace: Sendable {
    /// The container.
    public let spec: ContainerSpec
    /// The OS VM.
    public let system: Hypervisor

    /// Describes a place.
    ///
    /// - Parameters:
    ///   - spec: The container.
    ///   - system: The OS VM.
    public init(_ spec: ContainerSpec, in system: Hypervisor) {
        self.spec = spec
        self.system = system
    }

    private var name: String { spec.name }
    private var port: String { ControlChannel.port(of: name) }

    /// The shell script behind every call, for `/bin/sh -eu`.
    static let script = InnerNetwork.script + String(decoding: PackageResources.container_sh, as: UTF8.self)
    private static let timersProgram = String(decoding: PackageResources.timers_pl, as: UTF8.self)

    /// - Parameters:
    ///   - startsUnit: Whether the verb starts a unit, which runs a copy of the script.
    @discardableResult
    private func run(
        _ verb: String, _ arguments: [String] = [], startsUnit: Bool = false, to purpose: String,
        within deadline: Duration = .seconds(30)
    ) async throws(HypervisorError) -> String {
        let files = InnerGuestFiles(guest: name)
        let card = spec.card
        return try await system.agent.run(
            Self.script, [verb, name, card == nil ? "" : files.tap(0), card?.mac ?? "", files.console] + arguments,
            input: startsUnit ? Array(Self.script.utf8) : [], to: purpose, within: deadline)
    }
}

// MARK: - The place

extension ContainerPlace {
    /// Mounts the bundle, makes network and control group, and notes where the image store is.
    ///
    /// Nothing to do for what is there already.
    ///
    /// - Parameters:
    ///   - store: The block device of the image store here, such as `/dev/pmem0`.
    ///   - rootFolder: The folder of the root file system within the bundle.
    /// - Throws: ``HypervisorError``.
    public func prepare(store: String, rootFolder: String) async throws(HypervisorError) {
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

    /// Removes what ``prepare(store:rootFolder:)`` made, so that the bundle and the store can be unplugged.
    ///
    /// - Throws: ``HypervisorError``.
    public func clear() async throws(HypervisorError) {
        try await run("clear", to: "clean up after container \(name)")
    }

    /// Empties the image store and leaves a word in it, or reads the word that was left, and unmounts it.
    ///
    /// - Parameter word: What to leave; `nil` to leave nothing.
    /// - Returns: The word that was in it.
    /// - Throws: ``HypervisorError``.
    public func exchange(_ word: String?) async throws(HypervisorError) -> String {
        try await run("exchange", [word ?? ""], to: "use the image store of container \(name)")
    }

    /// Starts the container anew by runc, in a systemd unit.
    ///
    /// - Parameter bundle: Its bundle.
    /// - Throws: ``HypervisorError`` with runc's words.
    public func start(_ bundle: OCIBundle) async throws(HypervisorError) {
        try await run(
            "start", [bundle.runtimeConfig(of: spec).encoded()], startsUnit: true, to: "start container \(name)",
            within: .seconds(60))
    }

    /// Asks the container to end, and ends it if it does not.
    ///
    /// - Parameter grace: How long it may take after SIGTERM; zero ends it at once.
    /// - Throws: ``HypervisorError`` when it may not have ended.
    public func stop(grace: Duration) async throws(HypervisorError) {
        try await run(
            "stop", ["\(grace.components.seconds * 10)"], to: "stop container \(name)", within: grace + .seconds(30))
    }
}

// MARK: - Out of an OS VM

extension ContainerPlace {
    /// Copies memory into the image store while the container runs: all of it, then what was written since.
    ///
    /// - Parameter round: From 0, each once.
    /// - Returns: How many bytes were copied, and how many the store has left.
    /// - Throws: ``HypervisorError`` with CRIU's words; the container is as it was.
    public func copyMemory(round: Int) async throws(HypervisorError) -> (copied: UInt64, left: UInt64) {
        let text = try await run(
            "copy-memory", ["\(round)"], to: "copy the memory of container \(name)", within: .seconds(120))
        let numbers = text.split(whereSeparator: \.isWhitespace).compactMap { UInt64($0) }
        guard numbers.count == 2 else {
            throw HypervisorError(
                "OS VM \(system.record.hypervisor) does not say how much of container \(name) was copied",
                remedy: "See its console.", evidence: [text])
        }
        return (copied: numbers[0], left: numbers[1])
    }

    /// Prepares ``dump(over:within:)``: a script waits for the word, so that nothing is prepared while the container stands
    /// still.
    ///
    /// - Parameters:
    ///   - rounds: How many rounds of copying went before.
    ///   - channel: Where the script waits.
    /// - Throws: ``HypervisorError``.
    public func prepareDump(afterRounds rounds: Int, over channel: ControlChannel) async throws(HypervisorError) {
        let purpose = "prepare the dump of container \(name)"
        try await run("prepare-dump", ["\(rounds)", port, channel.token], startsUnit: true, to: purpose)
        try await channel.hear(to: purpose, within: .seconds(20))
    }

    /// Freezes the container and writes the rest of it to the image store, which is then free for the new OS VM.
    ///
    /// The frozen processes remain until it is certain that they are not needed any more.
    ///
    /// - Parameters:
    ///   - channel: Where ``prepareDump(afterRounds:over:)`` has the script wait.
    ///   - deadline: How long it may take.
    /// - Returns: When what happened.
    /// - Throws: ``HypervisorError`` with CRIU's words.
    public func dump(over channel: ControlChannel, within deadline: Duration) async throws(HypervisorError)
        -> StepTimes
    {
        StepTimes(try await channel.tell("dump", to: "dump container \(name)", within: deadline))
    }

    /// Ends what is there of the container, for good, and releases the image store.
    ///
    /// - Throws: ``HypervisorError`` when it may not have ended.
    public func end() async throws(HypervisorError) {
        try await run("end", to: "end container \(name)", within: .seconds(20))
    }

    /// Brings back a container that was to leave: its processes run on where they were frozen.
    ///
    /// - Parameter thaw: Whether they ran before.
    /// - Throws: ``HypervisorError`` when it is not there any more.
    public func takeBack(thaw: Bool) async throws(HypervisorError) {
        try await run("take-back", [thaw ? "yes" : "no"], to: "resume container \(name)", within: .seconds(90))
    }
}

// MARK: - Into an OS VM

extension ContainerPlace {
    /// Starts what will restore the container, up to the point where it needs the images.
    ///
    /// - Parameter channel: Where its script waits for the word.
    /// - Throws: ``HypervisorError``.
    public func prepareRestore(over channel: ControlChannel) async throws(HypervisorError) {
        let purpose = "prepare for container \(name)"
        try await run(
            "prepare-restore", [port, channel.token, Self.timersProgram], startsUnit: true, to: purpose)
        try await channel.hear(to: purpose, within: .seconds(20))
    }

    /// Restores the container from the image store; its processes are complete and stopped then.
    ///
    /// - Parameters:
    ///   - channel: Where ``prepareRestore(over:)`` has the script wait.
    ///   - deadline: How long it may take.
    /// - Returns: When what happened.
    /// - Throws: ``HypervisorError`` with CRIU's words.
    public func restore(over channel: ControlChannel, within deadline: Duration) async throws(HypervisorError)
        -> StepTimes
    {
        StepTimes(try await channel.tell("restore", to: "restore container \(name)", within: deadline))
    }

    /// Runs what was restored, and announces it to its network.
    ///
    /// - Parameter channel: Where ``restore(over:within:)`` has left the script waiting.
    /// - Throws: ``HypervisorError``; it may run nevertheless, and ``resume()`` may be tried.
    public func resume(over channel: ControlChannel) async throws(HypervisorError) {
        _ = try await channel.tell("resume", to: "run container \(name)", within: .seconds(10))
    }

    /// Runs what was restored, whoever restored it; harmless if it runs already.
    ///
    /// - Throws: ``HypervisorError``.
    public func resume() async throws(HypervisorError) {
        try await run("resume", to: "run container \(name)")
    }

    /// Makes runc know what was restored, and releases the image store.
    ///
    /// - Throws: ``HypervisorError``.
    public func adopt() async throws(HypervisorError) {
        try await run("adopt", to: "make runc know container \(name)")
    }
}

// MARK: - What is seen of it

extension ContainerPlace {
    /// Looks at the container.
    ///
    /// - Returns: What is seen.
    /// - Throws: ``HypervisorError`` when the agent does not answer.
    public func observe() async throws(HypervisorError) -> ContainerObservation {
        let word = try await run("observe", to: "look at container \(name)", within: .seconds(15))
        guard let observation = ContainerObservation(rawValue: word.filter { !$0.isWhitespace }) else {
            throw HypervisorError(
                "OS VM \(system.record.hypervisor) does not say what container \(name) does",
                remedy: "See its console.", evidence: [word])
        }
        return observation
    }

    /// Asks CRIU and looks through what the container has open.
    ///
    /// - Returns: What was found.
    /// - Throws: ``HypervisorError`` when the agent does not answer or CRIU is not there.
    public func check() async throws(HypervisorError) -> ContainerCheck {
        ContainerCheck(try await run("check", to: "check container \(name)", within: .seconds(60)))
    }

    /// Dumps and restores a process that nobody needs; once in the life of an OS VM, before any container stands still.
    ///
    /// - Throws: ``HypervisorError`` with CRIU's words.
    public func tryCRIU() async throws(HypervisorError) {
        try await run(
            "try-criu", to: "try a dump and a restore in OS VM \(system.record.hypervisor)", within: .seconds(60))
    }

    /// What must be left beside a container's memory: an OS VM without any memory left ends programs.
    private static let margin: UInt64 = 32 << 20

    /// How many bytes the processes, and the files that they have in memory, take now.
    ///
    /// - Throws: ``HypervisorError``.
    public func memoryInUse() async throws(HypervisorError) -> UInt64 {
        try bytes(try await run("memory-in-use", to: "measure the memory of container \(name)"))
    }

    /// Makes sure that there is memory for what is to come.
    ///
    /// - Parameter bytes: How much.
    /// - Throws: ``HypervisorError`` when there is not so much.
    public func requireRoom(for bytes: UInt64) async throws(HypervisorError) {
        let available = try self.bytes(
            try await run("memory-left", to: "see how much memory is left for container \(name)"))
        guard available >= bytes + Self.margin else {
            throw HypervisorError(
                "OS VM \(system.record.hypervisor) has \(available >> 20) MiB of memory left, and container \(name) takes "
                    + "\(bytes >> 20) MiB",
                remedy: "Give the OS VM more memory in the stack file and refresh it, or relocate something away.")
        }
    }

    private func bytes(_ text: String) throws(HypervisorError) -> UInt64 {
        guard let bytes = UInt64(text.filter { !$0.isWhitespace }) else {
            throw HypervisorError(
                "OS VM \(system.record.hypervisor) does not say how much memory there is",
                remedy: "See its console.", evidence: [text])
        }
        return bytes
    }
}
