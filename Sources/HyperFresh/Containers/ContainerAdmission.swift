import Containers
import Guests
import Hypervisors
import JSON
import Linux

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
            remedy: "It needs `root.path` and `process.args` (OCI runtime specification).")
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
            if after.version.compareVersion(before.version) < 0 {
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
}

extension String {
    /// Compares versions such as `3.17.1`, number by number: below zero if this one is the older.
    func compareVersion(_ other: String) -> Int {
        let (mine, theirs) = (numbers, other.numbers)
        for index in 0..<Swift.max(mine.count, theirs.count) {
            let difference = (index < mine.count ? mine[index] : 0) - (index < theirs.count ? theirs[index] : 0)
            if difference != 0 { return difference }
        }
        return 0
    }

    private var numbers: [Int] { split(separator: ".").map { Int($0) ?? 0 } }
}
