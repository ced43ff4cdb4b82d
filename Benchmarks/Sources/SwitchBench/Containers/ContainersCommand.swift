import ArgumentParser
import Foundation
import Linux
import VirtualMachines

/// The command `switch-bench containers`.
struct ContainersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "containers",
        abstract: "Compare the relocation of a container with plain CRIU and a copy over the network.",
        discussion: """
            Both take turns in one run, between the same two OS VMs, on two containers with the same program: hyperfresh \
            relocates one, the other is dumped, copied and restored. A TCP client is connected to each throughout. The \
            waiting container is frozen. Needs root, for a bridge. Without KVM a full run takes hours.
            """
    )

    @Option(help: "The number of moves by each method for each shape of containers.")
    var rounds = 3

    @Option(help: ArgumentHelp("Memory in MiB.", valueName: "size,..."), transform: ListArgument.numbers(1...4096))
    var sizes = [16, 64, 256, 512]

    @Option(
        help: ArgumentHelp("Write rate in millions of bytes a second; 0 for idle.", valueName: "rate,..."),
        transform: ListArgument.numbers(0...10_000))
    var dirty = [0, 50, 200]

    @Option(
        help: ArgumentHelp("The number of processes.", valueName: "count,..."), transform: ListArgument.numbers(1...64))
    var processes = [1, 4, 16]

    @Flag(help: "Combine all options; otherwise several processes are measured with one size, idle.")
    var all = false

    @Option(help: ArgumentHelp("relocate, plain.", valueName: "method,..."), transform: ListArgument.words)
    var methods = ContainerMethod.allCases

    @Flag(help: "One round, 16 and 64 MiB, idle, one process: a short test of the benchmark.")
    var quick = false

    @Option(help: ArgumentHelp("The folder of the OS VMs' image.", valueName: "folder"))
    var image = "\(ToolOptions.cache)/hypervisor/standard"

    @Option(help: ArgumentHelp("The bundle of the container canary.", valueName: "folder"))
    var bundle = "\(ToolOptions.cache)/bundle/canary"

    @Option(help: ArgumentHelp("The accelerator of OS VMs: auto, tcg, kvm.", valueName: "accelerator"))
    var accelerator = "auto"

    @Option(help: ArgumentHelp("The OS VMs' QEMU, for its version in the results.", valueName: "path"))
    var qemu = "/usr/bin/qemu-system-x86_64"

    @Option(help: ArgumentHelp("The output file for all samples.", valueName: "file"))
    var output: String?

    func validate() throws {
        if rounds < 1 { throw ValidationError("--rounds must be 1 or more.") }
    }

    func run() async throws {
        try await Scratch.use { try await run(in: $0) }
    }

    private func run(in scratch: Scratch) async throws {
        let tools = ContainerTools(
            image: URL(fileURLWithPath: image).path, bundle: URL(fileURLWithPath: bundle).path,
            accelerator: accelerator, scratch: scratch)
        guard Files.exists("\(tools.bundle)/config.json") else {
            throw BenchError("\(tools.bundle) does not exist: run scripts/bench, which builds what is needed")
        }
        try tools.makeBridge("10.231.82.1/\(ContainerField.prefixLength)")
        var results = ContainerResults(
            date: ISO8601DateFormatter().string(from: Date()),
            machine: try MachineFacts(qemu: qemu, scratch: scratch), inside: try inside(),
            arguments: CommandLine.argumentsWithoutOutput, loadBefore: MachineFacts.load())
        let shapes =
            quick
            ? ContainerShape.all(sizes: [16, 64], loads: [0], processes: [1], isWhole: true)
            : ContainerShape.all(sizes: sizes, loads: dirty, processes: processes, isWhole: all)
        let run = ContainerRun(shapes: shapes, methods: methods, rounds: quick ? 1 : rounds, tools: tools)
        try await results.measure(savingTo: output) { try await run.run(into: &$0, save: $1) }
        print(ContainerReportText(results).text)
        if !results.failures.isEmpty { throw ExitCode.failure }
    }

    /// Returns the versions in the image's manifest, and the accelerator; CRIU's version is added later.
    private func inside() throws -> ContainerResults.Inside {
        let image = try HypervisorImage.read(URL(fileURLWithPath: image).path)
        return ContainerResults.Inside(
            kernel: image.kernelRelease, criu: "",
            accelerator: accelerator == "auto" ? (MachineFacts.canNest ? "kvm" : "tcg") : accelerator)
    }
}
