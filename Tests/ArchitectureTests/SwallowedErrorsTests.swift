import Testing

/// `try?` ignores an error, which is wrong if a guest is killed, a file removed or a success reported afterwards.
///
/// So each `try?` needs a comment with the reason, and each new one an entry in this table.
@Suite struct SwallowedErrorsTests {
    private static let rooms: Set = [
        "HyperFresh", "VirtualMachines", "StackFile", "Containers", "Guests", "QEMUCommandLine", "Journal",
    ]

    @Test func eachHasAReasonBesideIt() throws {
        for file in try Self.files() {
            for (number, line) in file.lines.enumerated() where Self.count(line) > 0 {
                let nearby = file.lines[max(0, number - 3)...number]
                #expect(
                    nearby.contains { $0.contains("//") },
                    "\(file.path):\(number + 1): no comment says why nothing depends on this error")
            }
        }
    }

    @Test func noneIsNew() throws {
        var found: [String: Int] = [:]
        for file in try Self.files() {
            let count = file.lines.map(Self.count).reduce(0, +)
            if count > 0 { found[String(file.path.dropFirst("Sources/".count))] = count }
        }
        for (path, count) in found.sorted(by: { $0.key < $1.key }) {
            #expect(count <= SwallowedErrors.known[path] ?? 0, "\(path) swallows \(count) errors")
        }
        for (path, count) in SwallowedErrors.known {
            #expect(found[path] == count, "\(path) swallows fewer errors than the table says")
        }
    }

    private static func files() throws -> [SourceTree.File] {
        try SourceTree.files(in: "Sources", endings: ["swift"]).filter { rooms.contains($0.room) }
    }

    /// Returns how many errors a line ignores; a cancelled sleep does not count.
    private static func count(_ line: Substring) -> Int {
        guard !line.contains("Task.sleep"), line.drop(while: { $0 == " " }).prefix(2) != "//" else { return 0 }
        // Skips identifiers such as `entry?`.
        return line.ranges(of: "try?").count { range in
            range.lowerBound == line.startIndex || !line[line.index(before: range.lowerBound)].isLetter
        }
    }
}
