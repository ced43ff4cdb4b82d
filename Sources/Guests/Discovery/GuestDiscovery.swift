package import Linux
internal import QEMUCommandLine
internal import QMP

/// Finds the guests of this host by looking at its processes.
package enum GuestDiscovery {
    /// Returns every QEMU system emulator on this host that is visible to us, sorted by name and then by pid.
    ///
    /// Does not query the guests themselves; asks each of their binaries once for its version. Omits a process that
    /// ends during the call.
    ///
    /// - Throws: ``DiscoveryError/processesUnreadable(_:)`` when /proc cannot be read.
    package static func all() async throws(DiscoveryError) -> [GuestProcess] {
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

    /// Returns the one guest that a selector matches.
    ///
    /// Never returns the new side of an uncommitted handoff: it waits for the guest and does not run it.
    ///
    /// - Parameter text: a name, a pid, or the path of a QMP socket.
    /// - Returns: the guest.
    /// - Throws: ``DiscoveryError``; an ambiguous name lists the candidates.
    package static func find(_ text: String) async throws(DiscoveryError) -> GuestProcess {
        let guests = try survey()
        return await (try GuestSelection.select(text, from: guests, program: programName)).withVersions()
    }

    /// Returns the facts in /proc about this process if it is a guest's QEMU; nil if it is not, or has ended.
    package static func process(_ identity: ProcessIdentity) async -> GuestProcess? {
        guard let guest = inspect(identity.pid), guest.identity == identity else { return nil }
        return await guest.withVersions()
    }

    /// Returns whether a process is a QEMU system emulator with a machine, not a shell or tracer with its arguments.
    ///
    /// - Parameters:
    ///   - executable: The path of its program; nil if it is not readable.
    ///   - arguments: Its argument vector.
    /// - Returns: True for an emulator with a machine.
    package static func isEmulator(executable: String?, arguments: [String]) -> Bool {
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
        // An unreadable process is not listed: a user who cannot read it cannot refresh it either.
        guard let arguments = try? ProcFS.commandLine(pid), !arguments.isEmpty else { return nil }
        let executable = try? ProcFS.executable(pid)
        // Omits a process that has ended since.
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
    /// Adds the remaining facts in /proc about the process.
    init(identity: ProcessIdentity, executable: ExecutableLink?, arguments: [String]) {
        let pid = identity.pid
        let folder = try? ProcFS.workingDirectory(pid)
        let view = ProcessView(pid: pid, workingDirectory: folder)
        self.identity = identity
        self.executable = executable
        self.arguments = arguments
        workingDirectory = folder
        // Not the owner of /proc/PID: it is root for a process that dropped privileges (`-runas`) or is not dumpable.
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
        // A guest's owner chooses the name; control characters in it must not reach a terminal that lists it.
        name = (survey.name ?? survey.uuid).map { String($0.map { $0.isControl ? "?" : $0 }) } ?? name
        uuid = survey.uuid
        memoryBackends = survey.memoryBackends
        accelerators = survey.accelerators
        monitors = survey.monitors.compactMap(view.socket)
        // A handoff renames the sockets of its new side at commit; until then the temporary names exist.
        isNewSideOfRefresh =
            survey.waitsForState
            && monitors.contains { monitor in
                guard monitor.boundPath != monitor.lastingPath else { return false }
                return monitor.path == view.reachable(monitor.boundPath) || !isBound(monitor.boundPath)
            }
    }

    /// Whether a listening socket was bound under this name, even if renamed since; a QEMU started a moment ago has
    /// none yet.
    private func isBound(_ path: String) -> Bool {
        guard let sockets = try? ProcFS.unixSockets(of: identity.pid) else { return true }
        let name = path.split(separator: "/").last ?? ""
        return sockets.contains { $0.isListening && $0.path?.hasSuffix(name) == true }
    }

    /// Returns the guest with the versions of the running and the installed binary, which it asks.
    func withVersions() async -> GuestProcess {
        var guest = self
        let pid = identity.pid
        // Any process can claim to be QEMU in its first argument; as root, execute only a file that has such a name.
        if ourUserID == 0, userID != 0,
            !QEMURecognition.isEmulatorName(Paths.name(of: executable?.path ?? ""))
        {
            return guest
        }
        // Without an owner, the binary runs as this user; versions are for display, and preflight asks again.
        let owner = (try? ProcFS.credentials(pid)).map {
            HelperProgram.User(uid: $0.user.effective, gid: $0.group.effective)
        }
        guest.runningVersion = await VersionQuery.shared.version(of: "/proc/\(pid)/exe", owner: owner)
        // In another mount namespace, the path refers to another file here, or to none.
        if let executable, !executable.path.isEmpty, ProcessView(pid: pid).sharesOurFiles {
            guest.installedVersion = await VersionQuery.shared.version(of: executable.path, owner: owner)
        }
        return guest
    }
}

extension Character {
    /// Whether a terminal would interpret it as a control character: C0, DEL and C1.
    fileprivate var isControl: Bool {
        unicodeScalars.contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }
    }
}
