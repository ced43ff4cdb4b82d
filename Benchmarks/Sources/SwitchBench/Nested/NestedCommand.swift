import ArgumentParser
import Foundation
import VirtualMachines

/// The command `switch-bench hypervisor`.
struct NestedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hypervisor",
        abstract: "Compare the refresh of a hypervisor with ordinary pre-copy migration of its guests.",
        discussion: """
            Both take turns in one run, on guests that rewrite memory continuously: hyperfresh puts a fresh hypervisor \
            beneath those of one stack, pre-copy moves those of another one to and fro between two hypervisors of the same \
            image. Waiting guests are paused. Without KVM a full run takes an hour.
            """
    )

    @OptionGroup var tools: ToolOptions

    @Option(help: "The number of moves by each method for each shape of guests.")
    var rounds = 3

    @Option(
        help: ArgumentHelp("Guest memory in MiB.", valueName: "size,..."),
        transform: ListArgument.numbers(128...1 << 20))
    var sizes = [128, 512]

    @Option(
        help: ArgumentHelp("The number of guests, at most 4.", valueName: "count,..."),
        transform: ListArgument.numbers(1...4))
    var guests = [1, 2, 4]

    @Option(help: ArgumentHelp("one-by-one, at-once, precopy.", valueName: "method,..."), transform: ListArgument.words)
    var methods = NestedMethod.allCases

    @Flag(help: "One round, one and two guests, 128 MiB: a short test of the benchmark.")
    var quick = false

    @Option(help: ArgumentHelp("The folder of the hypervisors' image.", valueName: "folder"))
    var image = "\(ToolOptions.cache)/hypervisor/standard"

    @Option(help: ArgumentHelp("The accelerator of hypervisors: auto, tcg, kvm.", valueName: "accelerator"))
    var accelerator = "auto"

    @Option(help: ArgumentHelp("The output file for all samples.", valueName: "file"))
    var output: String?

    func validate() throws {
        if rounds < 1 { throw ValidationError("--rounds must be 1 or more.") }
    }

    func run() async throws {
        try await Scratch.use { try await run(in: $0) }
    }

    private func run(in scratch: Scratch) async throws {
        let nested = NestedTools(
            tools: try tools.checked(), image: URL(fileURLWithPath: image).path, accelerator: accelerator,
            scratch: scratch)
        let load = MachineFacts.load()
        let shapes = (quick ? [128] : sizes).flatMap { size in
            (quick ? [1, 2] : guests).map { NestedShape(memoryMiB: size, guests: $0) }
        }
        var results = NestedResults(
            date: ISO8601DateFormatter().string(from: Date()),
            machine: try MachineFacts(tools: nested.tools, scratch: scratch), inside: try inside(),
            arguments: CommandLine.argumentsWithoutOutput, loadBefore: load)
        let run = NestedRun(shapes: shapes, methods: methods, rounds: quick ? 1 : rounds, tools: nested)
        try await results.measure(savingTo: output) { try await run.run(into: &$0, save: $1) }
        print(NestedReport(results).text)
        if !results.failures.isEmpty { throw ExitCode.failure }
    }

    /// Returns the versions in the image's manifest, and the accelerator.
    private func inside() throws -> NestedResults.Inside {
        let image = try HypervisorImage.read(URL(fileURLWithPath: image).path)
        return NestedResults.Inside(
            kernel: image.kernelRelease, qemu: image.qemuVersion,
            accelerator: accelerator == "auto" ? (MachineFacts.canNest ? "kvm" : "tcg") : accelerator)
    }
}

extension CommandLine {
    /// The command's arguments, without the output file.
    static var argumentsWithoutOutput: [String] {
        var arguments = Array(arguments.dropFirst())
        if let index = arguments.firstIndex(of: "--output") {
            arguments.removeSubrange(index...min(index + 1, arguments.count - 1))
        }
        return arguments
    }
}
