import Containers
import Guests
import JSON
import Linux
import StackFile
import VirtualMachines

/// What has to be true before a container is relocated, beside what the stack says.
enum ContainerAdmission {
    /// Reads a container's bundle.
    static func bundle(of spec: ContainerSpec) throws(HyperFreshError) -> OCIBundle {
        let path = "\(spec.bundle)/config.json"
        do {
            if let bundle = OCIBundle(json: try JSONValue(parsing: try Files.readAll(path, limit: 4 << 20))) {
                return bundle
            }
        } catch {
            throw HyperFreshError(
                "the bundle of container \(spec.name) cannot be read", because: error,
                remedy: "A bundle is a folder with config.json and a root file system, as `runc spec` begins one.")
        }
        throw HyperFreshError(
            "\(path) describes no container",
            remedy: "It needs `process.args`, and a `root.path` within the bundle (OCI runtime specification).")
    }

    /// Looks for what CRIU cannot move, in the bundle, in both OS VMs, and in what the container has open.
    ///
    /// - Throws: ``HyperFreshError`` with all that was found.
    static func check(_ spec: ContainerSpec, old: ContainerPlace, new: ContainerPlace) async throws(HyperFreshError) {
        let obstacles = try bundle(of: spec).obstacles
        var findings = obstacles.map { "\(FindingID.containerConfig): \($0.message). \($0.remedy)" }
        do throws(HypervisorError) {
            let before = try await old.check()
            let after = try await new.check()
            for (check, place) in [(before, old), (after, new)] {
                findings += check.complaints.map {
                    "\(FindingID.criuCheck) (\(place.system.record.hypervisor)): \($0). Build the image with another kernel."
                }
            }
            if isOlder(after.version, than: before.version) {
                findings.append(
                    "\(FindingID.criuOlder): CRIU \(after.version) cannot read the images of \(before.version). "
                        + "Relocate to an OS VM with the same or a newer one.")
            }
            findings += before.descriptors.map {
                "\(FindingID.containerDescriptor): process \($0) cannot be moved. Let the container close it."
            }
        } catch {
            throw HyperFreshError(error)
        }
        guard findings.isEmpty else {
            throw HyperFreshError(
                "container \(spec.name) cannot be relocated", guestState: "Nothing was touched.",
                remedy: "docs/preflight.md describes each finding.", evidence: findings,
                exitCode: RefreshOutcome.blocked.exitCode)
        }
    }

    /// Compares versions such as `3.17.1`, number by number.
    static func isOlder(_ version: String, than other: String) -> Bool {
        func numbers(_ version: String) -> [Int] {
            let all = version.split(separator: ".").map { Int($0) ?? 0 }
            return Array(all[..<((all.lastIndex { $0 != 0 } ?? -1) + 1)])
        }
        return numbers(version).lexicographicallyPrecedes(numbers(other))
    }
}
