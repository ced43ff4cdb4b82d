import Glibc
import Hypervisors
import JSON
import Linux
import Synchronization

/// What is remembered of stacks that are up: under the state folder, gone with the host.
///
/// ```
/// stacks/STACK.yaml STACK.origin       the stack file as it was at `up`, and the folder it came from
/// hypervisors/H/lock                   held while somebody changes H
/// hypervisors/H/placement.json         which instance of H has which guest
/// hypervisors/H/ID/                    one running instance (InstanceFolder)
/// ```
struct StackStore: Sendable {
    let stateDirectory: String

    /// Makes sure that what stands here was written by us: it says which processes are ended, and where monitors are.
    ///
    /// A folder that is not there yet is no harm.
    func verify() throws(HyperFreshError) {
        do throws(SystemError) { try verify("") } catch {
            throw HyperFreshError(
                "the state folder is not this user's alone", because: error,
                remedy: "Remove \(stateDirectory) if you do not know it, or name another folder with --state-dir.")
        }
    }

    /// Holds every folder from the state folder down to one in it to be ours.
    private func verify(_ path: String) throws(SystemError) {
        var folder = stateDirectory
        do throws(SystemError) {
            try Files.verifyDirectory(folder)
            for part in path.split(separator: "/") {
                folder += "/\(part)"
                try Files.verifyDirectory(folder)
            }
        } catch {
            if error.code != ENOENT { throw error }
        }
    }

    /// A file of ours; no link.
    private func read(_ path: String) throws(SystemError) -> [UInt8] {
        let parts = path.dropFirst(stateDirectory.count).split(separator: "/").dropLast()
        try verify(parts.joined(separator: "/"))
        return try AppendFile.open(path, forReading: true).readAll(limit: 16 << 20)
    }

    private var stacks: String { "\(stateDirectory)/stacks" }
    private var hypervisors: String { "\(stateDirectory)/hypervisors" }

    // MARK: Stacks

    /// Remembers a stack file's text.
    func keep(_ text: [UInt8], of stack: Stack) throws(SystemError) {
        try Files.createDirectory(stateDirectory)
        try Files.createDirectory(stacks)
        try Files.replaceAtomically("\(stacks)/\(stack.name).origin", bytes: Array(stack.directory.utf8))
        try Files.replaceAtomically("\(stacks)/\(stack.name).yaml", bytes: text)
    }

    func forget(stack: String) {
        unlink("\(stacks)/\(stack).yaml")
        unlink("\(stacks)/\(stack).origin")
    }

