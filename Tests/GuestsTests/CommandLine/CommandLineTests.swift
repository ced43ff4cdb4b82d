import Guests
@testable import QEMUCommandLine
import Testing

@Suite struct CommandLineTests {
    struct NoFile: Error {}

    func parse(_ arguments: String...) throws -> CommandLine {
        try CommandLine(arguments: ["qemu-system-x86_64"] + arguments) { _ in throw NoFile() }
    }

    func error(_ arguments: String...) throws -> CommandLineError? {
        #expect(throws: CommandLineError.self) {
            try CommandLine(arguments: ["qemu-system-x86_64"] + arguments) { _ in throw NoFile() }
        }
    }

    @Test func optionsTakeTheirArguments() throws {
        let line = try parse("-S", "-m", "512", "--enable-kvm", "-name", "-odd-", "disk.img")
        #expect(line.options.map(\.name) == ["S", "m", "enable-kvm", "name", ""])
        #expect(line.options.map(\.value) == [nil, "512", nil, "-odd-", "disk.img"])
        #expect(line.options.map(\.form) == [.singleDash, .singleDash, .doubleDash, .singleDash, .positional])
    }

    @Test func machineHasTwoNames() throws {
        let line = try parse("-M", "q35", "-machine", "accel=tcg")
        #expect(line.options(named: "machine").count == 2)
        #expect(line.contains("M"))
        #expect(!line.contains("accel"))
    }

    @Test func unknownOptionSaysWhere() throws {
        let error = try error("-m", "512", "-frobnicate", "9")
        #expect(error?.code == .unknownOption)
        #expect(error?.position == 3)
        #expect(error?.subject == "-frobnicate")
    }

    @Test func missingArgumentSaysWhere() throws {
        let error = try error("-S", "-name")
        #expect(error?.code == .argumentMissing)
        #expect(error?.position == 2)
    }

    @Test func emptyCommandLineIsAnError() {
        #expect(throws: CommandLineError.self) { try CommandLine(arguments: []) { _ in "" } }
    }

    @Test func unreadableConfigIsAnError() throws {
        let error = try error("-nodefaults", "-readconfig", "/etc/qemu/vm.cfg")
        #expect(error?.code == .configUnreadable)
        #expect(error?.position == 2)
        #expect(error?.subject == "-readconfig /etc/qemu/vm.cfg")
    }

    @Test func configStandsInItsPlace() throws {
        let arguments = ["qemu", "-m", "1G", "-readconfig", "a.cfg", "-S"]
        let line = try CommandLine(arguments: arguments) { path in
            path == "a.cfg" ? "[device \"d0\"]\n  driver = \"e1000\"\n" : ""
        }
        #expect(line.arguments == ["qemu", "-m", "1G", "-device", "e1000,id=d0", "-S"])
    }

    @Test func optionsWithoutPropertiesHaveNone() throws {
        let line = try parse("-S", "-cpu", "host,+x2apic", "-serial", "unix:/a,server=on")
        #expect(line.options.allSatisfy { $0.properties == nil })
    }
}
