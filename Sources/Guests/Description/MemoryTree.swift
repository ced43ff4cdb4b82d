/// QEMU's memory regions as `info mtree` prints them (QEMU's docs/devel/memory.rst).
///
/// Uses the tree rather than the flattened view: a running guest has switched windows over its RAM (PAM, SMRAM), a
/// waiting QEMU has not yet, and in the flattened view these windows are holes.
struct MemoryTree {
    /// One line of the output.
    private struct Region {
        let depth: Int
        let start: UInt64
        let end: UInt64
        /// `ram`, `rom`, `nv-ram`, `i/o`, `container` and so on.
        let kind: String
        let name: String
        /// The region that an alias maps, and the offset in it at which the alias begins.
        let target: (name: String, offset: UInt64)?
    }

    /// Between 640 KiB and 1 MiB are windows over ROM and RAM that firmware opens and closes.
    private static let legacyWindows: Range<UInt64> = 0xA0000..<0x100000
    /// Limits chains of aliases, so that a malformed tree cannot recurse without end.
    private static let deepestAlias = 16
    // A hundred times the lines of a large machine. Aliases of many aliases multiply with each level, and another user
    // may control the process that answers.
    private static let mostLines = 200_000
    private static let mostParts = 20_000

    /// The sections by title: `address-space: memory`, `memory-region: pc.ram`.
    private let sections: [Substring: [Region]]

    init(_ text: String) {
        var sections: [Substring: [Region]] = [:]
        var titles: [Substring] = []
        var kept = 0
        // The monitor ends its lines with CR LF, which is one Character.
        for line in text.split(whereSeparator: \.isNewline) {
            if line.first != " " {
                // Address spaces with the same contents list their titles one below the other.
                if sections[titles.last ?? ""]?.isEmpty == false { titles = [] }
                titles.append(line)
                sections[line] = []
            } else if let region = Self.region(line) {
                kept += titles.count
                guard kept <= Self.mostLines else {
                    sections = [:]
                    break
                }
                for title in titles { sections[title, default: []].append(region) }
            }
        }
        self.sections = sections
    }

    /// Returns the ranges of the named regions in the guest's physical address space, ascending, with adjacent ones
    /// merged.
    ///
    /// - Parameter backends: the ids of memory backends; older machine types name their regions `/objects/ID`.
    /// - Returns: the ranges; empty for a tree that is too large for a machine.
    func layout(of backends: Set<String>) -> [GuestMemoryRange] {
        let root = sections["address-space: memory"] ?? []
        var ranges: Set<GuestMemoryRange> = []
        var budget = Self.mostParts
        for region in root {
            for range in resolve(region, depth: 0, &budget) {
                let id = Self.identifier(range.backend)
                guard backends.contains(id) else { continue }
                let end = range.address + (range.size - 1)
                if Self.legacyWindows.contains(range.address) && Self.legacyWindows.contains(end) { continue }
                ranges.insert(
                    GuestMemoryRange(backend: id, address: range.address, offset: range.offset, size: range.size))
            }
        }
        return budget > 0 ? Self.merged(ranges.sorted()) : []
    }

    /// Returns the memory that a region shows, with the names as QEMU prints them.
    private func resolve(_ region: Region, depth: Int, _ budget: inout Int) -> [GuestMemoryRange] {
        budget -= 1
        guard budget > 0, region.end >= region.start else { return [] }
        // A size of 2^64 does not fit in UInt64; no memory is that large.
        let last = region.end - region.start
        guard last < .max else { return [] }
        guard let target = region.target else {
            guard region.kind == "ram" || region.kind == "nv-ram" else { return [] }
            return [GuestMemoryRange(backend: region.name, address: region.start, offset: 0, size: last + 1)]
        }
        guard depth < Self.deepestAlias, let shown = sections["memory-region: \(target.name)"], let top = shown.first
        else { return [] }
        var ranges: [GuestMemoryRange] = []
        for part in shown {
            for range in resolve(part, depth: depth + 1, &budget) {
                // The section's addresses begin at the region's own address; the alias counts from its first byte.
                let place = range.address - min(range.address, top.start)
                let begin = max(place, target.offset)
                let (end, overflow) = target.offset.addingReportingOverflow(last)
                let finish = min(place + (range.size - 1), overflow ? .max : end)
                guard begin <= finish else { continue }
                ranges.append(
                    GuestMemoryRange(
                        backend: range.backend, address: region.start + (begin - target.offset),
                        offset: range.offset + (begin - place), size: finish - begin + 1))
            }
        }
        return ranges
    }

