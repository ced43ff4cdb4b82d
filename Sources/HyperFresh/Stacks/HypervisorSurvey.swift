import Journal
import Linux
import StackFile
import VirtualMachines

/// What there is of one hypervisor or OS VM: its instances by their processes, and what is on record of them.
struct HypervisorSurvey: Sendable {
    /// One instance, running or not.
    struct Instance: Sendable {
        let id: String
        /// Its process, found without any record.
        let found: InstanceProcess?
        let reading: RecordReading<InstanceRecord>

        /// The QEMU that runs it; nil when it has ended.
        var process: ProcessIdentity? {
            if let found { return found.process }
            // A process that has not become a QEMU yet, or that hides its command line.
            return reading.shown.flatMap { $0.process.isAlive ? $0.process : nil }
        }

        /// What is on record of it; what the process tells where the record cannot be relied on.
        func record(stack: String) -> InstanceRecord? {
            if let record = reading.shown, found == nil || found?.process == record.process { return record }
            return found?.record(stack: stack)
        }
    }

    let name: String
    let folder: String
    /// Why the folder cannot be relied on; then none of its records can be.
    let folderDamage: RecordDamage?
    /// By id.
    let instances: [Instance]
    let placement: RecordReading<[String: String]>
    /// Names in its folder that are not ours.
    let oddities: [String]

    /// Whether it has an instance, running or not; one whose folder cannot be read may have.
    var mayHaveInstances: Bool { !instances.isEmpty || folderDamage != nil }

    /// Instances that run, the oldest first.
    var running: [Instance] {
        instances.filter { $0.process != nil }.sorted { ($0.started, $0.id) < ($1.started, $1.id) }
    }

    /// Which instance has which guest; empty where that is not on record.
    ///
    /// For showing only.
    var shownPlacement: [String: String] { placement.shown ?? [:] }

    /// Every record that cannot be relied on.
    var damage: [RecordDamage] {
        if let folderDamage { return [folderDamage] }
        var all: [RecordDamage] = instances.compactMap(recordDamage)
        switch placement {
        case .damaged(let damage): all.append(damage)
        case .absent where !running.isEmpty:
            all.append(RecordDamage(path: "\(folder)/placement.json", reason: "it is missing"))
        default: break
        }
        return all
    }

    private func recordDamage(of instance: Instance) -> RecordDamage? {
        let path = "\(folder)/\(instance.id)/instance.json"
        switch instance.reading {
        case .damaged(let damage): return damage
        // A folder without a record and without a process is what a start that was cut short has left.
        case .absent: return instance.found.map { RecordDamage(path: path, reason: "it is missing; \(Self.words($0))") }
        case .present(let record):
            guard let found = instance.found, found.process != record.process else { return nil }
            return RecordDamage(path: path, reason: "it names pid \(record.process.pid); \(Self.words(found))")
        }
    }

    private static func words(_ found: InstanceProcess) -> String { "the instance runs as pid \(found.process.pid)" }

    /// What is on record, if all of it can be relied on.
    struct Records: Sendable {
        /// Instances that run, the oldest first.
        let alive: [InstanceRecord]
        /// Instances that have ended.
        let ended: [InstanceRecord]
        /// Which instance has which guest or container.
        let placement: [String: String]
    }

    /// What is on record.
    ///
    /// - Throws: ``HyperFreshError`` with status 3 when a record is damaged or lost: nobody may act on the others alone.
    func records() throws(HyperFreshError) -> Records {
        guard damage.isEmpty else { throw .damaged(damage, of: "hypervisor \(name)") }
        let alive = running.compactMap { $0.reading.shown }
        let ended = instances.filter { $0.process == nil }.compactMap { $0.reading.shown }
        return Records(alive: alive, ended: ended, placement: shownPlacement)
    }
}

extension HypervisorSurvey.Instance {
    fileprivate var started: Int64 { reading.shown?.started ?? found?.started ?? 0 }
}

extension HyperFreshError {
    /// Records that cannot be relied on: nothing was done, and nothing is taken for absent.
    ///
    /// - Parameters:
    ///   - damage: What is wrong, and where.
    ///   - what: What the records are of, such as `hypervisor alpha`.
    /// - Returns: An error with status 3.
    static func damaged(_ damage: [RecordDamage], of what: String) -> HyperFreshError {
        HyperFreshError(
            "what is on record of \(what) cannot be relied on",
            guestState: "Nothing was touched: what runs, runs on.",
            remedy:
                "Run `hyperfresh recover`: it asks what runs, and makes the records anew. `hyperfresh ps` shows what runs.",
            evidence: damage.map(\.description), exitCode: RefreshOutcome.blocked.exitCode)
    }
}
