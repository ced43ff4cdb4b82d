/// What a name may be, so that it can be a part of file, unit, bridge and socket names.
enum NameRule {
    /// Names of stacks, hypervisors and guests: with them, paths of sockets stay below the kernel's 108 bytes.
    static let ordinaryLimit = 20
    /// Names of networks: the hypervisor's bridge is `br-NETWORK`, and Linux gives an interface 15 characters.
    static let networkLimit = 12
    /// Names of disks: GUEST.DISK is a serial number, of which SCSI shows 36 characters.
    static let diskLimit = 15

    /// Whether it is made of lower-case letters, digits and dashes, and begins with a letter or digit.
    static func isValid(_ name: String, limit: Int) -> Bool {
        guard let first = name.utf8.first, name.utf8.count <= limit else { return false }
        return isLetterOrDigit(first) && name.utf8.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}

extension StackReader {
    /// Reads a name that has to be there.
    func name(_ section: StackSection, limit: Int = NameRule.ordinaryLimit) -> String? {
        let remedy = "Up to \(limit) lower-case letters, digits and dashes, beginning with a letter or digit."
        guard let name = required(section, "name", remedy: "Add `name: …`. " + remedy),
            let node = section.values["name"]
        else { return nil }
        guard NameRule.isValid(name, limit: limit) else {
            report(
                "`\(name.prefix(60))` cannot be the name of \(section.what): it becomes part of file, unit and socket names",
                at: node, remedy: remedy)
            return nil
        }
        return name
    }

    /// Reads a file name and makes it absolute.
    func path(_ node: YAMLTree, _ what: String) -> String? {
        guard let text = text(node, what) else { return nil }
        guard !text.isEmpty, !text.hasSuffix("/") else {
            report("\(what) names no file: `\(text)`", at: node, remedy: "Write the path of a file.")
            return nil
        }
        return absolute(text)
    }

    /// Reads a file name that may be absent.
    func path(_ section: StackSection, _ key: String) -> String? {
        section.values[key].flatMap { path($0, "`\(key)`") }
    }

    /// A path without `.`, `..` and doubled slashes, as far as can be said without a look at the file system.
    func absolute(_ path: String) -> String {
        var parts: [Substring] = []
        for part in (path.hasPrefix("/") ? path : "\(directory)/\(path)").split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }
}

/// What has to be there once only, with the line where it was seen first.
struct Unique {
    private var lines: [String: Int] = [:]

    /// The line where it was seen before; `nil` when this is the first time.
    mutating func earlierLine(of value: String, now line: Int) -> Int? {
        if let earlier = lines[value] { return earlier }
        lines[value] = line
        return nil
    }
}
