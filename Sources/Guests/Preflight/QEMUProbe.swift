internal import Glibc
internal import JSON
package import Linux
package import QMP

/// The answers of a binary that was queried.
package struct QEMUProbe: Sendable {
    /// How to start it.
    package let binary: QEMUBinary
    /// Its version with all numbers and the name of its package.
    package let version: QEMUVersion
    /// The architecture that it emulates: `x86_64`.
    package let target: String
    /// The machine types that it knows, with their aliases.
    package let machines: [QueryMachines.Machine]
    /// The properties of the queried device types that it has.
    package let properties: [String: Set<String>]
    /// Variables that it needs in addition to our own environment when it is started directly.
    let environment: [String: String]

    /// Returns whether it knows a machine type, by its name or an alias.
    package func knows(machineType: String) -> Bool {
        machines.contains { $0.name == machineType || $0.alias == machineType }
    }
}

// MARK: - Ask

extension QEMUProbe {
    /// The limit for each query: loading a hundred libraries on a busy host is slow, but a hung binary never answers.
    private static let deadline = Duration.seconds(10)

    /// Queries a binary, in a separate short-lived process without a guest.
    ///
    /// Resolves a wrapper script that ends in `exec` to the QEMU that it starts if it only adds firmware and modules;
    /// otherwise keeps the wrapper.
    ///
    /// - Parameters:
    ///   - name: a path, or a name to look up in PATH.
    ///   - credentials: the credentials to run it with; nil for our own.
    ///   - environment: variables in addition to our own.
    ///   - deviceTypes: the relevant device types. Others are not queried: QEMU loads a device's module for the query,
    ///     and some versions abort when a module of another build is in their search path.
    /// - Returns: the answers.
    /// - Throws: ``QEMUProbeError``.
    package static func ask(
        _ name: String, credentials: ProcessCredentials? = nil, environment: [String: String] = [:],
        propertiesOf deviceTypes: Set<String> = []
    ) async throws(QEMUProbeError) -> QEMUProbe {
        let path = try find(name)
        try await checkVersion(path, credentials: credentials, environment: environment)
        var environment = environment
        if environment[ModuleDirectory.variable] == nil, let modules = ownModules(of: path) {
            environment[ModuleDirectory.variable] = modules
        }
        let process = try ProbeProcess(path, credentials: credentials, environment: environment)
        defer { process.end() }
        let client = try await process.connect(within: deadline)
        defer { client.close() }
        let surroundings = try process.surroundings()
        do {
            async let machines = client.execute(QueryMachines())
            async let target = client.executeRaw("query-target")
            let properties = try await properties(of: deviceTypes, client)
            let known = try await firmwareFolders(surroundings, credentials: credentials)
            return QEMUProbe(
                binary: binary(path, surroundings, version: client.greeting.version, known: known),
                version: client.greeting.version, target: try await target["arch"]?.string ?? "",
                machines: try await machines, properties: properties, environment: environment)
        } catch {
            throw QEMUProbeError(.notQEMU, path: path, "it does not answer as QEMU does: \(error)")
        }
    }

    /// Returns the absolute path of a name, found as the shell finds it.
    static func find(_ name: String) throws(QEMUProbeError) -> String {
        let candidates: [String]
        if name.contains("/") {
            candidates = [name]
        } else {
            let search = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
            candidates = search.split(separator: ":").map { "\($0)/\(name)" }
        }
        guard !name.isEmpty, let path = candidates.first(where: { FileStatus.at($0) != nil }).flatMap(absolute),
            let facts = FileStatus.at(path)
        else { throw QEMUProbeError(.missing, path: name, "there is no such file") }
        guard facts.isExecutable else {
            throw QEMUProbeError(
                .notExecutable, path: path, "it is \(facts.isRegular ? "not executable" : "not a regular file")")
        }
        return path
    }

    /// Returns the absolute path with symbolic links kept: a distribution's alternatives may be intended.
    private static func absolute(_ path: String) -> String? {
        path.hasPrefix("/") ? path : Paths.resolved(".").map { Paths.absolute(path, in: $0) }
    }

    /// Returns the module directory of an unpacked binary: without it, QEMU may load modules of another version, and
    /// abort.
    private static func ownModules(of path: String) -> String? {
        FirmwareSearch.folders(for: Paths.resolved(path) ?? path, known: []) { FileStatus.at($0)?.isFolder == true }
            .modules
    }

