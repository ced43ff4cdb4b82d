/// Decides whether the counted figures stayed constant.
///
/// It compares the last tenth of a run with the second: during the first one, one-time resources are opened or filled.
/// Counts are compared by their medians, memory by the 90th percentile: the command's peak has two usual values, and
/// its median jumps between them by chance.
struct SoakVerdict {
    /// The result for one figure.
    struct Line {
        let title: String
        /// The values of the second tenth and of the last.
        let early: Int
        let late: Int
        let largest: Int
        /// The largest allowed value of `late`; nil if any value is allowed.
        let allowed: Int?
        /// Whether the limit applies to `largest` instead.
        let isBound: Bool

        var holds: Bool { allowed.map { (isBound ? largest : late) <= $0 } ?? true }
    }

    /// With fewer refreshes, a tenth does not include both QEMUs.
    static let leastRefreshes = 20
    /// With fewer samples, memory differs by chance.
    private static let leastForMemory = 10

    let lines: [Line]

    init(_ results: SoakResults) {
        let (early, late) = Self.windows(results.count)
        lines = SoakFigure.allCases.flatMap { figure -> [Line] in
            let places = figure.differsByVersion ? results.versions.indices.map { Optional($0) } : [nil]
            return places.compactMap { place in
                guard let title = figure.title(place.map { results.versions[$0] } ?? "") else { return nil }
                func values(_ window: Range<Int>) -> [Int] {
                    window.filter { place == nil || results[.version][$0] == place }.map { results[figure][$0] }
                }
                return Self.line(
                    title, figure.rule, early: values(early).sorted(), late: values(late).sorted(),
                    largest: values(0..<results.count).max() ?? 0)
            }
        }
    }

    /// Descriptions of the figures that grew.
    var complaints: [String] {
        lines.filter { !$0.holds }.map { line in
            "\(line.title): \(line.isBound ? line.largest : line.late), before: \(line.early), "
                + "allowed: \(line.allowed ?? 0)"
        }
    }

    /// Returns the refreshes, numbered from 0, of the second tenth and of the last.
    static func windows(_ count: Int) -> (early: Range<Int>, late: Range<Int>) {
        let tenth = count / 10
        return (tenth..<(2 * tenth), (count - tenth)..<count)
    }

    /// Returns the result for a figure with sorted values; nil if there are none.
    private static func line(
        _ title: String, _ rule: SoakFigure.Rule, early: [Int], late: [Int], largest: Int
    ) -> Line? {
        guard !early.isEmpty, !late.isEmpty else { return nil }
        let (first, last) = (early[(early.count - 1) / 2], late[(late.count - 1) / 2])
        switch rule {
        case .none:
            return Line(title: title, early: first, late: last, largest: largest, allowed: nil, isBound: false)
        case .constant:
            return Line(title: title, early: first, late: last, largest: largest, allowed: first, isBound: false)
        case .atMost(let bound):
            return Line(title: title, early: first, late: last, largest: largest, allowed: bound, isBound: true)
        case .flat(let percent):
            let (high, highLate) = (early[early.count * 9 / 10], late[late.count * 9 / 10])
            return Line(
                title: title, early: high, late: highLate, largest: largest,
                allowed: early.count < leastForMemory ? nil : high + high * percent / 100, isBound: false)
        }
    }
}
