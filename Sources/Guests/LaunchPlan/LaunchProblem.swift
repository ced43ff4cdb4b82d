/// Something about a command line that stands in the way of a refresh, or that one should know before.
public struct LaunchProblem: Sendable, Hashable, CustomStringConvertible {
    /// Its lasting name.
    public let finding: FindingID
    /// The option it is about, as on the command line; nil where it is about something missing.
    public let option: String?
    /// What is the matter.
    public let message: String
    /// What to do about it.
    public let remedy: String

    /// Makes a problem.
    public init(_ finding: FindingID, option: String?, message: String, remedy: String) {
        self.finding = finding
        self.option = option
        self.message = message
        self.remedy = remedy
    }

    /// The name, the option, what is the matter and what to do.
    public var description: String {
        "\(finding): \(option.map { $0 + ": " } ?? "")\(message) \(remedy)"
    }
}
