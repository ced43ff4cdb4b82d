import Glibc
public import Linux

/// A canary guest on a real QEMU, used by every live test.
///
/// It checks its own memory, disk, clock and network, and reports the results on its serial port.
public final class CanaryGuest: Sendable {
    /// The guest's configuration.
    public struct Options: Sendable {
        /// The guest's name.
        public var name = "canary"
        /// The QEMU binary.
        public var binary = "/usr/bin/qemu-system-x86_64"
        /// Guest memory in MiB.
        public var memoryMiB = 256
        /// The size of the memory that the canary walks and rewrites, in MiB.
        public var watchedMiB = 32
        /// The number of pages rewritten each second, `idle` or `max`.
        public var pace = "idle"
        /// The number of reports each second; checking that the canary runs means waiting for one.
        public var reports = 5
        /// The machine type.
        public var machine = "pc-q35-7.2"
        /// Further properties of the memory backend.
        public var memoryProperties = "share=on"
        /// Its virtio disks.
        public var disks: [CanaryDisk] = []
        /// Whether QEMU names its threads, so that vCPU threads can be identified.
        public var namesThreads = false
        /// QEMU arguments, appended after all others.
        public var arguments: [String] = []
        /// Further arguments for the guest kernel's command line.
        public var kernelWords: [String] = []
        /// QEMU's environment, in addition to a `PATH`.
        public var environment: [String] = []

        /// The defaults: 256 MiB, idle, no disk, no network.
        public init() {}
    }

    /// The guest's files: all in one folder, except the memory.
    public let files: CanaryFiles
    /// The first QEMU of the guest.
    public let firstProcess: ProcessIdentity

    private init(files: CanaryFiles, firstProcess: ProcessIdentity) {
        self.files = files
        self.firstProcess = firstProcess
    }

    /// Starts a QEMU and waits for the canary's first report.
    ///
    /// - Parameters:
    ///   - options: The guest's configuration.
    ///   - artifacts: Kernel and initramfs, as built by `scripts/build-canary`.
    ///   - files: The paths of its files; the folder must exist.
    ///   - deadline: The longest time for the boot.
    /// - Returns: The running guest.
    /// - Throws: ``CanaryError`` with QEMU's or the console's output.
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

    /// The pid in the guest's pid file: that of the QEMU that runs the guest now.
    public var pid: Int32? {
        (try? Files.readAll(files.pidFile)).flatMap { bytes in
            Int32(String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace })
        }
    }

    /// All reports so far, oldest first.
    public var reports: [CanaryReport] {
        let text =
            (try? Files.readAll(files.serial, limit: 256 << 20)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return text.split(whereSeparator: \.isNewline).compactMap { CanaryReport(line: $0) }
    }

    /// The latest report; `nil` before the first.
    ///
    /// Unlike ``reports``, its cost does not depend on the size of the log.
    public var latest: CanaryReport? {
        let lines = ((try? files.serialTail()) ?? "").split(whereSeparator: \.isNewline)
        return lines.lazy.reversed().compactMap { CanaryReport(line: $0) }.first
    }

    /// Waits for a report that meets a condition.
    ///
    /// - Parameters:
    ///   - deadline: The longest wait.
    ///   - process: The QEMU that must stay alive during the wait; `nil` if another one may replace it.
    ///   - condition: The condition.
    /// - Returns: The first report that meets it, beginning with the latest one.
    /// - Throws: ``CanaryError`` with the end of the console's log if none arrived.
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

    /// The number of times that the canary has started: once, and again after each reset.
    public var boots: Int { reports.count { $0.sequence == 1 } }

    /// Waits until the canary has started again.
    ///
    /// - Parameter boots: The number of starts so far.
    /// - Returns: One of its reports since.
    /// - Throws: ``CanaryError/silent(words:)`` after a minute.
    public func nextBoot(after boots: Int) async throws -> CanaryReport {
        try await report(within: .seconds(60)) { _ in self.boots > boots }
    }

    /// Waits until the canary has reported again and has checked more pages: it runs and found no damage.
    ///
    /// - Returns: Its report.
    /// - Throws: ``CanaryError`` if it sends no report or found an anomaly.
    public func proveAlive(within deadline: Duration = .seconds(20)) async throws -> CanaryReport {
        let before = latest
        let report = try await report(within: deadline) { report in
            report.sequence > (before?.sequence ?? 0) + 1 && report.pagesVerified > (before?.pagesVerified ?? 0)
        }
        guard report.anomalies == 0 else { throw CanaryError.anomaly(report.anomaly) }
        return report
    }

    /// Kills every QEMU that maps the guest's memory, and removes the guest's files.
    ///
    /// A second call does nothing.
    public func end() {
        for pid in (try? ProcFS.processes()) ?? []
        where (try? ProcFS.mappings(pid))?.contains(where: { $0.path == files.memory }) == true {
            kill(pid, SIGKILL)
        }
        files.remove()
    }
}

/// A failure of the canary, or found by it.
public enum CanaryError: Error, Sendable, CustomStringConvertible {
    /// It sent no report; `words` is the end of QEMU's output and of the guest's console.
    case silent(words: String)
    /// It found an anomaly: something that must never happen.
    case anomaly(String)
    /// `qemu-img` failed to create a disk image.
    case imageNotMade(words: String)
    /// `scripts/build-canary` has not been run.
    case notBuilt(path: String)

    /// What happened, and what to do.
    public var description: String {
        switch self {
        case .silent(let words): "the canary sends no reports; end of its logs:\n\(words)"
        case .anomaly(let text): "the canary found an anomaly: \(text)"
        case .imageNotMade(let words): "qemu-img cannot create the disk image: \(words)"
        case .notBuilt(let path): "\(path) does not exist: run scripts/build-canary"
        }
    }
}
