import Glibc
import Guests
import Linux
import StackFile
import VirtualMachines

/// The accelerators with which this host can run a hypervisor.
enum Accelerators {
    /// Returns KVM if it runs stock guests and can nest; otherwise TCG, unless KVM is required.
    ///
    /// - Parameters:
    ///   - wish: The accelerator in the stack file.
    ///   - nesting: Whether KVM nests on this host.
    /// - Returns: KVM or TCG.
    /// - Throws: ``HyperFreshError`` if KVM is required and does not nest: no guest of the hypervisor could start.
    static func choose(
        _ wish: HyperplexorSpec.Accelerator, nesting: Finding = HypervisorChecks.nesting()
    ) throws(HyperFreshError) -> HyperplexorSpec.Accelerator {
        if wish == .tcg { return .tcg }
        if nesting.severity == .pass { return .kvm }
        guard wish == .kvm else { return .tcg }
        throw HyperFreshError(
            "hypervisors cannot run on KVM here, but the stack file requires it (\(nesting.id))",
            remedy: "\(nesting.remedy ?? "") Or set `accelerator: auto`.",
            evidence: [nesting.message] + nesting.evidence)
    }
}
