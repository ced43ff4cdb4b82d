internal import Linux
internal import Synchronization

/// Sends commands to a script that waits in a hypervisor, and receives lines from it.
///
/// The script uses a virtio-serial port, this host a socket (``HotPlug/Relay``). The guest agent has to start a process
/// for each command and is then polled until that process exits; this channel starts no process, and an answer arrives
/// at once.
package final class ControlChannel: Sendable {
    /// The last line of a successful answer: the script has executed the command, or waits for the first one.
    package let done: String
    /// The last line of a failed answer; the lines before it give the reason.
    package let failed: String
    /// The limit for an answer, in bytes; longer answers are an error.
    private static let most = 64 << 10

    /// Marks commands and answers as belonging to this channel.
    package let token: String
    private let stream: UnixStream
    private let hypervisor: String
    private let isClosed = Mutex(false)

    /// Returns the device file of the port in the hypervisor.
    ///
    /// - Parameter tenant: The name of the guest or container.
    /// - Returns: The path of the device file.
    package static func port(of tenant: String) -> String {
        "/dev/virtio-ports/\(InnerGuestFiles(guest: tenant).relayPort)"
    }

    /// Connects to the port.
    ///
    /// Connect before a script opens the port: a script that finds no peer exits.
    ///
    /// - Parameters:
    ///   - tenant: The name of the guest or container.
    ///   - hypervisor: The hypervisor to which the port (``HotPlug/Relay``) is attached.
    /// - Throws: ``HypervisorError``.
    package convenience init(to tenant: String, in hypervisor: Hypervisor) throws(HypervisorError) {
        let name = hypervisor.record.hypervisor
        do throws(SystemError) {
            self.init(try UnixStream.connect(path: hypervisor.folder.relaySocket(tenant)), hypervisor: name)
        } catch {
            throw HypervisorError(
                "VM \(name): cannot open the control channel of \(tenant)",
                remedy: "Run `hyperfresh ps` to see whether it runs.", evidence: ["\(error)"])
        }
    }

    init(_ stream: UnixStream, hypervisor: String, token: UInt32 = .random(in: 0x1000_0000 ... .max)) {
        // The port may hold an answer to an earlier controller that died, and a script may receive a command of that
        // controller. The token tells these from ours.
        self.token = "\(token)"
        (done, failed) = ("done \(token)", "failed \(token)")
        self.stream = stream
        self.hypervisor = hypervisor
    }

    /// Returns the text that a script receives, as one argument, for a command.
    ///
    /// - Parameter word: The command, without whitespace.
    /// - Returns: The command with this channel's token, without whitespace.
    package func order(_ word: String) -> String { "\(word)-\(token)" }

    /// Sends the script a command and waits for the answer.
    ///
    /// - Parameters:
    ///   - word: The command, without whitespace.
    ///   - purpose: Completes the error message "cannot <purpose>".
    ///   - deadline: The longest time that it may take.
    /// - Returns: The answer, without ``done``.
    /// - Throws: ``HypervisorError`` when the script reported a failure (with its output), exited, or did not answer in
    ///   time.
    package func tell(_ word: String, to purpose: String, within deadline: Duration) async throws(HypervisorError)
        -> String
    {
        do throws(SystemError) { try stream.send(Array("\(order(word))\n".utf8)) } catch {
            throw silence(purpose, because: "\(error)")
        }
        return try await hear(to: purpose, within: deadline)
    }

    /// Waits for an answer without sending a command: the script's report that it is ready.
    ///
    /// - Parameters:
    ///   - purpose: Completes the error message "cannot <purpose>".
    ///   - deadline: The longest time that it may take.
    /// - Returns: The answer, without ``done``.
    /// - Throws: ``HypervisorError`` as for ``tell(_:to:within:)``.
    @discardableResult
    package func hear(to purpose: String, within deadline: Duration) async throws(HypervisorError) -> String {
        var lines = try await received(purpose, within: deadline).split(separator: "\n").map(String.init)
        guard lines.popLast() == done else {
            throw HypervisorError(
                "VM \(hypervisor): cannot \(purpose)",
                remedy: "Run `hyperfresh doctor`, and read hypervisors/\(hypervisor)/*/console.log "
                    + "in the state folder.",
                evidence: Array(lines.suffix(12)))
        }
        return lines.joined(separator: "\n")
    }

    /// Closes the connection and ends every wait; a script that waits for a command exits.
    package func close() {
        isClosed.withLock { $0 = true }
        stream.shutdown()
    }

    /// Waits in its own thread: a blocking wait would hold a thread of Swift's cooperative pool.
    private func received(_ purpose: String, within deadline: Duration) async throws(HypervisorError) -> String {
        let end = ContinuousClock.now + deadline
        let result: Result<String, HypervisorError> = await withCheckedContinuation { continuation in
            do throws(SystemError) {
                try startThread(name: "control") {
                    do throws(HypervisorError) {
                        continuation.resume(returning: .success(try self.receive(purpose, until: end)))
                    } catch {
                        continuation.resume(returning: .failure(error))
                    }
                }
            } catch {
                continuation.resume(returning: .failure(silence(purpose, because: "\(error)")))
            }
        }
        return try result.get()
    }

    private func receive(_ purpose: String, until end: ContinuousClock.Instant) throws(HypervisorError) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while bytes.count < Self.most {
            let count: Int
            do throws(SystemError) { count = try receive(into: &buffer, within: max(.zero, end - .now)) } catch {
                throw silence(purpose, because: "\(error)", after: bytes)
            }
            guard count > 0 else {
                throw silence(
                    purpose, because: isClosed.withLock { $0 } ? "the channel was closed" : "the OS VM has exited",
                    after: bytes)
            }
            bytes += buffer.prefix(count)
            if isComplete(bytes) { return String(decoding: bytes, as: UTF8.self) }
        }
        throw silence(purpose, because: "it sent more than \(Self.most) bytes")
    }

    /// Returns whether the last line is complete and ends an answer.
    private func isComplete(_ bytes: [UInt8]) -> Bool {
        guard bytes.last == UInt8(ascii: "\n") else { return false }
        let last = bytes.dropLast().reversed().prefix { $0 != UInt8(ascii: "\n") }.reversed()
        return [done, failed].contains { last.elementsEqual($0.utf8) }
    }

    private func receive(into buffer: inout [UInt8], within patience: Duration) throws(SystemError) -> Int {
        var failure: SystemError?
        let count = buffer.withUnsafeMutableBytes { room in
            do throws(SystemError) { return try stream.receive(into: room, within: patience).count } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return count
    }

    private func silence(_ purpose: String, because reason: String, after bytes: [UInt8] = []) -> HypervisorError {
        HypervisorError(
            "VM \(hypervisor): cannot \(purpose): it does not answer",
            remedy: "Read hypervisors/\(hypervisor)/*/console.log in the state folder.",
            evidence: String(decoding: bytes, as: UTF8.self).split(separator: "\n").suffix(11).map(String.init) + [
                reason
            ])
    }
}
