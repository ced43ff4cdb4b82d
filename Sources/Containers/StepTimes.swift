/// When the steps of a script ended, by its OS VM's own clock.
public struct StepTimes: Sendable, Hashable {
    /// A step and when it ended, in milliseconds after the script's first step.
    public struct Step: Sendable, Hashable {
        /// Its name.
        public let name: String
        /// How long it took, in milliseconds; the clock counts in tens.
        public let milliseconds: Int
    }

    /// The steps, in order, without the first, which begins them.
    public let steps: [Step]

    /// Reads what a script printed; other lines are skipped.
    ///
    /// - Parameter text: The script's output.
    public init(_ text: String) {
        let marks = text.split(whereSeparator: \.isNewline).compactMap { line -> (String, Int)? in
            let words = line.split(separator: " ")
            guard words.count == 3, words[0] == "step", let seconds = Double(words[2]) else { return nil }
            return (String(words[1]), Int((seconds * 1000).rounded()))
        }
        steps = zip(marks, marks.dropFirst()).map { before, mark in
            Step(name: mark.0, milliseconds: mark.1 - before.1)
        }
    }
}
