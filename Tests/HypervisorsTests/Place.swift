/// Where the tests find files of the repository.
enum Place {
    /// The repository.
    static let repository = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
}
