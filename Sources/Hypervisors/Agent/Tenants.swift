/// What is active in a hypervisor or OS VM, by its own word: the truth behind every record of it.
public struct Tenants: Sendable, Hashable {
    /// The guests whose QEMU is there, running or not.
    public var guests: Set<String>
    /// The containers that have processes there, running or not.
    public var containers: Set<String>
    /// QEMUs that are in no unit of ours, by their pid inside.
    public var strangers: Set<Int32>

    /// Makes a set of tenants.
    ///
    /// - Parameters:
    ///   - guests: The guests' names.
    ///   - containers: The containers' names.
    ///   - strangers: The pids of QEMUs that are in no unit of ours.
    public init(guests: Set<String> = [], containers: Set<String> = [], strangers: Set<Int32> = []) {
        self.guests = guests
        self.containers = containers
        self.strangers = strangers
    }

    /// Whether nothing is active.
    public var isEmpty: Bool { guests.isEmpty && containers.isEmpty && strangers.isEmpty }

    /// All of them but those named, as words for a message: `guest web`, `container redis`.
    ///
    /// - Parameter names: Guests and containers to leave out.
    /// - Returns: In alphabetical order; strangers last.
    public func words(butFor names: Set<String> = []) -> [String] {
        guests.subtracting(names).sorted().map { "guest \($0)" }
            + containers.subtracting(names).sorted().map { "container \($0)" }
            + strangers.sorted().map { "a QEMU (pid \($0) in it) that hyperfresh did not start" }
    }

    /// Reads what `guest.sh tenants` prints; nil when that is cut short, or holds anything else.
    ///
    /// - Parameter text: A line a tenant, and `end` as the last one.
    init?(parsing text: String) {
        self.init()
        var lines = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        guard lines.popLast() == ["end"] else { return nil }
        for line in lines {
            guard line.count == 2 else { return nil }
            switch line[0] {
            case "guest": guests.insert(line[1])
            case "container": containers.insert(line[1])
            case "stranger":
                guard let pid = Int32(line[1]) else { return nil }
                strangers.insert(pid)
            default: return nil
            }
        }
    }
}

extension HypervisorAgent {
    /// Asks what is active in the hypervisor.
    ///
    /// - Parameter deadline: How long it may take.
    /// - Returns: All guests, containers and other QEMUs in it.
    /// - Throws: ``HypervisorError`` when the agent does not answer, or not completely.
    public func tenants(within deadline: Duration = .seconds(20)) async throws(HypervisorError) -> Tenants {
        let text = try await run(verb: "tenants", to: "say what is active in it", within: deadline)
        guard let tenants = Tenants(parsing: text) else {
            throw HypervisorError(
                "it cannot be said what is active in the hypervisor", remedy: "See its console.",
                evidence: text.split(separator: "\n").suffix(12).map(String.init))
        }
        return tenants
    }
}
