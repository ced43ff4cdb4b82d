import Glibc
public import Linux

/// A canary guest on a real QEMU, the witness of every live test.
///
/// It checks its own memory, disk, clock and network, and says on its serial port what it finds.
public final class CanaryGuest: Sendable {
    /// How to boot it.
    public struct Options: Sendable {
        /// The guest's name.
        public var name = "canary"
        /// The QEMU binary.
        public var binary = "/usr/bin/qemu-system-x86_64"
        /// Guest memory in MiB.
        public var memoryMiB = 256
        /// Memory that the canary walks and rewrites, in MiB.
        public var watchedMiB = 32
        /// Pages rewritten each second, `idle` or `max`.
        public var pace = "idle"
        /// Reports each second: whoever asks the canary whether it runs waits for one.
        public var reports = 5
        /// The machine type.
        public var machine = "pc-q35-7.2"
        /// The memory backend's further properties.
        public var memoryProperties = "share=on"
        /// Its virtio disks.
        public var disks: [CanaryDisk] = []
        /// Whether QEMU names its threads, so that those of the vCPUs can be told.
        public var namesThreads = false
        /// Arguments after all others.
        public var arguments: [String] = []
        /// Words for the guest kernel's command line.
        public var kernelWords: [String] = []
        /// QEMU's environment, beside a `PATH`.
        public var environment: [String] = []

        /// The defaults: 256 MiB, idle, no disk, no network.
        public init() {}
    }

    /// Files that the guest keeps: all in one folder, but for the memory.
    public let files: CanaryFiles
    /// The QEMU that was started first.
    public let firstProcess: ProcessIdentity

    private init(files: CanaryFiles, firstProcess: ProcessIdentity) {
        self.files = files
        self.firstProcess = firstProcess
    }

    /// Starts a QEMU and waits until the canary has said something.
    ///
    /// - Parameters:
    ///   - options: How.
    ///   - artifacts: The kernel and the initramfs that `scripts/build-canary` makes.
    ///   - files: Where its files go; the folder must exist.
    ///   - deadline: How long the guest may take to boot.
    /// - Returns: The running guest.
    /// - Throws: ``CanaryError`` with QEMU's words or the console's.
    public static func boot(
        _ options: Options = Options(), artifacts: CanaryArtifacts, files: CanaryFiles,
        within deadline: Duration = .seconds(120)
    ) async throws -> CanaryGuest {
        try files.createMemory(mebibytes: options.memoryMiB)
        for (index, disk) in options.disks.enumerated() { try await disk.create(at: files.disk(index, disk.format)) }
        let errors = try Descriptor.open(files.errors, flags: O_WRONLY | O_CREAT | O_APPEND)
        var request = SpawnRequest(
            executable: options.binary, arguments: commandLine(options, artifacts: artifacts, files: files),
            environment: ["PATH=/usr/bin:/bin"] + options.environment)
        request.workingDirectory = files.directory
        request.descriptors = [.init(source: errors.number, number: 2)]
        let process = try spawn(request)
        let guest = CanaryGuest(files: files, firstProcess: process)
        do {
            _ = try await guest.report(within: deadline, from: process) { _ in true }
        } catch {
            guest.end()
            throw error
        }
        return guest
    }

    private static func commandLine(
        _ options: Options, artifacts: CanaryArtifacts, files: CanaryFiles
    ) -> [String] {
        [
            options.binary, "-name", options.name + (options.namesThreads ? ",debug-threads=on" : ""), "-nodefaults",
            "-display", "none", "-accel", "tcg",
            "-machine", "\(options.machine),memory-backend=ram0", "-m", "\(options.memoryMiB)M",
            "-object",
            "memory-backend-file,id=ram0,size=\(options.memoryMiB)M,mem-path=\(files.memory),\(options.memoryProperties)",
            "-kernel", artifacts.kernel, "-initrd", artifacts.initramfs,
            "-append",
            ([
                "quiet", "loglevel=0", "cryptomgr.notests", "canary.memory=\(options.watchedMiB)M",
                "canary.dirty=\(options.pace)", "canary.reports=\(options.reports)",
            ] + options.kernelWords).joined(separator: " "),
            "-qmp", "unix:\(files.qmp),server=on,wait=off", "-serial", "file:\(files.serial)", "-pidfile",
            files.pidFile,
        ]
            + options.disks.enumerated().flatMap { index, disk in
                ["-drive", "file=\(files.disk(index, disk.format)),format=\(disk.format.rawValue),if=virtio"]
            } + options.arguments
    }

