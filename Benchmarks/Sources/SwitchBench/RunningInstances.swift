import Linux
import VirtualMachines

/// The running instances of hypervisors and OS VMs, found by their pid files, because the format of records is private.
enum RunningInstances {
    /// Returns the running instances of a VM, oldest first.
    static func of(_ name: String, state: String) -> [(record: InstanceRecord, folder: InstanceFolder)] {
        let parent = "\(state)/hypervisors/\(name)"
        // The folder of an instance that has ended may disappear meanwhile.
        let ids = (try? ProcFS.names(inFolder: parent)) ?? []
        let found = ids.compactMap { id -> (record: InstanceRecord, folder: InstanceFolder)? in
            let folder = InstanceFolder("\(parent)/\(id)")
            guard let text = try? Files.readAll(folder.pidFile),
                let pid = Int32(String(decoding: text, as: UTF8.self).filter(\.isNumber)),
                let process = ProcessIdentity.current(of: pid)
            else { return nil }
            let record = InstanceRecord(
                id: id, hypervisor: name, stack: "", image: "", process: process, started: Int64(process.startTime))
            return (record, folder)
        }
        return found.sorted { $0.record.started < $1.record.started }
    }
}
