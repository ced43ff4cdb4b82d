import CanaryTesting
import Glibc
import JSON
import Linux
import Testing

extension Live {
    static let canBridge = geteuid() == 0 && Files.exists("/dev/net/tun")
    static let hasBundles = hasHypervisorImages && canBridge && (try? ContainerBundles(cache: cache)) != nil
    static let howToGetBundles: Comment =
        "needs root, /dev/net/tun, the hypervisors' images, scripts/build-redis-bundle, scripts/build-container-canary"
}

/// Two OS VMs with containers, driven by the real command, and removed at the end of the test in any case.
struct ContainerStack {
    /// A container; it starts in the first OS VM.
    struct Container {
        let name: String
        /// The bundle to copy.
        let bundle: String
        let address: String
        var memory = "32M"
        /// The command line, if it differs from the bundle's.
        var words: [String]?
    }

    /// The OS VM that has a container, and the container's state.
    struct Whereabouts: Equatable {
        let system: String
        let state: String

        init(_ system: String, _ state: String) {
            self.system = system
            self.state = state
        }
    }

    static let bridge = "hfcanarycon"
    static let systems = ["gamma", "delta"]
    let files: CanaryFiles
    let name: String
    var state: String { "\(files.directory)/state" }
    var file: String { "\(files.directory)/stack.yaml" }
    var memoryFolder: String { "\(files.memory)-stack" }

    static func redis() throws -> Container {
        .init(
            name: "redis", bundle: try ContainerBundles(cache: Live.cache).redis, address: "10.231.81.5", memory: "64M")
    }

    static func canary(_ words: String...) throws -> Container {
        .init(
            name: "canary", bundle: try ContainerBundles(cache: Live.cache).canary, address: "10.231.81.6",
            memory: "64M", words: ["/bin/canary", "memory=16M"] + words)
    }

    /// Brings a stack up, runs `body`, takes the stack down, and checks that nothing is left.
    static func run(
        _ name: String, containers: [Container], _ body: (ContainerStack) async throws -> Void
    ) async throws {
        let stack = ContainerStack(files: try CanaryFiles(name: name), name: name)
        let outcome: Result<Void, any Error>
        do {
            try await stack.makeBridge()
            for container in containers { try await stack.copyBundle(of: container) }
            try stack.write(containers)
            try await stack.up()
            try await body(stack)
            let down = try await stack.command("down", name, "--now")
            #expect(down.ending == .exited(0), "\(down)")
            await stack.expectNothingLeft()
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        for pid in stack.processes { kill(pid, SIGKILL) }
        _ = try await ChildProgram.run("ip", ["link", "delete", Self.bridge])
        _ = try await ChildProgram.run("rm", ["-rf", stack.memoryFolder, stack.files.directory])
        try outcome.get()
    }

    private func makeBridge() async throws {
        for words in [
            ["link", "add", Self.bridge, "type", "bridge", "forward_delay", "0"],
            ["address", "add", "10.231.81.1/28", "dev", Self.bridge], ["link", "set", Self.bridge, "up"],
        ] {
            let result = try await ChildProgram.run("ip", words)
            try #require(result.ending == .exited(0), "\(result)")
        }
    }

    func bundle(of container: String) -> String { "\(files.directory)/\(container)" }

    private func copyBundle(of container: Container) async throws {
        let copy = try await ChildProgram.run("cp", ["-a", container.bundle, bundle(of: container.name)])
        try #require(copy.ending == .exited(0), "\(copy)")
        guard let words = container.words else { return }
        try changeConfig(of: container.name) { config in
            var process = config["process"]?.object ?? [:]
            process["args"] = .array(words.map(JSONValue.string))
            config["process"] = .object(process)
        }
    }

    /// Changes a container's `config.json`.
    ///
    /// - Returns: The previous content.
    @discardableResult
    func changeConfig(of container: String, _ change: (inout [String: JSONValue]) -> Void) throws -> [UInt8] {
        let path = "\(bundle(of: container))/config.json"
        let before = try Files.readAll(path)
        var config = try #require(try JSONValue(parsing: before).object)
        change(&config)
        try Files.replaceAtomically(path, bytes: Array(JSONValue.object(config).encoded().utf8))
        return before
    }

    /// Writes the stack file with these containers in the first OS VM.
    func write(_ containers: [Container]) throws {
        var lines = [
            "version: 1", "name: \(name)", "hyperplexor:", "  memory-directory: \(memoryFolder)",
            "  accelerator: tcg", "networks:", "  - name: lan", "    bridge: \(Self.bridge)", "systems:",
        ]
        for (system, image) in zip(Self.systems, ["standard", "fresh"]) {
            lines += ["  - name: \(system)", "    image: \(Live.image(image))", "    memory: 768M", "    cpus: 1"]
            guard system == Self.systems[0] else { continue }
            lines.append("    containers:")
            for container in containers {
                lines += [
                    "      - name: \(container.name)", "        bundle: \(bundle(of: container.name))",
                    "        memory: \(container.memory)",
                    "        network: {network: lan, address: \(container.address)/28}",
                ]
            }
        }
        try Files.replaceAtomically(file, bytes: Array((lines.joined(separator: "\n") + "\n").utf8))
    }
}

// MARK: - The command

extension ContainerStack {
    /// Starts the real command; `fault` names the point where it dies or stops, as in FaultPoint.swift.
    func start(_ arguments: [String], fault: String? = nil) throws -> ChildProgram {
        try ChildProgram(
            Live.command, arguments, environment: ["HYPERFRESH_STATE_DIR": state, "HYPERFRESH_FAULT": fault ?? ""])
    }

