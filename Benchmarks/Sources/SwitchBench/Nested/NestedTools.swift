import Linux

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
}
