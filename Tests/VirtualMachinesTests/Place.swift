/// Where the tests find files of the repository.
enum Place {
    /// The repository's root.
    static let repository = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
}
