/// One thing that is wrong in a stack file.
public struct StackProblem: Sendable, Hashable {
    /// The line, from 1; `nil` where the file as a whole is meant.
    public let line: Int?
    /// The column in characters, from 1; `nil` where the file as a whole is meant.
    public let column: Int?
    /// What is wrong.
    public let message: String
    /// What to do about it.
    public let remedy: String
}
