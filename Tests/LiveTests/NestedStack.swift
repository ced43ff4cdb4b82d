import CanaryTesting
import Glibc
import JSON
import Linux
import Testing

extension Live {
    static func image(_ name: String) -> String { "\(cache)/hypervisor/\(name)" }

    static let hasHypervisorImages =
        isReady && ["standard", "fresh"].allSatisfy { Files.exists("\(image($0))/image.json") }
    static let howToGetImages: Comment =
        "needs scripts/build-hypervisor-image and scripts/build-hypervisor-image --name fresh"
}

/// A hypervisor with canaries in it, driven by the real command, and gone with the test whatever becomes of it.
struct NestedStack {
    /// A canary in it.
    struct Guest {
        let name: String
        /// Pages rewritten each second: a number, or `max`; a quarter of those watched, as what a guest does costs most here.
        var pace = "512"
        var hasDisk = false
        /// Its address on the bridge; `nil` for no network.
        var address: String?
    }

    static let hypervisor = "alpha"
    let files: CanaryFiles
    let guests: [Guest]
    /// The bridge of this host that the guests' network is on.
    let bridge: String?
    var name: String { String(files.unique.prefix { $0 != "-" }) }
    var state: String { "\(files.directory)/state" }
    var file: String { "\(files.directory)/stack.yaml" }

