/// One problem in a stack file.
public struct StackProblem: Sendable, Hashable {
    /// The line, from 1; `nil` if the problem concerns the file as a whole.
    public let line: Int?
    /// The column in characters, from 1; `nil` if the problem concerns the file as a whole.
    public let column: Int?
    /// What is wrong.
    public let message: String
    /// What to do.
    public let remedy: String
}
