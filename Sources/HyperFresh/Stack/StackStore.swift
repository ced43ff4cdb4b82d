import Glibc
import Guests
import Hypervisors
import JSON
import Journal
import Linux
import Synchronization

/// What is on record of stacks that are up: under the state folder, gone with the host.
///
/// ```
/// stacks/STACK                         the stack file as it was at `up`, and the folder it came from
/// hypervisors/H/lock                   held while somebody changes H
/// hypervisors/H/stack                  a copy of its stack's record
/// hypervisors/H/placement.json         which instance of H has which guest
/// hypervisors/H/ID/                    one instance (InstanceFolder), with its record, instance.json
/// ```
///
/// Records are a cache of what runs: each is there, absent or damaged (``RecordFile``), and whoever acts tells these apart.
struct StackStore: Sendable {
    let stateDirectory: String

    /// What to do when a guest or container of a stack is lost.
    static let afterLoss = "`hyperfresh up` with its stack file starts it anew; its disks are as it left them."

    private var stacks: String { "\(stateDirectory)/stacks" }
    private var hypervisors: String { "\(stateDirectory)/hypervisors" }

    // MARK: Folders

    /// Makes sure that what stands here was written by us: it says which processes are ended, and where monitors are.
    ///
    /// A folder that is not there yet is no harm.
    func verify() throws(HyperFreshError) {
        do throws(SystemError) { try verify(stateDirectory) } catch {
            throw HyperFreshError(
                "the state folder is not this user's alone", because: error,
                remedy: HostChecks.stateFolder(stateDirectory).remedy ?? "Name another folder with --state-dir.",
                exitCode: RefreshOutcome.blocked.exitCode)
        }
    }

    /// Holds every folder from the state folder down to this one to be ours, as far as they are there.
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

    /// A record of ours, in a folder of ours.
    private func read(_ file: RecordFile) -> RecordReading<[String: JSONValue]> {
        do throws(SystemError) { try verify(Self.folder(of: file.path)) } catch {
            return .damaged(RecordDamage(path: file.path, reason: "\(error)"))
        }
        return file.read()
    }

    private static func folder(of path: String) -> String {
        String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    }

    /// The names in a folder of ours; none where it is not there.
    private func entries(of folder: String) throws(SystemError) -> [String] {
        do throws(SystemError) {
            try verify(folder)
            return try ProcFS.names(inFolder: folder).sorted()
        } catch {
            if error.code == ENOENT { return [] }
            throw error
        }
    }

    /// As ``entries(of:)``, for those who can do nothing without.
    private func names(in folder: String) throws(HyperFreshError) -> [String] {
        do throws(SystemError) { return try entries(of: folder) } catch {
            throw HyperFreshError(
                "what is on record in \(folder) cannot be read", because: error,
                remedy: "It has to be a folder of this user alone: ls -ld \(folder).",
                exitCode: RefreshOutcome.blocked.exitCode)
        }
    }

    // MARK: Stacks

    /// Remembers a stack file's text.
    func keep(_ text: [UInt8], of stack: Stack) throws(SystemError) {
        try Files.createDirectory(stateDirectory)
        try Files.createDirectory(stacks)
        try stackFile(stack.name).write(StackRecord(stack, text).members)
    }

    /// Remembers in a hypervisor's own folder which stack it belongs to: `recover` makes the stack's record anew from it.
    func keepCopy(_ text: [UInt8], of stack: Stack, with hypervisor: String) throws(SystemError) {
        try createFolder(of: hypervisor)
        try copyFile(hypervisor).write(StackRecord(stack, text).members)
    }

    func forget(stack: String) { unlink(stackFile(stack).path) }

    /// The names of the stacks on record, whether or not their records can be read.
    func stackNames() throws(HyperFreshError) -> [String] {
        // What is being written has a temporary name with a dot.
        try names(in: stacks).filter { !$0.contains(".") }
    }

    /// The record of a stack.
    func stackRecord(_ name: String) -> RecordReading<StackRecord> {
        let file = stackFile(name)
        return read(file).reading(at: file.path, StackRecord.init).reading(at: file.path) {
            $0.name == name ? $0 : nil
        }
    }

    /// The copy of its stack's record that a hypervisor has.
    func stackCopy(of hypervisor: String) -> RecordReading<StackRecord> {
        let file = copyFile(hypervisor)
        return read(file).reading(at: file.path, StackRecord.init)
    }

    /// Puts a copy back in the place of the record that was lost.
    func restore(_ record: StackRecord) throws(SystemError) {
        try Files.createDirectory(stacks)
        try stackFile(record.name).write(record.members)
    }

