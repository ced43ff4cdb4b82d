internal import Linux
internal import QMP

extension Hypervisor {
    /// Pins each of its CPUs to a core of this host.
    ///
    /// QEMU's other threads are not pinned: device emulation should not compete with a CPU.
    ///
    /// - Parameter cores: One core for each CPU, in order; if empty, nothing is pinned.
    /// - Throws: ``HypervisorError``; CPUs that were pinned before the error stay pinned.
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
                "cannot pin the CPUs of hypervisor \(record.hypervisor) to cores \(cores)",
                remedy: "Set `cores` in the stack file to cores of this host; `lscpu -e` lists them.",
                evidence: ["\(error)"])
        }
    }
}
