/// The short form of a character device, as `-serial`, `-monitor`, `-qmp`, `-parallel`, `-debugcon` and `-gdb` take it.
///
/// Converts it to the properties that `-chardev` takes, as QEMU does (`qemu_chr_parse_compat` in chardev/char.c).
package struct CharacterText: Hashable {
    /// Whether `mon:` precedes it: a human monitor shares the device.
    package var sharesMonitor: Bool
    /// The properties that `-chardev` would take.
    package var properties: OptionProperties

    /// Parses the short form; nil for text that creates no device (`none`, `chardev:ID`) and for devices that stay
    /// unchanged (`vc`, `null`, `/dev/…` and other host devices).
    package init?(parsing text: String) {
        sharesMonitor = text.hasPrefix("mon:")
        let rest = String(text.dropFirst(sharesMonitor ? 4 : 0))
        guard let properties = CharacterText.properties(of: rest) else { return nil }
        self.properties = properties
    }

    /// The short form of a unix socket.
    package var unixText: String {
        let pairs = properties.pairs.filter { $0.key != "backend" }
        return (sharesMonitor ? "mon:unix:" : "unix:") + OptionProperties(pairs, impliedKey: "path").text
    }

    private static func properties(of text: String) -> OptionProperties? {
        guard let colon = text.firstIndex(of: ":") else {
            return ["pty", "stdio"].contains(text) ? backend(text) : nil
        }
        let argument = String(text[text.index(after: colon)...])
        switch text[..<colon] {
        case "file", "pipe", "pty":
            // The rest is the path verbatim: commas are not doubled and no options follow.
            return backend(String(text[..<colon]), [("path", argument)])
        case "unix":
            return backend("socket", OptionProperties(parsing: argument, impliedKey: "path").pairs)
        case "tcp":
            return internetSocket(argument, protocol: nil)
        case "telnet", "tn3270", "websocket":
            return internetSocket(argument, protocol: String(text[..<colon]))
        case "udp":
            return backend("udp")
        default:
            return nil
        }
    }

    /// Parses `HOST:PORT,options`; the host may be empty.
    private static func internetSocket(_ text: String, protocol flag: String?) -> OptionProperties? {
        let address = text.prefix { $0 != "," }
        guard let colon = address.firstIndex(of: ":") else { return nil }
        let options = OptionProperties(parsing: String(text.dropFirst(address.count + 1)), impliedKey: nil)
        var pairs = [
            (key: "host", value: String(address[..<colon])),
            (key: "port", value: String(address[address.index(after: colon)...])),
        ]
        pairs += options.pairs
        if let flag { pairs.append((key: flag, value: "on")) }
        return backend("socket", pairs)
    }

    private static func backend(_ name: String, _ pairs: [(key: String, value: String)] = []) -> OptionProperties {
        OptionProperties([(key: "backend", value: name)] + pairs, impliedKey: "backend")
    }
}
