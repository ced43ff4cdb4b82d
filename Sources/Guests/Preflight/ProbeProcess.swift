internal import Glibc
internal import Linux
internal import Logging
internal import QMP

/// A QEMU process without a guest, started for queries.
final class ProbeProcess: Sendable {
    /// What a started binary has become; shows what a wrapper has added.
    struct Surroundings: Sendable {
        /// The running program.
        let executable: String
        /// The arguments before ours.
        let addedArguments: [String]
        /// The variables that differ from ours.
        let environment: [String: String]

        /// The directories, if only `-L DIRECTORY` was added; nil otherwise.
        var addedFirmwareFolders: [String]? {
            var folders: [String] = []
            var rest = addedArguments[...]
            while rest.count >= 2, rest.first == "-L" || rest.first == "--L" {
                rest = rest.dropFirst()
                folders.append(rest.removeFirst())
            }
            return rest.isEmpty ? folders : nil
        }

        /// Whether only the module directory was added to the environment, apart from the shell's own variables.
        var addsOnlyModules: Bool {
            environment.keys.allSatisfy { [ModuleDirectory.variable, "PWD", "OLDPWD", "SHLVL", "_"].contains($0) }
        }
    }

    private static let descriptorNumber: Int32 = 3
    /// The number of the first inherited descriptor; the others follow.
    static let firstInherited: Int32 = 10
    /// The options for no machine at all.
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
    ///   - credentials: the credentials to start it with; nil for ours.
    ///   - environment: variables in addition to ours.
    ///   - machine: the options that create its machine, `-machine` first.
    ///   - inherited: files that it inherits as open descriptors.
    /// - Throws: ``QEMUProbeError`` if it cannot be started.
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

    /// Connects to its monitor; kills the process if that fails.
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
                throw QEMUProbeError(.exited, path: path, "it exited before its monitor answered", evidence: said)
            }
            if error.code == .busy || error.code == .timeout {
                throw QEMUProbeError(
                    .hangs, path: path, "its monitor did not answer within \(deadline)", evidence: said)
            }
            throw QEMUProbeError(.notQEMU, path: path, "it does not answer as QEMU does: \(error)", evidence: said)
        }
    }

    /// Returns what the process has become; it answers, so it is QEMU.
    func surroundings() throws(QEMUProbeError) -> Surroundings {
        let pid = handle.identity.pid
        do {
            let executable = try ProcFS.executable(pid).path
            let arguments = try ProcFS.commandLine(pid)
            guard let first = arguments.firstIndex(of: Self.noMachine[0]),
                !QEMURecognition.isWrapper(Paths.name(of: executable))
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
                .exited, path: path, "it exited while it was inspected: \(error)", evidence: lastWords())
        }
    }

    /// Kills it and its process group.
    func end() {
        kill(-handle.identity.pid, SIGKILL)
        try? handle.signal(SIGKILL)
    }

    /// Returns its standard error as far as it is available, at most 8 KiB.
    private func lastWords() -> String {
        var bytes = [UInt8](repeating: 0, count: 8192)
        let count = bytes.withUnsafeMutableBytes {
            recv(errorOutput.number, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
        }
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
