import Guests
@testable import QEMUCommandLine

/// Predicts the process that a plan starts, as seen after its follow-ups.
enum LaunchedProcess {
    /// Returns the facts for the next refresh; carries over only facts that /proc and QMP would report.
    static func facts(after plan: LaunchPlan, from old: LaunchFacts, binary: QEMUBinary) -> LaunchFacts {
        var descriptors: [Int32: OldDescriptor] = [:]
        for number in Int32(0)...2 { descriptors[number] = old.descriptors[number] }
        for descriptor in plan.descriptors { descriptors[descriptor.number] = content(of: descriptor, old) }
        let sets = fdSets(plan, &descriptors)
        let vnc = vncServers(plan, old, &descriptors)
        return LaunchFacts(
            binary: binary,
            machineType: old.machineType,
            workingDirectory: plan.workingDirectory,
            environment: plan.environment,
            descriptors: descriptors,
            fdSets: sets,
            vncServers: vnc,
            hostForwards: hostForwards(plan)
        )
    }

    private static func content(of descriptor: PlannedDescriptor, _ old: LaunchFacts) -> OldDescriptor? {
        switch descriptor.source {
        case .oldProcess(let number): old.descriptors[number] ?? .other("inherited")
        case .vhostNet: .vhostNet
        }
    }

    /// QEMU duplicates the descriptors of a set and closes those that it was started with.
    private static func fdSets(_ plan: LaunchPlan, _ descriptors: inout [Int32: OldDescriptor]) -> [FDSet] {
        var sets: [FDSet] = []
        for descriptor in plan.descriptors {
            guard case .fdSet(let id) = descriptor.role else { continue }
            let number = descriptor.number + 40
            descriptors[number] = descriptors.removeValue(forKey: descriptor.number)
            let entry = FDSet.Entry(descriptor: number, opaque: opaque(of: descriptor.number, plan))
            if let index = sets.firstIndex(where: { $0.id == id }) {
                sets[index].entries.append(entry)
            } else {
                sets.append(FDSet(id: id, entries: [entry]))
            }
        }
        return sets
    }

    private static func opaque(of number: Int32, _ plan: LaunchPlan) -> String? {
        let line = try? CommandLine(arguments: plan.arguments) { _ in "" }
        return line?.options(named: "add-fd").first { $0.properties?["fd"] == String(number) }?.properties?["opaque"]
    }

    private static func vncServers(
        _ plan: LaunchPlan,
        _ old: LaunchFacts,
        _ descriptors: inout [Int32: OldDescriptor]
    ) -> [VNCServer] {
        var servers: [VNCServer] = []
        for case .vncListen(let display, let numbers) in plan.followUps {
            var listeners: [VNCServer.Listener] = []
            for number in numbers {
                guard case .tcpListener(let address, let port)? = old.descriptors[number] else { continue }
                descriptors[100 + number] = old.descriptors[number]
                listeners.append(VNCServer.Listener(host: address, service: String(port)))
            }
            servers.append(VNCServer(id: display, listeners: listeners))
        }
        return servers
    }

    private static func hostForwards(_ plan: LaunchPlan) -> [String: [String]] {
        var rules: [String: [String]] = [:]
        for case .hostForward(let netdev, let rule) in plan.followUps {
            rules[netdev ?? "#net0", default: []].append(rule)
        }
        return rules
    }
}
