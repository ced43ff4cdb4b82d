import Testing

@testable import Guests

@Suite("Where guest memory lies, from info mtree")
struct MemoryTreeTests {
    private static let gigabyte: UInt64 = 1 << 30

    private func layout(_ fixture: String, _ backends: Set<String>) throws -> [GuestMemoryRange] {
        MemoryTree(try Fixture.text("Description/mtree-\(fixture).txt")).layout(of: backends)
    }

    private func range(_ backend: String, at address: UInt64, from offset: UInt64, _ size: UInt64) -> GuestMemoryRange {
        GuestMemoryRange(backend: backend, address: address, offset: offset, size: size)
    }

    @Test(
        "RAM below and above 4 GiB",
        arguments: [
            "7.2-q35-running", "7.2-q35-waiting", "7.2-q35-4.0", "10.0-q35-running", "10.0-q35-waiting", "10.0-q35-4.0",
        ])
    func q35(fixture: String) throws {
        let half = 2 * Self.gigabyte
        #expect(
            try layout(fixture, ["r0"])
                == [range("r0", at: 0, from: 0, half), range("r0", at: 4 * Self.gigabyte, from: half, half)])
    }

    @Test("What firmware switches does not matter")
    func windows() throws {
        let running = try Fixture.text("Description/mtree-7.2-q35-running.txt")
        let waiting = try Fixture.text("Description/mtree-7.2-q35-waiting.txt")
        #expect(running != waiting)
        #expect(MemoryTree(running).layout(of: ["r0"]) == MemoryTree(waiting).layout(of: ["r0"]))
    }

    @Test("Two NUMA nodes and a DIMM: the nodes are parts of one container", arguments: ["7.2", "10.0"])
    func numa(version: String) throws {
        let half = 2 * Self.gigabyte
        #expect(
            try layout("\(version)-pc-numa-dimm", ["r0", "r1", "m1"])
                == [
                    range("r0", at: 0, from: 0, half), range("r1", at: half, from: 0, Self.gigabyte),
                    range("r1", at: 4 * Self.gigabyte, from: Self.gigabyte, Self.gigabyte),
                    range("m1", at: 5 * Self.gigabyte, from: 0, 256 << 20),
                ])
    }

    @Test("A machine without PCI", arguments: ["7.2", "10.0"])
    func microvm(version: String) throws {
        #expect(
            try layout("\(version)-microvm", ["r0"])
                == [
                    range("r0", at: 0, from: 0, 3 * Self.gigabyte),
                    range("r0", at: 4 * Self.gigabyte, from: 3 * Self.gigabyte, Self.gigabyte),
                ])
    }

    @Test("Regions of older machine types are called by their path")
    func canonicalPath() {
        let text = """
            address-space: memory
              0000000000000000-ffffffffffffffff (prio 0, i/o): system
                0000000000000000-000000000fffffff (prio 0, ram): alias ram-below-4g @/objects/r0 0000000000000000-000000000fffffff

            memory-region: /objects/r0
              0000000000000000-000000000fffffff (prio 0, ram): /objects/r0
            """
        #expect(MemoryTree(text).layout(of: ["r0"]) == [range("r0", at: 0, from: 0, 256 << 20)])
    }

    @Test("Nonsense gives nothing, and aliases of themselves end")
    func nonsense() {
        #expect(MemoryTree("").layout(of: ["r0"]).isEmpty)
        #expect(
            MemoryTree("address-space: memory\n  0-1 (prio\n  x\n    1-0 (prio 0, ram): r0").layout(of: ["r0"]).isEmpty)
        let loop = """
            address-space: memory
              0000000000000000-ffffffffffffffff (prio 0, i/o): alias a @a 0000000000000000-ffffffffffffffff

            memory-region: a
              0000000000000000-00000000ffffffff (prio 0, i/o): alias a @a 0000000000000000-00000000ffffffff
            """
        #expect(MemoryTree(loop).layout(of: ["a"]).isEmpty)
    }

    /// A monitor's peer may be hostile: such answers once caused an endless loop.
    @Test("Aliases that multiply, and titles that do, come to an end", .timeLimit(.minutes(1)))
    func multiplied() {
        let alias = "  0000000000000000-ffffffffffff0000 (prio 0, i/o): alias a @b 0000000000000000-ffffffffffff0000"
        let ram = "  0000000000000000-000000000000ffff (prio 0, ram): ram0"
        let aliases = ["address-space: memory", alias, "memory-region: b"] + Array(repeating: alias, count: 20) + [ram]
        #expect(MemoryTree(aliases.joined(separator: "\n")).layout(of: ["ram0"]) == [])
        let titles = (0..<20_000).map { "memory-region: \($0)" } + ["address-space: memory"]
        let many = titles + Array(repeating: ram, count: 20_000)
        #expect(MemoryTree(many.joined(separator: "\n")).layout(of: ["ram0"]) == [])
    }
}
