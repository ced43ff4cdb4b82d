import Testing

@testable import HyperFreshCommands

@Suite struct TerminalTextTests {
    @Test func whatIsPutInIsHarmless() {
        let name = "web\u{1B}[2J\r\n\t\u{7F}\u{9B}1m\u{202E}\u{2028}"
        let text: TerminalText = "\u{1B}[1m\(name)\n"
        #expect(text.raw == "\u{1B}[1mweb\\u{1B}[2J\\u{D}\\u{A}\\u{9}\\u{7F}\\u{9B}1m\\u{202E}\\u{2028}\n")
    }

    @Test func ordinaryWordsOfAllLanguagesStay() {
        for words in ["plain", "“Grüße” → 東京", "👩‍👩‍👧", "e\u{301}", "می‌خواهم", "a  b\\u{1B}"] {
            #expect("\(words)" as TerminalText == TerminalText(words))
            #expect(TerminalText(words).raw == words)
        }
    }

    @Test func whatIsPaintedStaysPainted() {
        let name = "a\u{1B}b"
        let red = TerminalText(name).wrapped(in: "\u{1B}[31m", "\u{1B}[0m")
        #expect(("<\(red)> \(7)" as TerminalText).raw == "<\u{1B}[31ma\\u{1B}b\u{1B}[0m> 7")
    }

    @Test func linesStayLines() {
        #expect(TerminalText.lines("a\tb\r\nc\u{1B}d\n\n").raw == "a\tb\nc\\u{1B}d\n\n")
    }

    @Test func tablesAreAsWideAsWhatIsShown() {
        var table = TextTable(header: ["NAME", "PID"])
        table.append(["a\u{1B}b", "1"])
        #expect(table.lines == ["NAME      PID", "a\\u{1B}b  1"])
    }
}
