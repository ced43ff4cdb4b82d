import Testing

@testable import Hypervisors

extension HypervisorsTests {
    /// Holds the stack files that this repository shows to the reader.
    @Suite struct StackExampleTests {
        @Test func theDemoStackIsRead() throws {
            let stack = try StackFile.read(path: "\(Place.repository)/qemu-configs/stack-demo.yaml")
            #expect(stack.name == "demo")
            #expect(stack.hyperplexor.memoryDirectory == "/dev/shm/hyperfresh-demo")
            #expect(stack.hypervisors.map(\.name) == ["alpha"])
            #expect(stack.hypervisors[0].guests.map(\.name) == ["web", "db", "busy"])
        }
    }
}