    func command(
        _ arguments: String..., fault: String? = nil, within deadline: Duration = .seconds(90)
    ) async throws -> ChildProgram.Result {
        try await start(arguments, fault: fault).result(within: deadline)
    }

    func up() async throws {
        let result = try await command("up", file, within: .seconds(300))
        try #require(result.ending == .exited(0), "\(result)")
    }

    func startRelocation(
        of container: String, to system: String, _ options: String..., fault: String? = nil
    ) throws -> ChildProgram {
        try start(["relocate", "container", container, "--to", system, "--json"] + options, fault: fault)
    }

    func relocate(_ container: String, to system: String, _ options: String...) async throws -> JSONValue {
        let words = ["relocate", "container", container, "--to", system, "--json"] + options
        return try await start(words).result(within: .seconds(300)).report
    }

    /// Returns an OS VM's entry in `ps`.
    func look(_ system: String) async throws -> JSONValue {
        let result = try await command("ps", "--json")
        try #require(result.ending == .exited(0), "\(result)")
        return try #require(try result.document["items"]?.array?.first { $0["name"]?.string == system })
    }

    /// Returns the OS VM that has a container, and the container's state, as shown by `ps`.
    func whereabouts(_ container: String) async throws -> Whereabouts {
        let result = try await command("ps", "--json")
        try #require(result.ending == .exited(0), "\(result)")
        let found = (try result.document["items"]?.array ?? []).flatMap { system in
            (system["containers"]?.array ?? []).filter { $0["name"]?.string == container }.map {
                Whereabouts(system["name"]?.string ?? "?", $0["state"]?.string ?? "?")
            }
        }
        try #require(found.count == 1, "\(result)")
        return found[0]
    }

    /// Returns the running instances of an OS VM: id and pid of each, oldest first.
    func instances(of system: String) async throws -> [(id: String, pid: Int32)] {
        try #require(try await look(system)["instances"]?.array).map { instance in
            (try #require(instance["id"]?.string), try #require(instance["pid"]?.int.map(Int32.init)))
        }
    }

    func otherSystem(_ system: String) -> String { Self.systems[system == Self.systems[0] ? 1 : 0] }
}
