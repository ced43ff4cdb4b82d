import Glibc
import Guests
import Handoff
import Linux
import QMP

/// The recovery of a handoff whose record cannot be relied on, or is not there: what runs tells what is left of it.
///
/// Nothing is ended on the word of such a record. Where one process alone has the guest and says so, the record is set aside;
/// else it stays, and the report names who has the guest's memory and in which state each is.
struct DamagedRecovery {
    /// The handoff.
    let id: String
    /// What can be read of its record; `nil` where there is none.
    let entry: HandoffEntry?
    /// What is wrong with the record.
    let problem: String
    /// The guest of this host that the record tells of, if it does.
    private var facts: HostGuestFacts? { entry?.subject?.hostGuest }

    init(entry: HandoffEntry, problem: String) {
        (self.id, self.entry, self.problem) = (entry.id, entry, problem)
    }

    init(unrecorded id: String) {
        (self.id, entry, problem) = (id, nil, "it is not on record")
    }

    private typealias Conclusion = HandoffRecovery.Conclusion

    /// A process that may have the guest.
    private struct Candidate {
        let user: FileHolder
        let observation: SideObservation
        let client: QMPClient?
        /// Whether this handoff started it.
        let isNew: Bool

        /// Whether it has the guest and needs nobody to go on.
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
                        outcome: .unknown, summary: "no process that it started is left",
                        remedy: "`hyperfresh list` shows whether every guest runs."))
            }
            return setAside(
                Conclusion(
                    outcome: .lost, summary: "no process has the guest's memory any more: the guest is gone",
                    remedy: "Start the guest anew; its disks are as it left them."))
        }
        if candidates.count == 1, candidates[0].hasGuest {
            do {
                try await finish(candidates[0])
            } catch {
                return look("Remove the cause, then run `hyperfresh recover` again.", "\(all); \(error)")
            }
            let only = "\(all), and is the only process that has the guest's memory"
            // Whether it is to run, the record would tell.
            if candidates[0].isNew, candidates[0].observation == .paused, let client = candidates[0].client {
                return setAside(
                    Conclusion(
                        outcome: .unknown, summary: only,
                        remedy: "If the guest is to run: `hyperfresh qmp \(LastingName.of(client.endpoint)) cont`."))
            }
            return setAside(Conclusion(outcome: candidates[0].isNew ? .refreshed : .rolledBack, summary: only))
        }
        let waiting = candidates.filter { $0.isNew && $0.observation == .waiting }
        if let new = waiting.first, candidates.contains(where: { $0.observation == .running }) {
            return look(
                """
                Pid \(new.user.process.pid) was started by this handoff and has no guest. End it \
                (`kill -9 \(new.user.process.pid)`), then run `hyperfresh recover` again.
                """, all)
        }
        return look("Run `hyperfresh recover` again once one process alone has the guest.", all)
    }

    /// Puts back what is known of the settings, and the sockets at their lasting names.
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
            // What it maps tells who else has the guest.
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
            // One that cannot be asked is silent: nothing is concluded from that.
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
                "\(entry.map { "its record cannot be used (\($0.recordPath): \(problem))" } ?? problem), and nothing was touched\(found)",
            remedy: remedy)
    }

    /// Gives the record another name, by which it is kept but not taken for one any more.
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

/// The names under which a new QEMU makes its files until the guest is its own: `PATH.hf-ID`.
private enum LastingName {
    private static let mark = ".hf-"

    /// The path without the mark of a handoff.
    static func of(_ path: String) -> String {
        guard let range = path.firstRange(of: mark), path[range.upperBound...].utf8.count == 8 else { return path }
        return String(path[..<range.lowerBound])
    }

    /// The files of a handoff that a process's command line names, in the words of an option: `path=PATH.hf-ID,server=on`.
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
