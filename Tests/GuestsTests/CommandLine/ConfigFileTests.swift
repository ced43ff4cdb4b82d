import Guests
@testable import QEMUCommandLine
import Testing

/// Parses `-readconfig` files as util/qemu-config.c does.
@Suite struct ConfigFileTests {
    func options(_ text: String) throws -> [String] {
        let line = try CommandLine(arguments: ["qemu", "-readconfig", "x"]) { _ in text }
        return line.options.map(\.description)
    }

    func error(_ text: String) throws -> CommandLineError? {
        #expect(throws: CommandLineError.self) {
            try CommandLine(arguments: ["qemu", "-readconfig", "x"]) { _ in text }
        }
    }

    @Test func groupsBecomeOptions() throws {
        let text = """
            [machine]
            accel = "tcg"
            type = "q35"
            [memory]
            size = "1G"
            [smp-opts]
            cpus = "2"
            [boot-opts]
            strict = "on"
            [chardev "c0"]
            path = "/a,b"
            backend = "socket"
            [mon]
            chardev = "c0"
            mode = "control"
            """
        let expected = [
            "-machine q35,accel=tcg", "-m 1G", "-smp 2", "-boot strict=on",
            "-chardev socket,id=c0,path=/a,,b", "-mon c0,mode=control",
        ]
        #expect(try options(text) == expected)
    }

    @Test func groupWithoutIDMayStandSeveralTimes() throws {
        let text = "[device]\ndriver = \"a\"\n[device]\ndriver = \"b\"\n"
        #expect(try options(text) == ["-device a", "-device b"])
    }

    @Test func globalsKeepTheirThreeKeys() throws {
        let text = "[global]\n driver = \"ICH9-LPC\"\n property = \"disable_s3\"\n value = \"1\"\n"
        #expect(try options(text) == ["-global driver=ICH9-LPC,property=disable_s3,value=1"])
    }

    @Test func commentsAndEmptyLinesAreSkipped() throws {
        let text = "# [device]\n\n[device]\n# x\ndriver = \"e1000\" and what follows\n\n"
        #expect(try options(text) == ["-device e1000"])
    }

    @Test func valuesMayBeEmptyOrHoldAnything() throws {
        let text = "[drive \"d\"]\nfile = \"\"\nserial = \"a = [b] # c\"\n"
        #expect(try options(text) == ["-drive id=d,file=,serial=a = [b] # c"])
    }

    @Test func lastOfDoubledKeysCounts() throws {
        #expect(try options("[name]\nguest = \"a\"\nguest = \"b\"\n") == ["-name b"])
    }

    @Test func groupsThatQEMUIgnoresAreLeftOut() throws {
        #expect(try options("[smbios]\ntype = \"1\"\n[name]\nguest = \"a\"\n") == ["-name a"])
    }

    @Test(arguments: [
        ("key = \"value\"\n", 1), ("[device]\ndriver=\"e1000\"\n", 2), ("[device]\ndriver = e1000\n", 2),
        ("[device\n", 1), ("[name]\n\n[nosuch]\nx = \"y\"\n", 3), ("[device]\n   \n", 2),
    ])
    func malformedFilesNameTheLine(_ text: String, _ line: Int) throws {
        let error = try error(text)
        #expect(error?.code == .configMalformed)
        #expect(error?.subject == "-readconfig x, line \(line)")
    }
}
