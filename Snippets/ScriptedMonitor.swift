// Tests a QMP client against a scripted monitor that sends an event, delays a reply and refuses a command.
//
// Run it with `swift run ScriptedMonitor`. It takes no arguments and needs no QEMU.

import Glibc
import JSON
import QMP
import QMPTesting

guard CommandLine.arguments.count == 1 else {
    print("usage: ScriptedMonitor")
    print("It takes no arguments.")
    exit(64)
}

let server = try ScriptedServer([
    .greet(version: "10.0.2"), .negotiate,
    .expect("query-status", .success(["running": true, "status": "running"])),
    .expect("stop", .after(event: "STOP", .done)),
    .expect("cont", .later(.milliseconds(50), .failure("The image is locked"))),
    .hang,
])

// The client under test.
let client = try await QMPClient.connect(path: server.path)
print("QEMU \(client.greeting.version)")
let events = client.events(named: ["STOP"])

let status = try await client.execute(QueryStatus())
precondition(status.state == .running)

try await client.execute(Stop())
let event = try await events.next(within: .seconds(1))
precondition(event.name == "STOP")

do throws(QMPError) {
    try await client.execute(Cont())
    preconditionFailure("The script refuses cont.")
} catch {
    precondition(error.code == .refused && error.refusal?.text == "The image is locked")
}
client.close()

// Both sides of the conversation. There is a deviation for each command that the script does not expect.
for line in server.transcript.lines { print(line) }
precondition(server.transcript.deviations.isEmpty)
