import StackFile
import Testing

@testable import HyperFresh

/// The changes between a running stack and a changed stack file.
@Suite struct StackChangeTests {
    /// Returns a stack with these hypervisors and guests; a guest is a name and further keys.
    private static func stack(_ hypervisors: [(String, [(String, String)])], top: String = "") throws -> Stack {
        let text =
            "version: 1\nname: rack7\n\(top)hypervisors:\n"
            + hypervisors.map { name, guests in
                "  - name: \(name)\n"
                    + (guests.isEmpty ? "" : "    guests:\n")
                    + guests.map { "      - {name: \($0), memory: 16M, boot: {kernel: /k}\($1)}\n" }.joined()
            }.joined()
        return try Stack.parse(Array(text.utf8), path: "rack7.yaml", directory: "/etc/stacks")
    }

    private static func change(
        _ old: Stack, _ new: Stack, down: Set<String> = [], notPlaced: Set<String> = []
    ) -> StackChange {
        StackChange(
            from: old, to: new, isUp: { !down.contains($0.name) },
            isPlaced: { guest, _ in !notPlaced.contains(guest.name) })
    }

    private let old: Stack

    init() throws { old = try Self.stack([("alpha", [("web", ""), ("db", "")]), ("beta", [])]) }

    @Test func theSameIsNoChange() throws {
        let change = Self.change(old, old)
        #expect(change.alterations.isEmpty && change.orphanedGuests.isEmpty && change.orphanedHypervisors.isEmpty)
    }

    @Test func moreIsNoChange() throws {
        let new = try Self.stack([("alpha", [("web", ""), ("db", ""), ("mail", "")]), ("beta", []), ("gamma", [])])
        let change = Self.change(old, new)
        #expect(change.alterations.isEmpty && change.orphanedGuests.isEmpty && change.orphanedHypervisors.isEmpty)
    }

    @Test func whatTheFileHasNoMoreIsAnOrphan() throws {
        let change = Self.change(old, try Self.stack([("alpha", [("db", "")])]))
        #expect(change.orphanedGuests.map(\.guest.name) == ["web"])
        #expect(change.orphanedGuests.map(\.hypervisor.name) == ["alpha"])
        #expect(change.orphanedHypervisors.map(\.name) == ["beta"])
    }

    @Test func aGuestOfAnotherHypervisorIsAnOrphanOfItsOwn() throws {
        let change = Self.change(old, try Self.stack([("alpha", [("web", "")]), ("beta", [("db", "")])]))
        #expect(change.orphanedGuests.map(\.guest.name) == ["db"])
    }

    @Test func whatIsNotThereIsNoOrphan() throws {
        let new = try Self.stack([("alpha", [("db", ", cpus: 2")])])
        let change = Self.change(old, new, down: ["beta"], notPlaced: ["web", "db"])
        #expect(change.alterations.isEmpty && change.orphanedGuests.isEmpty && change.orphanedHypervisors.isEmpty)
    }

    @Test(
        arguments: [
            ("cpus: 2", "cpus"), ("console: virtio", "console"), ("virtio: legacy", "virtio"),
            ("cpu-model: Nehalem", "cpu-model"),
            ("machine: pc-q35-7.1", "machine"), ("extra-arguments: [-rtc, base=localtime]", "extra-arguments"),
            ("disks: [{name: data, file: /d}]", "disks"),
        ])
    func whatAGuestCannotFollowIsNamed(words: String, key: String) throws {
        let new = try Self.stack([("alpha", [("web", ", \(words)"), ("db", "")]), ("beta", [])])
        #expect(Self.change(old, new).alterations == ["guest web: \(key)"])
    }

    @Test func theHyperplexorStaysAsLongAsSomethingRuns() throws {
        let new = try Self.stack(
            [("alpha", [("web", ""), ("db", "")]), ("beta", [])], top: "hyperplexor: {cores: [0-3]}\n")
        #expect(Self.change(old, new).alterations == ["hyperplexor"])
        #expect(Self.change(old, new, down: ["alpha", "beta"]).alterations.isEmpty)
    }
}
