extension StackReader {
    /// Two MiB: the unit of DAX devices and huge pages.
    static let sizeUnit: UInt64 = 2 << 20
    /// The largest memory of a hypervisor or guest: 1 TiB, the range of 40-bit physical addresses.
    static let sizeLimit: UInt64 = 1 << 40

    /// Reads an amount of memory: a multiple of 2 MiB.
    ///
    /// - Parameters:
    ///   - section: The section with the key `memory`.
    ///   - least: The least amount allowed.
    ///   - default: The result if the key is absent or its value is wrong.
    /// - Returns: The amount in bytes.
    func memory(_ section: StackSection, least: UInt64, default: UInt64) -> UInt64 {
        guard let node = section.values["memory"] else { return `default` }
        guard case .scalar(let text, _) = node.content, let size = Self.bytes(text) else {
            report(
                "`memory` must be an amount such as 512M or 2G; found \(node.kind)", at: node,
                remedy: "Write a whole number with K, M, G or T (powers of 1024).")
            return `default`
        }
        if size % Self.sizeUnit != 0 {
            let below = size / Self.sizeUnit * 2
            report(
                "`memory: \(text)` is not a multiple of 2M, the unit in which hypervisors map memory", at: node,
                remedy: "Write \(below)M or \(below + 2)M.")
        } else if size < least {
            report(
                "`memory: \(text)` is too small for \(section.what)", at: node,
                remedy: "Write \(Self.text(least)) or more.")
        } else if size > Self.sizeLimit {
            report(
                "`memory: \(text)` is more than \(section.what) can have", at: node,
                remedy: "Write \(Self.text(Self.sizeLimit)) or less.")
        } else {
            return size
        }
        return `default`
    }

    /// Parses an amount such as `512M`; returns the number of bytes, or `nil` if it is invalid or exceeds 64 bits.
    static func bytes(_ text: String) -> UInt64? {
        let digits = text.prefix { ("0"..."9").contains($0) }
        guard let number = UInt64(digits) else { return nil }
        let shifts: [String: UInt64] = ["k": 10, "m": 20, "g": 30, "t": 40]
        var unit = text.dropFirst(digits.count).lowercased()
        if unit.hasSuffix("ib") { unit.removeLast(2) }
        guard let shift = shifts[unit] else { return nil }
        let (size, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
        return overflow ? nil : size
    }

    /// Formats an amount for a stack file, in the largest unit that yields a whole number.
    static func text(_ size: UInt64) -> String {
        for (shift, unit) in [(40, "T"), (30, "G"), (20, "M"), (10, "K")] as [(UInt64, String)]
        where size != 0 && size % (1 << shift) == 0 {
            return "\(size >> shift)\(unit)"
        }
        return "\(size)"
    }
}
