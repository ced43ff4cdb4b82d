import Foundation
import Linux
@testable import StackFile
import Testing

extension StackFileTests {
    /// Checks the lines and texts of errors in stack files.
    @Suite struct BadStackTests {
        /// An expectation in a comment of the file: `#! PART OF THE MESSAGE ~ PART OF THE REMEDY`.
        struct Expectation {
            let line: Int
            let message: String
            let remedy: String
        }

        static let folder = "\(StackFileTests.repository)/Tests/StackFileTests/Fixtures/bad-stacks"

        static var files: [String] {
            (try? FileManager.default.contentsOfDirectory(atPath: folder).sorted()) ?? []
        }

        private static func expectations(in text: String) -> [Expectation] {
            text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().flatMap { index, line in
                line.split(separator: "#!", omittingEmptySubsequences: false).dropFirst().map { words in
                    let parts = words.split(separator: "~", maxSplits: 1).map {
                        $0.trimmingCharacters(in: .whitespaces)
                    }
                    return Expectation(line: index + 1, message: parts[0], remedy: parts.count > 1 ? parts[1] : "")
                }
            }
        }

        @Test(arguments: files) func everyProblemIsFoundInItsLine(file: String) throws {
            let path = "\(Self.folder)/\(file)"
            let expected = Self.expectations(in: String(decoding: try Files.readAll(path), as: UTF8.self))
            #expect(!expected.isEmpty)
            let error = try #require(throws: StackError.self) { try Stack.read(path: path) }
            var rest = error.problems
            for expectation in expected {
                let index = rest.firstIndex { problem in
                    problem.line == expectation.line && problem.message.contains(expectation.message)
                        && (expectation.remedy.isEmpty || problem.remedy.contains(expectation.remedy))
                }
                if let index { rest.remove(at: index) }
                #expect(
                    index != nil,
                    "\(file):\(expectation.line): nothing says “\(expectation.message)” in:\n\(error)")
            }
            #expect(rest.isEmpty, "\(file) has problems that it does not announce: \(rest)")
        }

        @Test func thereAreManyBadFiles() { #expect(Self.files.count >= 15) }

        @Test func anErrorNamesFileLineAndRemedy() throws {
            let error = try #require(throws: StackError.self) { try Self.parse("version: 1\nname: demo\n") }
            #expect(
                error.description == """
                    test.yaml:1:1: a stack needs `hypervisors` or `systems`
                        Add `hypervisors:` (for guests) or `systems:` (for containers) with at least one `- name: …`.
                    """)
        }

        @Test func everyProblemHasARemedy() throws {
            for file in Self.files {
                let error = try #require(throws: StackError.self) { try Stack.read(path: "\(Self.folder)/\(file)") }
                #expect(error.problems.allSatisfy { !$0.remedy.isEmpty && !$0.message.isEmpty })
                #expect(error.problems.map { $0.line ?? 0 } == error.problems.map { $0.line ?? 0 }.sorted())
            }
        }

        private static func parse(_ text: String) throws(StackError) -> Stack {
            try Stack.parse(Array(text.utf8), path: "test.yaml", directory: "/tmp")
        }

        // MARK: - Files that are no stack files

        @Test(arguments: ["", "# nothing\n", "---\n", "\u{feff}"]) func nothing(text: String) throws {
            let error = try #require(throws: StackError.self) { try Self.parse(text) }
            #expect(error.problems.count == 1)
        }

        @Test func notUTF8() throws {
            let bytes = Array("version: 1\nname: gr".utf8) + [0xfc] + Array("n\n".utf8)
            let error = try #require(throws: StackError.self) {
                try Stack.parse(bytes, path: "x", directory: "/")
            }
            #expect(error.problems.map(\.line) == [2])
            #expect(error.description.contains("not UTF-8"))
        }

        @Test func controlCharacters() throws {
            let error = try #require(throws: StackError.self) { try Self.parse("version: 1\n\nname: a\u{1}b\n") }
            #expect(error.problems.map(\.line) == [3])
            #expect(error.description.contains("control characters"))
        }

        @Test func aZeroByte() throws {
            let error = try #require(throws: StackError.self) {
                try Self.parse("version: 1\nname: demo\nhypervisors: [{name: a, extra-arguments: [\"a\\0b\"]}]\n")
            }
            #expect(error.problems.map(\.line) == [3])
        }

        @Test func aMissingFile() throws {
            let error = try #require(throws: StackError.self) { try Stack.read(path: "/nowhere/stack.yaml") }
            #expect(error.description.hasPrefix("/nowhere/stack.yaml: "))
            #expect(error.problems.map(\.line) == [nil])
        }

        @Test func aFolderAndAnEndlessFile() {
            #expect(throws: StackError.self) { try Stack.read(path: "/tmp") }
            #expect(throws: StackError.self) { try Stack.read(path: "/dev/zero") }
        }

        // MARK: - Malicious files

        @Test func aliasesThatMultiply() throws {
            var text = "version: 1\nname: demo\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
            for level in 1...30 {
                let previous = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
                text += "a\(level): &a\(level) [\(previous)]\n"
            }
            let error = try #require(throws: StackError.self) { try Self.parse(text) }
            #expect(error.problems.map(\.line) == [7])
            #expect(error.description.contains("the nesting is too deep here"))
        }

        @Test func aliasesAsKeysThatMultiply() throws {
            var text = "a0: &a0 [x, x]\n"
            for level in 1...40 { text += "a\(level): &a\(level) {? [*a\(level - 1), *a\(level - 1)] : 1}\n" }
            #expect(throws: StackError.self) { try Self.parse(text) }
        }

        @Test(arguments: ["[", "{a: ", "- ", "? "]) func deepNesting(opening: String) {
            let text = String(repeating: opening, count: 20_000)
            #expect(throws: StackError.self) { try Self.parse(text) }
        }

        @Test func aWrongFileIsNotToldAThousandTimes() throws {
            let text = (0..<5000).map { "key\($0): 1\n" }.joined()
            let error = try #require(throws: StackError.self) { try Self.parse(text) }
            #expect(error.problems.count == 100)
        }

        @Test func randomDamageNeverCrashes() throws {
            let whole = Array(try StackFileTests.text("qemu-configs/stack-demo.yaml").utf8)
            var generator = SystemRandomNumberGenerator()
            for _ in 0..<2000 {
                var bytes = whole
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    let place = Int.random(in: 0..<bytes.count, using: &generator)
                    switch Int.random(in: 0..<3, using: &generator) {
                    case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                    case 1: bytes.removeSubrange(place..<min(bytes.count, place + 7))
                    default: bytes.insert(contentsOf: whole.dropFirst(place).prefix(30), at: place)
                    }
                }
                do {
                    _ = try Stack.parse(bytes, path: "x", directory: "/")
                } catch {
                    #expect(!error.problems.isEmpty)
                }
            }
        }
    }
}
