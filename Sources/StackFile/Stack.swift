internal import Glibc
internal import Linux

/// The content of one stack file: a hyperplexor, networks, hypervisors with their guests, and OS VMs with their
/// containers.
public struct Stack: Sendable, Hashable {
    /// Its name; part of the names of everything created for it.
    public var name: String
    /// The folder to which its relative paths refer: the stack file's own.
    public var directory: String
    /// The settings of this host.
    public var hyperplexor: HyperplexorSpec
    /// The networks that guests and containers may join.
    public var networks: [NetworkSpec]
    /// The hypervisors, in the file's order, and after them the OS VMs (``HypervisorSpec/kind``).
    public var hypervisors: [HypervisorSpec]
}

// MARK: - File

/// Reading stack files: YAML, as described in docs/stack-file.md.
extension Stack {
    /// The size limit of a stack file in bytes: 1 MiB, enough for some thousand guests.
    public static let fileSizeLimit = 1 << 20

    /// Reads a stack file.
    ///
    /// - Parameter path: The file.
    /// - Returns: The stack, with absolute paths and all defaults filled in, and the file's bytes.
    /// - Throws: ``StackError`` with all problems.
    public static func read(path: String) throws(StackError) -> (stack: Stack, text: [UInt8]) {
        let bytes: [UInt8]
        do {
            bytes = try Files.readAll(path, limit: fileSizeLimit)
        } catch  where error.code == EFBIG {
            throw StackError(
                path: path, wholeFile: "it is larger than \(fileSizeLimit >> 20) MiB",
                remedy: "Give the path of a stack file; split a large stack into several.")
        } catch {
            throw StackError(path: path, wholeFile: "\(error)", remedy: "Give the path of a file that you can read.")
        }
        return (try parse(bytes, path: path, directory: directory(of: path)), bytes)
    }

    /// Parses the text of a stack file.
    ///
    /// - Parameters:
    ///   - bytes: The text in UTF-8.
    ///   - path: The file's name in error messages.
    ///   - directory: The absolute path to which relative paths in the file refer.
    /// - Returns: The stack, with absolute paths and all defaults filled in.
    /// - Throws: ``StackError`` with all problems.
    public static func parse(_ bytes: [UInt8], path: String, directory: String) throws(StackError) -> Stack {
        let reader = StackReader(directory: directory)
        var stack: Stack?
        do {
            stack = try reader.stack(YAMLComposer.tree(of: bytes))
        } catch {
            reader.problems.append(error.problem)
        }
        guard reader.problems.isEmpty, let stack else {
            throw StackError(path: path, problems: reader.problems)
        }
        return stack
    }

    /// Returns the file's folder, with symbolic links resolved if it exists.
    private static func directory(of path: String) -> String {
        let folder = Paths.parent(of: path)
        return Paths.resolved(folder) ?? folder
    }
}

// MARK: - Lookup

extension Stack {
    /// Returns the memory file of a guest.
    ///
    /// - Parameter guest: The guest's name.
    /// - Returns: The file's path.
    public func memoryFile(of guest: String) -> String { "\(hyperplexor.memoryDirectory)/\(guest).ram" }

    /// Returns the image store file of a container.
    ///
    /// - Parameter container: The container's name.
    /// - Returns: The file's path.
    public func storeFile(of container: String) -> String { "\(storeDirectory)/\(container).store" }

    /// The folder for image stores; never on a hugetlbfs, which has no write(2), so that no file system can be made
    /// there.
    public var storeDirectory: String {
        switch hyperplexor.hugePages {
        case .none, .transparent: hyperplexor.memoryDirectory
        case .twoMiB, .oneGiB: "/dev/shm/hyperfresh-\(name)"
        }
    }

    /// The OS VMs, in the file's order.
    public var systems: [HypervisorSpec] { hypervisors.filter { $0.kind == .os } }

    /// The containers of all OS VMs, in the file's order; each OS VM has room for any of them.
    public var containers: [ContainerSpec] { hypervisors.flatMap(\.containers) }

    /// Returns the networks that a hypervisor's guests join, in the file's order; for an OS VM, those of all
    /// containers.
    ///
    /// A container may be relocated to any OS VM of its stack.
    ///
    /// - Parameter hypervisor: The hypervisor or OS VM.
    /// - Returns: The networks for which it needs a card.
    public func networks(of hypervisor: HypervisorSpec) -> [NetworkSpec] {
        let tenants = hypervisor.kind == .os ? containers.compactMap(\.card?.network) : []
        let joined = Set(hypervisor.guests.flatMap { $0.networks.map(\.network) } + tenants)
        return networks.filter { joined.contains($0.name) }
    }

    /// Returns this host's cores for the CPUs of a hypervisor, one for each CPU; empty if vCPUs are not pinned.
    ///
    /// The old and the new run of a hypervisor use the same cores.
    ///
    /// - Parameter hypervisor: The hypervisor's name.
    /// - Returns: The cores' numbers.
    public func cores(of hypervisor: String) -> [Int] {
        var rest = hyperplexor.cores[...]
        for candidate in hypervisors {
            if candidate.name == hypervisor { return Array(rest.prefix(candidate.cpus)) }
            rest = rest.dropFirst(candidate.cpus)
        }
        return []
    }
}

/// All errors in a stack file, not only the first one.
public struct StackError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The file.
    public let path: String
    /// The problems, in the order of the file's lines; at least one.
    public let problems: [StackProblem]

    /// Two lines for each problem: `FILE:LINE:COLUMN: MESSAGE`, and the remedy.
    public var description: String {
        problems.map { problem in
            let place = [problem.line, problem.column].compactMap { $0.map { ":\($0)" } }.joined()
            return "\(path)\(place): \(problem.message)\n    \(problem.remedy)"
        }.joined(separator: "\n")
    }

    init(path: String, problems: [StackProblem]) {
        self.path = path
        self.problems = problems.sorted { ($0.line ?? 0, $0.column ?? 0) < ($1.line ?? 0, $1.column ?? 0) }
    }

    init(path: String, wholeFile message: String, remedy: String) {
        self.init(path: path, problems: [StackProblem(line: nil, column: nil, message: message, remedy: remedy)])
    }
}

/// One problem in a stack file.
public struct StackProblem: Sendable, Hashable {
    /// The line, from 1; `nil` if the problem concerns the file as a whole.
    public let line: Int?
    /// The column in characters, from 1; `nil` if the problem concerns the file as a whole.
    public let column: Int?
    /// What is wrong.
    public let message: String
    /// What to do.
    public let remedy: String
}
