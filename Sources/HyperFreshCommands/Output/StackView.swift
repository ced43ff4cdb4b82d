import HyperFresh
import JSON

/// Prints the progress of `up` and `down`, a line for each step.
struct StackView: Sendable {
    let style: OutputStyle

    func show(_ progress: StackProgress) {
        switch (style, progress) {
        case (.json, .step(let text)):
            Console.out(json: ["schema": 1, "type": "step", "event": "began", "text": .string(text)])
        case (.json, .done(let text, let milliseconds)):
            Console.out(
                json: [
                    "schema": 1, "type": "step", "event": "ended", "text": .string(text), "ms": .number(milliseconds),
                ])
        case (.text(let terminal), .step(let text)):
            guard terminal.isInteractive else { return }
            Console.write("\(Terminal.restartLine)  \(terminal.paint("…", .yellow)) \(text)", to: 1)
        case (.text(let terminal), .done(let text, let milliseconds)):
            let line: TerminalText =
                "  \(terminal.paint("✓", .green)) \(text.padded(to: 40)) \(Numbers.milliseconds(milliseconds))"
            Console.out(terminal.isInteractive ? "\(Terminal.restartLine)\(line)" : line)
        }
    }
}
