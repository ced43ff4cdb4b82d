internal import Linux

/// All errors in a stack file, not only the first one.
public struct StackError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The file.
    public let path: String
    /// The problems, in the order of the file's lines; at least one.
    public let problems: [StackProblem]

    /// Two lines for each problem: `FILE:LINE:COLUMN: MESSAGE`, and the remedy.
    public var description: String {
        problems.map { problem in
            let place = [problem.line, problem.column].compactMap { $0.map { ":\($0)" } }.joined()
            return "\(path)\(place): \(problem.message)\n    \(problem.remedy)"
        }.joined(separator: "\n")
    }

    init(path: String, problems: [StackProblem]) {
        self.path = path
        self.problems = problems.sorted { ($0.line ?? 0, $0.column ?? 0) < ($1.line ?? 0, $1.column ?? 0) }
    }

    init(path: String, wholeFile message: String, remedy: String) {
        self.init(path: path, problems: [StackProblem(line: nil, column: nil, message: message, remedy: remedy)])
    }
}
