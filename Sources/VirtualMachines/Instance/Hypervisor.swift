public import Linux
internal import Logging
public import QMP
internal import Synchronization

/// A connection to a running hypervisor: its process, its QEMU's monitor and its agent.
public final class Hypervisor: Sendable {
    /// Its record.
    public let record: InstanceRecord
    /// Its sockets and logs.
    public let folder: InstanceFolder
    /// The QEMU that runs it.
    public let process: ProcessHandle
    /// That QEMU's monitor.
    public let monitor: QMPClient
    /// Runs commands in it.
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

    /// Connects to a running hypervisor.
    ///
    /// - Parameters:
    ///   - record: Its record.
    ///   - folder: Its sockets and logs.
    ///   - patience: The longest wait for its monitor.
    /// - Returns: The hypervisor; whether its agent answers is not checked here.
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
                    "\(folder.qmpSocket) belongs to another process, not to VM \(record.hypervisor)",
                    remedy: "Run `hyperfresh ps`; `ss -xlp` shows the process that listens there.")
            }
            let agent = try await QGAClient.connect(path: folder.agentSocket)
            return Hypervisor(
                record: record, folder: folder, process: process, monitor: monitor,
                agent: HypervisorAgent(agent, hypervisor: record.hypervisor))
        } catch let error as HypervisorError {
            throw error
        } catch {
            throw HypervisorError(
                "cannot connect to VM \(record.hypervisor) (instance \(record.id), pid \(record.process.pid))",
                remedy: "Run `hyperfresh ps` to see what runs; another controller may be using it.",
                evidence: ["\(error)"])
        }
    }

    /// Disconnects from it; it keeps running.
    public func close() {
        agent.close()
        monitor.close()
    }

    /// Kills it and everything in it.
    ///
    /// - Parameter deadline: The longest wait for the process to exit.
    /// - Returns: Whether it is gone.
    public func end(within deadline: Duration = .seconds(20)) async -> Bool {
        await process.end(within: deadline)
    }

    /// Returns the last lines of a console.
    ///
    /// - Parameters:
    ///   - folder: The instance's folder.
    ///   - limit: The largest number of lines.
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
    /// Attaches the missing ones of these devices by hot plug; nothing pauses.
    ///
    /// - Parameter plugs: The devices, attached in this order.
    /// - Throws: ``HypervisorError`` with QEMU's message; devices attached before the error stay.
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

    /// Detaches the present ones of these devices.
    ///
    /// - Parameter plugs: The devices, detached in this order.
    /// - Throws: ``HypervisorError`` with QEMU's message, or when the hypervisor does not release a device; devices
    ///   detached before the error stay detached.
    public func detach(_ plugs: [HotPlug.Steps]) async throws(HypervisorError) {
        for plug in plugs where try await attachedDevices().contains(plug.device) {
            for command in plug.commands {
                try await takeAway(plug.device, by: command)
                try await waitUntilGone(plug.device)
            }
        }
    }

    /// Retries: a backend stays in use for a moment after its device is gone.
    private func takeAway(_ device: String, by command: HotPlug.Steps.Command) async throws(HypervisorError) {
        for triesLeft in (0..<100).reversed() {
            do throws(HypervisorError) {
                _ = try await asking("detach \(device)") { monitor throws(QMPError) in
                    try await monitor.executeRaw(command.name, arguments: command.arguments)
                }
                return
            } catch {
                guard triesLeft > 0, !process.hasExited else { throw error }
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Waits for the hypervisor's driver to release the device; QEMU removes it only then.
    private func waitUntilGone(_ device: String) async throws(HypervisorError) {
        for _ in 0..<200 {
            guard try await attachedDevices().contains(device) else { return }
            try? await Task.sleep(for: .milliseconds(50))
        }
        throw HypervisorError(
            "VM \(record.hypervisor) does not release \(device)",
            remedy: "It is still in use there. Run the command again, or refresh the hypervisor.")
    }

    /// Returns whether a guest's memory is or was attached: it stays until the hypervisor exits.
    ///
    /// - Parameter guest: The guest's name.
    /// - Returns: Whether its NVDIMM exists.
    /// - Throws: ``HypervisorError`` when the monitor does not answer.
    public func hasMemory(of guest: String) async throws(HypervisorError) -> Bool {
        try await attachedDevices().contains(HotPlug.memoryDevice(of: guest))
    }

    /// Returns the guests and containers whose memory or image store is attached, whether or not they are active.
    ///
    /// - Returns: Their names.
    /// - Throws: ``HypervisorError`` when the monitor does not answer.
    public func tenantsWithMemory() async throws(HypervisorError) -> Set<String> {
        Set(try await attachedDevices().compactMap(HotPlug.tenant(ofMemoryDevice:)))
    }

    func attachedDevices() async throws(HypervisorError) -> Set<String> {
        try await asking("list its attached devices") { monitor throws(QMPError) in
            Set(try await monitor.execute(QOMList(path: "/machine/peripheral")).map(\.name))
        }
    }

    /// Returns the address of a guest's memory in this hypervisor's physical address space.
    ///
    /// - Parameter guest: The guest's name.
    /// - Returns: The address.
    /// - Throws: ``HypervisorError`` when it is not attached.
    public func memoryAddress(of guest: String) async throws(HypervisorError) -> UInt64 {
        let devices = try await asking("list its memory devices") { monitor throws(QMPError) in
            try await monitor.execute(QueryMemoryDevices())
        }
        guard let address = devices.first(where: { $0.id == HotPlug.memoryDevice(of: guest) })?.address else {
            throw HypervisorError(
                "VM \(record.hypervisor): the memory of guest \(guest) is not attached",
                remedy: "Run `hyperfresh down \(record.stack)`, then `hyperfresh up STACK-FILE`.")
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
                "VM \(record.hypervisor): its QEMU did not \(purpose)",
                remedy: "Whatever runs in it is unaffected. Run `hyperfresh doctor`.",
                evidence: [error.refusal?.text ?? "\(error)"])
        }
    }
}

// MARK: - Cores

extension Hypervisor {
    /// Pins each of its CPUs to a core of this host.
    ///
    /// QEMU's other threads are not pinned: device emulation should not compete with a CPU.
    ///
    /// - Parameter cores: One core for each CPU, in order; if empty, nothing is pinned.
    /// - Throws: ``HypervisorError``; CPUs that were pinned before the error stay pinned.
    public func pin(to cores: [Int]) async throws(HypervisorError) {
        if cores.isEmpty { return }
        do {
            let cpus = try await monitor.execute(QueryCPUsFast()).sorted { $0.index < $1.index }
            for (cpu, core) in zip(cpus, cores) {
                guard let thread = Int32(exactly: cpu.threadID) else { continue }
                try pinThread(thread, to: core)
            }
        } catch {
            throw HypervisorError(
                "cannot pin the CPUs of VM \(record.hypervisor) to cores \(cores)",
                remedy: "Set `cores` in the stack file to cores of this host; `lscpu -e` lists them.",
                evidence: ["\(error)"])
        }
    }
}
