import Testing

@testable import QMP

/// The encoding of bytes sent to and received from an agent.
@Suite struct Base64Tests {
    /// The vectors of RFC 4648, section 10, and some that use the last two digits.
    private static let known: [([UInt8], String)] = [
        ([], ""), (Array("f".utf8), "Zg=="), (Array("fo".utf8), "Zm8="), (Array("foo".utf8), "Zm9v"),
        (Array("foob".utf8), "Zm9vYg=="), (Array("fooba".utf8), "Zm9vYmE="), (Array("foobar".utf8), "Zm9vYmFy"),
        ([0xFF, 0xEF, 0xFF], "/+//"), ([0], "AA=="), ([0xFB, 0xF0], "+/A="),
    ]

    @Test(arguments: known) func knownTexts(bytes: [UInt8], text: String) {
        #expect(Base64.encode(bytes) == text)
        #expect(Base64.decode(text) == bytes)
    }

    @Test func everyByteInEveryPlace() {
        for length in 1...4 {
            for byte in UInt8.min ... .max {
                for place in 0..<length {
                    var bytes = [UInt8](repeating: 0x5A, count: length)
                    bytes[place] = byte
                    #expect(Base64.decode(Base64.encode(bytes)) == bytes)
                }
            }
        }
    }

    @Test func longOnesComeBack() {
        var generator = SystemRandomNumberGenerator()
        for count in [1000, 4095, 4096, 65_537] {
            let bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            let text = Base64.encode(bytes)
            #expect(text.utf8.count == (count + 2) / 3 * 4)
            #expect(Base64.decode(text) == bytes)
        }
    }

    @Test(arguments: [
        "Z", "Zg", "Zg=", "Zg===", "=", "==", "====", "Z===", "Zm9v=", "Zg==Zg==", "Zm8=Zm9v", "Z=g=", "Zm9v\n",
        "Zm 9v", "Zm-_", "Zm9é", "Zm9v ",
    ]) func whatIsNoneIsRefused(text: String) {
        #expect(Base64.decode(text) == nil)
    }
}
