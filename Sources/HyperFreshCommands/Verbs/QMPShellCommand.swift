import ArgumentParser
import HyperFresh

/// `hyperfresh qmp`.
struct QMPShellCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "qmp", abstract: "Talk to a guest's QMP monitor.")
}
