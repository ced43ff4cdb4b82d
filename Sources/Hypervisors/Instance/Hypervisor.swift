public import Linux
internal import Logging
public import QMP
internal import Synchronization

/// A running hypervisor in our hands: its process, its QEMU's monitor and its agent.
public final class Hypervisor: Sendable {
    /// What is remembered of it.
    public let record: InstanceRecord
    /// Its sockets and logs.
    public let folder: InstanceFolder
    /// The QEMU that runs it.
    public let process: ProcessHandle
    /// That QEMU's monitor.
    public let monitor: QMPClient
    /// The way into it.
    public let agent: HypervisorAgent

    init(
        record: InstanceRecord, folder: InstanceFolder, process: ProcessHandle, monitor: QMPClient,
        agent: HypervisorAgent
    ) {
        self.record = record
        self.folder = folder
        self.process = process
        self.monitor = monitor
        self.agent = agent
    }

    /// Reaches a hypervisor that runs.
    ///
    /// - Parameters:
    ///   - record: What is remembered of it.
    ///   - folder: Its sockets and logs.
    ///   - patience: How long its monitor may take.
    /// - Returns: The hypervisor; whether its agent answers shows with the first command.
    /// - Throws: ``HypervisorError`` when its process is gone, or its monitor does not answer.
    public static func reach(
        _ record: InstanceRecord, in folder: InstanceFolder, within patience: Duration = .seconds(5)
    ) async throws(HypervisorError) -> Hypervisor {
        do {
            let process = try ProcessHandle(record.process)
            let monitor = try await withLogger(
                mergingMetadata: ["side": "\(record.hypervisor)-\(record.id)"]
            ) { _ async throws(QMPError) in
                try await QMPClient.connect(path: folder.qmpSocket, greetingDeadline: patience)
            }
            guard monitor.peer?.pid == record.process.pid else {
                monitor.close()
                throw HypervisorError(
                    "what answers at \(folder.qmpSocket) is not hypervisor \(record.hypervisor)",
                    remedy: "Somebody else took its place: look at the folder.")
            }
            let agent = try await QGAClient.connect(path: folder.agentSocket)
            return Hypervisor(
                record: record, folder: folder, process: process, monitor: monitor,
                agent: HypervisorAgent(agent, hypervisor: record.hypervisor))
        } catch let error as HypervisorError {
            throw error
        } catch {
            throw HypervisorError(
                "hypervisor \(record.hypervisor) (instance \(record.id), pid \(record.process.pid)) cannot be reached",
                remedy: "`hyperfresh ps` shows what runs; another controller may be at work on it.",
                evidence: ["\(error)"])
        }
    }

    /// Lets go of it; it runs on.
    public func close() {
        agent.close()
        monitor.close()
    }

    /// Ends it with all that runs in it, at once.
    ///
    /// - Parameter deadline: How long the kernel may take.
    /// - Returns: Whether it is gone.
    public func end(within deadline: Duration = .seconds(20)) async -> Bool {
        // Refused only when it is gone already, which the wait finds.
        try? process.signal(9)
        // In a task of its own: whoever was cancelled cleans up by this, and has to know.
        return await Task { [process] in await process.waitForExit(within: deadline) }.value
    }

    /// The last lines of a console.
    ///
    /// - Parameters:
    ///   - folder: The instance's.
    ///   - limit: At most so many lines.
    /// - Returns: The lines, without control characters.
    public static func consoleTail(_ folder: InstanceFolder, limit: Int = 12) -> [String] {
        let bytes = (try? Files.readAll(folder.consoleLog, limit: 64 << 20)) ?? []
        return String(decoding: bytes.suffix(16 << 10), as: UTF8.self)
            .split(whereSeparator: \.isNewline)
            .map { String($0.unicodeScalars.filter { $0.value >= 32 && $0.value != 127 }.map(Character.init)) }
            .filter { !$0.isEmpty }
            .suffix(limit)
    }
}

