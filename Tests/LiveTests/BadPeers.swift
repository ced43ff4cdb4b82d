import CanaryTesting
import Glibc
import Linux
import QMPTesting
import Testing

/// A selector that matches no guest.
struct BadSelector: Sendable, CustomTestStringConvertible {
    let name: String
    /// A part of the expected error.
    let words: String
    let make: @Sendable (LiveGuest) async throws -> String

    var testDescription: String { name }

    static let all = [
        BadSelector(name: "an unknown name", words: "nobody-by-this-name") { _ in "nobody-by-this-name" },
        BadSelector(name: "no name", words: "“”") { _ in "" },
        BadSelector(name: "a pid that has ended", words: "no QEMU") { _ in
            let program = try ChildProgram("/bin/true", [])
            _ = try await program.result()
            return "\(program.pid)"
        },
        BadSelector(name: "a pid that cannot be", words: "99999999999999999999") { _ in "99999999999999999999" },
        BadSelector(name: "a process that is no QEMU", words: "not a QEMU") { _ in "\(getpid())" },
        BadSelector(name: "a kernel thread or init", words: "not a QEMU") { _ in "1" },
        BadSelector(name: "a socket that is not there", words: "/nonexistent") { _ in "/nonexistent/qmp.sock" },
        BadSelector(name: "a file that is no socket", words: "serial.log") { $0.canary.files.serial },
        BadSelector(name: "a folder", words: "/tmp") { $0.canary.files.directory },
        BadSelector(name: "escape sequences", words: "\u{1B}[31m") { _ in "\u{1B}[31mred\u{7}\nline" },
    ]
}

/// A peer that answers in place of the monitor.
struct HostileMonitor: Sendable, CustomTestStringConvertible {
    let name: String
    let script: [ScriptStep]
    var finding = "monitor-missing"

    var testDescription: String { name }

    static let all = [
        HostileMonitor(name: "garbage", script: [.bytes([0xFF, 0xFE, 0x00, 0x01]), .hang]),
        HostileMonitor(name: "an HTTP server", script: [.text("HTTP/1.1 400 Bad Request\r\n\r\n"), .hang]),
        HostileMonitor(name: "an endless line", script: [.text("{\"QMP\": \""), .endless("x", upTo: 64 << 20), .hang]),
        HostileMonitor(name: "an endless nest", script: [.endless("[", upTo: 1 << 20), .hang]),
        HostileMonitor(name: "a wrong greeting", script: [.text("{\"QMP\": {\"version\": 7}}\r\n"), .hang]),
        HostileMonitor(name: "no greeting", script: [.hang], finding: "monitor-busy"),
        HostileMonitor(name: "no word after the greeting", script: [.greet(), .hang], finding: "monitor-busy"),
        HostileMonitor(name: "the end", script: [.close]),
        HostileMonitor(name: "the end after the greeting", script: [.greet(), .close]),
        HostileMonitor(name: "another QEMU", script: [.greet(), .negotiate, .drain]),
    ]
}
