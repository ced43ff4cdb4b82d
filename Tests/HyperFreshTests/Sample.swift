import Hypervisors
import Linux

/// Values as they occur.
enum Sample {
    /// A stack with hypervisors of these names, each with a guest named after it.
    static func stack(_ name: String, hypervisors: [String] = ["alpha"], hyperplexor: String = "") throws -> Stack {
        let text = text(name, hypervisors, hyperplexor)
        return try StackFile.parse(Array(text.utf8), path: "\(name).yaml", directory: "/etc/stacks")
    }

    static func text(_ name: String, _ hypervisors: [String] = ["alpha"], _ hyperplexor: String = "") -> String {
        "version: 1\nname: \(name)\n" + (hyperplexor.isEmpty ? "" : "hyperplexor: {\(hyperplexor)}\n")
            + "hypervisors:\n"
            + hypervisors.map {
                """
                  - name: \($0)
                    cpus: 2
                    guests:
                      - name: \($0)-web
                        memory: 16M
                        boot: {kernel: /boot/vmlinuz}

                """
            }.joined()
    }

    static func record(_ id: String, of hypervisor: String = "alpha", started: Int64 = 1) -> InstanceRecord {
        InstanceRecord(
            id: id, hypervisor: hypervisor, stack: "rack7", image: "/images/standard",
            process: ProcessIdentity(pid: 4711, startTime: 123_456_789_012), started: started)
    }
}
