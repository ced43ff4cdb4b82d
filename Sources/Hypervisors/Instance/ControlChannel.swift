internal import Linux
internal import Synchronization

/// The way to a script that waits in a hypervisor: a word to it, and lines from it.
///
/// A virtio-serial port there, a socket here (``HotPlug/Relay``). What the guest agent runs has to be started first, and be asked
/// again and again whether it has ended; what is said here is heard at once, and nothing is started for it.
public final class ControlChannel: Sendable {
    /// The last line of an answer: the script has done what it was told to, or waits for the first word.
    public let done: String
    /// The last line of an answer: the script could not; the lines before it say why.
    public let failed: String
    /// No script has more to say; a hypervisor that does is not listened to.
    private static let most = 64 << 10

    /// What makes a word and an answer this channel's.
    public let token: String
    private let stream: UnixStream
    private let hypervisor: String
    private let isClosed = Mutex(false)

    /// The name of the port in the hypervisor.
    ///
    /// - Parameter tenant: The name of the guest or container.
    /// - Returns: The path of its device file.
    public static func port(of tenant: String) -> String {
        "/dev/virtio-ports/\(InnerGuestFiles(guest: tenant).relayPort)"
    }

    /// Connects to the port, before a script opens it: a script that finds nobody at the other end ends.
    ///
    /// - Parameters:
    ///   - tenant: The name of the guest or container.
    ///   - hypervisor: The hypervisor, to which its ``HotPlug/Relay`` was attached.
    /// - Throws: ``HypervisorError``.
    public convenience init(to tenant: String, in hypervisor: Hypervisor) throws(HypervisorError) {
        let name = hypervisor.record.hypervisor
        do throws(SystemError) {
            self.init(try UnixStream.connect(path: hypervisor.folder.relaySocket(tenant)), hypervisor: name)
        } catch {
            throw HypervisorError(
                "hypervisor \(name): the control channel of \(tenant) cannot be opened",
                remedy: "`hyperfresh ps` shows whether it runs.", evidence: ["\(error)"])
        }
    }

    init(_ stream: UnixStream, hypervisor: String, token: UInt32 = .random(in: 0x1000_0000 ... .max)) {
        // What a script could not tell to a controller that has died comes now, and what that has told may come to a script of
        // ours: neither is taken for what it looks like.
        self.token = "\(token)"
        (done, failed) = ("done \(token)", "failed \(token)")
        self.stream = stream
        self.hypervisor = hypervisor
    }

    /// What a script hears as one argument when it is told a word.
    ///
    /// - Parameter word: Without whitespace.
    /// - Returns: The word with what makes it this channel's, without whitespace.
    public func order(_ word: String) -> String { "\(word)-\(token)" }

    /// Tells the script a word, and waits for what it has to say to that.
    ///
    /// - Parameters:
    ///   - word: Without whitespace.
    ///   - purpose: What it is for, for messages: "cannot <purpose>".
    ///   - deadline: How long it may take.
    /// - Returns: What it said, but for ``done``.
    /// - Throws: ``HypervisorError``, with the script's words, when it failed; or when it has ended, or says nothing.
    public func tell(_ word: String, to purpose: String, within deadline: Duration) async throws(HypervisorError)
        -> String
    {
        do throws(SystemError) { try stream.send(Array("\(order(word))\n".utf8)) } catch {
            throw silence(purpose, because: "\(error)")
        }
        return try await hear(to: purpose, within: deadline)
    }

    /// Waits for what the script has to say without being told anything: that it waits.
    ///
    /// - Parameters:
    ///   - purpose: What it is for, for messages: "cannot <purpose>".
    ///   - deadline: How long it may take.
    /// - Returns: What it said, but for ``done``.
    /// - Throws: ``HypervisorError`` as for ``tell(_:to:within:)``.
    @discardableResult
    public func hear(to purpose: String, within deadline: Duration) async throws(HypervisorError) -> String {
        var lines = try await received(purpose, within: deadline).split(separator: "\n").map(String.init)
        guard lines.popLast() == done else {
            throw HypervisorError(
                "hypervisor \(hypervisor): cannot \(purpose)",
                remedy: "Its console and `hyperfresh doctor` may say more.", evidence: Array(lines.suffix(12)))
        }
        return lines.joined(separator: "\n")
    }

    /// Ends the connection, and with it every wait; a script that waits for a word ends.
    public func close() {
        isClosed.withLock { $0 = true }
        stream.shutdown()
    }

    /// In a thread of its own: a wait that must be over at once is not one for the pool of all tasks.
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
                    purpose, because: isClosed.withLock { $0 } ? "it was given up" : "the hypervisor has ended",
                    after: bytes)
            }
            bytes += buffer.prefix(count)
            if isComplete(bytes) { return String(decoding: bytes, as: UTF8.self) }
        }
        throw silence(purpose, because: "more than \(Self.most) bytes were said")
    }

    /// Whether the last line is one that ends an answer, and is there as a whole.
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
            "hypervisor \(hypervisor): cannot \(purpose): nothing is heard of it", remedy: "See its console.",
            evidence: String(decoding: bytes, as: UTF8.self).split(separator: "\n").suffix(11).map(String.init) + [
                reason
            ])
    }
}