    /// Gives the damaged record of a stack another name, if each hypervisor that runs is known to belong to another stack.
    ///
    /// - Parameter stack: Its name.
    /// - Returns: Where it is kept.
    /// - Throws: ``HyperFreshError`` with status 6 when a hypervisor that runs may belong to it: the record stays then.
    func setAside(stack: String) throws(HyperFreshError) -> String {
        let path = stackFile(stack).path
        for process in try processes() {
            if let owner = stackCopy(of: process.hypervisor).shown?.name, owner != stack { continue }
            throw HyperFreshError(
                "\(path) cannot be read, and hypervisor \(process.hypervisor) may belong to it",
                guestState: "It runs on.",
                remedy: "`hyperfresh ps` shows what is in it.", exitCode: RefreshOutcome.unknown.exitCode)
        }
        var count = 1
        while Files.exists("\(path).damaged-\(count)") { count += 1 }
        let kept = "\(path).damaged-\(count)"
        guard rename(path, kept) == 0 else {
            throw HyperFreshError(
                "\(path) cannot be renamed", because: SystemError(operation: "rename", subject: path, code: errno),
                remedy: "Move it aside.", exitCode: RefreshOutcome.unknown.exitCode)
        }
        return kept
    }

    /// A stack as it was at `up`.
    func stack(_ name: String) throws(HyperFreshError) -> Stack {
        switch stackRecord(name) {
        case .present(let record): return try record.parse(at: stackFile(name).path)
        case .damaged(let damage): throw .damaged([damage], of: "stack \(name)")
        case .absent:
            // A hypervisor that belongs to it tells a lost record from one that never was.
            for hypervisor in try hypervisorNames() where stackCopy(of: hypervisor).shown?.name == name {
                throw .damaged([RecordDamage(path: stackFile(name).path, reason: "it is missing")], of: "stack \(name)")
            }
            let lost = try lostStacks().filter { [stacks, stackFile(name).path].contains($0.path) }
            guard lost.isEmpty else { throw .damaged(lost, of: "stack \(name)") }
            throw HyperFreshError(
                "no stack \(name) is up", remedy: "`hyperfresh ps` shows what is.", exitCode: HyperFreshError.usage)
        }
    }

    /// The stack with a hypervisor of this name.
    ///
    /// - Throws: ``HyperFreshError``: 64 when there is none; 3 when a record that may be its stack's is damaged or lost.
    func stack(of hypervisor: String) throws(HyperFreshError) -> (Stack, HypervisorSpec) {
        var (found, damage) = try search { stack in
            stack.hypervisors.first { $0.name == hypervisor }.map { (stack, $0) }
        }
        if let found { return found }
        let survey = try survey(hypervisor)
        guard try hypervisorNames().contains(hypervisor) || !survey.running.isEmpty else {
            throw HyperFreshError(
                "there is no hypervisor \(hypervisor)", remedy: "`hyperfresh ps` shows those of this host.",
                evidence: damage.map(\.description), exitCode: HyperFreshError.usage)
        }
        if damage.isEmpty { damage = [RecordDamage(path: stacks, reason: "no stack on record has it")] }
        throw .damaged(damage, of: "the stack of hypervisor \(hypervisor)")
    }

    /// Looks for something in the stacks on record.
    ///
    /// - Parameter pick: Takes it out of a stack; nil where that does not have it.
    /// - Returns: The first that is found; and the records that cannot be relied on, which may have it.
    /// - Throws: ``HyperFreshError`` when the stacks on record cannot be listed.
    func search<T>(_ pick: (Stack) -> T?) throws(HyperFreshError) -> (found: T?, damage: [RecordDamage]) {
        var damage: [RecordDamage] = []
        for name in try stackNames() {
            switch stackRecord(name) {
            case .present(let record):
                if let found = pick(try record.parse(at: stackFile(name).path)) { return (found, damage) }
            case .damaged(let one): damage.append(one)
            case .absent: continue
            }
        }
        return (nil, damage + (try lostStacks()))
    }

    /// The records of stacks that are missing although a hypervisor of theirs runs.
    private func lostStacks() throws(HyperFreshError) -> [RecordDamage] {
        var known: Set<String> = []
        for name in try stackNames() {
            guard let record = stackRecord(name).shown else { continue }
            known.formUnion(try record.parse(at: stackFile(name).path).hypervisors.map(\.name))
        }
        return try processes().filter { !known.contains($0.hypervisor) }.map { process in
            // Where its copy does not tell either, any stack may be its own.
            let path = stackCopy(of: process.hypervisor).shown.map { stackFile($0.name).path } ?? stacks
            return RecordDamage(
                path: path, reason: "hypervisor \(process.hypervisor) runs, and its stack is not on record")
        }
    }

    private func stackFile(_ name: String) -> RecordFile { RecordFile("\(stacks)/\(name)", subject: "stack \(name)") }
    private func copyFile(_ hypervisor: String) -> RecordFile {
        RecordFile("\(hypervisors)/\(hypervisor)/stack", subject: "stack of \(hypervisor)")
    }

