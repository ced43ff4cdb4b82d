import Glibc
import Guests
import JSON
import Journal
import Linux
import StackFile
import Synchronization
import VirtualMachines

/// The records of stacks that are up: in the state folder, which does not survive the host.
///
/// ```
/// stacks/STACK                         the stack file as it was at `up`, and the folder it came from
/// hypervisors/H/lock                   held while somebody changes H
/// hypervisors/H/stack                  a copy of its stack's record
/// hypervisors/H/placement.json         which instance of H has which guest
/// hypervisors/H/ID/                    one instance (InstanceFolder), with its record, instance.json
/// ```
///
/// Records are a cache of the running state: each is present, absent or damaged (``RecordFile``), and code that acts on
/// one must distinguish these.
struct StackStore: Sendable {
    let stateDirectory: String

    /// The remedy if a guest or container of a stack is lost.
    static let afterLoss =
        "Start it again: `hyperfresh up STACK-FILE`, after `hyperfresh down STACK` if its VM has exited too. "
        + "Its data on disk is as it left it."

    var stacks: String { "\(stateDirectory)/stacks" }
    var hypervisors: String { "\(stateDirectory)/hypervisors" }

    // MARK: Folders

    /// Verifies that only this user can write here: the records decide which processes are ended, and where monitors
    /// are.
    ///
    /// A folder that does not exist yet is acceptable.
    func verify() throws(HyperFreshError) {
        do throws(SystemError) { try verify(stateDirectory) } catch {
            throw HyperFreshError(
                "the state folder does not belong to this user alone", because: error,
                remedy: HostChecks.stateFolder(stateDirectory).remedy ?? "Name another folder with --state-dir.",
                exitCode: RefreshOutcome.blocked.exitCode)
        }
    }

    /// Verifies that every folder from the state folder down to this one belongs to this user alone, if it exists.
    private func verify(_ folder: String) throws(SystemError) {
        do throws(SystemError) {
            var path = stateDirectory
            try Files.verifyDirectory(path)
            for part in folder.dropFirst(stateDirectory.count).split(separator: "/") {
                path += "/\(part)"
                try Files.verifyDirectory(path)
            }
        } catch {
            if error.code != ENOENT { throw error }
        }
    }

    /// Reads a record, if its folder belongs to this user alone.
    func read(_ file: RecordFile) -> RecordReading<[String: JSONValue]> {
        do throws(SystemError) { try verify(Paths.parent(of: file.path)) } catch {
            return .damaged(RecordDamage(path: file.path, reason: "\(error)"))
        }
        return file.read()
    }

    /// Returns the names in a folder that belongs to this user alone; none if it does not exist.
    private func entries(of folder: String) throws(SystemError) -> [String] {
        do throws(SystemError) {
            try verify(folder)
            return try ProcFS.names(inFolder: folder).sorted()
        } catch {
            if error.code == ENOENT { return [] }
            throw error
        }
    }

    /// Returns the same as ``entries(of:)``, with an error for the user.
    func names(in folder: String) throws(HyperFreshError) -> [String] {
        do throws(SystemError) { return try entries(of: folder) } catch {
            throw HyperFreshError(
                "cannot read the records in \(folder)", because: error,
                remedy: "It must be a folder of your user alone, with mode 0700: `ls -ld \(folder)`.",
                exitCode: RefreshOutcome.blocked.exitCode)
        }
    }

    // MARK: Hypervisors

    /// Returns the names of the hypervisors and OS VMs that have a folder.
    func hypervisorNames() throws(HyperFreshError) -> [String] { try names(in: hypervisors) }

    /// Surveys a hypervisor: its running processes, and its records.
    func survey(_ hypervisor: String) throws(HyperFreshError) -> HypervisorSurvey {
        let processes = try processes().filter { $0.hypervisor == hypervisor }
        let folder = "\(hypervisors)/\(hypervisor)"
        var (entries, folderDamage): ([String], RecordDamage?) = ([], nil)
        do throws(SystemError) { entries = try self.entries(of: folder) } catch {
            folderDamage = RecordDamage(path: folder, reason: "\(error)")
        }
        let ids = Set(entries.filter(InstanceFolder.isID)).union(processes.map(\.id)).sorted()
        let placement = placementFile(hypervisor)
        return HypervisorSurvey(
            name: hypervisor, folder: folder, folderDamage: folderDamage,
            instances: ids.map { id in
                HypervisorSurvey.Instance(
                    id: id, found: processes.first { $0.id == id }, reading: instanceRecord(hypervisor, id))
            },
            placement: read(placement).reading(at: placement.path, Self.placement),
            oddities: entries.filter { !InstanceFolder.isID($0) && !Self.isOurs($0) })
    }

    /// Returns a running instance, by its record or else by its process; `nil` if it does not run.
    func running(_ instance: String, of hypervisor: String) throws(HyperFreshError) -> InstanceRecord? {
        let survey = try survey(hypervisor)
        return survey.running.first { $0.id == instance }?.record(stack: stackCopy(of: hypervisor).shown?.name ?? "?")
    }

