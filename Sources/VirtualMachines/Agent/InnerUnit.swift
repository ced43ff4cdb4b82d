public import QMP
public import StackFile

/// The systemd unit, inside a hypervisor, that runs the QEMU of one guest.
///
/// Because the unit is separate from the agent's, a restart of the agent does not kill guests.
public struct InnerUnit: Sendable, Hashable {
    /// The guest's name.
    public let guest: String

    /// Names the unit of a guest.
    ///
    /// - Parameter guest: The guest's name.
    public init(_ guest: String) { self.guest = guest }

    private var files: InnerGuestFiles { InnerGuestFiles(guest: guest) }
    /// The QEMU's standard error, a file inside the hypervisor.
    private var errorLog: String { "\(InnerGuestFiles.directory)/\(guest).log" }

    /// Starts a QEMU in the unit and connects to its monitor.
    ///
    /// - Parameters:
    ///   - arguments: The QEMU's command line, the program first.
    ///   - cards: The guest's cards; their taps are attached to the networks' bridges as soon as QEMU has created them.
    ///   - channel: The channel's socket on this host.
    ///   - agent: The hypervisor's agent.
    /// - Returns: A client of the QEMU's monitor.
    /// - Throws: ``HypervisorError`` with the QEMU's output.
    public func start(
        _ arguments: [String], cards: [CardSpec], channel: String, by agent: HypervisorAgent
    ) async throws(HypervisorError) -> QMPClient {
        let taps = cards.enumerated().flatMap { index, card in
            [files.tap(index), InnerGuestFiles.bridge(card.network)]
        }
        return try await connect(through: channel) { () throws(HypervisorError) in
            try await agent.run(
                verb: "start",
                [files.unit, files.qmp, errorLog, files.relayUnit, "\(cards.count)"] + taps + arguments,
                to: "start the QEMU of guest \(guest)", within: .seconds(90))
        }
    }

    /// Kills the QEMU and waits until it is gone.
    ///
    /// Does nothing if it is already gone.
    ///
    /// - Parameters:
    ///   - agent: The hypervisor's agent.
    ///   - deadline: The longest time that the agent may take.
    /// - Throws: ``HypervisorError`` when the QEMU may still exist.
    public func end(by agent: HypervisorAgent, within deadline: Duration = .seconds(10)) async throws(HypervisorError) {
        try await agent.run(
            verb: "end", [files.unit, files.relayUnit], to: "end the QEMU of guest \(guest)", within: deadline)
    }

    /// Returns whether the QEMU exists.
    ///
    /// - Parameter agent: The hypervisor's agent.
    /// - Returns: Whether the unit has processes.
    /// - Throws: ``HypervisorError`` when the agent does not answer.
    public func isActive(by agent: HypervisorAgent) async throws(HypervisorError) -> Bool {
        let answer = try await agent.run(
            verb: "is-running", [files.unit], to: "look for the QEMU of guest \(guest)", within: .seconds(10))
        return answer.filter { !$0.isWhitespace } == "yes"
    }

    /// Returns the end of the QEMU's standard error.
    ///
    /// - Parameter agent: The hypervisor's agent.
    /// - Returns: At most twelve lines; none when the agent does not answer.
    public func lastWords(by agent: HypervisorAgent) async -> [String] {
        let text = try? await agent.run(
            verb: "last-words", [errorLog], to: "read the log of guest \(guest)",
            within: .seconds(5))
        return (text ?? "").split(whereSeparator: \.isNewline).map(String.init)
    }

    /// Connects to the monitor of a running QEMU.
    ///
    /// - Parameters:
    ///   - channel: The channel's socket on this host.
    ///   - agent: The hypervisor's agent.
    /// - Returns: A client of the QEMU's monitor; the relay exits when the client disconnects.
    /// - Throws: ``HypervisorError``.
    public func connect(
        through channel: String, agent: HypervisorAgent
    ) async throws(HypervisorError) -> QMPClient {
        try await connect(through: channel) { () throws(HypervisorError) in
            try await agent.run(
                verb: "restart", [files.relayUnit], to: "open the monitor of guest \(guest)",
                within: .seconds(20))
        }
    }

    /// Connects first and starts the relay then: QEMU's greeting is lost if no client is connected.
    private func connect(
        through channel: String, startingRelay: () async throws(HypervisorError) -> String
    ) async throws(HypervisorError) -> QMPClient {
        var obstacle: HypervisorError?
        do throws(QMPError) {
            return try await QMPClient.connect(
                path: channel, greetingDeadline: .seconds(20),
                opening: { () throws(QMPError) in
                    do throws(HypervisorError) { _ = try await startingRelay() } catch {
                        obstacle = error
                        throw QMPError(.cancelled, error.message, endpoint: channel)
                    }
                })
        } catch {
            throw obstacle
                ?? HypervisorError(
                    "the monitor of guest \(guest) does not answer through the hypervisor's relay",
                    remedy: "`hyperfresh status` shows whether a refresh is running. Disconnect any other client of "
                        + "this monitor, then try again.",
                    evidence: ["\(error)"])
        }
    }
}