    // MARK: Hypervisors

    /// The names of the hypervisors and OS VMs that have a folder.
    func hypervisorNames() throws(HyperFreshError) -> [String] { try names(in: hypervisors) }

    /// Looks at a hypervisor: what runs of it, and what is on record.
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

    /// An instance, if it runs: what is on record of it, or what its process tells.
    func running(_ instance: String, of hypervisor: String) throws(HyperFreshError) -> InstanceRecord? {
        let survey = try survey(hypervisor)
        return survey.running.first { $0.id == instance }?.record(stack: stackCopy(of: hypervisor).shown?.name ?? "?")
    }

    /// Every instance of this state folder that runs, whatever is on record.
    func processes() throws(HyperFreshError) -> [InstanceProcess] {
        do throws(SystemError) { return try InstanceProcess.all(in: stateDirectory) } catch {
            throw HyperFreshError(
                "it cannot be said which hypervisors run", because: error, remedy: "Is /proc mounted?",
                exitCode: RefreshOutcome.unknown.exitCode)
        }
    }

    /// The QEMUs of a stack's hypervisors and OS VMs that run and are on record, and what serves them.
    ///
    /// - Throws: ``HyperFreshError`` when a record cannot be relied on.
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

    /// Every QEMU of this state folder's hypervisors and OS VMs, on record or not, and what serves them.
    func allProcesses() throws(HyperFreshError) -> Set<ProcessIdentity> {
        ShareServer.processes(below: hypervisors).union(try processes().map(\.process))
    }

    /// The names that stand in a hypervisor's folder beside its instances; those of temporary files among them.
    private static func isOurs(_ name: String) -> Bool {
        ["lock", "stack", "placement.json"].contains(name) || name.hasSuffix(".console.log") || name.contains(".tmp-")
    }

    // MARK: Instances

    func folder(_ hypervisor: String, _ instance: String) -> InstanceFolder {
        InstanceFolder("\(hypervisors)/\(hypervisor)/\(instance)")
    }

    /// Holds the folder of an instance, if it is there, to be ours: who speaks to its sockets and writes its record relies on that.
    func verifyFolder(of hypervisor: String, _ instance: String) throws(HyperFreshError) {
        _ = try names(in: folder(hypervisor, instance).path)
    }

    /// Connects with an instance, through sockets in a folder of ours only.
    ///
    /// - Parameters:
    ///   - record: The instance.
    ///   - limit: How long it may take.
    /// - Returns: The hypervisor, to be closed.
    /// - Throws: `HypervisorError`.
    func reach(
        _ record: InstanceRecord, within limit: Duration = .seconds(5)
    ) async throws(HypervisorError) -> Hypervisor {
        do throws(HyperFreshError) { try verifyFolder(of: record.hypervisor, record.id) } catch {
            throw HypervisorError(error.message, remedy: error.remedy, evidence: error.evidence)
        }
        return try await Hypervisor.reach(record, in: folder(record.hypervisor, record.id), within: limit)
    }