extension Hypervisor {
    /// Attaches what a guest needs, as far as it is not there: hot-plugged, without a pause of anything.
    ///
    /// - Parameter plugs: In this order.
    /// - Throws: ``HypervisorError`` with QEMU's words; what was attached before stays.
    public func attach(_ plugs: [HotPlug.Steps]) async throws(HypervisorError) {
        let present = try await attachedDevices()
        for plug in plugs where !present.contains(plug.device) {
            try await asking("attach \(plug.device)") { monitor throws(QMPError) in
                for command in plug.commands {
                    try await monitor.executeRaw(command.name, arguments: command.arguments, deadline: .seconds(60))
                }
            }
        }
    }

    /// Takes away what a guest had, as far as it is there.
    ///
    /// - Parameter plugs: In this order.
    /// - Throws: ``HypervisorError`` with QEMU's words, or when the hypervisor does not give a device up; what was taken away
    ///   before is gone.
    public func detach(_ plugs: [HotPlug.Steps]) async throws(HypervisorError) {
        for plug in plugs where try await attachedDevices().contains(plug.device) {
            for command in plug.commands {
                try await takeAway(plug.device, by: command)
                try await waitUntilGone(plug.device)
            }
        }
    }

    /// What was behind a device is in use for a moment after the device is gone.
    private func takeAway(_ device: String, by command: HotPlug.Steps.Command) async throws(HypervisorError) {
        for triesLeft in (0..<100).reversed() {
            do throws(HypervisorError) {
                _ = try await asking("take \(device) away") { monitor throws(QMPError) in
                    try await monitor.executeRaw(command.name, arguments: command.arguments)
                }
                return
            } catch {
                guard triesLeft > 0, !process.hasExited else { throw error }
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    /// A device that was told to go does so when its driver has let go of it.
    private func waitUntilGone(_ device: String) async throws(HypervisorError) {
        for _ in 0..<200 {
            guard try await attachedDevices().contains(device) else { return }
            try? await Task.sleep(for: .milliseconds(50))
        }
        throw HypervisorError(
            "hypervisor \(record.hypervisor) does not give \(device) up",
            remedy: "Something in it uses it still. Run the same again, or refresh the hypervisor.")
    }

    /// Whether a guest's memory is, or was, attached: it stays for as long as the hypervisor runs.
    ///
    /// - Parameter guest: The guest's name.
    /// - Returns: Whether its NVDIMM is there.
    /// - Throws: ``HypervisorError`` when the monitor does not say.
    public func hasMemory(of guest: String) async throws(HypervisorError) -> Bool {
        try await attachedDevices().contains(HotPlug.memoryDevice(of: guest))
    }

    /// The guests and containers whose memory or image store is attached to it, whether or not they are active.
    ///
    /// - Returns: Their names.
    /// - Throws: ``HypervisorError`` when the monitor does not say.
    public func tenantsWithMemory() async throws(HypervisorError) -> Set<String> {
        Set(try await attachedDevices().compactMap(HotPlug.tenant(ofMemoryDevice:)))
    }

    func attachedDevices() async throws(HypervisorError) -> Set<String> {
        try await asking("say what is attached to it") { monitor throws(QMPError) in
            Set(try await monitor.execute(QOMList(path: "/machine/peripheral")).map(\.name))
        }
    }

    /// Where a guest's memory lies in this hypervisor's physical address space.
    ///
    /// - Parameter guest: The guest's name.
    /// - Returns: The address.
    /// - Throws: ``HypervisorError`` when it is not attached.
    public func memoryAddress(of guest: String) async throws(HypervisorError) -> UInt64 {
        let devices = try await asking("look for guest memory") { monitor throws(QMPError) in
            try await monitor.execute(QueryMemoryDevices())
        }
        guard let address = devices.first(where: { $0.id == HotPlug.memoryDevice(of: guest) })?.address else {
            throw HypervisorError(
                "hypervisor \(record.hypervisor): the memory of guest \(guest) is not attached",
                remedy: "Take the hypervisor down and up again.")
        }
        return address
    }

    func asking<T>(
        _ purpose: String, _ ask: (QMPClient) async throws(QMPError) -> T
    ) async throws(HypervisorError) -> T {
        do throws(QMPError) {
            return try await ask(monitor)
        } catch {
            throw HypervisorError(
                "hypervisor \(record.hypervisor): its QEMU did not \(purpose)",
                remedy: "The guests in it are not concerned.", evidence: [error.refusal?.text ?? "\(error)"])
        }
    }
}
