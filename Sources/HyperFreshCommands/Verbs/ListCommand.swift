import ArgumentParser
import Guests
import HyperFresh

/// `hyperfresh list`.
struct ListCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Show every QEMU on this host, and whether it can be refreshed.",
        discussion: "RUNNING is the version that runs; INSTALLED what the same path holds now."
    )

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let guests = try await reportingFailure(as: common.style) { try await common.host.guests() }
        switch common.style {
        case .json: Console.out(json: guests.json(type: "guests"), pretty: true)
        case .text(let terminal):
            guard !guests.isEmpty else { return Console.error("No QEMU runs on this host that you may see.") }
            var table = TextTable(header: ["NAME", "PID", "RUNNING", "INSTALLED", "REFRESHABLE"])
            for guest in guests {
                table.append([
                    guest.name, "\(guest.pid)", guest.runningVersion ?? "?",
                    guest.installedVersion ?? (guest.isBinaryDeleted ? "deleted" : "?"),
                    guest.obstacle.map { "no: \($0.message) (\($0.id))" } ?? "yes",
                ])
            }
            table.print(on: terminal)
        }
    }
}
