/// A kind of fault: the rows of a table in docs/recovery.md.
protocol MatrixFault: RawRepresentable<String>, CaseIterable, Hashable, Sendable {
    /// The table's heading.
    static var heading: String { get }
    /// The places where it is caused.
    static var places: [MatrixPlace] { get }
    /// Returns whether this fault is possible at a place.
    func exists(at place: MatrixPlace) -> Bool
}

extension MatrixFault {
    func exists(at place: MatrixPlace) -> Bool { true }
}

/// Where the guest may be in the end.
enum MatrixEnd: String, Sendable {
    case old, new, lost
}

/// One fault at one place.
struct MatrixCell<Fault: MatrixFault>: Sendable, Hashable, CustomStringConvertible {
    let fault: Fault
    let place: MatrixPlace

    var description: String { "\(fault.rawValue) \(place.name)" }

    /// Returns every cell for which the table has an expectation.
    static func all(_ table: MatrixTable<Fault>) -> [MatrixCell] {
        Fault.allCases.flatMap { fault in
            Fault.places.map { MatrixCell(fault: fault, place: $0) }
        }.filter { $0.fault.exists(at: $0.place) && table.ends(of: $0) != [] }
    }

    /// Returns some cells of each fault, selected by the hash of their names, so that a changed list changes the
    /// selection little.
    static func slice(_ table: MatrixTable<Fault>, every nth: UInt64) -> [MatrixCell] {
        all(table).filter { $0.hash % nth == 0 }
    }

    /// FNV-1a of the name: the same on every machine.
    private var hash: UInt64 {
        description.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}

/// A result that must never occur.
struct MatrixWrong: Error, CustomStringConvertible {
    let description: String
}
