import Journal
import Linux
import StackFile
import VirtualMachines

/// The state of one hypervisor or OS VM: its instances by their processes, and their records.
struct HypervisorSurvey: Sendable {
    /// One instance, running or not.
    struct Instance: Sendable {
        let id: String
        /// Its process, found without any record.
        let found: InstanceProcess?
        let reading: RecordReading<InstanceRecord>

        /// The QEMU that runs it; nil if it has ended.
        var process: ProcessIdentity? {
            if let found { return found.process }
            // The process may not have become a QEMU yet, or hides its command line.
            return reading.shown.flatMap { $0.process.isAlive ? $0.process : nil }
        }

        /// Returns its record, or one made from its process if the record cannot be relied on.
        func record(stack: String) -> InstanceRecord? {
            if let record = reading.shown, found == nil || found?.process == record.process { return record }
            return found?.record(stack: stack)
        }
    }

    let name: String
    let folder: String
    /// The reason why the folder cannot be relied on; then none of its records can.
    let folderDamage: RecordDamage?
    /// Sorted by id.
    let instances: [Instance]
    let placement: RecordReading<[String: String]>
    /// Names in its folder that do not belong to hyperfresh.
    let oddities: [String]

    /// Whether it has an instance, running or not; also true if its folder cannot be read.
    var mayHaveInstances: Bool { !instances.isEmpty || folderDamage != nil }

    /// The running instances, the oldest first.
    var running: [Instance] {
        instances.filter { $0.process != nil }.sorted { ($0.started, $0.id) < ($1.started, $1.id) }
    }

    /// The instance of each guest; empty if that is not on record.
    ///
    /// For display only.
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
        // A folder without a record and without a process is left by a start that was interrupted.
        case .absent:
            return instance.found.map { RecordDamage(path: path, reason: "it is missing; \(Self.words($0))") }
        case .present(let record):
            guard let found = instance.found, found.process != record.process else { return nil }
            return RecordDamage(path: path, reason: "it names pid \(record.process.pid); \(Self.words(found))")
        }
    }

    private static func words(_ found: InstanceProcess) -> String { "the instance runs as pid \(found.process.pid)" }

    /// All records, if all of them can be relied on.
    struct Records: Sendable {
        /// Instances that run, the oldest first.
        let alive: [InstanceRecord]
        /// Instances that have ended.
        let ended: [InstanceRecord]
        /// The instance of each guest or container.
        let placement: [String: String]
    }

    /// Returns all records.
    ///
    /// - Throws: ``HyperFreshError`` with status 3 if a record is damaged or missing: the others must not be used
    ///   alone.
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
    /// Returns the error for records that cannot be relied on; nothing was done, and none is treated as absent.
    ///
    /// - Parameters:
    ///   - damage: The damage, and its files.
    ///   - what: The subject of the records, such as `hypervisor alpha`.
    /// - Returns: An error with status 3.
    static func damaged(_ damage: [RecordDamage], of what: String) -> HyperFreshError {
        HyperFreshError(
            "the records of \(what) cannot be relied on",
            guestState: "Nothing was touched; everything that runs keeps running.",
            remedy:
                "Run `hyperfresh recover`: it rebuilds the records from the running processes, which `hyperfresh ps` "
                + "lists.",
            evidence: damage.map(\.description), exitCode: RefreshOutcome.blocked.exitCode)
    }
}
