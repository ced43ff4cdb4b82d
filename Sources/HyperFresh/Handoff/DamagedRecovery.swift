import Glibc
import Guests
import Handoff
import Linux
import QMP
import StackFile
import VirtualMachines

/// The recovery of a handoff whose record is damaged or missing: it relies on the processes that run.
///
/// Such a record alone never ends a process. If exactly one process has the guest and answers so, the record is set
/// aside. Otherwise it stays, and the report names the processes that have the guest's memory, with their states.
struct DamagedRecovery {
    /// The handoff.
    let id: String
    /// The readable part of its record; `nil` if there is no record.
    let entry: HandoffEntry?
    /// The damage of the record.
    let problem: String
    /// The facts about a guest of this host, if the record has them.
    private var facts: HostGuestFacts? { entry?.subject?.hostGuest }

    init(entry: HandoffEntry, problem: String) {
        (self.id, self.entry, self.problem) = (entry.id, entry, problem)
    }

    init(unrecorded id: String) {
        (self.id, entry, problem) = (id, nil, "the handoff is not on record")
    }

    private typealias Conclusion = HandoffRecovery.Conclusion

    /// A process that may have the guest.
    private struct Candidate {
        let user: FileHolder
        let observation: SideObservation
        let client: QMPClient?
        /// Whether this handoff started it.
        let isNew: Bool

        /// Whether it has the guest, in a state that needs no other process.
        var hasGuest: Bool { [.running, .paused, .ended].contains(observation) }
        var words: String { "\(user) \(observation.words)" }
    }

    func run() async -> HandoffRecovery.Conclusion {
        guard entry?.isGoingOn != true else { return .atWork() }
        if let entry, entry.subject?.hypervisors.isEmpty == false { return await lookIntoHypervisors(of: entry) }
        var lock: HeldLock?
        if let entry, facts != nil {
            switch entry.takeLock() {
            case .success(let held): lock = held
            case .failure(let obstacle): return obstacle.conclusion
            }
        }
        defer { lock?.release() }
        let candidates: [Candidate]
        do throws(HyperFreshError) {
            candidates = try await findCandidates()
        } catch {
            return look(error.remedy, "\(error.message)")
        }
        defer { for candidate in candidates { candidate.client?.close() } }
        return await conclude(candidates)
    }

    private func conclude(_ candidates: [Candidate]) async -> Conclusion {
        let all = candidates.map(\.words).joined(separator: "; ")
        if candidates.isEmpty {
            guard facts != nil else {
                return setAside(
                    Conclusion(
                        outcome: .unknown, summary: "no process of this handoff is left",
                        remedy: "Check with `hyperfresh list` that every guest runs."))
            }
            return setAside(
                Conclusion(
                    outcome: .lost, summary: "no process has the guest's memory any more: the guest is gone",
                    remedy: "Start the guest again; its disks are as it left them."))
        }
        if candidates.count == 1, candidates[0].hasGuest {
            do {
                try await finish(candidates[0])
            } catch {
                return look("Remove the cause, then run `hyperfresh recover` again.", "\(all); \(error)")
            }
            let only = "\(all), and is the only process that has the guest's memory"
            // Only the record would tell whether the guest has to run.
            if candidates[0].isNew, candidates[0].observation == .paused, let client = candidates[0].client {
                return setAside(
                    Conclusion(
                        outcome: .unknown, summary: only,
                        remedy: "To resume the guest: `hyperfresh qmp \(LastingName.of(client.endpoint)) cont`."))
            }
            return setAside(Conclusion(outcome: candidates[0].isNew ? .refreshed : .rolledBack, summary: only))
        }
        let waiting = candidates.filter { $0.isNew && $0.observation == .waiting }
        if let new = waiting.first, candidates.contains(where: { $0.observation == .running }) {
            return look(
                """
                This handoff started pid \(new.user.process.pid), which has no guest. End it \
                (`kill -9 \(new.user.process.pid)`), then run `hyperfresh recover` again.
                """, all)
        }
        return look("Run `hyperfresh recover` again when only one process has the guest.", all)
    }

    /// Restores the settings, as far as they are known, and moves the sockets to their permanent names.
    private func finish(_ candidate: Candidate) async throws {
        let settings = candidate.isNew ? entry?.newSettings : entry?.oldSettings
        if let client = candidate.client, let settings { try await MigrationLink.restore(settings, on: client) }
        let endpoints = facts?.endpoints ?? LastingName.endpoints(of: candidate.user.process.pid, handoff: id)
        if candidate.isNew { try EndpointFiles.settle(endpoints) } else { EndpointFiles.discard(endpoints) }
    }

    private func findCandidates() async throws(HyperFreshError) -> [Candidate] {
        let new = try HandoffRecovery.process(startedBy: id)
        var users = try facts.map { (facts) throws(HyperFreshError) in try GuestMemory(facts).users() } ?? []
        if let new, !users.contains(where: { $0.process == new }) {
            // Its name is for messages only.
            users.append(FileHolder(process: new, command: (try? ProcFS.status(new.pid))?.command ?? "?", writes: true))
            // Its mapped files lead to the other processes that have the guest.
            if facts == nil { users += try await others(mapping: new) }
        }
        var candidates: [Candidate] = []
        for user in users {
            let (observation, client) = await observe(user.process)
            guard observation != .gone else { continue }
            candidates.append(
                Candidate(user: user, observation: observation, client: client, isNew: user.process == new))
        }
        return candidates
    }

    private func others(mapping new: ProcessIdentity) async throws(HyperFreshError) -> [FileHolder] {
        guard let guest = await GuestDiscovery.process(new), let memory = GuestMemory(of: guest) else { return [] }
        return try memory.users().filter { $0.process != new }
    }

