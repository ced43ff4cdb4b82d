import ArgumentParser
import Foundation
import Hypervisors

/// `switch-bench hypervisor`.
struct NestedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hypervisor",
        abstract: "Compare the refresh of a hypervisor with ordinary pre-copy migration of its guests.",
        discussion: """
            Both take turns in one run, on guests that rewrite memory without pause: hyperfresh puts a fresh hypervisor \
            beneath those of one stack, pre-copy moves those of another one to and fro between two hypervisors of the same \
            image. Guests that have no turn are paused. Without KVM a full run takes an hour.
            """
    )

    @OptionGroup var tools: ToolOptions

    @Option(help: "Moves by each method of each kind of guests.")
    var rounds = 3

    @Option(
        help: ArgumentHelp("Guest memory in MiB.", valueName: "size,..."),
        transform: ListArgument.numbers(128...1 << 20))
    var sizes = [128, 512]

    @Option(
        help: ArgumentHelp("How many guests, 4 at most.", valueName: "count,..."),
        transform: ListArgument.numbers(1...4))
    var guests = [1, 2, 4]

    @Option(help: ArgumentHelp("one-by-one, at-once, precopy.", valueName: "method,..."), transform: ListArgument.words)
    var methods = NestedMethod.allCases

    @Flag(help: "One round, one and two guests, 128 MiB: to see that it works.")
    var quick = false

    @Option(help: ArgumentHelp("The folder of the hypervisors' image.", valueName: "folder"))
    var image = "\(ToolOptions.cache)/hypervisor/standard"

    @Option(help: ArgumentHelp("By what hypervisors run: auto, tcg, kvm.", valueName: "accelerator"))
    var accelerator = "auto"

    @Option(help: ArgumentHelp("Where every sample goes.", valueName: "file"))
    var output: String?

    func validate() throws {
        if rounds < 1 { throw ValidationError("--rounds is 1 or more.") }
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

    /// What the image's manifest says, and by what the product runs hypervisors here.
    private func inside() throws -> NestedResults.Inside {
        let image = try HypervisorImage.read(URL(fileURLWithPath: image).path)
        return NestedResults.Inside(
            kernel: image.kernelRelease, qemu: image.qemuVersion,
            accelerator: accelerator == "auto" ? (MachineFacts.canNest ? "kvm" : "tcg") : accelerator)
    }
}

extension CommandLine {
    /// How the command was called, but for where its results go.
    static var argumentsWithoutOutput: [String] {
        var arguments = Array(arguments.dropFirst())
        if let index = arguments.firstIndex(of: "--output") {
            arguments.removeSubrange(index...min(index + 1, arguments.count - 1))
        }
        return arguments
    }
}
