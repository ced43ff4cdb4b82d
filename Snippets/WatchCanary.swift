// Boots a guest that checks itself, pauses it for 200 ms, and prints what the guest noticed.
//
// Run `scripts/build-canary` first, then `swift run WatchCanary [QEMU]`. QEMU is the path of a `qemu-system-x86_64`;
// the default is `/usr/bin/qemu-system-x86_64`. It takes about half a minute.

import CanaryTesting
import Glibc
import QMP

guard CommandLine.arguments.count <= 2 else {
    print("usage: WatchCanary [QEMU]")
    print("QEMU is the path of a qemu-system-x86_64; the default is /usr/bin/qemu-system-x86_64.")
    exit(64)
}

func watch(_ options: CanaryGuest.Options) async throws {
    let guest = try await CanaryGuest.boot(options, artifacts: CanaryArtifacts(), files: CanaryFiles(name: "watch"))
    defer { guest.end() }
    print("The guest has booted; its files are in \(guest.files.directory).")

    // The canary needs some seconds before it can tell how long its guest was stopped.
    let before = try await guest.report(within: .seconds(60)) { $0.upMilliseconds > 12_000 }
    try await pauseGuest(guest, for: .milliseconds(200))
    try await Task.sleep(for: .seconds(3))
    // Throws if the guest does not run, or if the canary found an anomaly.
    let after = try await guest.proveAlive()

    print("memory pages verified: \(before.pagesVerified), then \(after.pagesVerified)")
    print("disk records verified: \(before.recordsVerified), then \(after.recordsVerified)")
    print("stopped for \((after.stoppedMicroseconds - before.stoppedMicroseconds) / 1000) ms")
    print("anomalies: \(after.anomalies)")
}

func pauseGuest(_ guest: CanaryGuest, for duration: Duration) async throws {
    let monitor = try await QMPClient.connect(path: guest.files.qmp)
    try await monitor.execute(Stop())
    try await Task.sleep(for: duration)
    try await monitor.execute(Cont())
    monitor.close()
}

var options = CanaryGuest.Options()
options.disks = [CanaryDisk(mebibytes: 16)]
if CommandLine.arguments.count == 2 { options.binary = CommandLine.arguments[1] }

do {
    try await watch(options)
} catch {
    print(error)
    exit(1)
}
