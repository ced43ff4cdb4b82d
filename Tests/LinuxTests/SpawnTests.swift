import Glibc
import TestTools
import Testing

@testable import Linux

@Suite struct SpawnTests {
    /// Runs a shell script as a spawned process and returns its output up to end of file.
    private func run(_ script: String, _ change: (inout SpawnRequest) -> Void = { _ in }) throws -> String {
        let output = try start(script, change)
        var bytes: [UInt8] = []
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 1)
        defer { room.deallocate() }
        while true {
            let received = try output.receive(into: room, within: .seconds(10))
            if received.count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += room[..<received.count]
        }
    }

    private func start(_ script: String, _ change: (inout SpawnRequest) -> Void) throws -> UnixStream {
        let (ours, theirs) = try UnixStream.pair()
        var request = SpawnRequest(
            executable: "/bin/sh", arguments: ["sh", "-c", script], environment: ["PATH=/usr/bin:/bin"]
        )
        request.descriptors = [.init(source: theirs.number, number: 1), .init(source: theirs.number, number: 2)]
        change(&request)
        _ = try spawn(request)
        return ours
    }

    private func sleeper(_ change: (inout SpawnRequest) -> Void = { _ in }) throws -> ProcessHandle {
        var request = SpawnRequest(executable: "/bin/sleep", arguments: ["sleep", "60"])
        change(&request)
        return try ProcessHandle(try spawn(request))
    }

    @Test func aThreadIsPinned() throws {
        let child = try sleeper()
        defer { try? child.signal(SIGKILL) }
        try pinThread(child.identity.pid, to: 0)
        let status = String(decoding: try Files.readAll("/proc/\(child.identity.pid)/status"), as: UTF8.self)
        #expect(status.contains("Cpus_allowed_list:\t0\n"))
        for core in [-1, 8191, 8192, Int.max] {
            #expect(throws: SystemError.self) { try pinThread(child.identity.pid, to: core) }
        }
    }

    private func failure(_ change: (inout SpawnRequest) -> Void) -> SystemError? {
        var request = SpawnRequest(executable: "/bin/true", arguments: ["true"])
        change(&request)
        do throws(SystemError) {
            _ = try spawn(request)
            return nil
        } catch {
            return error
        }
    }

    @Test func itIsDetached() async throws {
        let process = try sleeper()
        let status = try ProcFS.status(process.identity.pid)
        #expect(status.parent != getpid())
        #expect(status.session == process.identity.pid)
        #expect(try ProcFS.commandLine(process.identity.pid) == ["sleep", "60"])
        // A starting program has its libraries open for a moment; a leaked descriptor would stay open.
        let detached: [Int32: String] = [0: "/dev/null", 1: "/dev/null", 2: "/dev/null"]
        for _ in 0..<500 where try ProcFS.descriptors(process.identity.pid) != detached {
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(try ProcFS.descriptors(process.identity.pid) == detached)
        #expect(try ProcFS.environment(process.identity.pid) == [])
        let text = String(decoding: try Files.readAll("/proc/\(process.identity.pid)/status"), as: UTF8.self)
        #expect(text.contains("SigBlk:\t0000000000000000\n") && text.contains("SigIgn:\t0000000000000000\n"))
        try process.signal(SIGKILL)
        #expect(await process.waitForExit(within: .seconds(5)))
        #expect(!process.identity.isAlive)
    }

    @Test func manyAtOnceLeaveNothing() async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    let process = try sleeper()
                    try process.signal(SIGTERM)
                    return await process.waitForExit(within: .seconds(20))
                }
            }
            for try await gone in group { #expect(gone) }
        }
    }

    @Test func identityIsToldBeforeTheStartAndTheStartCanBeCalledOff() throws {
        let folder = ScratchFolder()
        let request = SpawnRequest(executable: "/usr/bin/touch", arguments: ["touch", folder.file("x")])
        var seen: ProcessIdentity?
        let error = #expect(throws: SystemError.self) {
            _ = try spawn(request) { identity in
                seen = identity
                #expect(identity.isAlive)
                return false
            }
        }
        #expect(error?.code == ECANCELED)
        let identity = try #require(seen)
        for _ in 0..<200 where identity.isAlive { usleep(10_000) }
        #expect(!identity.isAlive)
        #expect(access(folder.file("x"), F_OK) != 0)
    }

    @Test func descriptorsGoUnderTheirNumbersWhateverTheirOrder() throws {
        let folder = ScratchFolder()
        let files = try (0..<4).map { index in
            DescriptorHolder(try Descriptor.open(folder.write("f\(index)", "\(index)"), flags: O_RDONLY))
        }
        let numbers = files.map(\.number)
        // Each descriptor takes the number of the next one: every target is a source that is still needed.
        let text = try run(numbers.map { "cat /proc/self/fd/\($0); " }.joined() + "ls /proc/self/fd | tr '\\n' ' '") {
            request in
            for (index, number) in numbers.enumerated() {
                request.descriptors.append(.init(source: numbers[(index + 1) % 4], number: number))
            }
        }
        #expect(text.hasPrefix("1230"))
        let kept = Set(text.dropFirst(4).split(separator: " ").compactMap { Int32($0) })
        // ls itself has one more open.
        #expect(kept.subtracting([0, 1, 2] + numbers).count == 1)
    }

    @Test func failuresNameTheirStep() {
        func expect(_ operation: String, _ code: Int32, _ change: (inout SpawnRequest) -> Void) {
            let error = failure(change)
            #expect(error?.operation == operation && error?.code == code, "\(String(describing: error))")
        }
        expect("execve", ENOENT) { $0.executable = "/nowhere" }
        expect("execve", EACCES) { $0.executable = "/etc/passwd" }
        expect("execve", EINVAL) { $0.arguments = ["a\0b"] }
        expect("chdir", ENOENT) { $0.workingDirectory = "/nowhere" }
        expect("dup2", EBADF) { $0.descriptors = [.init(source: 1_000_000, number: 5)] }
        expect("dup2", EINVAL) { $0.descriptors = [.init(source: 0, number: 5), .init(source: 1, number: 5)] }
        expect("open", ENOENT) { $0.cgroupFolder = "/sys/fs/cgroup/nowhere" }
        expect("pidfd_open", ESRCH) { $0.namespacesOf = ProcessIdentity(pid: getpid(), startTime: 1) }
    }

    @Test func surroundings() throws {
        let text = try run("pwd; umask; ulimit -n; cat /proc/self/oom_score_adj; nice; echo $A") { request in
            request.workingDirectory = "/usr/bin"
            request.umask = 0o27
            request.limits = [ProcessLimit(resource: 7, soft: 123, hard: 456)]
            request.oomScoreAdjustment = 77
            request.environment.append("A=b c")
        }
        #expect(text == "/usr/bin\n0027\n123\n77\n0\nb c\n")
    }

    @Test func schedulingIsTakenFromAnother() throws {
        let model = try sleeper()
        defer { try? model.signal(SIGKILL) }
        #expect(setpriority(__priority_which_t(PRIO_PROCESS.rawValue), id_t(model.identity.pid), 5) == 0)
        let text = try run("nice") { $0.schedulingOf = model.identity }
        #expect(text == "5\n")
    }
}

/// Stores a descriptor in an array, which takes only copyable values.
final class DescriptorHolder {
    private let descriptor: Descriptor
    var number: Int32 { descriptor.number }

    init(_ descriptor: consuming Descriptor) {
        self.descriptor = descriptor
    }
}
