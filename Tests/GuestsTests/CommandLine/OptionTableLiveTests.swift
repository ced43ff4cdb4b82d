import Foundation
@testable import QEMUCommandLine
import Testing

@testable import Guests

/// Compares the option table with the help of an installed QEMU.
@Suite(
    .enabled(
        if: FileManager.default.isExecutableFile(atPath: LiveQEMU.installed.path),
        "needs QEMU: apt install qemu-system-x86"
    )
)
struct OptionTableLiveTests {
    @Test(arguments: [LiveQEMU.installed.path, LiveQEMU.other.path])
    func knowsWhatHelpNames(_ path: String) throws {
        guard FileManager.default.isExecutableFile(atPath: path) else { return }
        let help = try output(of: path, "-help")
        var seen = 0
        for line in help.split(separator: "\n") where line.hasPrefix("-") {
            let word = line.prefix { $0 != " " }
            for name in word.split(separator: "/").map({ String($0.drop { $0 == "-" }) }) {
                seen += 1
                #expect(OptionTable.knows(name), "\(line)")
                guard let takesArgument = takesArgument(line, word) else { continue }
                #expect((OptionTable.syntax(of: name) != .flag) == takesArgument, "\(line)")
            }
        }
        #expect(seen > 100)
    }

    /// Help prints an argument after one space, and a switch's explanation from column 17; nil if the name is so long
    /// that the two look alike.
    private func takesArgument(_ line: Substring, _ word: Substring) -> Bool? {
        let rest = line.dropFirst(word.count)
        if rest.isEmpty || word.count >= 15 || rest.hasPrefix(" or ") { return nil }
        return word.count + rest.prefix { $0 == " " }.count != 16
    }

    private func output(of path: String, _ argument: String) throws -> String {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = [argument]
        process.standardOutput = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }
}