    private func observe(_ process: ProcessIdentity) async -> (SideObservation, QMPClient?) {
        guard process.isAlive else { return (.gone, nil) }
        for monitor in await GuestDiscovery.process(process)?.monitors ?? [] {
            // A monitor that cannot be asked counts as silent, from which nothing is concluded.
            guard let client = try? await QMPClient.connect(path: monitor.path, greetingDeadline: .seconds(3))
            else { continue }
            if client.peer?.pid == process.pid, let status = try? await client.execute(QueryStatus()) {
                return (SideObservation(status), client)
            }
            client.close()
        }
        return (process.isAlive ? .silent : .gone, nil)
    }

    func look(_ remedy: String, _ found: String? = nil) -> HandoffRecovery.Conclusion {
        let found = found.map { "; \($0)" } ?? ""
        return Conclusion(
            outcome: .unknown,
            summary:
                "\(entry.map { "its record cannot be used (\($0.recordPath): \(problem))" } ?? problem), "
                + "and nothing was touched\(found)",
            remedy: remedy)
    }

    /// Renames the record, so that it is kept, but no longer read as a record.
    func setAside(_ conclusion: HandoffRecovery.Conclusion) -> HandoffRecovery.Conclusion {
        var conclusion = conclusion
        conclusion.isSettled = true
        guard let entry else {
            conclusion.summary = "\(problem); \(conclusion.summary)"
            return conclusion
        }
        var count = 1
        while Files.exists("\(entry.recordPath).damaged-\(count)") { count += 1 }
        let kept = "\(entry.recordPath).damaged-\(count)"
        guard rename(entry.recordPath, kept) == 0 else {
            let error = SystemError(operation: "rename", subject: kept, code: errno)
            return look("Remove the cause, then run `hyperfresh recover` again.", "\(error)")
        }
        conclusion.summary = "its record was damaged (\(problem)) and is kept as \(kept); \(conclusion.summary)"
        return conclusion
    }
}

/// The temporary names of a new QEMU's files, used until it owns the guest: `PATH.hf-ID`.
private enum LastingName {
    private static let mark = ".hf-"

    /// Returns the path without the mark of a handoff.
    static func of(_ path: String) -> String {
        guard let range = path.firstRange(of: mark), path[range.upperBound...].utf8.count == 8 else { return path }
        return String(path[..<range.lowerBound])
    }

    /// Returns the files of a handoff that are named in the options of a process: `path=PATH.hf-ID,server=on`.
    static func endpoints(of pid: Int32, handoff id: String) -> [Endpoint] {
        let arguments = (try? ProcFS.commandLine(pid)) ?? []
        let words = arguments.flatMap { $0.split(separator: ",") }.map { word in
            var word = word
            for start in ["path=", "unix:"] where word.hasPrefix(start) { word = word.dropFirst(start.count) }
            return String(word)
        }
        return words.filter { $0.hasPrefix("/") && $0.hasSuffix("\(mark)\(id)") }.map { path in
            Endpoint(kind: path.contains(".pid") ? .pidFile : .qmp, lasting: of(path), temporary: path)
        }
    }
}

// MARK: - Hypervisors

extension DamagedRecovery {
    /// Recovers a guest of a hypervisor or a container of an OS VM: asks every instance that may have it.
    ///
    /// If exactly one has it, and it does not wait there, the record is set aside.
    func lookIntoHypervisors(of entry: HandoffEntry) async -> HandoffRecovery.Conclusion {
        let name = entry.subject?.name ?? "?"
        do throws(HyperFreshError) {
            let store = StackStore(stateDirectory: entry.stateDirectory)
            let locks = try entry.lockHypervisors()
            defer { for lock in locks { lock.release() } }
            var homes: [(run: String, isWaiting: Bool)] = []
            for hypervisor in (entry.subject?.hypervisors ?? []).sorted() {
                let census = try await PlacementCensus.take(of: try store.survey(hypervisor), in: store)
                homes += census.homes(of: name).map {
                    ("\(hypervisor)-\($0.instance)", $0.handingOver.contains(name))
                }
            }
            return conclude(entry, homes)
        } catch {
            return look(error.remedy, ([error.message] + error.evidence).joined(separator: "; "))
        }
    }

    private func conclude(
        _ entry: HandoffEntry, _ homes: [(run: String, isWaiting: Bool)]
    ) -> HandoffRecovery.Conclusion {
        let name = entry.subject?.name ?? "?"
        let words = homes.map { "\($0.run) has it\($0.isWaiting ? " (waiting, or handed over)" : "")" }
            .joined(separator: "; ")
        if homes.isEmpty {
            return setAside(
                HandoffRecovery.Conclusion(
                    outcome: .lost, summary: "no hypervisor has \(name) any more",
                    remedy: StackStore.afterLoss))
        }
        if homes.count == 1, !homes[0].isWaiting {
            let new = entry.subject?.newInstance
            let isNew = new.map { homes[0].run.hasSuffix("-\($0)") } ?? false
            return setAside(
                HandoffRecovery.Conclusion(
                    outcome: isNew ? .refreshed : .rolledBack, summary: "\(words), and no other instance does")
            )
        }
        let waiting = homes.filter(\.isWaiting)
        guard waiting.count == 1, homes.count == 2 else {
            return look("Run `hyperfresh recover` again when only one of them has it.", words)
        }
        return look(
            "Check with `hyperfresh ps` that nothing else is in \(waiting[0].run), then end it: "
                + "`hyperfresh recover --force \(waiting[0].run)`.",
            words)
    }
}
