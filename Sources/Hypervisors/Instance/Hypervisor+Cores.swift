internal import Linux
internal import QMP

extension Hypervisor {
    /// Gives each of its CPUs a core of this host for itself.
    ///
    /// QEMU's other threads stay where they are: what emulates devices should not take turns with a CPU.
    ///
    /// - Parameter cores: A core for each CPU, in order; nothing happens where none is named.
    /// - Throws: ``HypervisorError``; the CPUs that were pinned before stay pinned.
    public func pin(to cores: [Int]) async throws(HypervisorError) {
        if cores.isEmpty { return }
        do {
            let cpus = try await monitor.execute(QueryCPUsFast()).sorted { $0.index < $1.index }
            for (cpu, core) in zip(cpus, cores) {
                guard let thread = Int32(exactly: cpu.threadID) else { continue }
                try pinThread(thread, to: core)
            }
        } catch {
            throw HypervisorError(
                "the CPUs of hypervisor \(record.hypervisor) cannot be pinned to cores \(cores)",
                remedy: "`lscpu -e` lists this host's cores; the stack file's `cores` names those that it may use.",
                evidence: ["\(error)"])
        }
    }
}
