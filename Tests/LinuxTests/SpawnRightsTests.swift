import Glibc
import Testing

@testable import Linux

/// The credentials of a started process; most of this needs root.
@Suite(.enabled(if: geteuid() == 0, "run as root to test how rights are dropped")) struct SpawnRightsTests {
    private func rights(_ change: (inout ProcessCredentials) -> Void) async throws -> ProcessCredentials {
        var wanted = try ProcFS.credentials(getpid())
        change(&wanted)
        var request = SpawnRequest(executable: "/bin/sleep", arguments: ["sleep", "60"])
        request.credentials = wanted
        let process = try ProcessHandle(try spawn(request))
        let found = try ProcFS.credentials(process.identity.pid)
        try process.signal(SIGKILL)
        _ = await process.waitForExit(within: .seconds(5))
        return found
    }

    private static let nobody = ProcessCredentials.Identifiers(real: 65534, effective: 65534, saved: 65534)

    @Test func ours() async throws {
        let ours = try ProcFS.credentials(getpid())
        let found = try await rights { _ in }
        #expect(found.permitted == ours.boundingForExec && found.bounding == ours.boundingForExec)
        #expect(found.user == ours.user && found.groups == ours.groups && !found.noNewPrivileges)
    }

    @Test func anotherUser() async throws {
        let found = try await rights { wanted in
            wanted.user = Self.nobody
            wanted.group = Self.nobody
            wanted.groups = [5, 100]
            (wanted.permitted, wanted.effective, wanted.inheritable, wanted.ambient) = (0, 0, 0, 0)
            wanted.noNewPrivileges = true
        }
        #expect(found.user == Self.nobody && found.group == Self.nobody && found.groups == [5, 100])
        #expect(found.permitted == 0 && found.effective == 0 && found.ambient == 0 && found.inheritable == 0)
        #expect(found.noNewPrivileges)
    }

    @Test func anotherUserWithAmbientCapabilities() async throws {
        // CAP_NET_ADMIN, as a service manager grants it to a network service.
        let set: UInt64 = 1 << 12
        let found = try await rights { wanted in
            wanted.user = Self.nobody
            wanted.group = Self.nobody
            (wanted.permitted, wanted.effective, wanted.inheritable, wanted.ambient) = (set, set, set, set)
            wanted.bounding = set
        }
        #expect(found.permitted == set && found.effective == set && found.ambient == set && found.bounding == set)
    }

    @Test func rootWithFewCapabilities() async throws {
        // root regains its bounding set at every execve: it must be limited to the smaller permitted set.
        let set: UInt64 = 1 << 0 | 1 << 12 | 1 << 21
        let found = try await rights { wanted in
            (wanted.permitted, wanted.effective) = (set, set)
        }
        #expect(found.permitted == set && found.bounding == set && found.effective == set)
    }

    @Test func whoHasNoRightsCannotGiveThem() throws {
        var wanted = try ProcFS.credentials(getpid())
        wanted.ambient = 1 << 12
        wanted.inheritable = 1 << 12
        wanted.bounding = 0
        var request = SpawnRequest(executable: "/bin/true", arguments: ["true"])
        request.credentials = wanted
        let error = #expect(throws: SystemError.self) { _ = try spawn(request) }
        #expect(error?.operation == "capset")
    }

    @Test(arguments: [["-n", "-u"], ["-m", "-n", "-i"], ["-m", "-p", "--fork", "--mount-proc"]])
    func namespacesOfAnother(flags: [String]) async throws {
        let outer = try ProcessHandle(
            try spawn(
                SpawnRequest(executable: "/usr/bin/unshare", arguments: ["unshare"] + flags + ["/bin/sleep", "60"])
            )
        )
        defer { try? outer.signal(SIGKILL) }
        let model = try #require(try await sleeper(from: outer.identity))
        var request = SpawnRequest(executable: "/bin/sleep", arguments: ["sleep", "61"])
        request.namespacesOf = model
        let process = try ProcessHandle(try spawn(request))
        #expect(try ProcFS.namespaces(process.identity.pid) == ProcFS.namespaces(model.pid))
        #expect(try ProcFS.namespaces(process.identity.pid) != ProcFS.namespaces(getpid()))
        #expect(try ProcFS.commandLine(process.identity.pid) == ["sleep", "61"])
        try process.signal(SIGKILL)
        #expect(await process.waitForExit(within: .seconds(5)))
        try? ProcessHandle(model).signal(SIGKILL)
    }

    /// Returns the sleeping process: the one that was started, or its child.
    private func sleeper(from outer: ProcessIdentity) async throws -> ProcessIdentity? {
        for _ in 0..<500 {
            for pid in try ProcFS.processes() {
                guard let status = try? ProcFS.status(pid), pid == outer.pid || status.parent == outer.pid else {
                    continue
                }
                if (try? ProcFS.commandLine(pid).first) == "/bin/sleep" { return ProcessIdentity.current(of: pid) }
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        return nil
    }

    @Test func aUserNamespaceIsRefused() async throws {
        let outer = try spawn(
            SpawnRequest(executable: "/usr/bin/unshare", arguments: ["unshare", "-U", "/bin/sleep", "60"])
        )
        let model = try #require(try await sleeper(from: outer))
        defer { try? ProcessHandle(model).signal(SIGKILL) }
        var request = SpawnRequest(executable: "/bin/true", arguments: ["true"])
        request.namespacesOf = model
        let error = #expect(throws: SystemError.self) { _ = try spawn(request) }
        #expect(error?.code == EOPNOTSUPP)
    }
}
