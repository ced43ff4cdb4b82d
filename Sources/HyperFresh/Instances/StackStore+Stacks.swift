import Glibc
import JSON
import Journal
import Linux
import StackFile

/// The records of stacks that are up, and the copies in the folders of their hypervisors.
extension StackStore {
    /// Records a stack file's text.
    func keep(_ text: [UInt8], of stack: Stack) throws(SystemError) {
        try Files.createDirectory(stateDirectory)
        try Files.createDirectory(stacks)
        try stackFile(stack.name).write(StackRecord(stack, text).members)
    }

    /// Writes a copy of the stack's record to a hypervisor's own folder, from which `recover` rebuilds the record.
    func keepCopy(_ text: [UInt8], of stack: Stack, with hypervisor: String) throws(SystemError) {
        try createFolder(of: hypervisor)
        try copyFile(hypervisor).write(StackRecord(stack, text).members)
    }

    func forget(stack: String) { unlink(stackFile(stack).path) }

    /// Returns the names of the stacks on record, whether or not their records can be read.
    func stackNames() throws(HyperFreshError) -> [String] {
        // A record that is being written has a temporary name with a dot.
        try names(in: stacks).filter { !$0.contains(".") }
    }

    /// Reads the record of a stack.
    func stackRecord(_ name: String) -> RecordReading<StackRecord> {
        let file = stackFile(name)
        return read(file).reading(at: file.path, StackRecord.init).reading(at: file.path) {
            $0.name == name ? $0 : nil
        }
    }

    /// Reads a hypervisor's copy of its stack's record.
    func stackCopy(of hypervisor: String) -> RecordReading<StackRecord> {
        let file = copyFile(hypervisor)
        return read(file).reading(at: file.path, StackRecord.init)
    }

    /// Writes a copy back as the record of its stack.
    func restore(_ record: StackRecord) throws(SystemError) {
        try Files.createDirectory(stacks)
        try stackFile(record.name).write(record.members)
    }

    /// Renames the damaged record of a stack, if each running hypervisor is known to belong to another stack.
    ///
    /// - Parameter stack: Its name.
    /// - Returns: The new path.
    /// - Throws: ``HyperFreshError`` with status 6 if a running hypervisor may belong to it: the record then stays.
    func setAside(stack: String) throws(HyperFreshError) -> String {
        let path = stackFile(stack).path
        for process in try processes() {
            if let owner = stackCopy(of: process.hypervisor).shown?.name, owner != stack { continue }
            throw HyperFreshError(
                "\(path) cannot be read, and hypervisor \(process.hypervisor) may belong to it",
                guestState: "The hypervisor keeps running.",
                remedy: "`hyperfresh ps` shows its guests.", exitCode: RefreshOutcome.unknown.exitCode)
        }
        var count = 1
        while Files.exists("\(path).damaged-\(count)") { count += 1 }
        let kept = "\(path).damaged-\(count)"
        guard rename(path, kept) == 0 else {
            throw HyperFreshError(
                "cannot rename \(path)", because: SystemError(operation: "rename", subject: path, code: errno),
                remedy: "Move it aside.", exitCode: RefreshOutcome.unknown.exitCode)
        }
        return kept
    }

    /// Returns a stack as it was at `up`.
    func stack(_ name: String) throws(HyperFreshError) -> Stack {
        switch stackRecord(name) {
        case .present(let record): return try record.parse(at: stackFile(name).path)
        case .damaged(let damage): throw .damaged([damage], of: "stack \(name)")
        case .absent:
            // A hypervisor that belongs to the stack proves that there was a record.
            for hypervisor in try hypervisorNames() where stackCopy(of: hypervisor).shown?.name == name {
                throw .damaged([RecordDamage(path: stackFile(name).path, reason: "it is missing")], of: "stack \(name)")
            }
            let lost = try lostStacks().filter { [stacks, stackFile(name).path].contains($0.path) }
            guard lost.isEmpty else { throw .damaged(lost, of: "stack \(name)") }
            throw HyperFreshError(
                "no stack \(name) is up", remedy: "`hyperfresh ps` lists the stacks that are up.",
                exitCode: HyperFreshError.usage)
        }
    }

