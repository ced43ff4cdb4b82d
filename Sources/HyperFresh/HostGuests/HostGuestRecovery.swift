import Glibc
import Guests
import Handoff
import Journal
import Linux
import QMP

/// A QEMU of this host as recovery finds it.
struct ProcessSide: RecoverableQEMU {
    /// The proof, in addition to pid and start time, that a process is the side on record.
    enum Proof: Sendable {
        /// It maps the guest's memory: the old QEMU.
        case maps(GuestMemory)
        /// It was started by this handoff, whose id is in the temporary names on its command line: the new QEMU.
        case startedBy(String)

        /// Returns whether the process is the side on record.
        func holds(for process: ProcessIdentity) -> Bool {
            let isMeant =
                switch self {
                // Mappings that cannot be read prove nothing.
                case .maps(let memory): (try? memory.isMapped(by: process.pid)) == true
                case .startedBy(let id): ProcessSide.isStarted(process.pid, by: id)
                }
            // Check this last: everything that was read before then belongs to this very process.
            return isMeant && process.isAlive
        }
    }

    let identity: ProcessIdentity?
    let endpoint: String
    let client: QMPClient?
    let observation: SideObservation
    let proof: Proof

    /// Whether hyperfresh started it, in a session of its own, which also contains anything that a wrapper has started.
    private var isOurs: Bool { if case .startedBy = proof { true } else { false } }

    /// How long an unproven process may take to end on its own: a process that was started, but never released to
    /// become a QEMU, ends immediately.
    private static let startDeadline = Duration.seconds(2)

    var name: String { identity.map { "pid \($0.pid)" } ?? "none" }

    static func observe(_ identity: ProcessIdentity?, at path: String, proof: Proof) async -> ProcessSide {
        func seen(_ observation: SideObservation, _ client: QMPClient? = nil) -> ProcessSide {
            ProcessSide(identity: identity, endpoint: path, client: client, observation: observation, proof: proof)
        }
        guard let identity, identity.isAlive else { return seen(.gone) }
        // A QEMU that cannot be asked is silent, whatever the reason: nothing is concluded from that.
        guard let client = try? await QMPClient.connect(path: path, greetingDeadline: .seconds(3)) else {
            return seen(identity.isAlive ? .silent : .gone)
        }
        // The path may lead to the other side by now.
        guard client.peer?.pid == identity.pid, let status = try? await client.execute(QueryStatus()) else {
            client.close()
            return seen(identity.isAlive ? .silent : .gone)
        }
        return seen(SideObservation(status), client)
    }

    func end() async throws(HyperFreshError) {
        guard let identity, identity.isAlive else { return }
        let handle: ProcessHandle
        do throws(SystemError) {
            handle = try ProcessHandle(identity)
        } catch {
            if error.isGone { return }
            throw unended(identity, because: "\(error)")
        }
        if !proof.holds(for: identity) {
            if await handle.waitForExit(within: Self.startDeadline) { return }
            guard proof.holds(for: identity) else { throw unproven(identity) }
        }
        if isOurs { handle.endSession() }
        guard await handle.end(within: .seconds(10)) else {
            throw unended(identity, because: "it does not end after SIGKILL; it may be waiting for a disk")
        }
    }

    private func unended(_ identity: ProcessIdentity, because reason: String) -> HyperFreshError {
        HyperFreshError(
            "pid \(identity.pid) cannot be ended",
            remedy: "Find out what it waits for, then run `hyperfresh recover` again.",
            evidence: [reason], exitCode: RefreshOutcome.unknown.exitCode)
    }

    /// Returns the error for a process that only its recorded pid identifies, which is no reason to end it.
    private func unproven(_ identity: ProcessIdentity) -> HyperFreshError {
        let lack =
            switch proof {
            case .maps(let memory): "it does not map the guest's memory, \(memory.path)"
            case .startedBy(let id): "its command line does not name handoff \(id)"
            }
        return HyperFreshError(
            "pid \(identity.pid) was not ended: it is not proven to be the QEMU on record (\(lack))",
            remedy: """
                See what pid \(identity.pid) is (`ps -fp \(identity.pid)`). Once it has ended, run \
                `hyperfresh recover` again.
                """,
            exitCode: RefreshOutcome.unknown.exitCode)
    }

    fileprivate static func isStarted(_ pid: Int32, by id: String) -> Bool {
        // A command line that cannot be read proves nothing.
        guard let arguments = try? ProcFS.commandLine(pid) else { return false }
        // Other processes may name its files, too; only the new QEMU has -incoming.
        return arguments.contains { $0.contains(".hf-\(id)") } && arguments.contains("-incoming")
    }

    func close() { client?.close() }
}

/// A side that is a QEMU.
protocol RecoverableQEMU: RecoverableSide {
    /// Its monitor; `nil` if it is gone or silent.
    var client: QMPClient? { get }
}

