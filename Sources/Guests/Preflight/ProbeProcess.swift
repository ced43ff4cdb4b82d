internal import Glibc
internal import Linux
internal import Logging
internal import QMP

/// A QEMU without a machine that is there to be asked.
final class ProbeProcess: Sendable {
    /// What a started binary turned out to be: a wrapper is seen through by what it became.
    struct Surroundings: Sendable {
        /// The program that runs.
        let executable: String
        /// The arguments that stand before ours.
        let addedArguments: [String]
        /// The variables that differ from ours.
        let environment: [String: String]

        /// The folders, where nothing but `-L FOLDER` was added; nil otherwise.
        var addedFirmwareFolders: [String]? {
            var folders: [String] = []
            var rest = addedArguments[...]
            while rest.count >= 2, rest.first == "-L" || rest.first == "--L" {
                rest = rest.dropFirst()
                folders.append(rest.removeFirst())
            }
            return rest.isEmpty ? folders : nil
        }

        /// Whether nothing but the folder of modules was added to the environment; the shell's own variables aside.
        var addsOnlyModules: Bool {
            environment.keys.allSatisfy { ["QEMU_MODULE_DIR", "PWD", "OLDPWD", "SHLVL", "_"].contains($0) }
        }
    }

    private static let descriptorNumber: Int32 = 3
    /// What it finds open has this number and those that follow.
    static let firstInherited: Int32 = 10
    /// No machine at all.
    static let noMachine = ["-machine", "none"]
    private static let arguments = [
        "-nodefaults", "-no-user-config", "-display", "none", "-S", "-chardev",
        "socket,id=hf,fd=\(descriptorNumber)", "-mon", "chardev=hf,mode=control",
    ]

    private let path: String
    private let handle: ProcessHandle
    private let monitor: UnixStream
    private let errorOutput: UnixStream
    private let ownEnvironment: [String]

    /// Starts a binary.
    ///
    /// - Parameters:
    ///   - path: the binary.
    ///   - credentials: the rights to start it with; nil for ours.
    ///   - environment: variables in addition to ours.
    ///   - machine: the options that make its machine, `-machine` first.
    ///   - inherited: files that it finds open.
    /// - Throws: ``QEMUProbeError`` where it cannot be started.
    init(
        _ path: String, credentials: ProcessCredentials?, environment: [String: String],
        machine: [String] = noMachine, inherited: [SharedMemory] = []
    ) throws(QEMUProbeError) {
        self.path = path
        do {
            let (ours, theirs) = try UnixStream.pair()
            let (reader, writer) = try UnixStream.pair()
            let own = try ProcFS.environment(getpid()).filter { variable in
                let isShown =
                    credentials == nil || HelperProgram.harmlessVariables.contains { variable.hasPrefix($0 + "=") }
                return isShown && !environment.keys.contains { variable.hasPrefix($0 + "=") }
            }
            ownEnvironment = own + environment.map { "\($0.key)=\($0.value)" }
            var request = SpawnRequest(
                executable: path, arguments: [path] + machine + Self.arguments, environment: ownEnvironment)
            request.credentials = credentials
            request.descriptors = [
                .init(source: theirs.number, number: Self.descriptorNumber), .init(source: writer.number, number: 2),
            ]
            for (index, file) in inherited.enumerated() {
                request.descriptors.append(.init(source: file.number, number: Self.firstInherited + Int32(index)))
            }
            handle = try ProcessHandle(try spawn(request))
            monitor = ours
            errorOutput = reader
        } catch {
            throw QEMUProbeError(.notStarted, path: path, "\(error)")
        }
    }

    /// Waits for its monitor.
    func connect(within deadline: Duration) async throws(QEMUProbeError) -> QMPClient {
        do throws(QMPError) {
            return try await withLogger(mergingMetadata: ["side": "probe"]) { _ async throws(QMPError) in
                try await QMPClient.connect(
                    adopting: Descriptor(adopting: dup(monitor.number)), name: path, greetingDeadline: deadline)
            }
        } catch {
            end()
            let said = lastWords()
            if error.code == .disconnected {
                throw QEMUProbeError(.exited, path: path, "it ended before its monitor answered", evidence: said)
            }
            if error.code == .busy || error.code == .timeout {
                throw QEMUProbeError(
                    .hangs, path: path, "its monitor did not answer within \(deadline)", evidence: said)
            }
            throw QEMUProbeError(.notQEMU, path: path, "it does not speak as QEMU does: \(error)", evidence: said)
        }
    }

    /// Looks at what the process has become; it answers, so it is QEMU.
    func surroundings() throws(QEMUProbeError) -> Surroundings {
        let pid = handle.identity.pid
        do {
            let executable = try ProcFS.executable(pid).path
            let arguments = try ProcFS.commandLine(pid)
            guard let first = arguments.firstIndex(of: Self.noMachine[0]),
                !QEMURecognition.isWrapper(QEMURecognition.baseName(executable))
            else {
                throw QEMUProbeError(
                    .wrapperDoesNotExec, path: path, "it starts QEMU as a child; a wrapper must end in `exec`")
            }
            let ours = Set(ownEnvironment)
            var environment: [String: String] = [:]
            for variable in try ProcFS.environment(pid) where !ours.contains(variable) {
                let parts = variable.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                environment[String(parts[0])] = parts.count > 1 ? String(parts[1]) : ""
            }
            return Surroundings(
                executable: executable, addedArguments: Array(arguments[1..<first]), environment: environment)
        } catch let error as QEMUProbeError {
            throw error
        } catch {
            throw QEMUProbeError(
                .exited, path: path, "it ended while it was looked at: \(error)", evidence: lastWords())
        }
    }

    /// Ends it and all that it started.
    func end() {
        kill(-handle.identity.pid, SIGKILL)
        try? handle.signal(SIGKILL)
    }

    /// What it wrote to its standard error, as far as it is there.
    private func lastWords() -> String {
        var bytes = [UInt8](repeating: 0, count: 8192)
        let count = bytes.withUnsafeMutableBytes {
            recv(errorOutput.number, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
        }
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
