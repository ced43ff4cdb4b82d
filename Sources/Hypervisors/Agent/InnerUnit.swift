public import QMP

/// The systemd unit, inside a hypervisor, in which the QEMU of one guest lives.
///
/// A unit of its own: an agent that is restarted does not take guests along.
public struct InnerUnit: Sendable, Hashable {
    /// The guest's name.
    public let guest: String

    /// The unit of a guest.
    ///
    /// - Parameter guest: The guest's name.
    public init(_ guest: String) { self.guest = guest }

    private var files: InnerGuestFiles { InnerGuestFiles(guest: guest) }
    /// What the QEMU says on standard error, inside the hypervisor.
    private var errorLog: String { "\(InnerGuestFiles.directory)/\(guest).log" }

    /// Starts a QEMU in the unit and connects to its monitor.
    ///
    /// - Parameters:
    ///   - arguments: The QEMU's, the program first.
    ///   - preparation: Shell lines for when its monitor is there; `await FILE` waits for what it makes later.
    ///   - channel: The channel's socket on this host.
    ///   - agent: The hypervisor's agent.
    /// - Returns: A client like any other.
    /// - Throws: ``HypervisorError`` with the QEMU's words.
    public func start(
        _ arguments: [String], then preparation: String, channel: String, by agent: HypervisorAgent
    ) async throws(HypervisorError) -> QMPClient {
        let script = """
            unit=$1 socket=$2 log=$3 relay=$4; shift 4
            rm -f "$socket" "$log"
            systemctl reset-failed "$unit" 2>/dev/null || true
            systemd-run --quiet --unit="$unit" --property=StandardError=append:"$log" \
                --property=OOMScoreAdjust=-500 --property=TimeoutStopSec=5 -- "$@"
            \(Self.awaiting)
            await "$socket"
            \(preparation)
            systemctl restart "$relay"
            """
        return try await connect(through: channel) { () throws(HypervisorError) in
            try await agent.run(
                script, [files.unit, files.qmp, errorLog, files.relayUnit] + arguments,
                to: "start the QEMU of guest \(guest)", within: .seconds(90))
        }
    }

    /// Shell lines that define `await FILE`: waits until the QEMU of `$unit` has made it, or has ended.
    ///
    /// A QEMU makes its monitor first, and then its devices, one after the other.
    static let awaiting = """
        tries=0
        await() {
            until [ -e "$1" ]; do
                systemctl is-active --quiet "$unit" || { cat "$log" >&2; exit 1; }
                tries=$((tries + 1)); [ $tries -lt 600 ] || { echo "$1 did not appear" >&2; exit 1; }
                sleep 0.05
            done
        }
        """

    /// Ends the QEMU for good, and waits until it is gone.
    ///
    /// Nothing to do when it is gone already.
    ///
    /// - Parameters:
    ///   - agent: The hypervisor's agent.
    ///   - deadline: How long the agent may take.
    /// - Throws: ``HypervisorError`` when that cannot be made sure of.
    public func end(by agent: HypervisorAgent, within deadline: Duration = .seconds(10)) async throws(HypervisorError) {
        try await agent.run(
            """
            systemctl stop "$2" 2>/dev/null || true
            systemctl kill --signal=KILL "$1" 2>/dev/null || true
            tries=0
            while systemctl is-active --quiet "$1"; do
                tries=$((tries + 1)); [ $tries -lt 200 ] || { echo "it does not end" >&2; exit 1; }
                sleep 0.02
            done
            systemctl reset-failed "$1" 2>/dev/null || true
            """, [files.unit, files.relayUnit], to: "end the QEMU of guest \(guest)", within: deadline)
    }

    /// Whether the QEMU is there.
    ///
    /// - Parameter agent: The hypervisor's agent.
    /// - Returns: Whether the unit is active.
    /// - Throws: ``HypervisorError`` when the agent does not answer.
    public func isActive(by agent: HypervisorAgent) async throws(HypervisorError) -> Bool {
        let answer = try await agent.run(
            "systemctl is-active \"$1\" || true", [files.unit], to: "look for the QEMU of guest \(guest)",
            within: .seconds(10))
        return ["active", "activating", "deactivating"].contains(answer.filter { !$0.isWhitespace })
    }

    /// The QEMU's last words.
    ///
    /// - Parameter agent: The hypervisor's agent.
    /// - Returns: At most twelve lines; none when the agent does not answer.
    public func lastWords(by agent: HypervisorAgent) async -> [String] {
        let text = try? await agent.run(
            "tail -n 12 \"$1\" 2>/dev/null || true", [errorLog], to: "read the log of guest \(guest)",
            within: .seconds(5))
        return (text ?? "").split(whereSeparator: \.isNewline).map(String.init)
    }

    /// Connects to the monitor of a QEMU that runs.
    ///
    /// - Parameters:
    ///   - channel: The channel's socket on this host.
    ///   - agent: The hypervisor's agent.
    /// - Returns: A client like any other; the relay ends with it.
    /// - Throws: ``HypervisorError``.
    public func connect(
        through channel: String, agent: HypervisorAgent
    ) async throws(HypervisorError) -> QMPClient {
        try await connect(through: channel) { () throws(HypervisorError) in
            try await agent.run(
                "systemctl restart \"$1\"", [files.relayUnit], to: "open the monitor of guest \(guest)",
                within: .seconds(20))
        }
    }

    /// The relay is started after this side has connected: a greeting that nobody hears is lost.
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
                    remedy: "Whoever holds it must let go: `hyperfresh status` shows whether a refresh goes on.",
                    evidence: ["\(error)"])
        }
    }
}
