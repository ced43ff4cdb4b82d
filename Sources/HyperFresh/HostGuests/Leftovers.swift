import Guests
import Handoff
import Linux

/// The leftovers of an earlier handoff of a guest: a record without an end, or a QEMU on the guest's memory.
///
/// Look for them only with the guest's lock: files and processes of a working controller are not leftovers.
struct Leftovers {
    let process: GuestProcess
    let stateDirectory: String

    func findings() async -> [Finding] {
        // A guest without memory that other processes could map is refused, and was never handed over.
        guard let memory = GuestMemory(of: process) else { return [] }
        let records = records(memory)
        if records.contains(where: { $0.severity == .fail }) { return records }
        return records + (await others(memory))
    }

    private func records(_ memory: GuestMemory) -> [Finding] {
        let entries: [HandoffEntry]
        do throws(HyperFreshError) {
            entries = try HandoffEntry.unfinished(in: stateDirectory)
        } catch {
            return [
                Finding(
                    .stateFolderUnusable, .fail,
                    "cannot determine whether an earlier refresh of the guest was left unfinished",
                    evidence: [error.message] + error.evidence, remedy: error.remedy)
            ]
        }
        let ours = entries.filter { $0.concerns(process.identity, memory: memory) }
        let unreadable = entries.filter { $0.subject?.name == nil }
        return ours.map { entry in
            Finding(
                .handoffUnfinished, .fail, "an earlier refresh of the guest was left unfinished",
                evidence: ["\(entry.id): \(entry.state?.rawValue ?? "?")"],
                remedy: "Run `hyperfresh recover`, then refresh again.")
        }
            + unreadable.map { entry in
                Finding(
                    .handoffUnfinished, .warn, "the record of an earlier handoff cannot be read",
                    evidence: [entry.recordPath], remedy: "Run `hyperfresh recover`.")
            }
    }

    /// Returns findings about other QEMUs on the guest's memory that no record explains.
    private func others(_ memory: GuestMemory) async -> [Finding] {
        let users: [FileHolder]
        do throws(HyperFreshError) {
            users = try memory.users().filter { $0.process != process.identity }
        } catch {
            return [Finding(.memoryInUse, .fail, error.message, evidence: error.evidence, remedy: error.remedy)]
        }
        var findings: [Finding] = []
        for user in users {
            guard let other = await GuestDiscovery.process(user.process) else { continue }
            findings.append(
                Finding(
                    .memoryInUse, .fail, "another QEMU has the guest's memory: \(user)", evidence: [memory.path],
                    remedy: other.isNewSideOfRefresh
                        ? "It was left by a refresh that is not on record: run `hyperfresh recover`."
                        : "Find out which of the two has the guest; never let both run."))
        }
        return findings
    }
}
