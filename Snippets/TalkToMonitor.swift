// Prints the version of a QEMU and the state of its guest, pauses the guest, resumes it, and prints both events.
//
// Run it with `swift run TalkToMonitor SOCKET`. SOCKET is the path in QEMU's option
// `-qmp unix:PATH,server=on,wait=off`. A guest that is paused already stays paused.

import Glibc
import JSON
import QMP

guard CommandLine.arguments.count == 2 else {
    print("usage: TalkToMonitor SOCKET")
    print("SOCKET is the path in QEMU's option -qmp unix:PATH,server=on,wait=off.")
    exit(64)
}

do throws(QMPError) {
    let client = try await QMPClient.connect(path: CommandLine.arguments[1])
    print("QEMU \(client.greeting.version)")

    // A typed command with a typed reply.
    let status = try await client.execute(QueryStatus())
    print("The guest is in state \(status.state.rawValue).")

    // Any other command by its name.
    let commands = try await client.executeRaw("query-commands")
    print("This QEMU has \(commands.array?.count ?? 0) commands.")

    if status.isRunning {
        // Subscribe first, so that no event is missed.
        let events = client.events(named: ["STOP", "RESUME"])
        try await client.execute(Stop())
        try await client.execute(Cont(), deadline: .seconds(10))
        for _ in 1...2 {
            let event = try await events.next(within: .seconds(1))
            print("\(event.name) at \(event.timestamp.microsecondsSinceEpoch) µs")
        }
    }
    client.close()
} catch {
    print(error)
    if let refusal = error.refusal { print("QEMU's error class: \(refusal.errorClass)") }
    if error.leavesFateUnknown { print("QEMU may execute the command yet: query the guest's state first.") }
    exit(1)
}
