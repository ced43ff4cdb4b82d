public import QMP

/// Runs commands in a hypervisor through its stock guest agent.
///
/// A command's children live in the agent's control group. A process that must outlive the agent needs its own systemd
/// unit (``InnerUnit``).
public final class HypervisorAgent: Sendable {
    private let client: QGAClient
    /// The hypervisor's name, for messages.
    private let hypervisor: String

    /// Wraps a connected agent client.
    ///
    /// - Parameters:
    ///   - client: The agent's client; ``close()`` closes it.
    ///   - hypervisor: The hypervisor's name, for messages.
    public init(_ client: QGAClient, hypervisor: String) {
        self.client = client
        self.hypervisor = hypervisor
    }

    /// Waits until the agent answers.
    ///
    /// - Parameter patience: The longest wait; a hypervisor has to boot first.
    /// - Returns: Whether it answered.
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

    /// Runs a shell script in the hypervisor and waits until it exits.
    ///
    /// Put all steps into one script: each call of the agent is a round trip through two kernels.
    ///
    /// - Parameters:
    ///   - script: The script, run by `/bin/sh -eu`.
    ///   - arguments: `$1` and so on, passed unchanged.
    ///   - input: The script's standard input.
    ///   - purpose: Completes the error message "cannot <purpose>".
    ///   - deadline: The longest time that the script may take.
    /// - Returns: The script's standard output.
    /// - Throws: ``HypervisorError`` when the agent does not answer or the script fails; the evidence is the script's
    ///   output.
    @discardableResult
    public func run(
        _ script: String, _ arguments: [String] = [], input: [UInt8] = [], to purpose: String,
        within deadline: Duration = .seconds(30)
    ) async throws(HypervisorError) -> String {
        let end = try await result(script, arguments, input: input, to: purpose, within: deadline)
        guard end.exitCode == 0 else {
            let words = String(decoding: end.errors + end.output, as: UTF8.self)
            throw HypervisorError(
                "VM \(hypervisor): cannot \(purpose)",
                remedy: "Run `hyperfresh doctor`, and read hypervisors/\(hypervisor)/*/console.log "
                    + "in the state folder.",
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
    ///   - input: The script's standard input.
    ///   - purpose: Completes the error message "cannot <purpose>".
    ///   - deadline: The longest time that the script may take.
    /// - Returns: The script's standard output.
    /// - Throws: ``HypervisorError`` as for ``run(_:_:input:to:within:)``.
    @discardableResult
    public func run(
        verb: String, _ arguments: [String] = [], input: [UInt8] = [], to purpose: String,
        within deadline: Duration = .seconds(30)
    ) async throws(HypervisorError) -> String {
        try await run(Self.guestScript, [verb] + arguments, input: input, to: purpose, within: deadline)
    }

    static let guestScript = InnerFunctions.script + String(decoding: PackageResources.guest_sh, as: UTF8.self)

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
                // The agent sends no event when a process exits: poll.
                pause = min(pause * 2, .milliseconds(100))
            }
        } catch {
            throw HypervisorError(
                "VM \(hypervisor): cannot \(purpose): its agent does not answer",
                remedy: "Whatever runs in it is unaffected. Read "
                    + "hypervisors/\(hypervisor)/*/console.log in the state folder.",
                evidence: ["\(error)"])
        }
        throw HypervisorError(
            "VM \(hypervisor): cannot \(purpose) within \(deadline)",
            remedy: "Check that this host has spare CPU time, and read hypervisors/\(hypervisor)/*/console.log "
                + "in the state folder.")
    }

    /// Closes the connection; the hypervisor keeps running.
    public func close() { client.close() }
}
