import Glibc

/// A key as a terminal in raw mode sends it: ECMA-48 sequences, in the form that xterm uses.
enum Key: Equatable {
    case character(Character)
    case enter, tab, backspace, delete, interrupt, endOfInput
    case up, down, left, right, home, end
    case eraseToBegin, eraseToEnd, eraseWord
    case unknown

    /// Waits for a key; returns `nil` when the terminal is closed.
    static func read() -> Key? {
        guard let byte = readByte() else { return nil }
        switch byte {
        case 0x0D, 0x0A: return .enter
        case 0x09: return .tab
        case 0x7F, 0x08: return .backspace
        case 0x03: return .interrupt
        case 0x04: return .endOfInput
        case 0x01: return .home
        case 0x05: return .end
        case 0x15: return .eraseToBegin
        case 0x0B: return .eraseToEnd
        case 0x17: return .eraseWord
        case 0x1B: return readSequence()
        case 0x00..<0x20: return .unknown
        default: return readCharacter(byte)
        }
    }

    private static func readSequence() -> Key? {
        guard let introducer = readByte() else { return nil }
        guard introducer == UInt8(ascii: "[") || introducer == UInt8(ascii: "O") else { return .unknown }
        var parameter: [UInt8] = []
        while let byte = readByte() {
            guard (0x40...0x7E).contains(byte) else {
                parameter.append(byte)
                continue
            }
            return key(final: byte, parameter: String(decoding: parameter, as: UTF8.self))
        }
        return nil
    }

    private static func key(final: UInt8, parameter: String) -> Key {
        switch (final, parameter) {
        case (UInt8(ascii: "A"), _): .up
        case (UInt8(ascii: "B"), _): .down
        case (UInt8(ascii: "C"), _): .right
        case (UInt8(ascii: "D"), _): .left
        case (UInt8(ascii: "H"), _), (UInt8(ascii: "~"), "1"), (UInt8(ascii: "~"), "7"): .home
        case (UInt8(ascii: "F"), _), (UInt8(ascii: "~"), "4"), (UInt8(ascii: "~"), "8"): .end
        case (UInt8(ascii: "~"), "3"): .delete
        default: .unknown
        }
    }

    /// Reads the remaining bytes of a UTF-8 character.
    private static func readCharacter(_ first: UInt8) -> Key? {
        let count = first < 0x80 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3
        var bytes = [first]
        for _ in 0..<count {
            guard let byte = readByte() else { return nil }
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self).first.map(Key.character) ?? .unknown
    }

    private static func readByte() -> UInt8? {
        var byte: UInt8 = 0
        while true {
            let count = Glibc.read(STDIN_FILENO, &byte, 1)
            if count == 1 { return byte }
            guard count < 0, errno == EINTR else { return nil }
        }
    }
}
