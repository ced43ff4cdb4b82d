import Glibc
import Linux
import Systemd
import Testing

/// Tests with a real systemd and a real message bus.
@Suite(.serialized, .enabled(if: NestedSystemd.obstacle == nil, "\(NestedSystemd.obstacle ?? "")"))
struct NestedSystemdTests {
    private func withSystemd(_ body: (NestedSystemd) async throws -> Void) async throws {
        let systemd = try await NestedSystemd()
        do {
            try await body(systemd)
        } catch {
            await systemd.end()
            throw error
        }
        await systemd.end()
    }

    @Test func aProcessIsAdoptedLikeAnother() async throws {
        try await withSystemd { systemd in
            let manager = systemd.manager
            let starter = try systemd.start("/bin/systemctl", ["start", "vm.service"])
            #expect(await starter.waitForExit(within: .seconds(5)))
            let old = try #require(try service(in: systemd))
            let model = try systemd.innerPID(old)
            let unit = try #require(try await manager.unit(of: model))
            #expect(unit.name == "vm.service" && unit.slice == "machine.slice" && unit.mainPID == model)
            #expect(unit.restarts(whenKilled: model))
            #expect(unit.stopPrograms == ["/bin/true"] && unit.passingFolders == ["/run/vm"])

            let process = try systemd.start("/bin/sleep", ["1000"])
            let pid = try systemd.innerPID(process.identity.pid)
            #expect(try await manager.unit(of: pid) == nil)
            let name = SystemdManager.scopeName("hyperfresh web/1")
            let group = try await manager.adopt(pid, as: name, like: model, description: "a guest")
            #expect(group == "/machine.slice/\(name)")
            #expect(try ProcFS.cgroup(process.identity.pid).hasSuffix(group))
            let adopted = try #require(try await manager.unit(of: pid))
            #expect(adopted.name == name && adopted.slice == "machine.slice" && adopted.restart == nil)
            #expect(try show(name, in: systemd) == ["CPUWeight=50", "MemoryMax=536870912", "TasksMax=77"])

            // The old process exits, its unit restarts, and the adopted process keeps running.
            try ProcessHandle(try #require(ProcessIdentity.current(of: old))).signal(SIGKILL)
            try await Task.sleep(for: .milliseconds(500))
            #expect(process.identity.isAlive)
            #expect(try service(in: systemd) != old)

            // When its last process exits, the scope is removed.
            try process.signal(SIGKILL)
            #expect(await process.waitForExit(within: .seconds(5)))
            let folder = systemd.cgroup + group
            for _ in 0..<250 where Files.exists(folder) { try await Task.sleep(for: .milliseconds(20)) }
            #expect(!Files.exists(folder))
        }
    }

    @Test func refusalsAreTold() async throws {
        try await withSystemd { systemd in
            let manager = systemd.manager
            let process = try systemd.start("/bin/sleep", ["1000"])
            let pid = try systemd.innerPID(process.identity.pid)
            func busName(_ pid: Int32, _ name: String) async -> String? {
                do throws(SystemdError) {
                    try await manager.adopt(pid, as: name, description: "")
                    return nil
                } catch {
                    #expect(error.code == .refused)
                    return error.busName
                }
            }
            #expect(await busName(999_999, "a.scope") == "org.freedesktop.DBus.Error.UnixProcessIdUnknown")
            #expect(await busName(pid, "a b.scope") == "org.freedesktop.DBus.Error.InvalidArgs")
            #expect(await busName(pid, "a.scope") == nil)
            let other = try systemd.innerPID(try systemd.start("/bin/sleep", ["1000"]).identity.pid)
            #expect(await busName(other, "a.scope") == "org.freedesktop.systemd1.UnitExists")
        }
    }

    @Test func aHungManagerCostsTheDeadline() async throws {
        try await withSystemd { systemd in
            let handle = try ProcessHandle(systemd.process)
            try handle.signal(SIGSTOP)
            let start = ContinuousClock.now
            let error = await #expect(throws: SystemdError.self) {
                _ = try await systemd.manager.unit(of: 1, within: .milliseconds(400))
            }
            #expect(error?.code == .timeout)
            #expect(ContinuousClock.now - start < .seconds(3))
            try handle.signal(SIGCONT)
        }
    }

    /// Returns the main process of vm.service, by its pid outside.
    private func service(in systemd: NestedSystemd) throws -> Int32? {
        try ProcFS.processes().first { pid in
            (try? ProcFS.cgroup(pid).hasSuffix("/machine.slice/vm.service")) == true
                && (try? ProcFS.status(pid).isDead) == false
        }
    }

    private func show(_ unit: String, in systemd: NestedSystemd) throws -> [String] {
        let (ours, theirs) = try UnixStream.pair()
        var request = SpawnRequest(
            executable: "/bin/systemctl", arguments: ["systemctl", "show", "-p", "CPUWeight,MemoryMax,TasksMax", unit]
        )
        request.namespacesOf = systemd.process
        request.descriptors = [.init(source: theirs.number, number: 1)]
        _ = try spawn(request)
        var text = ""
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 1)
        defer { room.deallocate() }
        while text.count(where: { $0 == "\n" }) < 3 {
            let received = try ours.receive(into: room, within: .seconds(5))
            if received.count == 0 { break }
            text += String(decoding: room[..<received.count], as: UTF8.self)
        }
        return text.split(separator: "\n").map { String($0) }.sorted()
    }
}
