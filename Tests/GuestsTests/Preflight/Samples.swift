import JSON
import Linux
import QMP

@testable import Guests

/// Guests and binaries as data.
enum Sample {
    static func process(_ arguments: String...) -> GuestProcess {
        var process = GuestProcess(
            identity: ProcessIdentity(pid: 999_999, startTime: 1),
            executable: ExecutableLink(path: "/usr/bin/qemu-system-x86_64", isDeleted: false),
            arguments: ["qemu-system-x86_64"] + arguments)
        if process.monitors.isEmpty { process.monitors = [MonitorSocket(path: "/run/vm/qmp")] }
        return process
    }

    static func version(_ major: Int, _ minor: Int) -> QEMUVersion {
        QEMUVersion(major: major, minor: minor, micro: 0)
    }

    static func description(
        _ state: RunState = .running, version: QEMUVersion = version(7, 2), machineType: String = "pc-q35-7.2",
        cpuType: String = "qemu64-x86_64-cpu", blockers: [String] = [], migration: MigrationStatus? = nil
    ) -> GuestDescription {
        GuestDescription(
            runState: state, isRunning: state == .running, version: version, machineType: machineType, memory: [],
            memoryLayout: [], isKVM: false, cpuType: cpuType, cpuSlots: [], cpus: [], migrationBlockers: blockers,
            migrationStatus: migration, migrationCapabilities: [:], drives: [], blockNodes: [], blockJobs: [],
            chardevs: [], pci: [], peripherals: [], memoryDevices: [], fdSets: [])
    }

    static func probe(_ version: QEMUVersion, machines: String...) throws -> QEMUProbe {
        let list = JSONValue.array(
            machines.map { ["name": .string($0), "cpu-max": 1, "hotpluggable-cpus": true, "numa-mem-supported": true] })
        return QEMUProbe(
            binary: QEMUBinary(path: "/opt/qemu", version: .init(version.major, version.minor)), version: version,
            target: "x86_64", machines: try QueryMachines.reply(from: QMPReply(list, to: "query-machines")),
            properties: [:], environment: [:])
    }

    static func backend(
        _ type: String = "memory-backend-file", share: Bool = true, mapped: Bool = true, deleted: Bool = false,
        privately: Bool = false, path: String = "/dev/shm/vm"
    ) -> MemoryBackend {
        MemoryBackend(
            id: "ram0", type: type, size: 1 << 30, isShared: share, path: path,
            mapping: mapped
                ? MappedFile(
                    identity: FileIdentity(device: 1, inode: 2), path: path, isDeleted: deleted, isShared: !privately,
                    size: 1 << 30) : nil)
    }
}
