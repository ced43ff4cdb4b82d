import JSON
import Testing

@Suite struct JSONStreamParserTests {
    /// Returns the result of a stream that arrives in pieces of the given size.
    private func outcome(_ bytes: [UInt8], pieces: Int, limits: JSONLimits = .standard) -> ([JSONValue], JSONError?) {
        var parser = JSONStreamParser(limits: limits)
        var values: [JSONValue] = []
        do throws(JSONError) {
            var rest = bytes[...]
            while !rest.isEmpty {
                try parser.feed(Array(rest.prefix(pieces))) { values.append($0) }
                rest = rest.dropFirst(pieces)
            }
            try parser.finish { values.append($0) }
        } catch {
            return (values, error)
        }
        return (values, nil)
    }

    @Test(arguments: [
        #"{"event":"STOP","timestamp":{"seconds":1,"microseconds":2}}"# + "\r\n" + #"{"return":{},"id":1}"# + "\r\n",
        #"{"a":"é😀\ud83d\ude00\\\"\u00e9"}  [1,-2.5e3,null,true]"#,
        "1 2 3", "12", "{}{}[]", "{} x {}", "{}\n{]", "[1,2", "\"\u{10FFFF}", "[\"\\ud83d\"]", "[\"\\ud83dx\"]",
        "{}\0{}",
        "  \r\n\t ", "[nulx]", "[tru]", "[1.5.5]", "[--1]",
    ])
    func cuttingChangesNothing(text: String) {
        let bytes = Array(text.utf8)
        let whole = outcome(bytes, pieces: bytes.count)
        for size in 1...min(bytes.count, 9) {
            let cut = outcome(bytes, pieces: size)
            #expect(cut.0 == whole.0)
            #expect(cut.1?.code == whole.1?.code)
        }
    }

    @Test func deliversWhatCameBeforeAnErrorAndStaysDead() {
        var parser = JSONStreamParser()
        var values: [JSONValue] = []
        let first = #expect(throws: JSONError.self) {
            try parser.feed(Array("{\"a\":1} [x".utf8)) { values.append($0) }
        }
        #expect(values == [["a": 1]])
        #expect(first?.code == .malformed)
        #expect(first?.offset == 9)
        let second = #expect(throws: JSONError.self) { try parser.feed(Array("{}".utf8)) { values.append($0) } }
        #expect(second == first)
        #expect(values.count == 1)
    }

    @Test(arguments: [1, 3, 1000])
    func sizeIsCapped(pieces: Int) {
        let limits = JSONLimits(maximumBytes: 10, maximumDepth: 8)
        let fits = outcome(Array("    \"12345678\"     \"12345678\"      []".utf8), pieces: pieces, limits: limits)
        #expect(fits.0 == ["12345678", "12345678", []])
        #expect(fits.1 == nil)
        let tooLarge = outcome(Array("  \"123456789\"".utf8), pieces: pieces, limits: limits)
        #expect(tooLarge.0.isEmpty)
        #expect(tooLarge.1?.code == .tooLarge)
        #expect(tooLarge.1?.offset == 12)
    }

    @Test func readsAReplyOfManyMegabytes() throws {
        let text = "{\"return\":\"" + String(repeating: "x", count: 15 << 20) + "\"}"
        let (values, error) = outcome(Array(text.utf8), pieces: 65536)
        #expect(error == nil)
        #expect(values.first?["return"]?.string?.utf8.count == 15 << 20)
        let endless = outcome(Array("{\"return\":\"".utf8) + [UInt8](repeating: 0x78, count: 17 << 20), pieces: 65536)
        #expect(endless.1?.code == .tooLarge)
        #expect(endless.1?.offset == 16 << 20)
    }
}
