import Glibc
import Guests
import Linux
import StackFile
import VirtualMachines

/// The QEMU of a hypervisor or OS VM of a state folder, found by its process alone.
///
/// Every instance is started with its folder in `-pidfile` and `-qmp` and its name in `-name`: it can be identified
/// without any record, and this cannot be lost.
struct InstanceProcess: Sendable, Hashable {
    /// The hypervisor's name.
    let hypervisor: String
    /// The instance's id: four hexadecimal digits.
    let id: String
    let process: ProcessIdentity
    /// The folder of the image that it booted.
    let image: String
    /// When it was started, in microseconds since the epoch, to a hundredth of a second.
    let started: Int64

    /// Returns every running instance of a state folder.
    ///
    /// - Parameter stateDirectory: The state folder.
    /// - Returns: The oldest first.
    /// - Throws: `SystemError` if /proc cannot be read.
    static func all(in stateDirectory: String) throws(SystemError) -> [InstanceProcess] {
        var found: [InstanceProcess] = []
        let home = try? Files.identity(stateDirectory)  // If it was removed, its path still identifies it.
        for pid in try ProcFS.processes() {
            do throws(SystemError) {
                let arguments = try ProcFS.commandLine(pid)
                guard let name = Name(arguments), name.isIn(stateDirectory, home), try isOurQEMU(pid, arguments) else {
                    continue
                }
                let status = try ProcFS.status(pid)
                guard !status.isDead else { continue }
                found.append(
                    InstanceProcess(
                        hypervisor: name.hypervisor, id: name.id,
                        process: ProcessIdentity(pid: pid, startTime: status.startTime), image: name.image,
                        started: try startedAt(status)))
            } catch {
                // It has ended since, or belongs to another user.
                guard error.isGone || ["EACCES", "EPERM", "EILSEQ"].contains(error.name) else { throw error }
            }
        }
        return found.sorted { ($0.started, $0.id) < ($1.started, $1.id) }
    }

    /// Returns a record made from the process.
    ///
    /// - Parameter stack: The stack that the hypervisor belongs to.
    /// - Returns: A record without versions, which only the instance itself can report.
    func record(stack: String) -> InstanceRecord {
        InstanceRecord(
            id: id, hypervisor: hypervisor, stack: stack, image: image, process: process, started: started)
    }

    /// Returns whether it is a QEMU of this user; a shell or a tracer may have the same words on its command line.
    private static func isOurQEMU(_ pid: Int32, _ arguments: [String]) throws(SystemError) -> Bool {
        guard try ProcFS.credentials(pid).user.effective == geteuid() else { return false }
        return GuestDiscovery.isEmulator(executable: try ProcFS.executable(pid).path, arguments: arguments)
    }

    private static func startedAt(_ status: ProcessStatus) throws(SystemError) -> Int64 {
        let words = String(decoding: try Files.readAll("/proc/uptime", limit: 256), as: UTF8.self).split(separator: " ")
        let uptime = words.first.flatMap { Double($0) } ?? 0
        let age = uptime - Double(status.startTime) / Double(sysconf(Int32(_SC_CLK_TCK)))
        return WallClock.microseconds() - Int64(age * 1_000_000)
    }

    /// The identity of an instance, as its command line tells it.
    private struct Name {
        let root: String
        let hypervisor: String
        let id: String
        let image: String

        init?(_ arguments: [String]) {
            func value(of option: String) -> String? {
                arguments.firstIndex(of: option).flatMap { $0 + 1 < arguments.count ? arguments[$0 + 1] : nil }
            }
            guard let path = value(of: "-pidfile"), let name = value(of: "-name"), path.hasPrefix("/") else {
                return nil
            }
            let parts = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
            guard parts.count >= 5, parts[parts.count - 1] == "pid", parts[parts.count - 4] == "hypervisors" else {
                return nil
            }
            (hypervisor, id) = (parts[parts.count - 3], parts[parts.count - 2])
            guard name.split(separator: ",").contains("guest=\(hypervisor)-\(id)") else { return nil }
            root = parts.dropLast(4).joined(separator: "/")
            image = value(of: "-kernel").map(Paths.parent(of:)) ?? ""
        }

        func isIn(_ stateDirectory: String, _ home: FileIdentity?) -> Bool {
            // One folder may have several paths: /run and /var/run.
            root == stateDirectory || (home != nil && (try? Files.identity(root)) == home)
        }
    }
}