    /// Returns every running instance of this state folder, independent of any record.
    func processes() throws(HyperFreshError) -> [InstanceProcess] {
        do throws(SystemError) { return try InstanceProcess.all(in: stateDirectory) } catch {
            throw HyperFreshError(
                "cannot determine which hypervisors run", because: error, remedy: "Mount /proc, then try again.",
                exitCode: RefreshOutcome.unknown.exitCode)
        }
    }

    /// Returns the running QEMUs on record of a stack's hypervisors and OS VMs, and their virtiofsd processes.
    ///
    /// - Throws: ``HyperFreshError`` if a record cannot be relied on.
    func processes(of stack: Stack) throws(HyperFreshError) -> Set<ProcessIdentity> {
        var processes: Set<ProcessIdentity> = []
        for spec in stack.hypervisors {
            for record in try survey(spec.name).records().alive {
                processes.formUnion(ShareServer.processes(below: folder(record.hypervisor, record.id).path))
                processes.insert(record.process)
            }
        }
        return processes
    }

    /// Returns every QEMU of this state folder's hypervisors and OS VMs, on record or not, and their virtiofsd
    /// processes.
    func allProcesses() throws(HyperFreshError) -> Set<ProcessIdentity> {
        ShareServer.processes(below: hypervisors).union(try processes().map(\.process))
    }

    /// Returns whether a name in a hypervisor's folder, other than an instance, belongs to hyperfresh; also a temporary
    /// file.
    private static func isOurs(_ name: String) -> Bool {
        ["lock", "stack", "placement.json"].contains(name) || name.hasSuffix(".console.log") || name.contains(".tmp-")
    }

    // MARK: Instances

    func folder(_ hypervisor: String, _ instance: String) -> InstanceFolder {
        InstanceFolder("\(hypervisors)/\(hypervisor)/\(instance)")
    }

    /// Checks that the folder of an instance, if it exists, belongs to this user alone, before its sockets and record
    /// are used.
    func verifyFolder(of hypervisor: String, _ instance: String) throws(HyperFreshError) {
        _ = try names(in: folder(hypervisor, instance).path)
    }

    /// Connects to an instance, only through sockets in a folder that belongs to this user alone.
    ///
    /// - Parameters:
    ///   - record: The instance.
    ///   - limit: How long it may take.
    /// - Returns: The hypervisor; the caller closes it.
    /// - Throws: `HypervisorError`.
    func reach(
        _ record: InstanceRecord, within limit: Duration = .seconds(5)
    ) async throws(HypervisorError) -> Hypervisor {
        do throws(HyperFreshError) { try verifyFolder(of: record.hypervisor, record.id) } catch {
            throw HypervisorError(error.message, remedy: error.remedy, evidence: error.evidence)
        }
        return try await Hypervisor.reach(record, in: folder(record.hypervisor, record.id), within: limit)
    }

    /// Creates the folder of a new instance, and an empty placement with the hypervisor's first one.
    func createInstance(of hypervisor: String) throws(SystemError) -> (id: String, folder: InstanceFolder) {
        try createFolder(of: hypervisor)
        // From here on, a placement that does not exist was lost.
        if case .absent = read(placementFile(hypervisor)), try !hasInstances(hypervisor) {
            try placementFile(hypervisor).write(Self.members(of: [:]))
        }
        while true {
            let id = UInt16.random(in: .min ... .max).hexadecimal(digits: 4)
            let folder = folder(hypervisor, id)
            guard !Files.exists(folder.path) else { continue }
            try Files.createDirectory(folder.path)
            return (id, folder)
        }
    }

    private func hasInstances(_ hypervisor: String) throws(SystemError) -> Bool {
        try ProcFS.names(inFolder: "\(hypervisors)/\(hypervisor)").contains(where: InstanceFolder.isID)
    }

    func keep(_ record: InstanceRecord) throws(SystemError) {
        try instanceFile(record.hypervisor, record.id).write(record.members)
    }

    private func instanceRecord(_ hypervisor: String, _ id: String) -> RecordReading<InstanceRecord> {
        let file = instanceFile(hypervisor, id)
        // Its paths follow from its names, so they must be those of the folder that it is in.
        return read(file).reading(at: file.path, InstanceRecord.init).reading(at: file.path) {
            $0.id == id && $0.hypervisor == hypervisor ? $0 : nil
        }
    }

    private func instanceFile(_ hypervisor: String, _ id: String) -> RecordFile {
        RecordFile(folder(hypervisor, id).record, subject: "instance \(hypervisor)-\(id)")
    }

    /// Removes the files of an instance that is gone.
    ///
    /// - Throws: ``HyperFreshError`` if it runs: then nothing is removed.
    func forget(_ hypervisor: String, instance: String) throws(HyperFreshError) {
        if let running = try processes().first(where: { $0.hypervisor == hypervisor && $0.id == instance }) {
            throw HyperFreshError(
                "instance \(instance) of \(hypervisor) runs (pid \(running.process.pid)): its records were not removed",
                remedy: "Run `hyperfresh recover`: it asks the instance for its guests.",
                exitCode: RefreshOutcome.unknown.exitCode)
        }
        let place = folder(hypervisor, instance)
        let names = try names(in: place.path)
        ShareServer.endAll(of: place, files: names)
        for name in names { unlink("\(place.path)/\(name)") }
        rmdir(place.path)
    }

