@testable import Linux
@testable import QEMUCommandLine
import TestTools
import Testing

@testable import Guests

/// Feeds mutated QEMU command lines, which a process can overwrite at will, to all their readers.
@Suite struct CommandLineFuzzTests {
    private struct Fixtures: Sendable {
        let all: [LaunchFixture]
        let corpus: FuzzCorpus

        init() {
            all = LaunchFixture.all
            let lines = all.map { $0.arguments.joined(separator: "\0") }
            let words = [
                "\0-", "\0--", "\0-device\0", "\0-drive\0", "\0-blockdev\0", "\0-chardev\0", "\0-qmp\0", "\0-mon\0",
                "\0-object\0", "\0-netdev\0", "\0-nic\0", "\0-vnc\0", "\0-spice\0", "\0-display\0", "\0-machine\0",
                "\0-readconfig\0x", "\0-D\0", "\0-pidfile\0", "\0-runas\0", "\0-chroot\0", "\0-run-with\0",
                "\0-add-fd\0",
                "\0-incoming\0", "\0-S", "\0-serial\0", "\0-monitor\0", "\0-gdb\0", "\0-numa\0", "\0-m\0", "\0-name\0",
                "unix:", "tcp:", "telnet:", "mon:", "server=on", "wait=off", "fd=", "fds=", "path=", "id=", "to=",
                "websocket=", "hostfwd=", ".hf-12345678", ",", ",,", "=", "on", "off", "no", "{\"", "\":\"", "\"}", "[",
                ":", "::", ":1,", ":65535", ":-1", "[::1]:5900", "/dev/fdset/", "vhost=on", "queues=", "ifname=",
                "memory-backend-file,", "share=on", "mem-path=",
            ]
            corpus = FuzzCorpus(texts: lines + [""], words: words)
        }
    }

    private static let config =
        "[device \"d\"]\n driver = \"e1000\"\n[chardev \"m\"]\n backend = \"socket\"\n path = \"/x\"\n"

    @Test func whatIsReadAndPlannedHoldsItsProperties() async throws {
        let fixtures = Fixtures()
        try #require(fixtures.all.count > 20)
        let failure = await Fuzz("command-line", fixtures.corpus, inputs: 2000).run { input, below in
            try Self.check(input, fixtures.all[below(fixtures.all.count)])
        }
        #expect(failure == nil)
    }

    private static func check(_ input: [UInt8], _ fixture: LaunchFixture) throws {
        guard let arguments = try? ProcFS.texts(separatedByZero: input, path: "x") else { return }
        _ = QEMURecognition.isGuest(executable: nil, arguments: arguments)
        _ = QEMURecognition.isGuest(executable: arguments.first, arguments: arguments)
        _ = ManagementStack(arguments: arguments)
        for word in arguments { checkWord(word) }
        let line: CommandLine
        do throws(CommandLineError) {
            line = try CommandLine(arguments: arguments) { _ in config }
        } catch {
            guard (0...arguments.count).contains(error.position) else { throw Fuzz.Violation("at \(error.position)") }
            return
        }
        if !arguments.dropFirst().contains(where: { $0.hasSuffix("-readconfig") }), line.arguments != arguments {
            throw Fuzz.Violation("it changes by being read: \(line.arguments)")
        }
        let survey = CommandLineSurvey(line)
        _ = (survey, CommandLineReferences(line.options, knownTaps: [:]))
        for option in line.options {
            guard let properties = option.properties, !properties.isJSON else { continue }
            guard CommandLineOption(option.name, properties.text).properties == properties else {
                throw Fuzz.Violation("\(option) reads otherwise when it is written again: \(properties.text)")
            }
        }
        try checkPlan(line, fixture)
    }

    private static func checkWord(_ word: String) {
        _ = CharacterText(parsing: word).map { ($0.unixText, $0.properties["path"]) }
        let properties = OptionProperties(parsing: word, impliedKey: "a", allowsJSON: true)
        var changed = properties
        changed.set("file.driver", "raw")
        changed.remove("id", "a.b.c")
        changed.replaceValues(of: "hostfwd") { $0 + "x" }
        _ = (properties.values(of: "hostfwd"), properties.flag("server"), changed.text, LastingPath.lasting(word))
    }

    /// For every line: the new QEMU waits for the state, and its files are next to the old one's but never the same.
    private static func checkPlan(_ line: CommandLine, _ fixture: LaunchFixture) throws {
        let plan: LaunchPlan
        do throws(LaunchPlanError) {
            plan = try LaunchPlan.make(
                commandLine: line, facts: fixture.facts, target: fixture.target,
                handoffID: LaunchPlanGoldenTests.handoffID)
        } catch {
            guard !error.problems.isEmpty else { throw Fuzz.Violation("refused for no reason") }
            return
        }
        guard plan.arguments.suffix(3) == ["-S", "-incoming", "defer"] else {
            throw Fuzz.Violation("the new QEMU does not wait: \(plan.arguments)")
        }
        let again = try CommandLine(arguments: plan.arguments) { _ in throw Fuzz.Violation("-readconfig is still there")
        }
        for name in ["S", "incoming"] where again.options(named: name).count != 1 {
            throw Fuzz.Violation("-\(name) is there more than once")
        }
        for name in ["loadvm", "daemonize", "preconfig"] where again.contains(name) {
            throw Fuzz.Violation("-\(name) is still there")
        }
        for endpoint in plan.endpoints where endpoint.temporary != endpoint.lasting + ".hf-1a2b3c4d" {
            throw Fuzz.Violation("\(endpoint) is not beside its lasting name")
        }
        guard Set(plan.descriptors.map(\.number)).count == plan.descriptors.count,
            plan.descriptors.allSatisfy({ $0.number > 2 })
        else { throw Fuzz.Violation("descriptors are in each other's way: \(plan.descriptors)") }
    }
}