    /// Brings a stack up, does the work, takes it down, and looks that nothing is left.
    static func run(
        _ name: String, guests: [Guest], bridge: (name: String, address: String)? = nil,
        _ body: (NestedStack) async throws -> Void
    ) async throws {
        let stack = NestedStack(files: try CanaryFiles(name: name), guests: guests, bridge: bridge?.name)
        if let bridge { try await stack.makeBridge(bridge.name, bridge.address) }
        let outcome: Result<Void, any Error>
        do {
            try stack.write()
            try await stack.up()
            try await body(stack)
            let down = try await stack.command("down", name, "--now")
            #expect(down.ending == .exited(0), "\(down)")
            stack.expectNothingLeft()
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        for pid in stack.processes { kill(pid, SIGKILL) }
        if let bridge { _ = try await ChildProgram.run("ip", ["link", "delete", bridge.name]) }
        _ = try await ChildProgram.run("rm", ["-rf", stack.memoryFolder, stack.files.directory])
        try outcome.get()
    }

    var memoryFolder: String { "\(files.memory)-stack" }

    /// The hardware address of the bridge as it is now.
    var bridgeAddress: String? {
        bridge.flatMap { try? Files.readAll("/sys/class/net/\($0)/address") }.map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    private func makeBridge(_ name: String, _ address: String) async throws {
        for words in [
            ["link", "add", name, "type", "bridge", "forward_delay", "0"], ["address", "add", address, "dev", name],
            ["link", "set", name, "up"],
        ] {
            let result = try await ChildProgram.run("ip", words)
            try #require(result.ending == .exited(0), "\(result)")
        }
    }

    /// Writes the stack file; with these guests, or with all.
    func write(only names: [String]? = nil, hypervisorMemory: String = "768M") throws {
        let artifacts = try CanaryArtifacts(cache: Live.cache)
        var lines = [
            "version: 1", "name: \(name)", "hyperplexor:",
            "  memory-directory: \(memoryFolder)", "  accelerator: tcg",
        ]
        if let bridge { lines += ["networks:", "  - name: lan", "    bridge: \(bridge)"] }
        lines += [
            "hypervisors:", "  - name: \(Self.hypervisor)", "    image: \(Live.image("standard"))",
            "    memory: \(hypervisorMemory)",
            "    cpus: 1", "    guests:",
        ]
        for guest in guests where names?.contains(guest.name) ?? true {
            let words = [
                "console=tty0", "quiet", "loglevel=0", "cryptomgr.notests", "canary.port=hvc0", "canary.memory=8M",
                "canary.sample_us=50000", "canary.bursts=5", "canary.dirty=\(guest.pace)", "canary.reports=3",
            ]
            lines += [
                "      - name: \(guest.name)", "        memory: 128M", "        console: virtio",
                "        virtio: legacy", "        boot:",
                "          kernel: \(artifacts.kernel)", "          initramfs: \(artifacts.initramfs)",
                "          arguments: \((words + (guest.address.map { ["canary.ip=\($0)"] } ?? [])).joined(separator: " "))",
            ]
            if guest.hasDisk {
                let disk = "\(files.directory)/\(guest.name).raw"
                let image = try Descriptor.open(disk, flags: O_RDWR | O_CREAT)
                try #require(ftruncate(image.number, 64 << 20) == 0)
                lines += ["        disks:", "          - name: data", "            file: \(disk)"]
            }
            if guest.address != nil { lines += ["        networks: [lan]"] }
        }
        try Files.replaceAtomically(file, bytes: Array((lines.joined(separator: "\n") + "\n").utf8))
    }
}

// MARK: - The command

extension NestedStack {
    /// Starts the real command; `fault` says where it is to die or stand still, as in FaultPoint.swift.
    func start(_ arguments: [String], fault: String? = nil) throws -> ChildProgram {
        try ChildProgram(
            Live.command, arguments, environment: ["HYPERFRESH_STATE_DIR": state, "HYPERFRESH_FAULT": fault ?? ""])
    }

    func command(
        _ arguments: String..., fault: String? = nil, within deadline: Duration = .seconds(60)
    ) async throws -> ChildProgram.Result {
        try await start(arguments, fault: fault).result(within: deadline)
    }

    func up(_ options: String...) async throws {
        let result = try await start(["up", file] + options).result(within: .seconds(300))
        try #require(result.ending == .exited(0), "\(result)")
    }

    /// `refresh hypervisor --json`; emulated on busy cores, a switch takes its time.
    func startRefresh(_ options: [String] = [], fault: String? = nil) throws -> ChildProgram {
        try start(
            ["refresh", "hypervisor", Self.hypervisor, "--json", "--max-downtime", "20s"] + options, fault: fault)
    }

    func refresh(_ options: [String]) async throws -> JSONValue {
        try await startRefresh(options).result(within: .seconds(400)).report
    }

    func refresh(_ options: String...) async throws -> JSONValue { try await refresh(options) }

    /// A refresh whose new hypervisor is killed at a place while the controller stands still.
    ///
    /// - Returns: Its report.
    func refresh(killingNewAt place: String) async throws -> JSONValue {
        let old = processes
        let refresh = try startRefresh(fault: "stop-\(place)")
        try await refresh.waitUntilStopped(within: .seconds(300))
        for pid in processes where !old.contains(pid) { kill(pid, SIGKILL) }
        refresh.signal(SIGCONT)
        return try await refresh.result(within: .seconds(120)).report
    }

    /// The hypervisor as `ps` shows it.
    func look() async throws -> JSONValue {
        let result = try await command("ps", "--json")
        try #require(result.ending == .exited(0), "\(result)")
        return try #require(try result.document["items"]?.array?.first)
    }

    /// The running instances: id and pid of each, the oldest first.
    func instances() async throws -> [(id: String, pid: Int32)] {
        try #require(try await look()["instances"]?.array).map { instance in
            (try #require(instance["id"]?.string), try #require(instance["pid"]?.int.map(Int32.init)))
        }
    }
}

// MARK: - The witnesses

extension NestedStack {
    private func console(_ guest: String) -> String { "\(state)/hypervisors/\(Self.hypervisor)/\(guest).console.log" }

    /// The last words on a guest's console, whichever hypervisor it was in.
    private func lastWords(_ guest: String, bytes: Int = 16 << 10) -> String {
        guard let file = try? Descriptor.open(console(guest), flags: O_RDONLY),
            let size = try? Files.status(of: file).size
        else { return "" }
        var words = [UInt8](repeating: 0, count: bytes)
        let count = pread(file.number, &words, bytes, off_t(max(0, size - Int64(bytes))))
        return String(decoding: words.prefix(max(0, count)), as: UTF8.self)
    }

    /// The latest report of a guest's canary; `nil` before the first.
    func report(_ guest: String) -> CanaryReport? {
        lastWords(guest).split(whereSeparator: \.isNewline).lazy.reversed().compactMap { CanaryReport(line: $0) }.first
    }

    /// Waits until a guest's canary has reported twice more and verified more pages.
    @discardableResult
    func proveAlive(_ guest: String, within deadline: Duration = .seconds(240)) async throws -> CanaryReport {
        let before = report(guest)
        return try await report(guest, within: deadline) { now in
            now.sequence > (before?.sequence ?? 0) + 1 && now.pagesVerified > (before?.pagesVerified ?? 0)
        }
    }

    /// Waits until a guest that was started again reports; `last` was its last report before.
    func proveStartedAgain(_ guest: String, since last: CanaryReport?) async throws {
        _ = try await report(guest) { $0.sequence < last?.sequence ?? .max }
        try await proveAlive(guest)
    }

    private func report(
        _ guest: String, within deadline: Duration = .seconds(240), where condition: (CanaryReport) -> Bool
    ) async throws -> CanaryReport {
        let end = ContinuousClock.now + deadline
        while ContinuousClock.now < end {
            if let now = report(guest), condition(now) {
                try #require(now.anomalies == 0, "\(guest): \(now.anomaly)")
                return now
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw CanaryError.silent(words: "\(guest): \(lastWords(guest, bytes: 3000))")
    }

    /// Whether a guest's canary says nothing for as long as even a busy hypervisor does not keep it silent.
    func isSilent(_ guest: String) async throws -> Bool {
        // One that never spoke, or whose log cannot be read, shows nothing by saying nothing.
        let before = try #require(report(guest)).sequence
        try await Task.sleep(for: .seconds(5))
        return report(guest)?.sequence == before
    }

    /// The QEMUs of this host that belong to the stack.
    var processes: [Int32] {
        ((try? ProcFS.processes()) ?? []).filter { pid in
            (try? ProcFS.commandLine(pid))?.contains { $0.contains(files.directory) } == true
        }
    }

    func expectNothingLeft() {
        #expect(processes == [])
        #expect(!Files.exists(memoryFolder))
        #expect((try? ProcFS.names(inFolder: "\(state)/hypervisors")) ?? [] == [])
        #expect((try? ProcFS.names(inFolder: "\(state)/stacks")) ?? [] == [])
    }
}