    // MARK: Placement

    /// Parses a placement, the instance of each guest; nil if there is anything else in it.
    static func placement(in members: [String: JSONValue]) -> [String: String]? {
        guard let guests = members["guests"]?.object else { return nil }
        let placement = guests.compactMapValues(\.string)
        return placement.count == guests.count && placement.values.allSatisfy(InstanceFolder.isID) ? placement : nil
    }

    private static func members(of placement: [String: String]) -> [String: JSONValue] {
        ["guests": .object(placement.mapValues(JSONValue.string))]
    }

    /// Records that an instance has a guest, or with nil that none has.
    ///
    /// The caller must hold the hypervisor's lock. A placement that cannot be read is not overwritten, because the
    /// other guests' places would be lost.
    func place(_ guest: String, on instance: String?, of hypervisor: String) throws(HyperFreshError) {
        let file = placementFile(hypervisor)
        try Self.placing.withLock { _ throws(HyperFreshError) in
            switch read(file).reading(at: file.path, Self.placement) {
            case .present(var placement):
                placement[guest] = instance
                try write(placement, of: hypervisor)
            case .absent:
                throw .damaged(
                    [RecordDamage(path: file.path, reason: "it is missing")], of: "hypervisor \(hypervisor)")
            case .damaged(let damage): throw .damaged([damage], of: "hypervisor \(hypervisor)")
            }
        }
    }

    /// Replaces the whole placement by the observed one.
    func rebuild(_ placement: [String: String], of hypervisor: String) throws(HyperFreshError) {
        try Self.placing.withLock { _ throws(HyperFreshError) in try write(placement, of: hypervisor) }
    }

    private func write(_ placement: [String: String], of hypervisor: String) throws(HyperFreshError) {
        do throws(SystemError) { try placementFile(hypervisor).write(Self.members(of: placement)) } catch {
            throw HyperFreshError(
                "cannot record which instance of \(hypervisor) has which guest", because: error,
                remedy: Self.remedy(afterWriting: placementFile(hypervisor).path, error))
        }
    }

    /// Returns the remedy for a record that could not be written.
    static func remedy(afterWriting path: String, _ error: SystemError) -> String {
        let cause =
            switch error.code {
            case ENOSPC, EDQUOT: "Free space there"
            case EISDIR: "Move aside the folder with its name (\(path))"
            default: "Remove the cause"
            }
        return "\(cause), then run `hyperfresh recover`."
    }

    private static let placing = Mutex(())

    private func placementFile(_ hypervisor: String) -> RecordFile {
        RecordFile("\(hypervisors)/\(hypervisor)/placement.json", subject: "placement \(hypervisor)")
    }

    // MARK: Locks

    /// Locks a hypervisor, to exclude every other controller.
    func lock(_ hypervisor: String) throws(HyperFreshError) -> HeldLock {
        if let lock = try tryLock(hypervisor) { return lock }
        throw HyperFreshError(
            "another hyperfresh is working on VM \(hypervisor)",
            remedy: "Wait until it has ended: `hyperfresh status`.",
            exitCode: RefreshOutcome.blocked.exitCode)
    }

    /// Locks as ``lock(_:)`` does; nil if somebody else has the lock.
    func tryLock(_ hypervisor: String) throws(HyperFreshError) -> HeldLock? {
        do {
            try createFolder(of: hypervisor)
            let path = "\(hypervisors)/\(hypervisor)/lock"
            _ = try Descriptor.open(path, flags: O_RDONLY | O_CREAT | O_NOFOLLOW, mode: 0o600)
            return try HeldLock(path)
        } catch {
            throw HyperFreshError(
                "cannot lock VM \(hypervisor)", because: error,
                remedy:
                    "Its folder must belong to your user alone, and `lock` in it must be a file: "
                    + "`ls -l \(hypervisors)/\(hypervisor)`. Move aside anything else with that name, or name another "
                    + "state folder with --state-dir.",
                exitCode: RefreshOutcome.blocked.exitCode)
        }
    }

    /// Removes the files of a hypervisor that is down; files of others stay.
    ///
    /// - Throws: ``HyperFreshError`` if an instance of it runs: then nothing is removed.
    func forget(hypervisor: String) throws(HyperFreshError) {
        let survey = try survey(hypervisor)
        for instance in survey.instances { try forget(hypervisor, instance: instance.id) }
        for name in try names(in: survey.folder) where Self.isOurs(name) { unlink("\(survey.folder)/\(name)") }
        rmdir(survey.folder)
    }

    func createFolder(of hypervisor: String) throws(SystemError) {
        try Files.createDirectory(stateDirectory)
        try Files.createDirectory(hypervisors)
        try Files.createDirectory("\(hypervisors)/\(hypervisor)")
    }
}
