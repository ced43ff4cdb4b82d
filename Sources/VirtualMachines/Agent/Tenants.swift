/// The guests, containers and QEMUs that are active in a hypervisor or OS VM, as reported from inside; overrides all
/// records.
package struct Tenants: Sendable, Hashable {
    /// Guests whose QEMU exists, whether the guest is running or paused.
    package var guests: Set<String>
    /// Containers that have processes, whether running or frozen.
    package var containers: Set<String>
    /// QEMUs that run outside hyperfresh's units, by their pid inside the hypervisor.
    package var strangers: Set<Int32>

    /// Creates a set from names and pids.
    ///
    /// - Parameters:
    ///   - guests: The guests' names.
    ///   - containers: The containers' names.
    ///   - strangers: The pids of QEMUs outside hyperfresh's units.
    package init(guests: Set<String> = [], containers: Set<String> = [], strangers: Set<Int32> = []) {
        self.guests = guests
        self.containers = containers
        self.strangers = strangers
    }

    /// Whether nothing is active.
    package var isEmpty: Bool { guests.isEmpty && containers.isEmpty && strangers.isEmpty }

    /// Returns a phrase for each entry, for a message: `guest web`, `container redis`.
    ///
    /// - Parameter names: Guests and containers to leave out.
    /// - Returns: Guests, then containers, each in alphabetical order; then other QEMUs.
    package func words(butFor names: Set<String> = []) -> [String] {
        guests.subtracting(names).sorted().map { "guest \($0)" }
            + containers.subtracting(names).sorted().map { "container \($0)" }
            + strangers.sorted().map { "a QEMU (pid \($0) in it) that hyperfresh did not start" }
    }

    /// Parses the output of `guest.sh tenants`; returns nil if it is truncated or contains anything else.
    ///
    /// - Parameter text: One line for each guest, container or QEMU; the last line is `end`.
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
    /// Lists the guests, containers and QEMUs that are active in the hypervisor.
    ///
    /// - Parameter deadline: The longest time that it may take.
    /// - Returns: All guests, containers and other QEMUs in it.
    /// - Throws: ``HypervisorError`` when the agent does not answer, or the answer is incomplete.
    package func tenants(within deadline: Duration = .seconds(20)) async throws(HypervisorError) -> Tenants {
        let text = try await run(verb: "tenants", to: "list what is active in it", within: deadline)
        guard let tenants = Tenants(parsing: text) else {
            throw HypervisorError(
                "cannot read the list of guests and containers that are active in the VM",
                remedy: "Run `hyperfresh doctor`, and read the VM's console.log in the state folder.",
                evidence: text.split(separator: "\n").suffix(12).map(String.init))
        }
        return tenants
    }
}