    /// Returns the stack with a hypervisor of this name.
    ///
    /// - Throws: ``HyperFreshError``: 64 if there is none; 3 if a record that may belong to its stack is damaged or
    ///   missing.
    func stack(of hypervisor: String) throws(HyperFreshError) -> (Stack, HypervisorSpec) {
        var (found, damage) = try search { stack in
            stack.hypervisors.first { $0.name == hypervisor }.map { (stack, $0) }
        }
        if let found { return found }
        let survey = try survey(hypervisor)
        guard try hypervisorNames().contains(hypervisor) || !survey.running.isEmpty else {
            throw HyperFreshError(
                "there is no hypervisor or OS VM \(hypervisor)",
                remedy: "`hyperfresh ps` lists those of this host.",
                evidence: damage.map(\.description), exitCode: HyperFreshError.usage)
        }
        if damage.isEmpty { damage = [RecordDamage(path: stacks, reason: "no stack on record has this VM")] }
        throw .damaged(damage, of: "the stack of VM \(hypervisor)")
    }

    /// Searches the stacks on record.
    ///
    /// - Parameter pick: Returns the part of a stack that is searched for; nil if the stack does not have it.
    /// - Returns: The first match; and the records that cannot be relied on, which may have another.
    /// - Throws: ``HyperFreshError`` if the stacks on record cannot be listed.
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

    /// Returns the missing records of stacks with a running hypervisor.
    private func lostStacks() throws(HyperFreshError) -> [RecordDamage] {
        var known: Set<String> = []
        for name in try stackNames() {
            guard let record = stackRecord(name).shown else { continue }
            known.formUnion(try record.parse(at: stackFile(name).path).hypervisors.map(\.name))
        }
        return try processes().filter { !known.contains($0.hypervisor) }.map { process in
            // If its copy does not tell either, it may belong to any stack.
            let path = stackCopy(of: process.hypervisor).shown.map { stackFile($0.name).path } ?? stacks
            return RecordDamage(
                path: path, reason: "VM \(process.hypervisor) runs, and its stack is not on record")
        }
    }

    private func stackFile(_ name: String) -> RecordFile { RecordFile("\(stacks)/\(name)", subject: "stack \(name)") }
    private func copyFile(_ hypervisor: String) -> RecordFile {
        RecordFile("\(hypervisors)/\(hypervisor)/stack", subject: "stack of \(hypervisor)")
    }
}

// MARK: - Containers

extension StackStore {
    /// Returns the OS VM of its stack that has a container, and the instance; `nil` if the container was never started.
    ///
    /// The stack file only defines where it starts first; it may have been relocated since.
    func place(
        ofContainer name: String, in stack: Stack
    ) throws(HyperFreshError) -> (system: HypervisorSpec, instance: String)? {
        for system in stack.systems {
            if let instance = try survey(system.name).records().placement[name] { return (system, instance) }
        }
        return nil
    }

    /// Returns the containers that are in an OS VM or will start there: its own, except for those relocated away.
    ///
    /// They are in the stack file's order.
    ///
    /// - Throws: ``HyperFreshError`` if the placement of an OS VM cannot be relied on.
    func containers(of system: HypervisorSpec, in stack: Stack) throws(HyperFreshError) -> [ContainerSpec] {
        let own = Set(system.containers.map(\.name))
        var all: [ContainerSpec] = []
        for container in stack.containers {
            let place = try place(ofContainer: container.name, in: stack)
            if place.map({ $0.system.name == system.name }) ?? own.contains(container.name) { all.append(container) }
        }
        return all
    }
}

/// A stack file as it was at `up`.
struct StackRecord: Sendable, Hashable {
    /// The stack's name.
    let name: String
    /// The folder of the file, to which relative paths in it refer.
    let origin: String
    let text: String

    init(_ stack: Stack, _ text: [UInt8]) {
        name = stack.name
        origin = stack.directory
        self.text = String(decoding: text, as: UTF8.self)
    }

    init?(_ members: [String: JSONValue]) {
        guard let name = members["name"]?.string, let origin = members["origin"]?.string,
            let text = members["text"]?.string
        else { return nil }
        self.name = name
        self.origin = origin
        self.text = text
    }

    var members: [String: JSONValue] {
        ["name": .string(name), "origin": .string(origin), "text": .string(text)]
    }

    /// Parses the stack file's text.
    ///
    /// - Parameter path: The path of the record, for messages.
    /// - Returns: The stack.
    /// - Throws: ``HyperFreshError`` with status 3 if this version does not understand it.
    func parse(at path: String) throws(HyperFreshError) -> Stack {
        do throws(StackError) {
            return try Stack.parse(Array(text.utf8), path: path, directory: origin)
        } catch {
            throw HyperFreshError(
                "this version of hyperfresh does not understand the stack file on record of \(name)",
                because: error, remedy: "Use the version of hyperfresh that brought the stack up.",
                exitCode: RefreshOutcome.blocked.exitCode
            )
        }
    }
}