    /// The names of the stacks that are up.
    func stackNames() -> [String] {
        Self.names(in: stacks).filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }.sorted()
    }

    /// A stack as it was at `up`.
    func stack(_ name: String) throws(HyperFreshError) -> Stack {
        let path = "\(stacks)/\(name).yaml"
        do {
            let origin = String(decoding: try read("\(stacks)/\(name).origin"), as: UTF8.self)
            return try StackFile.parse(try read(path), path: path, directory: origin)
        } catch {
            throw HyperFreshError(
                "the stack \(name) cannot be read", because: error, remedy: "`hyperfresh ps` shows what is up.")
        }
    }

    /// The stack with a hypervisor of this name.
    func stack(of hypervisor: String) throws(HyperFreshError) -> (Stack, HypervisorSpec) {
        for name in stackNames() {
            let stack = try stack(name)
            if let spec = stack.hypervisors.first(where: { $0.name == hypervisor }) { return (stack, spec) }
        }
        throw HyperFreshError(
            "there is no hypervisor \(hypervisor)", remedy: "`hyperfresh ps` shows those of this host.",
            exitCode: HyperFreshError.usage)
    }

    // MARK: Instances

    func folder(_ hypervisor: String, _ instance: String) -> InstanceFolder {
        InstanceFolder("\(hypervisors)/\(hypervisor)/\(instance)")
    }

    /// Makes the folder of a new instance.
    func createInstance(of hypervisor: String) throws(SystemError) -> (id: String, folder: InstanceFolder) {
        try createFolder(of: hypervisor)
        while true {
            let digits = String(UInt16.random(in: .min ... .max), radix: 16)
            let id = String(repeating: "0", count: 4 - digits.count) + digits
            let folder = folder(hypervisor, id)
            guard !Files.exists(folder.path) else { continue }
            try Files.createDirectory(folder.path)
            return (id, folder)
        }
    }

    func keep(_ record: InstanceRecord) throws(SystemError) {
        let folder = folder(record.hypervisor, record.id)
        try Files.replaceAtomically(folder.record, bytes: Array(record.json.encoded().utf8))
    }

    /// The instances on record, dead or alive, the oldest first.
    func instances(of hypervisor: String) -> [InstanceRecord] {
        Self.names(in: "\(hypervisors)/\(hypervisor)").compactMap { id in
            guard let bytes = try? read(folder(hypervisor, id).record),
                let json = try? JSONValue(parsing: bytes)
            else { return nil }
            // Its paths follow from its names: they have to be those of the place where it stands.
            return InstanceRecord(json: json).flatMap { $0.id == id && $0.hypervisor == hypervisor ? $0 : nil }
        }.sorted { $0.started < $1.started }
    }

    /// Removes what an instance that is gone has left.
    func forget(_ hypervisor: String, instance: String) {
        let place = folder(hypervisor, instance)
        let names = Self.names(in: place.path)
        ShareServer.endAll(of: place, files: names)
        for name in names { unlink("\(place.path)/\(name)") }
        rmdir(place.path)
    }

    // MARK: Placement

    /// Which instance has which guest.
    func placement(of hypervisor: String) -> [String: String] {
        guard let bytes = try? read(placementFile(hypervisor)), let json = try? JSONValue(parsing: bytes)
        else { return [:] }
        return Self.placement(in: json)
    }

    /// Guests with instances, as far as it can be read.
    static func placement(in json: JSONValue) -> [String: String] {
        (json["guests"]?.object ?? [:]).compactMapValues(\.string)
    }

    /// Remembers that an instance has a guest.
    ///
    /// Only whoever holds the hypervisor's lock, or recovers one of its handoffs, may.
    func place(_ guest: String, on instance: String?, of hypervisor: String) throws(SystemError) {
        try Self.placing.withLock { _ throws(SystemError) in
            var guests = placement(of: hypervisor)
            guests[guest] = instance
            let json: JSONValue = ["version": 1, "guests": .object(guests.mapValues(JSONValue.string))]
            try Files.replaceAtomically(placementFile(hypervisor), bytes: Array(json.encoded().utf8))
        }
    }

    private static let placing = Mutex(())

    private func placementFile(_ hypervisor: String) -> String { "\(hypervisors)/\(hypervisor)/placement.json" }

    // MARK: Locks

    /// Excludes everybody else who would change a hypervisor.
    func lock(_ hypervisor: String) throws(HyperFreshError) -> HeldLock {
        do {
            try createFolder(of: hypervisor)
            let path = "\(hypervisors)/\(hypervisor)/lock"
            _ = try Descriptor.open(path, flags: O_RDONLY | O_CREAT | O_NOFOLLOW, mode: 0o600)
            if let lock = try HeldLock(path) { return lock }
        } catch {
            throw HyperFreshError(
                "hypervisor \(hypervisor) cannot be locked", because: error,
                remedy: "Make \(stateDirectory) this user's own, or name another folder with --state-dir.")
        }
        throw HyperFreshError(
            "somebody else is at work on hypervisor \(hypervisor)",
            remedy: "Wait for it; `hyperfresh status` shows it.",
            exitCode: RefreshOutcome.blocked.exitCode)
    }

    /// Removes what is left of a hypervisor that is down.
    func forget(hypervisor: String) {
        for instance in instances(of: hypervisor) { forget(hypervisor, instance: instance.id) }
        // Placement, lock, and what guests wrote to their consoles.
        let folder = "\(hypervisors)/\(hypervisor)"
        for name in Self.names(in: folder) { unlink("\(folder)/\(name)") }
        rmdir(folder)
    }

    private func createFolder(of hypervisor: String) throws(SystemError) {
        try Files.createDirectory(stateDirectory)
        try Files.createDirectory(hypervisors)
        try Files.createDirectory("\(hypervisors)/\(hypervisor)")
    }

    private static func names(in folder: String) -> [String] {
        guard let handle = opendir(folder) else { return [] }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
