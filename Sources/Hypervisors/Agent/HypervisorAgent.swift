public import QMP

/// The way into a hypervisor: runs commands there through its stock guest agent.
///
/// What a command starts lives in the agent's control group; what is to stay is started as a systemd unit of its own
/// (``InnerUnit``).
public final class HypervisorAgent: Sendable {
    private let client: QGAClient
    /// The hypervisor's name, for messages.
    private let hypervisor: String

    /// Speaks to an agent.
    ///
    /// - Parameters:
    ///   - client: The agent's client; closed with this value.
    ///   - hypervisor: The hypervisor's name, for messages.
    public init(_ client: QGAClient, hypervisor: String) {
        self.client = client
        self.hypervisor = hypervisor
    }

    /// Waits until the agent answers.
    ///
    /// - Parameter patience: How long; a hypervisor has to boot first.
    /// - Returns: Whether it did.
    public func answers(within patience: Duration) async -> Bool {
        let end = ContinuousClock.now + patience
        while ContinuousClock.now < end, !Task.isCancelled {
            do throws(QMPError) {
                try await client.execute(GuestPing(), deadline: min(.milliseconds(500), end - .now))
                return true
            } catch {
                guard error.code == .timeout else { return false }
            }
        }
        return false
    }

    /// Runs a shell script in the hypervisor to its end.
    ///
    /// One script, however many steps: each call of the agent is a round trip through two kernels.
    ///
    /// - Parameters:
    ///   - script: For `/bin/sh -eu`.
    ///   - arguments: `$1` and so on, as they are.
    ///   - input: What it reads from standard input.
    ///   - purpose: What it is for, for messages: "cannot <purpose>".
    ///   - deadline: How long it may take.
    /// - Returns: What it wrote to standard output.
    /// - Throws: ``HypervisorError`` when the agent does not answer, or the script fails; its words are the evidence.
    @discardableResult
    public func run(
        _ script: String, _ arguments: [String] = [], input: [UInt8] = [], to purpose: String,
        within deadline: Duration = .seconds(30)
    ) async throws(HypervisorError) -> String {
        let end = try await result(script, arguments, input: input, to: purpose, within: deadline)
        guard end.exitCode == 0 else {
            let words = String(decoding: end.errors + end.output, as: UTF8.self)
            throw HypervisorError(
                "hypervisor \(hypervisor): cannot \(purpose)",
                remedy: "Its console and `hyperfresh doctor` may say more.",
                evidence: words.split(whereSeparator: \.isNewline).suffix(12).map(String.init)
                    + [end.signal.map { "ended by signal \($0)" } ?? "exit status \(end.exitCode ?? -1)"])
        }
        return String(decoding: end.output, as: UTF8.self)
    }

    /// Runs a verb of Scripts/guest.sh.
    ///
    /// - Parameters:
    ///   - verb: The verb.
    ///   - arguments: Its arguments.
    ///   - input: What it reads from standard input.
    ///   - purpose: What it is for, for messages: "cannot <purpose>".
    ///   - deadline: How long it may take.
    /// - Returns: What it wrote to standard output.
    /// - Throws: ``HypervisorError`` as for ``run(_:_:input:to:within:)``.
    @discardableResult
    public func run(
        verb: String, _ arguments: [String] = [], input: [UInt8] = [], to purpose: String,
        within deadline: Duration = .seconds(30)
    ) async throws(HypervisorError) -> String {
        try await run(Self.guestScript, [verb] + arguments, input: input, to: purpose, within: deadline)
    }

    static let guestScript = [PackageResources.network_sh, PackageResources.guest_sh]
        .map { String(decoding: $0, as: UTF8.self) }.joined()

    private func result(
        _ script: String, _ arguments: [String], input: [UInt8], to purpose: String, within deadline: Duration
    ) async throws(HypervisorError) -> GuestExecStatus.Reply {
        let end = ContinuousClock.now + deadline
        do throws(QMPError) {
            let command = GuestExec("/bin/sh", ["-euc", script, "sh"] + arguments, input: input)
            let pid = try await client.execute(command, deadline: deadline)
            var pause = Duration.milliseconds(2)
            while ContinuousClock.now < end {
                let status = try await client.execute(GuestExecStatus(pid: pid), deadline: max(end - .now, .seconds(1)))
                if status.hasExited { return status }
                guard (try? await Task.sleep(for: pause)) != nil else { break }
                // The agent does not tell by itself.
                pause = min(pause * 2, .milliseconds(100))
            }
        } catch {
            throw HypervisorError(
                "hypervisor \(hypervisor): cannot \(purpose): its agent does not answer",
                remedy: "See its console; the guests in it are not concerned.", evidence: ["\(error)"])
        }
        throw HypervisorError(
            "hypervisor \(hypervisor): cannot \(purpose) within \(deadline)",
            remedy: "See its console; is this host short of CPU time?")
    }

    /// Ends the connection; the hypervisor does not notice.
    public func close() { client.close() }
}
