import CanaryTesting
import Glibc
import Linux

/// The guest of a soak: a canary with a disk, a network, and a TCP session in constant use.
final class SoakGuest {
    static let memoryMiB = 256
    static let watchedMiB = 64
    static let diskMiB = 64
    /// The number of pages that it verifies and rewrites each second.
    static let pagesPerSecond = 2048
    /// The number of TCP answers required after a refresh as proof that the guest runs.
    private static let answersToProve = 20

    let canary: CanaryGuest
    let echo: EchoSession
    /// The QEMU that runs it now.
    private(set) var process: ProcessIdentity
    /// Earlier QEMUs that init has not reaped yet.
    private var predecessors: [ProcessIdentity] = []

    private init(_ canary: CanaryGuest, echo: EchoSession) {
        self.canary = canary
        self.echo = echo
        process = canary.firstProcess
    }

    /// Boots the guest, and waits until it checks all of its memory and disk.
    ///
    /// - Parameters:
    ///   - qemu: The first QEMU.
    ///   - artifacts: Its kernel and initramfs.
    ///   - scratch: The run, whose folders are used.
    /// - Returns: The guest.
    /// - Throws: ``BenchError`` or `CanaryError` with the end of its logs.
    static func boot(qemu: String, artifacts: CanaryArtifacts, in scratch: Scratch) async throws -> SoakGuest {
        let network = try SoakNetwork(scratch)
        let files = try CanaryFiles(
            unique: scratch.token, directory: "\(scratch.directory)/guest", memory: "\(scratch.memoryDirectory)/guest")
        var options = CanaryGuest.Options()
        options.name = "soak"
        options.binary = qemu
        options.memoryMiB = memoryMiB
        options.watchedMiB = watchedMiB
        options.pace = "\(pagesPerSecond)"
        options.disks = [CanaryDisk(mebibytes: diskMiB, format: .qcow2)]
        options.kernelWords = ["canary.ip=\(network.guestAddress)/30"]
        options.arguments = [
            "-netdev", "tap,id=net0,ifname=\(network.tap),script=no,downscript=no",
            "-device", "virtio-net-pci,netdev=net0",
        ]
        let canary = try await CanaryGuest.boot(options, artifacts: artifacts, files: files)
        _ = try await canary.report(within: .seconds(120)) { report in
            report.pages == watchedMiB << 20 / 4096 && report.pagesVerified > 0 && report.recordsVerified > 0
                && !report.addresses.isEmpty
        }
        return SoakGuest(canary, echo: try connect(to: network.guestAddress))
    }

    private static func connect(to address: String) throws -> EchoSession {
        for _ in 0..<50 {
            if let session = try? EchoSession(to: address) { return session }
            Clock.sleep(milliseconds: 200)
        }
        return try EchoSession(to: address)
    }

    /// Refreshes the guest with the command.
    func refresh(to binary: String, by hyperfresh: String, in scratch: Scratch) throws -> GuestRefresh {
        let refresh = try GuestRefresh(
            of: canary.files.qmp, to: binary, by: hyperfresh, in: scratch, watchesMemory: true)
        guard canary.pid == refresh.successor.pid else {
            let word = canary.pid.map { "\($0)" } ?? "nothing"
            throw BenchError("the pid file contains \(word), not \(refresh.successor.pid)")
        }
        predecessors.append(process)
        process = refresh.successor
        return refresh
    }

    /// Returns the number of earlier QEMUs that are still in the process table, dead or alive.
    func remainingPredecessors() -> Int {
        predecessors.removeAll { (try? ProcFS.status($0.pid))?.startTime != $0.startTime }
        return predecessors.count
    }

    /// Waits until the guest has proven that it runs undamaged.
    ///
    /// - Parameter reports: Whether to wait for a new report with more pages and records verified; otherwise, TCP
    ///   answers suffice.
    /// - Returns: Its latest report.
    /// - Throws: ``BenchError`` or `CanaryError` if it is silent, has found an anomaly, or the TCP session has ended.
    func prove(reports: Bool) async throws -> CanaryReport {
        let lines = echo.soFar.lines
        guard let before = canary.latest else { throw CanaryError.silent(words: "") }
        var report = before
        if reports {
            report = try await canary.report(within: .seconds(60)) { report in
                report.anomalies > 0
                    || report.sequence > before.sequence && report.pagesVerified > before.pagesVerified
                        && report.recordsVerified > before.recordsVerified
            }
        }
        guard report.anomalies == 0 else { throw CanaryError.anomaly(report.anomaly) }
        for _ in 0..<2000 where echo.soFar.end == nil && echo.soFar.lines < lines + Self.answersToProve {
            Clock.sleep(milliseconds: 5)
        }
        if let end = echo.soFar.end { throw BenchError("the TCP session is broken: \(end)") }
        guard echo.soFar.lines >= lines + Self.answersToProve else { throw BenchError("no more answers over TCP") }
        return report
    }
}
