import Glibc
import Guests
import Handoff
import Journal
import Linux
import QMP

/// A QEMU of this host as recovery finds it.
struct ProcessSide: RecoverableQEMU {
    let identity: ProcessIdentity?
    let endpoint: String
    let client: QMPClient?
    let observation: SideObservation
    /// Whether we started it, in a session that is its own: what a wrapper has started is in there too.
    var isOurs = false

    var name: String { identity.map { "pid \($0.pid)" } ?? "none" }

    static func observe(_ identity: ProcessIdentity?, at path: String) async -> ProcessSide {
        func seen(_ observation: SideObservation, _ client: QMPClient? = nil) -> ProcessSide {
            ProcessSide(identity: identity, endpoint: path, client: client, observation: observation)
        }
        guard let identity, identity.isAlive else { return seen(.gone) }
        guard let client = try? await QMPClient.connect(path: path, greetingDeadline: .seconds(3)) else {
            return seen(.silent)
        }
        // A path may lead to the other side by now.
        guard client.peer?.pid == identity.pid, let status = try? await client.execute(QueryStatus()) else {
            client.close()
            return seen(.silent)
        }
        return seen(SideObservation(status), client)
    }

    func end() async throws(HyperFreshError) {
        guard let identity, identity.isAlive, let handle = try? ProcessHandle(identity) else { return }
        if isOurs { handle.endSession() } else { try? handle.signal(SIGKILL) }
        guard await handle.waitForExit(within: .seconds(10)) else {
            throw HyperFreshError(
                "pid \(identity.pid) cannot be ended", remedy: "End it and run `hyperfresh recover` again.")
        }
    }

    func close() { client?.close() }
}

/// A side that is a QEMU.
protocol RecoverableQEMU: RecoverableSide {
    /// Its monitor; `nil` when it is gone or silent.
    var client: QMPClient? { get }
}

extension RecoverableQEMU {
    func restore(resume: Bool, of entry: HandoffEntry) async throws -> GuestRecovery.Conclusion? {
        if let client {
            try await OldSide.restore(client, settings: entry.oldSettings, resume: resume)
        } else if entry.oldSettings != nil {
            return GuestRecovery.Conclusion(
                outcome: .rolledBack,
                summary: """
                    rolled back: the guest is on the old QEMU (\(name)), which does not answer and keeps the \
                    migration settings of a refresh
                    """,
                remedy: "Let go of its monitor (\(endpoint)) and run `hyperfresh recover` again.")
        }
        return nil
    }

    func run(resume: Bool, of entry: HandoffEntry) async throws {
        guard let client else { return }
        if resume { _ = try await client.execute(Cont()) }
        if let settings = entry.newSettings { try await MigrationLink.restore(settings, on: client) }
        _ = try? await client.execute(AnnounceSelf())
    }
}

/// The sockets, the pid file and the listeners of a guest that moves between two QEMUs of this host.
struct EndpointPlaces: RecoveryPlaces {
    let facts: HandoffFacts
    /// The new side's monitor; `nil` when it is gone or silent.
    let new: QMPClient?

    func rescue() async {
        guard let new else { return }
        for followUp in facts.followUps where followUp.needsOldProcess {
            guard let handle = try? ProcessHandle(facts.old) else { return }
            try? await followUp.perform(on: new, old: handle)
        }
    }

    func settle() async throws {
        if let new {
            for followUp in facts.followUps where !followUp.needsOldProcess { try? await followUp.perform(on: new) }
        }
        try EndpointFiles.settle(facts.endpoints)
    }

    func discard() { EndpointFiles.discard(facts.endpoints) }
}

extension GuestRecovery {
    /// The recovery of a handoff between two QEMUs of this host.
    static func ofProcesses(
        _ entry: HandoffEntry, state: HandoffState, facts: HandoffFacts, journal: JournalWriter
    ) async -> GuestRecovery {
        // Once settled, the lasting name is the new side's.
        let newQMP = Files.exists(facts.newQMP) ? facts.newQMP : facts.lastingQMP
        var new = await ProcessSide.observe(entry.newIdentity ?? process(startedBy: entry.id), at: newQMP)
        new.isOurs = true
        return GuestRecovery(
            entry: entry, state: state, journal: journal,
            old: await ProcessSide.observe(facts.old, at: facts.oldQMP), new: new,
            places: EndpointPlaces(facts: facts, new: new.client))
    }

    /// A QEMU that was started but not recorded: the handoff's id is in the temporary names on its command line.
    private static func process(startedBy id: String) -> ProcessIdentity? {
        let pids = (try? ProcFS.processes()) ?? []
        let pid = pids.first { (try? ProcFS.commandLine($0))?.contains { $0.contains(".hf-\(id)") } == true }
        return pid.flatMap(ProcessIdentity.current(of:))
    }
}

extension SideObservation {
    init(_ status: QueryStatus.Reply) {
        self =
            switch status.state {
            case .running: .running
            case .inmigrate: .waiting
            case .finishMigrate: .handingOver
            case .postmigrate: .handedOver
            case .shutdown, .internalError, .guestPanicked: .ended
            default: .paused
            }
    }
}
