import CanaryTesting
import Glibc
import JSON
import Linux
import StackFile
import Testing
import VirtualMachines

/// The processes of a container in one instance of an OS VM, counted by that VM's kernel.
struct ContainerCensus: Sendable, Hashable, CustomStringConvertible {
    let instance: String
    let running: Int
    /// Frozen or stopped processes.
    let still: Int

    var description: String { "\(instance): \(running) run, \(still) stand still" }
}

extension ContainerStack {
    /// Counts a container's processes in every living OS VM, independent of hyperfresh's records.
    func census(_ container: String) async throws -> [ContainerCensus] {
        var found: [ContainerCensus] = []
        for system in Self.systems {
            try await withSystems(of: system) { reached in
                let words = try await reached.agent.run(Self.counting, [container], to: "count processes")
                    .split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
                try #require(words.count == 2)
                found.append(
                    ContainerCensus(instance: "\(system) \(reached.record.id)", running: words[0], still: words[1]))
            }
        }
        return found
    }

    /// Connects to every living instance of an OS VM.
    func withSystems(of name: String, _ body: (Hypervisor) async throws -> Void) async throws {
        let parent = "\(state)/hypervisors/\(name)"
        for id in (try? ProcFS.names(inFolder: parent)) ?? [] {
            let folder = InstanceFolder("\(parent)/\(id)")
            // By its own pid file, because the record is what is tested.
            guard let bytes = try? Files.readAll(folder.pidFile),
                let pid = Int32(String(decoding: bytes, as: UTF8.self).filter(\.isNumber)),
                let process = ProcessIdentity.current(of: pid), process.isAlive
            else { continue }
            let record = InstanceRecord(
                id: id, hypervisor: name, stack: self.name, image: "", process: process, started: 0)
            let reached = try await Hypervisor.reach(record, in: folder, within: .seconds(20))
            defer { reached.close() }
            try await body(reached)
        }
    }

    private static let counting = """
        folder=/sys/fs/cgroup/hyperfresh/$1 running=0 still=0
        if [ -e $folder/cgroup.procs ]; then
            frozen=$(sed -n 's/^frozen //p' $folder/cgroup.events)
            while read -r process; do
                state=$(sed 's/.*) //; s/ .*//' /proc/$process/stat 2>/dev/null || true)
                case $frozen$state in
                0[RSDI]) running=$((running + 1)) ;;
                *[ZX] | 0 | 1) ;;
                *) still=$((still + 1)) ;;
                esac
            done <$folder/cgroup.procs
        fi
        echo $running $still
        """

    /// Checks that exactly one OS VM has processes of a container, and that they run.
    func expectOnce(_ container: String) async throws {
        let census = try await census(container)
        #expect(census.filter { $0.running > 0 }.count == 1, "\(census)")
        #expect(census.allSatisfy { $0.still == 0 }, "\(census)")
    }

    /// Returns a report of a container's canary.
    func report(_ container: Container) -> ContainerReport? {
        ContainerCanary.report(from: container.address)
    }

    /// Waits until everything that the canary checks has made progress.
    @discardableResult
    func proveAlive(_ container: Container, within deadline: Duration = .seconds(120)) async throws -> ContainerReport {
        let end = ContinuousClock.now + deadline
        var before: ContainerReport?
        while ContinuousClock.now < end {
            if let now = report(container) {
                try #require(now.anomalies == 0, "\(container.name): \(now.anomaly)")
                if let before, now.goesOn(since: before) { return now }
                before = before ?? now
            }
            try await Task.sleep(for: .milliseconds(300))
        }
        throw CanaryError.silent(words: "\(container.name): \(consoles(of: container.name))")
    }

    /// Returns the end of a container's output in each OS VM, and of these VMs' own consoles.
    private func consoles(of container: String) -> String {
        Self.systems.map { system in
            let path = "\(state)/hypervisors/\(system)/\(container).console.log"
            let bytes = (try? Files.readAll(path, limit: 64 << 20)) ?? []
            return "\(path): \(String(decoding: bytes.suffix(500), as: UTF8.self))"
        }.joined(separator: "\n")
    }

    /// The stack's processes on this host: QEMUs and root file system servers.
    var processes: [Int32] {
        ((try? ProcFS.processes()) ?? []).filter { pid in
            (try? ProcFS.commandLine(pid))?.contains { $0.contains(files.directory) } == true
        }
    }

    /// Checks that nothing is left; a root file system server exits when its client is gone, which may take a moment.
    func expectNothingLeft() async {
        for _ in 0..<50 where processes != [] { try? await Task.sleep(for: .milliseconds(100)) }
        #expect(processes == [])
        #expect(!Files.exists(memoryFolder))
        #expect((try? ProcFS.names(inFolder: "\(state)/hypervisors")) ?? [] == [])
        #expect((try? ProcFS.names(inFolder: "\(state)/stacks")) ?? [] == [])
    }
}

extension ContainerStack {
    /// Ends a container's first process with a signal sent inside its OS VM.
    func endProcesses(of container: String) async throws {
        for system in Self.systems {
            try await withSystems(of: system) { reached in
                _ = try await reached.agent.run(
                    """
                    file=/sys/fs/cgroup/hyperfresh/$1/cgroup.procs
                    ! [ -e $file ] || while read -r process; do kill -TERM $process; done <$file
                    """, [container], to: "end processes")
            }
        }
    }
}
