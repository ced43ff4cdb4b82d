import Foundation
import JSON
import Linux
import VirtualMachines

/// Common parts of the runs of `containers`: file locations, and connections to OS VMs.
struct ContainerTools: Sendable {
    /// The folder of the OS VMs' image.
    let image: String
    /// The bundle of the container canary.
    let bundle: String
    /// The accelerator of OS VMs: `auto`, `tcg` or `kvm`.
    let accelerator: String
    let scratch: Scratch

    /// hyperfresh's state folder.
    var state: String { "\(scratch.directory)/state" }

    /// Creates the bridge for the containers; it is removed with the run's files.
    func makeBridge(_ address: String) throws {
        for words in [
            ["link", "add", scratch.tap, "type", "bridge", "forward_delay", "0"],
            ["address", "add", address, "dev", scratch.tap], ["link", "set", scratch.tap, "up"],
        ] {
            let outcome = try ChildProcess(executable: "ip", arguments: words).run(in: scratch)
            guard outcome.status == 0 else { throw BenchError("ip \(words): \(outcome.errors)") }
        }
    }

    /// Copies the bundle for a container with these arguments.
    func copyBundle(to folder: String, words: [String]) throws {
        try? FileManager.default.removeItem(atPath: folder)
        try FileManager.default.copyItem(atPath: bundle, toPath: folder)
        try Files.replaceAtomically("\(folder)/config.json", bytes: try config(words: words) { _ in })
    }

    /// Returns the bundle's `config.json` with other arguments and further changes.
    func config(words: [String], _ change: (inout [String: JSONValue]) -> Void) throws -> [UInt8] {
        guard var config = try JSONValue(parsing: try Files.readAll("\(bundle)/config.json")).object,
            var process = config["process"]?.object
        else { throw BenchError("\(bundle)/config.json describes no process") }
        process["args"] = .array(words.map(JSONValue.string))
        config["process"] = .object(process)
        change(&config)
        return Array(JSONValue.object(config).encoded().utf8)
    }

    /// Connects to an OS VM for a short time: its agent serves one client at a time.
    func with<Result>(_ system: String, _ body: (Hypervisor) async throws -> Result) async throws -> Result {
        guard let (record, folder) = RunningInstances.of(system, state: state).first else {
            throw BenchError("OS VM \(system) is not up")
        }
        let reached = try await Hypervisor.reach(record, in: folder, within: .seconds(20))
        defer { reached.close() }
        return try await body(reached)
    }
}
