import Guests
@testable import QEMUCommandLine
import Testing

/// Parsing and formatting a command line returns the same line, whatever it contains.
@Suite struct RoundTripTests {
    @Test(arguments: LaunchFixture.all)
    func argumentsSurvive(_ fixture: LaunchFixture) throws {
        let line = try fixture.commandLine()
        let written = try CommandLine(arguments: line.arguments) { _ in throw BadFixture(reason: "-readconfig") }
        #expect(written == line)
        if !fixture.arguments.contains("-readconfig") { #expect(line.arguments == fixture.arguments) }
    }

    @Test(arguments: LaunchFixture.all)
    func rewrittenPropertiesMeanTheSame(_ fixture: LaunchFixture) throws {
        for option in try fixture.commandLine().options {
            guard let properties = option.properties else { continue }
            var rewritten = option
            rewritten.properties = properties
            #expect(rewritten.properties == properties)
            if !properties.isJSON, option.value?.hasSuffix(",") == false { #expect(rewritten == option) }
        }
    }

    /// Option lists composed at random from words that the parser treats specially.
    @Test func mutatedLinesSurvive() throws {
        var random = SplitMix(state: 0x5eed)
        let words = try LaunchFixture.all.flatMap { try $0.commandLine().options }
        let noise = [",", ",,", "=", "on", "no", "id=", "{", "}", "\"", "-", "", " ", "é", "file=", "a.b=c", "\u{1}"]
        for _ in 0..<5_000 {
            var arguments = ["qemu"]
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                guard var option = words.randomElement(using: &random) else { continue }
                if let value = option.value { option.value = mutated(value, noise, &random) }
                if option.form == .positional, option.value?.hasPrefix("-") == true { continue }
                arguments += option.arguments
            }
            let line = try CommandLine(arguments: arguments) { _ in "" }
            guard !line.options.contains(where: { $0.name == "readconfig" }) else { continue }
            #expect(line.arguments == arguments)
            for option in line.options {
                guard let properties = option.properties else { continue }
                // A value that begins like an object but is none is not a list either; removing its last comma may make
                // it one.
                guard properties.isJSON || option.value?.hasPrefix("{") == false else { continue }
                let again = CommandLineOption(option.name, properties: properties)
                #expect(again.properties?.text == properties.text, "\(option)")
            }
        }
    }

    private func mutated(_ value: String, _ noise: [String], _ random: inout SplitMix) -> String {
        var characters = Array(value)
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            let position = Int.random(in: 0...characters.count, using: &random)
            let end = min(characters.count, position + Int.random(in: 0...4, using: &random))
            characters.replaceSubrange(position..<end, with: noise.randomElement(using: &random) ?? "")
        }
        return String(characters)
    }
}

/// A small seeded generator, so that a failure can be reproduced.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
