@testable import QEMUCommandLine
import TestTools
import Testing

@testable import Guests

/// Feeds mutated `-readconfig` files to their parser.
@Suite struct ConfigFileFuzzTests {
    private static func corpus() throws -> FuzzCorpus {
        let files = LaunchFixture.all.flatMap { fixture in
            ["qemu.conf", "config", "vm.cfg"].compactMap { try? LaunchFixture.text(fixture.name, $0) }
        }
        let ours = """
            # a comment
            [machine]
              type = "q35"
            [device "d0"]
              driver = "virtio-net-pci"
            [global]
              driver = "a"
              property = "b"
              value = "c,d=e"
            [memory]
            size = "1G"
            [drive]
            file = "" trailing
            """
        return FuzzCorpus(
            texts: files + [ours, "", "[", "[x", "a = \"b\"", "[device \"\"]\n = \"\""],
            words: [
                "[device \"d\"]\n", "[chardev \"c\"]\n", "[mon]\n", "[smp-opts]\n", "[boot-opts]\n", "[fw_cfg]\n",
                "[trace]\n",
                "[nothing]\n", "\"", "]", "[", " = ", "=", "# ", "\n", "backend = \"socket\"\n", "id = \"x\"\n",
                "\u{2028}",
                "\u{85}",
            ], largestInput: 6000)
    }

    @Test func theReaderHoldsItsProperties() async throws {
        #expect(await Fuzz("readconfig", try Self.corpus()).run { input, _ in try Self.check(input) } == nil)
    }

    private static func check(_ input: [UInt8]) throws {
        let text = String(decoding: input, as: UTF8.self)
        let line: CommandLine
        do throws(CommandLineError) {
            line = try CommandLine(arguments: ["qemu", "-readconfig", "x"]) { _ in text }
        } catch {
            guard error.code == .configMalformed else { throw Fuzz.Violation("\(error)") }
            return
        }
        // A file's content becomes equivalent options, and no other file is read.
        let again = try CommandLine(arguments: line.arguments) { _ in throw Fuzz.Violation("another file is read") }
        guard again.options.map(\.properties) == line.options.map(\.properties) else {
            throw Fuzz.Violation("the options read otherwise: \(line.arguments)")
        }
        _ = CommandLineSurvey(line)
    }
}