    /// Makes the folder of a new instance; the hypervisor's first one comes with an empty placement.
    func createInstance(of hypervisor: String) throws(SystemError) -> (id: String, folder: InstanceFolder) {
        try createFolder(of: hypervisor)
        // From here on a placement that is not there was lost.
        if case .absent = read(placementFile(hypervisor)), try !hasInstances(hypervisor) {
            try placementFile(hypervisor).write(Self.members(of: [:]))
        }
        while true {
            let digits = String(UInt16.random(in: .min ... .max), radix: 16)
            let id = String(repeating: "0", count: 4 - digits.count) + digits
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
        // Its paths follow from its names: they have to be those of the place where it stands.
        return read(file).reading(at: file.path, InstanceRecord.init).reading(at: file.path) {
            $0.id == id && $0.hypervisor == hypervisor ? $0 : nil
        }
    }

    private func instanceFile(_ hypervisor: String, _ id: String) -> RecordFile {
        RecordFile(folder(hypervisor, id).record, subject: "instance \(hypervisor)-\(id)")
    }

    /// Removes what an instance that is gone has left.
    ///
    /// - Throws: ``HyperFreshError`` when it runs: then nothing is removed.
    func forget(_ hypervisor: String, instance: String) throws(HyperFreshError) {
        if let running = try processes().first(where: { $0.hypervisor == hypervisor && $0.id == instance }) {
            throw HyperFreshError(
                "instance \(instance) of \(hypervisor) runs (pid \(running.process.pid)): its records stay",
                remedy: "Run `hyperfresh recover`: it asks what is in it.", exitCode: RefreshOutcome.unknown.exitCode)
        }
        let place = folder(hypervisor, instance)
        let names = try names(in: place.path)
        ShareServer.endAll(of: place, files: names)
        for name in names { unlink("\(place.path)/\(name)") }
        rmdir(place.path)
    }

    // MARK: Placement

    /// Guests with instances; nil where it holds anything else.
    static func placement(in members: [String: JSONValue]) -> [String: String]? {
        guard let guests = members["guests"]?.object else { return nil }
        let placement = guests.compactMapValues(\.string)
        return placement.count == guests.count && placement.values.allSatisfy(InstanceFolder.isID) ? placement : nil
    }

    private static func members(of placement: [String: String]) -> [String: JSONValue] {
        ["guests": .object(placement.mapValues(JSONValue.string))]
    }

    /// Remembers that an instance has a guest; nil that none has.
    ///
    /// Only whoever holds the hypervisor's lock may. A placement that cannot be read is not written back: the other guests'
    /// places would be lost.
    func place(_ guest: String, on instance: String?, of hypervisor: String) throws(HyperFreshError) {
        let file = placementFile(hypervisor)
        try Self.placing.withLock { _ throws(HyperFreshError) in
            switch read(file).reading(at: file.path, Self.placement) {
            case .present(var placement):
                placement[guest] = instance
                try write(placement, of: hypervisor)
            case .absent:
                throw .damaged([RecordDamage(path: file.path, reason: "it is missing")], of: "hypervisor \(hypervisor)")
            case .damaged(let damage): throw .damaged([damage], of: "hypervisor \(hypervisor)")
            }
        }
    }

    /// Replaces the whole placement by what was found to run.
    func rebuild(_ placement: [String: String], of hypervisor: String) throws(HyperFreshError) {
        try Self.placing.withLock { _ throws(HyperFreshError) in try write(placement, of: hypervisor) }
    }

    private func write(_ placement: [String: String], of hypervisor: String) throws(HyperFreshError) {
        do throws(SystemError) { try placementFile(hypervisor).write(Self.members(of: placement)) } catch {
            throw HyperFreshError(
                "it could not be recorded which instance of \(hypervisor) has which guest", because: error,
                remedy: Self.remedy(afterWriting: placementFile(hypervisor).path, error))
        }
    }

    /// What to do where a record could not be written.
    static func remedy(afterWriting path: String, _ error: SystemError) -> String {
        let cause =
            switch error.code {
            case ENOSPC, EDQUOT: "Make room there"
            case EISDIR: "Move aside what has its name (\(path))"
            default: "Remove the cause"
            }
        return "\(cause), then run `hyperfresh recover`."
    }

    private static let placing = Mutex(())

    private func placementFile(_ hypervisor: String) -> RecordFile {
        RecordFile("\(hypervisors)/\(hypervisor)/placement.json", subject: "placement \(hypervisor)")
    }

    // MARK: Locks

    /// Excludes everybody else who would change a hypervisor.
    func lock(_ hypervisor: String) throws(HyperFreshError) -> HeldLock {
        if let lock = try tryLock(hypervisor) { return lock }
        throw HyperFreshError(
            "somebody else is at work on hypervisor \(hypervisor)",
            remedy: "Wait for it; `hyperfresh status` shows it.",
            exitCode: RefreshOutcome.blocked.exitCode)
    }

    /// As ``lock(_:)``; nil when somebody else has it.
    func tryLock(_ hypervisor: String) throws(HyperFreshError) -> HeldLock? {
        do {
            try createFolder(of: hypervisor)
            let path = "\(hypervisors)/\(hypervisor)/lock"
            _ = try Descriptor.open(path, flags: O_RDONLY | O_CREAT | O_NOFOLLOW, mode: 0o600)
            return try HeldLock(path)
        } catch {
            throw HyperFreshError(
                "hypervisor \(hypervisor) cannot be locked", because: error,
                remedy:
                    "Its folder has to be this user's alone, and `lock` in it a file: ls -l \(hypervisors)/\(hypervisor). "
                    + "What is in the way may be moved aside; or name another state folder with --state-dir.",
                exitCode: RefreshOutcome.blocked.exitCode)
        }
    }

    /// Removes what is left of a hypervisor that is down; a file that is not ours stays.
    ///
    /// - Throws: ``HyperFreshError`` when an instance of it runs: then nothing is removed.
    func forget(hypervisor: String) throws(HyperFreshError) {
        let survey = try survey(hypervisor)
        for instance in survey.instances { try forget(hypervisor, instance: instance.id) }
        for name in try names(in: survey.folder) where Self.isOurs(name) { unlink("\(survey.folder)/\(name)") }
        rmdir(survey.folder)
    }

    private func createFolder(of hypervisor: String) throws(SystemError) {
        try Files.createDirectory(stateDirectory)
        try Files.createDirectory(hypervisors)
        try Files.createDirectory("\(hypervisors)/\(hypervisor)")
    }
}
