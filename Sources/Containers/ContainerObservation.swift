/// The observed state of a container in one OS VM.
package enum ContainerObservation: String, Sendable, Hashable {
    /// It has no process there.
    case gone
    /// Its processes run.
    case running
    /// Its processes are frozen, as before a move.
    case frozen
    /// Some of its processes are stopped, as CRIU restores them.
    case stopped
    /// Its processes are being restored.
    case arriving
}

/// The results of the checks of a container before it is frozen.
package struct ContainerCheck: Sendable, Hashable {
    /// The version of CRIU, such as `3.17.1`.
    package let version: String
    /// The complaints of `criu check` about the kernel; empty if there are none.
    package let complaints: [String]
    /// Open files of the container's processes that CRIU cannot move: `pid: file`.
    package let descriptors: [String]

    /// Parses the output of `container.sh check`.
    init(_ text: String) {
        let lines = text.split(whereSeparator: \.isNewline).map(String.init)
        func rest(_ word: String) -> [String] {
            lines.filter { $0.hasPrefix(word + " ") }.map { String($0.dropFirst(word.count + 1)) }
        }
        version = rest("version").first ?? "?"
        complaints = rest("check")
        descriptors = rest("fd")
    }
}

/// How long the steps of a script took, by the clock of its OS VM.
package struct StepTimes: Sendable, Hashable {
    /// A step and its duration.
    package struct Step: Sendable, Hashable {
        /// Its name.
        package let name: String
        /// How long it took, in milliseconds; the clock's resolution is 10 ms.
        package let milliseconds: Int
    }

    /// The steps in order, without the first mark, which only starts the clock.
    package let steps: [Step]

    /// Parses the output of a script; skips other lines.
    ///
    /// - Parameter text: The script's output.
    package init(_ text: String) {
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