    private static func merged(_ ranges: [GuestMemoryRange]) -> [GuestMemoryRange] {
        var merged: [GuestMemoryRange] = []
        for range in ranges {
            if let previous = merged.last, previous.backend == range.backend,
                previous.address &+ previous.size == range.address, previous.offset &+ previous.size == range.offset
            {
                merged[merged.count - 1].size += range.size
            } else {
                merged.append(range)
            }
        }
        return merged
    }

    static func identifier(_ region: String) -> String {
        region.hasPrefix("/objects/") ? String(region.dropFirst("/objects/".count)) : region
    }
}

// MARK: - Reading

extension MemoryTree {
    /// Parses a line.
    ///
    /// `0000000000000000-000000000fffffff (prio 0, ram): alias ram-below-4g @ram0 0000000000000000-000000000fffffff`
    private static func region(_ line: Substring) -> Region? {
        let depth = line.prefix { $0 == " " }.count / 2
        var rest = line.drop { $0 == " " }
        guard let range = takeRange(&rest), rest.hasPrefix(" (prio "), let comma = rest.firstIndex(of: ","),
            let close = rest.range(of: "): ", after: comma)
        else { return nil }
        let kind = rest[rest.index(after: comma)..<close.lowerBound].drop { $0 == " " }
        var name = rest[close.upperBound...]
        if name.hasSuffix(" [disabled]") { return nil }
        var target: (String, UInt64)?
        if name.hasPrefix("alias "), let (alias, shown, offset) = alias(name.dropFirst("alias ".count)) {
            name = alias
            target = (String(shown), offset)
        }
        return Region(
            depth: depth, start: range.start, end: range.end, kind: String(kind), name: String(name), target: target)
    }

    /// Parses `ram-below-4g @ram0 0000000000000000-000000000fffffff`; names may contain blanks.
    private static func alias(_ text: Substring) -> (name: Substring, target: Substring, offset: UInt64)? {
        guard let blank = text.lastIndex(of: " ") else { return nil }
        var numbers = text[text.index(after: blank)...]
        guard let range = takeRange(&numbers) else { return nil }
        let names = text[..<blank]
        guard let mark = names.range(of: " @", after: names.startIndex) else { return nil }
        return (names[..<mark.lowerBound], names[mark.upperBound...], range.start)
    }

    private static func takeRange(_ text: inout Substring) -> (start: UInt64, end: UInt64)? {
        let digits = text.prefix { $0 == "-" || $0.isHexDigit }
        let parts = digits.split(separator: "-")
        guard parts.count == 2, let start = UInt64(parts[0], radix: 16), let end = UInt64(parts[1], radix: 16) else {
            return nil
        }
        text = text[digits.endIndex...]
        return (start, end)
    }
}

extension Substring {
    /// Returns the first occurrence of a text at or after an index.
    func range(of text: String, after start: Index) -> Range<Index>? {
        var index = start
        while index < endIndex {
            if self[index...].hasPrefix(text) { return index..<self.index(index, offsetBy: text.count) }
            index = self.index(after: index)
        }
        return nil
    }
}

/// Where a part of a memory backend lies in the guest's physical address space.
package struct GuestMemoryRange: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The backend's id.
    package var backend: String
    /// The guest-physical address of the first byte.
    package var address: UInt64
    /// The offset of that byte in the backend, in bytes.
    package var offset: UInt64
    /// In bytes.
    package var size: UInt64

    /// Creates a range; does not check that the backend is that large.
    ///
    /// - Parameters:
    ///   - backend: the backend's id.
    ///   - address: the guest-physical address of the first byte.
    ///   - offset: the offset of that byte in the backend, in bytes.
    ///   - size: in bytes.
    package init(backend: String, address: UInt64, offset: UInt64, size: UInt64) {
        self.backend = backend
        self.address = address
        self.offset = offset
        self.size = size
    }

    /// Orders by guest-physical address.
    package static func < (left: GuestMemoryRange, right: GuestMemoryRange) -> Bool {
        (left.address, left.offset, left.size, left.backend) < (right.address, right.offset, right.size, right.backend)
    }

    /// The range as text, such as `ram0+0x0 at 0x100000000, 2147483648 bytes`.
    package var description: String {
        "\(backend)+0x\(String(offset, radix: 16)) at 0x\(String(address, radix: 16)), \(size) bytes"
    }
}
