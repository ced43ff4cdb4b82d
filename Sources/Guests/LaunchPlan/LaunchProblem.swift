/// A part of a command line that prevents a handoff, or that the administrator should know about.
public struct LaunchProblem: Sendable, Hashable, CustomStringConvertible {
    /// The permanent name of the condition.
    public let finding: FindingID
    /// The affected option, as on the command line; nil if an option is missing.
    public let option: String?
    /// What is wrong.
    public let message: String
    /// What to do about it.
    public let remedy: String

    /// Creates a problem; the message and the remedy are complete sentences.
    public init(_ finding: FindingID, option: String?, message: String, remedy: String) {
        self.finding = finding
        self.option = option
        self.message = message
        self.remedy = remedy
    }

    /// The name, the option, the message and the remedy.
    public var description: String {
        "\(finding): \(option.map { $0 + ": " } ?? "")\(message) \(remedy)"
    }
}
