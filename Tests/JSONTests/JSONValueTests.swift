import JSON
import Testing

@Suite struct JSONValueTests {
    static let readable: [(String, JSONValue)] = [
        ("null", .null),
        ("true", .bool(true)),
        (" false\r\n", .bool(false)),
        ("0", .integer(0)),
        ("-9223372036854775808", .integer(.min)),
        ("9223372036854775807", .integer(.max)),
        ("9223372036854775808", .unsigned(1 << 63)),
        ("18446744073709551615", .unsigned(.max)),
        ("1.5", .number(1.5)),
        ("1e3", .number(1000)),
        (#""""#, .string("")),
        (#""a\u0000b\u00e9\ud83d\ude00\n""#, .string("a\0bé😀\n")),
        ("[]", .array([])),
        ("[1,[2],{}]", [1, [2], [:]]),
        (#"{"return": {}, "id": 7}"#, ["return": [:], "id": 7]),
        (#"{"a": 1, "a": 2}"#, ["a": 2]),
        (#"{"a": null}"#, ["a": nil]),
    ]

    @Test(arguments: readable)
    func parses(text: String, value: JSONValue) throws {
        #expect(try JSONValue(parsing: text) == value)
        #expect(try JSONValue(parsing: value.encoded()) == value)
        #expect(try JSONValue(parsing: value.encoded(pretty: true)) == value)
    }

    @Test(arguments: [
        ("", JSONError.Code.truncated),
        ("  ", .truncated),
        ("{", .truncated),
        (#"{"a""#, .truncated),
        (#""abc"#, .truncated),
        ("[1,", .truncated),
        ("nul", .malformed),
        ("{} {}", .malformed),
        ("{}x", .malformed),
        ("[1,]", .malformed),
        (#"{"a":1,}"#, .malformed),
        ("{a:1}", .malformed),
        ("'a'", .malformed),
        ("// c", .malformed),
        ("NaN", .malformed),
        ("1e999", .malformed),
        ("TRUE", .malformed),
        ("[1\0]", .malformed),
        ("{}\0", .malformed),
    ])
    func refuses(text: String, code: JSONError.Code) {
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
        #expect(error?.code == code, "\(text): \(String(describing: error))")
    }

    @Test(
        arguments: [
            [0x22, 0xFF, 0x22], [0x22, 0xC3, 0x22], [0x22, 0xC0, 0xAF, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22],
            [0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D],
        ] as [[UInt8]])
    func refusesBytesThatAreNotUTF8(bytes: [UInt8]) {
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: bytes) }
        #expect(error?.code == .invalidUTF8)
    }

    @Test func encodesForOneLine() throws {
        let value: JSONValue = ["b": [1, 2.5, true, nil], "a": "x/y\n\"", "u": .unsigned(.max)]
        #expect(value.encoded() == #"{"a":"x/y\n\"","b":[1,2.5,true,null],"u":18446744073709551615}"#)
        #expect(value.encodedBytes(terminator: [10]).last == 10)
        #expect("\(value)" == value.encoded())
        #expect(JSONValue.number(.infinity).encoded() == "null")
        #expect(value.encoded(pretty: true).contains("\n"))
    }

    @Test func readsOnlyWhatIsThere() {
        let value: JSONValue = ["a": [1, "x"], "big": .unsigned(.max), "f": 1.5]
        #expect(value["a"]?[0]?.int == 1)
        #expect(value["a"]?[1]?.string == "x")
        #expect(value["a"]?[2] == nil)
        #expect(value["b"] == nil)
        #expect(value["a"]?["x"] == nil)
        #expect(value["big"]?.integer == nil)
        #expect(value["big"]?.unsigned == .max)
        #expect(value["f"]?.integer == nil)
        #expect(value["f"]?.double == 1.5)
        #expect(JSONValue(UInt64(5)) == 5)
        #expect(JSONValue(UInt64.max) == .unsigned(.max))
        #expect(value.depth == 2)
    }

    @Test func nestingIsCapped() throws {
        let limits = JSONLimits(maximumBytes: 1000, maximumDepth: 3)
        #expect(try JSONValue(parsing: "[[[1]]]", limits: limits).depth == 3)
        #expect(try JSONValue(parsing: #"{"a":{"b":{}}}"#, limits: limits).depth == 3)
        for text in ["[[[[]]]]", "[[[[1]]]]", #"{"a":{"b":{"c":{}}}}"#, String(repeating: "[", count: 900)] {
            let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text, limits: limits) }
            #expect(error?.code == .tooDeep)
        }
        let deepest = String(repeating: "[", count: 256) + String(repeating: "]", count: 256)
        #expect(try JSONValue(parsing: deepest).encoded() == deepest)
    }
}
