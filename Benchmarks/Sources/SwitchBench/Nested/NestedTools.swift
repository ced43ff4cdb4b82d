import Hypervisors
import JSON
import Linux

/// What the runs of `hypervisor` have in common: where files are, and how a hypervisor is reached.
struct NestedTools: Sendable {
    let tools: Tools
    /// The folder of the hypervisors' image.
    let image: String
    /// `auto`, `tcg` or `kvm`, by what hypervisors run.
    let accelerator: String
    let scratch: Scratch

    /// Where the product keeps what it has to remember.
    var state: String { "\(scratch.directory)/state" }

    /// A stack file with these hypervisors.
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

    /// A hypervisor as a stack file has it.
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

    /// The running instances of a hypervisor, the oldest first.
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
