import JSON
import Linux
import VirtualMachines

/// Common parts of the runs of `hypervisor`: file locations, and connections to hypervisors.
struct NestedTools: Sendable {
    let tools: Tools
    /// The folder of the hypervisors' image.
    let image: String
    /// The accelerator of hypervisors: `auto`, `tcg` or `kvm`.
    let accelerator: String
    let scratch: Scratch

    /// hyperfresh's state folder.
    var state: String { "\(scratch.directory)/state" }

    /// Writes a stack file with these hypervisors, and returns its path.
    func writeStack(_ name: String, hypervisors: [String]) throws -> String {
        let path = "\(scratch.directory)/\(name).yaml"
        let text = """
            version: 1
            name: \(name)
            hyperplexor: {memory-directory: \(scratch.memoryDirectory)/\(name), accelerator: \(accelerator)}
            hypervisors:
            \(hypervisors.joined(separator: "\n"))

            """
        try Files.replaceAtomically(path, bytes: Array(text.utf8))
        return path
    }

    /// Returns a hypervisor's section of a stack file.
    func hypervisor(_ name: String, memoryMiB: Int, guests: [String], shape: NestedShape?) -> String {
        var lines = [
            "  - name: \(name)", "    image: \(image)", "    memory: \(memoryMiB)M", "    cpus: 1",
            "    spare-guests: 4",
        ]
        guard let shape, !guests.isEmpty else { return lines.joined(separator: "\n") }
        lines.append("    guests:")
        for guest in guests {
            lines += [
                "      - name: \(guest)", "        memory: \(shape.memoryMiB)M", "        console: virtio",
                "        boot: {kernel: \(tools.kernel), initramfs: \(tools.initramfs), "
                    + "arguments: \"\(shape.kernelWords)\"}",
            ]
        }
        return lines.joined(separator: "\n")
    }

    /// Returns the running instances of a hypervisor, oldest first.
    func instances(of hypervisor: String) -> [(record: InstanceRecord, folder: InstanceFolder)] {
        let parent = "\(state)/hypervisors/\(hypervisor)"
        let names = (try? ProcFS.names(inFolder: parent)) ?? []
        let found = names.compactMap { name -> (record: InstanceRecord, folder: InstanceFolder)? in
            let folder = InstanceFolder("\(parent)/\(name)")
            guard let bytes = try? Files.readAll(folder.record), let json = try? JSONValue(parsing: bytes),
                let record = InstanceRecord(json: json), record.process.isAlive
            else { return nil }
            return (record, folder)
        }
        return found.sorted { $0.record.started < $1.record.started }
    }
}
