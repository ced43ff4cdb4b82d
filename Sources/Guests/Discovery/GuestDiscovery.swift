public import Linux
internal import QMP

/// Finds the guests of this host by looking at its processes.
public enum GuestDiscovery {
    /// Every QEMU system emulator on this host that we may see, by name and then by pid.
    ///
    /// Nothing is asked of the guests themselves; their binaries are asked for their version, each once. A process
    /// that ends meanwhile is left out.
    ///
    /// - Throws: ``DiscoveryError/processesUnreadable(_:)`` when /proc cannot be read.
    public static func all() async throws(DiscoveryError) -> [GuestProcess] {
        let guests = try survey()
        return await withTaskGroup(of: (Int, GuestProcess).self) { group in
            for (index, guest) in guests.enumerated() {
                group.addTask { (index, await guest.withVersions()) }
            }
            var complete = guests
            for await (index, guest) in group { complete[index] = guest }
            return complete
        }
    }

    /// The one guest that is meant.
    ///
    /// The new side of a refresh that has not committed is never offered: it waits for the guest and does not have it.
    ///
    /// - Parameter text: a name, a pid, or the path of a QMP socket.
    /// - Returns: the guest.
    /// - Throws: ``DiscoveryError``; an ambiguous name lists the candidates.
    public static func find(_ text: String) async throws(DiscoveryError) -> GuestProcess {
        let guests = try survey()
        return await (try GuestSelection.select(text, from: guests, program: programName)).withVersions()
    }

    /// What /proc tells of this process if it is a guest's QEMU; nil when it is not, or is gone.
    public static func process(_ identity: ProcessIdentity) async -> GuestProcess? {
        guard let guest = inspect(identity.pid), guest.identity == identity else { return nil }
        return await guest.withVersions()
    }

    /// Whether a process is a QEMU system emulator with a machine: not a shell or a tracer with the same words.
    ///
    /// - Parameters:
    ///   - executable: The path of its program; nil where that may not be read.
    ///   - arguments: Its argument vector.
    /// - Returns: Whether it is.
    public static func isEmulator(executable: String?, arguments: [String]) -> Bool {
        QEMURecognition.isGuest(executable: executable, arguments: arguments)
    }

    private static func survey() throws(DiscoveryError) -> [GuestProcess] {
        do {
            return try ProcFS.processes().compactMap(inspect).sorted {
                ($0.name, $0.identity.pid) < ($1.name, $1.identity.pid)
            }
        } catch {
            throw .processesUnreadable("\(error)")
        }
    }

    private static func inspect(_ pid: Int32) -> GuestProcess? {
        // A process that may not be looked at is not listed: who may not see it cannot refresh it either.
        guard let arguments = try? ProcFS.commandLine(pid), !arguments.isEmpty else { return nil }
        let executable = try? ProcFS.executable(pid)
        // One that has ended meanwhile is none.
        guard QEMURecognition.isGuest(executable: executable?.path, arguments: arguments),
            let status = try? ProcFS.status(pid), !status.isDead
        else { return nil }
        return GuestProcess(
            identity: ProcessIdentity(pid: pid, startTime: status.startTime),
            executable: executable, arguments: arguments)
    }

    private static func programName(_ pid: Int32) -> String? {
        // For a message only.
        (try? ProcFS.status(pid))?.command
    }
}

extension GuestProcess {
    /// Reads what else /proc tells of the process.
    init(identity: ProcessIdentity, executable: ExecutableLink?, arguments: [String]) {
        let pid = identity.pid
        let folder = try? ProcFS.workingDirectory(pid)
        let view = ProcessView(pid: pid, workingDirectory: folder)
        self.identity = identity
        self.executable = executable
        self.arguments = arguments
        workingDirectory = folder
        // Not the owner of /proc/PID: that is root where a process has given up rights (`-runas`), or has asked for it.
        userID = (try? ProcFS.credentials(pid))?.user.effective
        name = "\(pid)"
        uuid = nil
        monitors = []
        memoryBackends = []
        accelerators = []
        isNewSideOfRefresh = false
        runningVersion = nil
        installedVersion = nil
        do throws(CommandLineError) {
            let line = try CommandLine(arguments: arguments, readConfig: view.configText)
            commandLine = line
            commandLineProblem = nil
            take(CommandLineSurvey(line), view: view)
        } catch {
            commandLine = nil
            commandLineProblem = "\(error)"
        }
    }

    private mutating func take(_ survey: CommandLineSurvey, view: ProcessView) {
        // A guest's owner chooses the name; it must not steer the terminal of whoever lists it.
        name = (survey.name ?? survey.uuid).map { String($0.map { $0.isControl ? "?" : $0 }) } ?? name
        uuid = survey.uuid
        memoryBackends = survey.memoryBackends
        accelerators = survey.accelerators
        monitors = survey.monitors.compactMap(view.socket)
        // A refresh renames the sockets of its new side at commit: until then the temporary names exist.
        isNewSideOfRefresh =
            survey.waitsForState
            && monitors.contains { monitor in
                guard monitor.boundPath != monitor.lastingPath else { return false }
                return monitor.path == view.reachable(monitor.boundPath) || !isBound(monitor.boundPath)
            }
    }

    /// Whether a socket was bound under this name and listens, wherever it was renamed to; a QEMU that was started a moment
    /// ago has none yet.
    private func isBound(_ path: String) -> Bool {
        guard let sockets = try? ProcFS.unixSockets(of: identity.pid) else { return true }
        let name = path.split(separator: "/").last ?? ""
        return sockets.contains { $0.isListening && $0.path?.hasSuffix(name) == true }
    }

    /// Asks the binaries that run and that are installed.
    func withVersions() async -> GuestProcess {
        var guest = self
        let pid = identity.pid
        // Anything can call itself QEMU in its first argument; only what is called so as a file is executed as root.
        if ourUserID == 0, userID != 0,
            !QEMURecognition.isEmulatorName(QEMURecognition.baseName(executable?.path ?? ""))
        {
            return guest
        }
        // Without an owner the binary is asked as this user; versions are for showing, preflight asks again.
        let owner = (try? ProcFS.credentials(pid)).map {
            HelperProgram.User(uid: $0.user.effective, gid: $0.group.effective)
        }
        guest.runningVersion = await VersionQuery.shared.version(of: "/proc/\(pid)/exe", owner: owner)
        // In another mount namespace the path leads to another file here, if to any.
        if let executable, !executable.path.isEmpty, ProcessView(pid: pid).sharesOurFiles {
            guest.installedVersion = await VersionQuery.shared.version(of: executable.path, owner: owner)
        }
        return guest
    }
}

extension Character {
    /// Whether a terminal would take it for a command: C0, DEL and C1.
    fileprivate var isControl: Bool {
        unicodeScalars.contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }
    }
}
