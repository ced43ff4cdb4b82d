import ArgumentParser
import Guests
import HyperFresh

/// `hyperfresh list`.
struct ListCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the QEMU processes of this host and whether each can be refreshed.",
        discussion: """
            RUNNING is the version of the running QEMU. INSTALLED is the version now installed at the same path.
            """
    )

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let guests = try await reportingFailure(as: common.style) { try await common.host.guests() }
        switch common.style {
        case .json: Console.out(json: guests.json(type: "guests"), pretty: true)
        case .text(let terminal):
            guard !guests.isEmpty else { return Console.error("No QEMU process found that you may inspect.") }
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
