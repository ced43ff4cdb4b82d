import Linux
import StackFile
import VirtualMachines

/// Sample values.
enum Sample {
    /// Returns a stack with these hypervisors, each with a guest named after it.
    static func stack(_ name: String, hypervisors: [String] = ["alpha"], hyperplexor: String = "") throws -> Stack {
        let text = text(name, hypervisors, hyperplexor)
        return try Stack.parse(Array(text.utf8), path: "\(name).yaml", directory: "/etc/stacks")
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

    /// Returns a stack with two OS VMs, the first with two containers.
    static func systems(hyperplexor: String = "") throws -> Stack {
        let text = systemsText(hyperplexor: hyperplexor)
        return try Stack.parse(Array(text.utf8), path: "rack7.yaml", directory: "/etc/stacks")
    }

    static func systemsText(hyperplexor: String = "") -> String {
        "version: 1\nname: rack7\n" + (hyperplexor.isEmpty ? "" : "hyperplexor: {\(hyperplexor)}\n") + """
            systems:
              - name: gamma
                containers:
                  - name: redis
                    bundle: ./redis
                    memory: 16M
                  - name: worker
                    bundle: ./worker
              - name: delta
                containers:
                  - name: mail
                    bundle: ./mail

            """
    }

    static func record(_ id: String, of hypervisor: String = "alpha", started: Int64 = 1) -> InstanceRecord {
        InstanceRecord(
            id: id, hypervisor: hypervisor, stack: "rack7", image: "/images/standard",
            process: ProcessIdentity(pid: 4711, startTime: 123_456_789_012), started: started)
    }
}
