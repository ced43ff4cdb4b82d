/// The syntax of names, which become part of the names of files, units, bridges and sockets.
enum NameRule {
    /// The limit for names of stacks, hypervisors and guests; it keeps socket paths below the kernel's limit of 108
    /// bytes.
    static let ordinaryLimit = 20
    /// The limit for names of networks: the bridge is called `br-NETWORK`, and Linux limits interface names to 15
    /// characters.
    static let networkLimit = 12
    /// The limit for names of disks: GUEST.DISK is a serial number, and SCSI shows 36 characters of it.
    static let diskLimit = 15

    /// Returns whether a name consists of lower-case letters, digits and dashes, and begins with a letter or digit.
    static func isValid(_ name: String, limit: Int) -> Bool {
        guard let first = name.utf8.first, name.utf8.count <= limit else { return false }
        return isLetterOrDigit(first) && name.utf8.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}

extension StackReader {
    /// Reads a required name.
    func name(_ section: StackSection, limit: Int = NameRule.ordinaryLimit) -> String? {
        let remedy = "Use up to \(limit) lower-case letters, digits and dashes, beginning with a letter or digit."
        guard let name = required(section, "name", remedy: "Add `name: …`. " + remedy),
            let node = section.values["name"]
        else { return nil }
        guard NameRule.isValid(name, limit: limit) else {
            report(
                "`\(name.prefix(60))` cannot be the name of \(section.what): "
                    + "it becomes part of file, unit and socket names",
                at: node, remedy: remedy)
            return nil
        }
        return name
    }

    /// Reads a file name and makes it absolute.
    func path(_ node: YAMLTree, _ what: String) -> String? {
        guard let text = text(node, what) else { return nil }
        guard !text.isEmpty, !text.hasSuffix("/") else {
            report("\(what) does not name a file: `\(text)`", at: node, remedy: "Write the path of a file.")
            return nil
        }
        return absolute(text)
    }

    /// Reads an optional file name.
    func path(_ section: StackSection, _ key: String) -> String? {
        section.values[key].flatMap { path($0, "`\(key)`") }
    }

    /// Returns an absolute path without `.`, `..` and double slashes; does not access the file system.
    func absolute(_ path: String) -> String {
        var parts: [Substring] = []
        for part in (path.hasPrefix("/") ? path : "\(directory)/\(path)").split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }
}

/// Remembers values that must be unique, each with the line of its first occurrence.
struct Unique {
    private var lines: [String: Int] = [:]

    /// Returns the line of an earlier occurrence; `nil` if this is the first one.
    mutating func earlierLine(of value: String, now line: Int) -> Int? {
        if let earlier = lines[value] { return earlier }
        lines[value] = line
        return nil
    }
}
