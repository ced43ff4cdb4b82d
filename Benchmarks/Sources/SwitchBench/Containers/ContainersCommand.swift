import ArgumentParser
import Foundation
import Hypervisors
import Linux

/// `switch-bench containers`.
struct ContainersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "containers",
        abstract: "Compare the relocation of a container with plain CRIU and a copy over the network.",
        discussion: """
            Both take turns in one run, between the same two OS VMs, on two containers with the same program: hyperfresh \
            relocates one, the other is dumped, copied and restored. A TCP client hears each all the while. The container \
            that has no turn is frozen. Needs root, for a bridge. Without KVM a full run takes hours.
            """
    )

    @Option(help: "Moves by each method of each kind of containers.")
    var rounds = 3

    @Option(help: ArgumentHelp("Memory in MiB.", valueName: "size,..."), transform: Self.numbers(1...4096))
    var sizes = [16, 64, 256, 512]

    @Option(
        help: ArgumentHelp("Millions of bytes written a second; 0 for idle.", valueName: "rate,..."),
        transform: Self.numbers(0...10_000))
    var dirty = [0, 50, 200]

    @Option(help: ArgumentHelp("How many processes.", valueName: "count,..."), transform: Self.numbers(1...64))
    var processes = [1, 4, 16]

    @Flag(help: "Combine all; else several processes have one size and are idle.")
    var all = false

    @Option(help: ArgumentHelp("relocate, plain.", valueName: "method,..."), transform: Self.methods)
    var methods = ContainerMethod.allCases

    @Flag(help: "One round, 16 and 64 MiB, idle, one process: to see that it works.")
    var quick = false

    @Option(help: ArgumentHelp("The folder of the OS VMs' image.", valueName: "folder"))
    var image = "\(ToolOptions.cache)/hypervisor/standard"

    @Option(help: ArgumentHelp("The bundle of the canary of containers.", valueName: "folder"))
    var bundle = "\(ToolOptions.cache)/bundle/canary"

    @Option(help: ArgumentHelp("By what OS VMs run: auto, tcg, kvm.", valueName: "accelerator"))
    var accelerator = "auto"

    @Option(help: ArgumentHelp("Their QEMU, to be named in the results.", valueName: "path"))
    var qemu = "/usr/bin/qemu-system-x86_64"

    @Option(help: ArgumentHelp("Where every sample goes.", valueName: "file"))
    var output: String?

    func validate() throws {
        if rounds < 1 { throw ValidationError("--rounds is 1 or more.") }
    }

    func run() async throws {
        try await Scratch.use { try await run(in: $0) }
    }

    private func run(in scratch: Scratch) async throws {
        let tools = ContainerTools(
            image: URL(fileURLWithPath: image).path, bundle: URL(fileURLWithPath: bundle).path,
            accelerator: accelerator, scratch: scratch)
        guard Files.exists("\(tools.bundle)/config.json") else {
            throw BenchError("there is no \(tools.bundle): scripts/bench makes what is needed")
        }
        try tools.makeBridge("10.231.82.1/\(ContainerField.prefixLength)")
        let begin = Clock.monotonic()
        var results = ContainerResults(
            date: ISO8601DateFormatter().string(from: Date()),
            machine: try MachineFacts(qemu: qemu, scratch: scratch), inside: try inside(),
            arguments: CommandLine.argumentsWithoutOutput, loadBefore: NestedResults.load())
        let shapes =
            quick
            ? ContainerShape.all(sizes: [16, 64], loads: [0], processes: [1], isWhole: true)
            : ContainerShape.all(sizes: sizes, loads: dirty, processes: processes, isWhole: all)
        let run = ContainerRun(shapes: shapes, methods: methods, rounds: quick ? 1 : rounds, tools: tools)
        try await run.run(into: &results) { results in
            var results = results
            results.minutes = Double(Clock.monotonic() - begin) / 60e9
            if let output { try ResultFile.write(results, to: output) }
        }
        results.minutes = Double(Clock.monotonic() - begin) / 60e9
        Progress.clear()
        print(ContainerReportText(results).text)
        if !results.failures.isEmpty { throw ExitCode.failure }
    }

    /// What the image's manifest says, and by what the product runs OS VMs here; CRIU tells its version later.
    private func inside() throws -> ContainerResults.Inside {
        let image = try HypervisorImage.read(URL(fileURLWithPath: image).path)
        return ContainerResults.Inside(
            kernel: image.kernelRelease, criu: "",
            accelerator: accelerator == "auto" ? (NestedCommand.canNest ? "kvm" : "tcg") : accelerator)
    }

    private static func numbers(_ range: ClosedRange<Int>) -> @Sendable (String) throws -> [Int] {
        { text in
            try text.split(separator: ",").map { word in
                guard let number = Int(word), range.contains(number) else {
                    throw ValidationError("\(word): a number from \(range.lowerBound) to \(range.upperBound)")
                }
                return number
            }
        }
    }

    private static func methods(_ text: String) throws -> [ContainerMethod] {
        try text.split(separator: ",").map { word in
            guard let method = ContainerMethod(rawValue: String(word)) else {
                throw ValidationError("no such method: \(word)")
            }
            return method
        }
    }
}