    /// The pid in the guest's pid file: the QEMU that has the guest now.
    public var pid: Int32? {
        (try? Files.readAll(files.pidFile)).flatMap { bytes in
            Int32(String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace })
        }
    }

    /// Every report so far, oldest first.
    public var reports: [CanaryReport] {
        let text =
            (try? Files.readAll(files.serial, limit: 256 << 20)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return text.split(whereSeparator: \.isNewline).compactMap { CanaryReport(line: $0) }
    }

    /// The latest report; `nil` before the first.
    ///
    /// Unlike ``reports`` it costs the same however much the guest has said.
    public var latest: CanaryReport? {
        let lines = ((try? files.serialTail()) ?? "").split(whereSeparator: \.isNewline)
        return lines.lazy.reversed().compactMap { CanaryReport(line: $0) }.first
    }

    /// Waits for a report that meets a condition.
    ///
    /// - Parameters:
    ///   - deadline: How long.
    ///   - process: The QEMU without which none can come; `nil` if another one may take its place.
    ///   - condition: What it has to meet.
    /// - Returns: The first such report among those written from now on or last.
    /// - Throws: ``CanaryError`` with the console's last words when none came.
    public func report(
        within deadline: Duration = .seconds(20), from process: ProcessIdentity? = nil,
        where condition: (CanaryReport) -> Bool
    ) async throws -> CanaryReport {
        let end = ContinuousClock.now + deadline
        while true {
            if let report = latest, condition(report) { return report }
            guard ContinuousClock.now < end, process?.isAlive != false else {
                throw CanaryError.silent(words: files.lastWords())
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// How often the canary has started: once, and again after each reset.
    public var boots: Int { reports.count { $0.sequence == 1 } }

    /// Waits until the canary has started again.
    ///
    /// - Parameter boots: How often it had started before.
    /// - Returns: One of its reports since.
    /// - Throws: ``CanaryError/silent(words:)`` after a minute.
    public func nextBoot(after boots: Int) async throws -> CanaryReport {
        try await report(within: .seconds(60)) { _ in self.boots > boots }
    }

    /// Waits until the canary has spoken again and has checked more than it had: it runs, and is sound.
    ///
    /// - Returns: Its report.
    /// - Throws: ``CanaryError`` when it is silent or found an anomaly.
    public func proveAlive(within deadline: Duration = .seconds(20)) async throws -> CanaryReport {
        let before = latest
        let report = try await report(within: deadline) { report in
            report.sequence > (before?.sequence ?? 0) + 1 && report.pagesVerified > (before?.pagesVerified ?? 0)
        }
        guard report.anomalies == 0 else { throw CanaryError.anomaly(report.anomaly) }
        return report
    }

    /// Ends every QEMU that maps the guest's memory and removes its files.
    ///
    /// Safe to call twice.
    public func end() {
        for pid in (try? ProcFS.processes()) ?? []
        where (try? ProcFS.mappings(pid))?.contains(where: { $0.path == files.memory }) == true {
            kill(pid, SIGKILL)
        }
        files.remove()
    }
}

/// Why the canary could not bear witness.
public enum CanaryError: Error, Sendable, CustomStringConvertible {
    /// It said nothing; what QEMU and the guest's console said last.
    case silent(words: String)
    /// It found something that must never happen.
    case anomaly(String)
    /// `qemu-img` made no disk image.
    case imageNotMade(words: String)
    /// `scripts/build-canary` has not been run.
    case notBuilt(path: String)

    /// What happened, and what to do.
    public var description: String {
        switch self {
        case .silent(let words): "the canary is silent; last words:\n\(words)"
        case .anomaly(let text): "the canary found an anomaly: \(text)"
        case .imageNotMade(let words): "qemu-img made no disk image: \(words)"
        case .notBuilt(let path): "there is no \(path): run scripts/build-canary"
        }
    }
}
