internal import Linux

/// What parsers once failed on: Tests/TestTools/Crashers/PARSER/NAME, thrown at them again in every run.
enum Crashers {
    private static let folder =
        #filePath.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } + "/Crashers"

    /// Names and contents, in an order that stays.
    static func of(_ parser: String) -> [(name: String, bytes: [UInt8])] {
        let names = (try? ProcFS.names(inFolder: "\(folder)/\(parser)")) ?? []
        return names.sorted().compactMap { name in
            (try? Files.readAll("\(folder)/\(parser)/\(name)")).map { ("\(parser)/\(name)", $0) }
        }
    }
}