extension RecoverableQEMU {
    func restore(resume: Bool, of entry: HandoffEntry) async throws -> HandoffRecovery.Conclusion? {
        if let client {
            try await OldSide.restore(client, settings: entry.oldSettings, resume: resume)
        } else if entry.oldSettings != nil {
            return HandoffRecovery.Conclusion(
                outcome: .rolledBack,
                summary: """
                    rolled back: the guest is on the old QEMU (\(name)), which does not answer and still has the \
                    migration settings of a refresh
                    """,
                remedy: "Disconnect other clients from its monitor (\(endpoint)), then run `hyperfresh recover` again.")
        }
        return nil
    }

    func run(resume: Bool, of entry: HandoffEntry) async throws {
        guard let client else { return }
        if resume { _ = try await client.execute(Cont()) }
        if let settings = entry.newSettings { try await MigrationLink.restore(settings, on: client) }
        // Failure is harmless: switches also learn the new path from the guest's next frame.
        _ = try? await client.execute(AnnounceSelf())
    }
}

/// The sockets, the pid file and the listeners of a guest that moves between two QEMUs of this host.
struct EndpointPlaces: RecoveryPlaces {
    let facts: HostGuestFacts
    /// The two sides; `nil` without a process of this boot.
    let old: ProcessIdentity?
    let new: ProcessIdentity?
    /// The new side's monitor; `nil` if it is gone or silent.
    let newClient: QMPClient?

    func rescue() async {
        guard let newClient, let old else { return }
        for followUp in facts.followUps where followUp.needsOldProcess {
            // Best effort: a listener that ended with the old QEMU can be created again at the monitor.
            guard let handle = try? ProcessHandle(old) else { return }
            try? await followUp.perform(on: newClient, old: handle)
        }
    }

    func settle() async throws {
        if let newClient {
            for followUp in facts.followUps where !followUp.needsOldProcess {
                // Refused if it was done already: recovery may be repeated.
                try? await followUp.perform(on: newClient)
            }
        }
        try EndpointFiles.settle(facts.endpoints)
    }

    func discard() { EndpointFiles.discard(facts.endpoints) }

    func strangers() throws(HyperFreshError) -> [FileHolder] {
        try GuestMemory(facts).users().filter { $0.process != old && $0.process != new }
    }
}

extension HandoffRecovery {
    /// Returns the recovery of a handoff between two QEMUs of this host.
    static func ofHostGuest(
        _ entry: HandoffEntry, state: HandoffState, facts: HostGuestFacts, journal: JournalWriter
    ) async throws(HyperFreshError) -> HandoffRecovery {
        // After the endpoints are settled, the permanent name belongs to the new side.
        let newQMP = Files.exists(facts.newQMP) ? facts.newQMP : facts.lastingQMP
        // Pids of another boot belong to other processes by now; everything that ran then has ended.
        let isOfThisBoot = try facts.isOfThisBoot()
        let old = isOfThisBoot ? facts.old : nil
        let recorded = isOfThisBoot ? entry.newIdentity.flatMap { $0.isAlive ? $0 : nil } : nil
        let started = try recorded == nil ? process(startedBy: entry.id) : nil
        let new = recorded ?? started ?? (isOfThisBoot ? entry.newIdentity : nil)
        let newSide = await ProcessSide.observe(new, at: newQMP, proof: .startedBy(entry.id))
        return HandoffRecovery(
            entry: entry, state: state, journal: journal,
            old: await ProcessSide.observe(old, at: facts.oldQMP, proof: .maps(GuestMemory(facts))), new: newSide,
            places: EndpointPlaces(facts: facts, old: old, new: new, newClient: newSide.client))
    }

    /// Returns a QEMU that was started but not recorded, by the handoff's id in the temporary names on its command
    /// line.
    static func process(startedBy id: String) throws(HyperFreshError) -> ProcessIdentity? {
        let pids: [Int32]
        do throws(SystemError) { pids = try ProcFS.processes() } catch {
            throw HyperFreshError(
                "cannot determine whether a new QEMU was started", because: error,
                remedy: "Mount /proc, then try again.",
                exitCode: RefreshOutcome.unknown.exitCode)
        }
        return pids.lazy.filter { ProcessSide.isStarted($0, by: id) }.compactMap(ProcessIdentity.current)
            .first(where: \.isAlive)
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

    /// The observation as the predicate of a sentence: `pid 42 WORDS`.
    var words: String {
        switch self {
        case .gone: "is gone"
        case .silent: "does not answer"
        case .running: "reports that the guest runs"
        case .paused: "reports that the guest is paused"
        case .waiting: "waits for the guest's state"
        case .handingOver: "is handing over the guest"
        case .handedOver: "has handed over the guest"
        case .ended: "reports that the guest has ended"
        }
    }
}
