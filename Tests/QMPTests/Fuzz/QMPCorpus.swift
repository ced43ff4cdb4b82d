import TestTools

/// Initial inputs: typical monitor output, and input that has broken parsers before.
enum QMPCorpus {
    static func make() throws -> FuzzCorpus {
        let schemas = try Fixtures.versions.flatMap { entities(try Fixtures.schemaText($0)) }
        return FuzzCorpus(
            inputs: (talk + nasty).map { Array($0.utf8) } + bytes + schemas, tokens: pieces.map { Array($0.utf8) })
    }

    private static let talk = [
        #"{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2"}, "capabilities": ["oob"]}}"#
            + "\r\n",
        #"{"return": {}, "id": 1}"# + "\r\n" + #"{"return": {}, "id": 2}"# + "\r\n",
        #"{"return": {"status": "running", "singlestep": false, "running": true}, "id": 1}"#,
        #"{"timestamp": {"seconds": 1700000000, "microseconds": 123456}, "event": "STOP"}"# + "\r\n",
        #"{"timestamp": {"seconds": -1, "microseconds": -1}, "event": "MIGRATION", "data": {"status": "completed"}}"#,
        #"{"id": 2, "error": {"class": "GenericError", "desc": "Device 'x' not found"}}"#,
        #"{"error": {"class": "GenericError", "desc": "JSON parse error, invalid keyword 'x'"}}"#,
        #"{"return": [{"qdev_id": "", "slot": 0, "bus": 0, "function": 0, "id": {"device": 1, "vendor": 2},"#
            + #" "class_info": {"class": 1536}, "pci_bridge": {"devices": [], "bus": {}}}], "id": 1}"#,
        #"{"return": {"version": {"qemu": {}}}, "id": 3}{"return": 1, "id": 3}{"return": 1, "id": 4}"#,
    ]

    private static let nasty = [
        "", " ", "\r\n", "{", "[", "\"", "\\", "-", "1", "1.", "1e", "-0", "0x10", "1e400", "-1e400", "1e-400", "00",
        "01", ".5",
        "18446744073709551615", "18446744073709551616", "-9223372036854775809", "9223372036854775808",
        "123456789012345678901e5",
        "nul", "nulll", "tru", "falsee", "NaN", "Infinity", "-Infinity", "null null", "{}{}", "[][]", "\"a\"\"b\"",
        "{\"a\":}",
        #"{"a":1,"a":2}"#, #"{"":{"":[]}}"#, #""\u0000""#, #"{"\u0000":1}"#, #"{"a\u0000b":1,"a":2}"#,
        #""\ud83d\ude00""#,
        #""\ud83d""#, #""\ude00\ud83d""#, #""\ud83dx""#, #""\ud83d\n""#, #""\uD800\uD800\uDC00""#, #""\u12""#,
        #""\u12g4""#,
        #""\q""#, "\"\u{1}\u{1f}\"", "\"\u{7f}\"", "// comment\n{}", "/* */ {}", "'a'", "{'a':1}", "[1,]", "{\"a\":1,}",
        "[,]",
        "\u{FEFF}{}", "\"é😀\u{10FFFF}\"", "[1 2]", "{\"a\" 1}", "{1:2}", "]", "}", "[}", "{]",
        String(repeating: "[", count: 40), String(repeating: "[", count: 16) + String(repeating: "]", count: 16),
        String(repeating: "{\"a\":", count: 300) + "1" + String(repeating: "}", count: 300),
        String(repeating: "[", count: 256) + String(repeating: "]", count: 256),
        "\"" + String(repeating: "x", count: 5000) + "\"", String(repeating: " ", count: 5000) + "{}",
        String(repeating: "{} ", count: 500), "[" + String(repeating: "1,", count: 2000) + "1]",
        String(repeating: "9", count: 400),
        "0." + String(repeating: "0", count: 400) + "1", "HTTP/1.1 400 Bad Request\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2p1\r\n",
    ]

    private static let bytes: [[UInt8]] = [
        [0], [0xFF], [0xFF, 0xFE], [0x7B, 0, 0x7D], [0x22, 0xFF, 0x22], [0x22, 0xC3, 0x28, 0x22],
        [0x22, 0xED, 0xA0, 0x80, 0x22],
        [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0x22, 0xC0, 0xAF, 0x22], [0x22, 0xE2, 0x82, 0x22],
        [0xEF, 0xBB, 0xBF, 0x7B, 0x7D],
        [0xFF] + Array(#"{"return": 123456}"#.utf8) + [0x0A],
    ]

    private static let pieces = [
        "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u", "\\u0000", "\\ud800", "\\udc00", "null", "true", "false", "-",
        ".", "e+",
        "0", "9", "18446744073709551615", "1e309", " ", "\r\n", "\t", "\u{0B}", "/", "//", "/*", "*/", "'", "\"id\":",
        "\"return\":",
        "\"error\":", "\"event\":", "\"QMP\":", "\"timestamp\":", "{\"return\":{},\"id\":1}", "é", "😀",
    ]

    /// Returns the first entities of a schema, one input each.
    private static func entities(_ text: [UInt8]) -> [[UInt8]] {
        var inputs: [[UInt8]] = []
        var depth = 0
        var start = 0
        for (place, byte) in text.enumerated() {
            if byte == 0x7B {
                if depth == 0 { start = place }
                depth += 1
            } else if byte == 0x7D {
                depth -= 1
                if depth == 0 { inputs.append([0x5B] + text[start...place] + [0x5D]) }
                if inputs.count == 60 { break }
            }
        }
        return inputs
    }
}
