// Checks a guest of this host, replaces its QEMU, and prints the progress and the outcome.
//
// Run it with `swift run RefreshGuest GUEST [BINARY]`. GUEST is the guest's name, its QEMU's pid, or the path of its
// QMP socket. BINARY is the new QEMU; the default is the binary that is installed where the old one was started from.
// Ctrl-C rolls the refresh back.

import Dispatch
import Glibc
import Guests
import HyperFresh

guard (2...3).contains(CommandLine.arguments.count) else {
    print("usage: RefreshGuest GUEST [BINARY]")
    print("GUEST is a guest's name, its QEMU's pid, or the path of its QMP socket; BINARY is the new QEMU.")
    exit(64)
}
let guest = CommandLine.arguments[1]
let target = CommandLine.arguments.count == 3 ? CommandLine.arguments[2] : nil
let host = Host()

// Check first. A plan changes nothing.
do throws(HyperFreshError) {
    let plan = try await host.plan(guest: guest, target: target)
    for finding in plan.findings where finding.severity != .pass {
        print(finding)
        if let remedy = finding.remedy { print("    \(remedy)") }
    }
    if plan.isBlocked { exit(RefreshOutcome.blocked.exitCode) }
} catch {
    print(error)
    exit(error.exitCode)
}

/// Calls a function at each SIGINT, instead of ending the process.
func onInterrupt(_ body: @escaping @Sendable () -> Void) -> any DispatchSourceSignal {
    signal(SIGINT, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
    source.setEventHandler { body() }
    source.resume()
    return source
}

let refresh = host.refresh(RefreshRequest(guest: guest, target: target, maximumDowntime: .milliseconds(500)))
let interrupts = onInterrupt { [refresh] in refresh.cancel() }

for await progress in refresh.progress {
    switch progress {
    case .event(.began(let phase)): print("\(phase.rawValue) …")
    case .event(.ended(let timing)): print("\(timing.phase.rawValue): \(timing.milliseconds) ms")
    case .event(.note(let text)): print(text)
    case .guest, .finished: break
    }
}

let report = await refresh.report()
print("\(report.guest): \(report.outcome.rawValue)")
if let timing = report.timing { print("The guest was stopped for \(Double(timing.stopToResume) / 1000) ms.") }
for warning in report.warnings { print(warning) }
if let failure = report.failure { print(failure) }
exit(report.exitCode)
