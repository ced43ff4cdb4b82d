internal import Linux

/// Inputs on which parsers once failed, in Tests/TestTools/Crashers/PARSER/NAME; every run repeats them.
enum Crashers {
    private static let folder =
        #filePath.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } + "/Crashers"

    /// Returns names and contents, in a stable order.
    static func of(_ parser: String) -> [(name: String, bytes: [UInt8])] {
        let names = (try? ProcFS.names(inFolder: "\(folder)/\(parser)")) ?? []
        return names.sorted().compactMap { name in
            (try? Files.readAll("\(folder)/\(parser)/\(name)")).map { ("\(parser)/\(name)", $0) }
        }
    }
}
