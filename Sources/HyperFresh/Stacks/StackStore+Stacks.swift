import Glibc
import Journal
import Linux
import StackFile

/// The records of stacks that are up, and the copies that their hypervisors have.
extension StackStore {
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
}
