import Containers
import Guests
import JSON
import Linux
import StackFile
import VirtualMachines

/// The conditions for relocating a container, in addition to those of the stack.
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
                "cannot read the bundle of container \(spec.name)", because: error,
                remedy: "Create a bundle: a folder with a root file system and the config.json of `runc spec`.")
        }
        throw HyperFreshError(
            "\(path) does not describe a container",
            remedy: "Set `process.args`, and `root.path` to a folder within the bundle (OCI runtime specification).")
    }

    /// Checks the bundle, both OS VMs and the container's open files for anything that CRIU cannot move.
    ///
    /// - Throws: ``HyperFreshError`` with all findings.
    static func check(_ spec: ContainerSpec, old: ContainerPlace, new: ContainerPlace) async throws(HyperFreshError) {
        var findings = try bundle(of: spec).obstacles.map {
            Finding(.containerConfig, .fail, $0.message, remedy: $0.remedy)
        }
        do throws(HypervisorError) {
            let before = try await old.check()
            let after = try await new.check()
            for (check, place) in [(before, old), (after, new)] {
                findings += check.complaints.map {
                    Finding(
                        .criuCheck, .fail, "\(place.system.record.hypervisor): \($0)",
                        remedy: "Build the image with another kernel.")
                }
            }
            if isOlder(after.version, than: before.version) {
                findings.append(
                    Finding(
                        .criuOlder, .fail, "CRIU \(after.version) cannot read the images of \(before.version)",
                        remedy: "Relocate to an OS VM with the same or a newer version."))
            }
            findings += before.descriptors.map {
                Finding(
                    .containerDescriptor, .fail, "process \($0) cannot be moved",
                    remedy: "Make the container close it.")
            }
        } catch {
            throw HyperFreshError(error, in: "container \(spec.name)")
        }
        guard findings.isEmpty else {
            throw HyperFreshError(
                "container \(spec.name) cannot be relocated", guestState: "Nothing was touched.",
                remedy: "Fix each finding; docs/preflight.md describes them.",
                evidence: findings.map { "\($0.id): \($0.message). \($0.remedy ?? "")" },
                exitCode: RefreshOutcome.blocked.exitCode)
        }
    }

    /// Returns whether a version such as `3.17.1` is older than another, comparing number by number.
    static func isOlder(_ version: String, than other: String) -> Bool {
        func numbers(_ version: String) -> [Int] {
            let all = version.split(separator: ".").map { Int($0) ?? 0 }
            return Array(all[..<((all.lastIndex { $0 != 0 } ?? -1) + 1)])
        }
        return numbers(version).lexicographicallyPrecedes(numbers(other))
    }
}
