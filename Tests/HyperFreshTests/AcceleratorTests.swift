import Guests
import StackFile
import Testing

@testable import HyperFresh
import VirtualMachines

/// The choice of the accelerator for hypervisors.
@Suite struct AcceleratorTests {
    private static let nests = Finding(.nestingUnusable, .pass, "kvm_amd nests")
    private static let doesNot = Finding(
        .nestingUnusable, .warn, "KVM does not nest", evidence: ["nested: N"], remedy: "Turn it on.")

    @Test func kvmWhereItNests() throws {
        #expect(try Accelerators.choose(.auto, nesting: Self.nests) == .kvm)
        #expect(try Accelerators.choose(.auto, nesting: Self.doesNot) == .tcg)
        #expect(try Accelerators.choose(.kvm, nesting: Self.nests) == .kvm)
    }

    @Test func whoAsksForEmulationGetsIt() throws {
        #expect(try Accelerators.choose(.tcg, nesting: Self.nests) == .tcg)
        #expect(try Accelerators.choose(.tcg, nesting: Self.doesNot) == .tcg)
    }

    @Test func whoAsksForKVMGetsNothingElse() {
        let error = #expect(throws: HyperFreshError.self) { try Accelerators.choose(.kvm, nesting: Self.doesNot) }
        #expect(error?.message.contains("nesting-unusable") == true)
        #expect(error?.evidence == ["KVM does not nest", "nested: N"])
        #expect(error?.remedy.hasPrefix("Turn it on.") == true)
    }
}
