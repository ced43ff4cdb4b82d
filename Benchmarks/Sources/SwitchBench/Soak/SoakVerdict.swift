/// Whether what was counted stayed as it was.
///
/// The last tenth of a run is held against the second: in the first one, what is opened or filled once comes to be. Counts are
/// compared by their medians, memory by what nine of ten refreshes do not exceed: the command's peak has two usual values, and
/// its median jumps from one to the other by chance.
struct SoakVerdict {
    /// What became of one figure.
    struct Line {
        let title: String
        /// The second tenth and the last.
        let early: Int
        let late: Int
        let largest: Int
        /// The most that `late` may be; nil where nothing is expected.
        let allowed: Int?
        /// Whether it is held against `largest` instead.
        let isBound: Bool

        var holds: Bool { allowed.map { (isBound ? largest : late) <= $0 } ?? true }
    }

    /// In fewer refreshes a tenth has no room for both QEMUs.
    static let leastRefreshes = 20
    /// In fewer samples memory differs by chance alone.
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

    /// What grew, in words.
    var complaints: [String] {
        lines.filter { !$0.holds }.map { line in
            "\(line.title): \(line.isBound ? line.largest : line.late), before: \(line.early), "
                + "allowed: \(line.allowed ?? 0)"
        }
    }

    /// The refreshes, from 0, of the second tenth and of the last.
    static func windows(_ count: Int) -> (early: Range<Int>, late: Range<Int>) {
        let tenth = count / 10
        return (tenth..<(2 * tenth), (count - tenth)..<count)
    }

    /// The line of a figure, of sorted values; nil where there are none.
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