    /// Checks that it reports to be QEMU; this query comes first because it is harmless for any program.
    private static func checkVersion(
        _ path: String, credentials: ProcessCredentials?, environment: [String: String]
    ) async throws(QEMUProbeError) {
        let user = credentials.map { HelperProgram.User(uid: $0.user.effective, gid: $0.group.effective) }
        let program = HelperProgram(path: path, arguments: ["--version"], environment: environment, user: user)
        let output: HelperProgram.Output
        do throws(HelperProgram.Failure) {
            output = try await program.run(deadline: deadline)
        } catch {
            switch error {
            case .deadline: throw QEMUProbeError(.hangs, path: path, "--version: \(error)")
            case .notStarted(let reason): throw QEMUProbeError(.notStarted, path: path, reason)
            }
        }
        guard QEMUVersion(versionOutput: output.standardOutput) == nil else { return }
        let said = output.standardError + output.standardOutput
        guard output.succeeded else {
            let how = output.signal.map { "signal \($0)" } ?? "exit code \(output.exitCode ?? -1)"
            throw QEMUProbeError(.exited, path: path, "--version ended with \(how)", evidence: said)
        }
        throw QEMUProbeError(.notQEMU, path: path, "--version does not report a QEMU system emulator", evidence: said)
    }

    private static func properties(
        of types: Set<String>, _ client: QMPClient
    ) async throws(QMPError) -> [String: Set<String>] {
        var properties: [String: Set<String>] = [:]
        for type in types.sorted() where !type.hasSuffix("-cpu") {
            guard let list = try await client.ifKnown(DeviceListProperties(typeName: type)) else { continue }
            properties[type] = Set(list.map(\.name))
        }
        return properties
    }

    /// Returns the directories in which the binary looks for firmware, as it reports them.
    private static func firmwareFolders(
        _ surroundings: ProbeProcess.Surroundings, credentials: ProcessCredentials?
    ) async throws(HelperProgram.Failure) -> [String] {
        let user = credentials.map { HelperProgram.User(uid: $0.user.effective, gid: $0.group.effective) }
        let program = HelperProgram(
            path: surroundings.executable, arguments: ["-L", "help"], environment: surroundings.environment, user: user)
        return try await program.run(deadline: deadline).standardOutput.split(whereSeparator: \.isNewline).map(
            String.init)
    }

    /// Returns how to start it: the binary itself if we can pass what the wrapper passes.
    private static func binary(
        _ path: String, _ surroundings: ProbeProcess.Surroundings, version: QEMUVersion, known: [String]
    ) -> QEMUBinary {
        let number = QEMUBinary.Version(version.major, version.minor)
        let isWrapper = Paths.resolved(path) != surroundings.executable
        guard isWrapper else {
            let own = FirmwareSearch.folders(for: surroundings.executable, known: known) {
                FileStatus.at($0)?.isFolder == true
            }
            return QEMUBinary(
                path: path, version: number, firmwareDirectories: own.firmware, moduleDirectory: own.modules)
        }
        guard let firmware = surroundings.addedFirmwareFolders, surroundings.addsOnlyModules else {
            return QEMUBinary(path: path, version: number)
        }
        return QEMUBinary(
            path: surroundings.executable, version: number, firmwareDirectories: firmware,
            moduleDirectory: surroundings.environment[ModuleDirectory.variable])
    }
}

/// Why a binary cannot be the new QEMU.
///
/// Its process has ended.
package struct QEMUProbeError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of error.
    package enum Code: String, Sendable, Hashable {
        /// No file exists at the path, or under the name in PATH.
        case missing
        /// It is not a regular file that may be executed.
        case notExecutable
        /// Users other than root and the guest's can change it, and it would run with our privileges.
        case notTrusted
        /// The kernel refuses to start it; for example, it is for another processor.
        case notStarted
        /// It exits at once, before it answers.
        case exited
        /// It does not answer in time.
        case hangs
        /// It runs, but is not a QEMU system emulator.
        case notQEMU
        /// A wrapper that starts QEMU as a child instead of becoming it (`exec`).
        case wrapperDoesNotExec
    }

    /// The kind of error.
    package let code: Code
    /// The path as given, or as found in PATH.
    package let path: String
    /// What happened.
    package let message: String
    /// The last five lines of the program's output.
    package let evidence: [String]

    init(_ code: Code, path: String, _ message: String, evidence: String = "") {
        self.code = code
        self.path = path
        self.message = message
        self.evidence = evidence.split(whereSeparator: \.isNewline).suffix(5).map(String.init)
    }

    /// The path and the message.
    package var description: String { "\(path): \(message)" }
}
