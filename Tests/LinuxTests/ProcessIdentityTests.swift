import Glibc
import Testing

@testable import Linux

@Suite struct ProcessIdentityTests {
    @Test func ourOwn() throws {
        let own = try #require(ProcessIdentity.current(of: getpid()))
        #expect(own.isAlive)
        #expect(own.startTime > 0)
        #expect(!ProcessIdentity(pid: own.pid, startTime: own.startTime + 1).isAlive)
        #expect(try ProcFS.status(own.pid).parent == getppid())
    }

    @Test func nobody() {
        #expect(ProcessIdentity.current(of: 0) == nil)
        #expect(ProcessIdentity.current(of: -1) == nil)
        #expect(ProcessIdentity.current(of: Int32.max) == nil)
    }

    @Test(arguments: [
        "qemu", "a) R 1 (b", "", "x y\nz", ") (", "))))",
    ])
    func oddNames(command: String) throws {
        let tail = " S 1 77 78 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 424242 1 2 3\n"
        let status = try #require(ProcessStatus(parsing: Array("55 (\(command))\(tail)".utf8)))
        #expect(status.command == command)
        #expect(status.state == "S" && status.parent == 1 && status.processGroup == 77 && status.session == 78)
        #expect(status.threads == 3 && status.startTime == 424242 && !status.isDead)
    }

    @Test(arguments: [
        "", "1", "1 (", "1 (x)", "1 )x( S 1", "1 (x) S 1 2 3",
        "1 (x) SS 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19",
    ])
    func garbage(line: String) {
        #expect(ProcessStatus(parsing: Array(line.utf8)) == nil)
    }

    @Test func deletedProgram() {
        let deleted = ExecutableLink(parsing: "/usr/bin/qemu (deleted)")
        #expect(deleted == ExecutableLink(path: "/usr/bin/qemu", isDeleted: true))
        let odd = ExecutableLink(parsing: "/usr/bin/a\nb")
        #expect(odd == ExecutableLink(path: "/usr/bin/a\nb", isDeleted: false))
    }

    @Test func argumentsAreExact() throws {
        #expect(try ProcFS.texts(separatedByZero: Array("a\0\0b c\0".utf8), path: "") == ["a", "", "b c"])
        #expect(try ProcFS.texts(separatedByZero: Array("a\0b".utf8), path: "") == ["a", "b"])
        #expect(try ProcFS.texts(separatedByZero: [], path: "") == [])
        let error = #expect(throws: SystemError.self) { try ProcFS.texts(separatedByZero: [0xFF, 0], path: "/p") }
        #expect(error?.code == EILSEQ)
    }

    @Test func aboutOurselves() throws {
        #expect(try ProcFS.commandLine(getpid()) == CommandLine.arguments)
        #expect(try ProcFS.processes().contains(getpid()))
        #expect(try ProcFS.executable(getpid()).path.hasPrefix("/"))
        #expect(try ProcFS.workingDirectory(getpid()).hasPrefix("/"))
        #expect(try ProcFS.environment(getpid()).contains { $0.hasPrefix("PATH=") })
        let error = #expect(throws: SystemError.self) { try ProcFS.commandLine(Int32.max) }
        #expect(error?.isGone == true)
    }
}
