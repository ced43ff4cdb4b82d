import Foundation

/// All results of one run of `switch`.
struct SwitchResults: TurnResults {
    /// The handovers of one shape of guest by one method: each array has one element for each handover, in
    /// chronological order.
    struct Series: TurnSeries {
        let shape: GuestShape
        let method: Method
        /// The times from STOP to RESUME.
        var switchMicroseconds: [Int] = []
        /// The longest intervals without progress of the guest.
        var gapMicroseconds: [Int] = []
        /// The increases of the guest clock's lag.
        var clockMicroseconds: [Int] = []
        /// The times of whole handovers.
        var wholeMicroseconds: [Int] = []
        var oldCompletedMicroseconds: [Int] = []
        var newCompletedMicroseconds: [Int] = []
        /// The times from receiving the second `completed` to writing `cont`.
        var controllerMicroseconds: [Int] = []
        /// The phases reported by the method.
        var phaseMicroseconds: [String: [Int]] = [:]
        /// The number of datagrams lost.
        var lostDatagrams = 0

        static func empty(_ shape: GuestShape, _ method: Method) -> Self { Self(shape: shape, method: method) }
    }

    /// A canary's findings in one guest, after all handovers.
    struct Witness: Codable, Sendable {
        let shape: GuestShape
        let memory: String
        let handovers: Int
        let pagesVerified: Int
        let anomalies: Int
    }

    var schema = 1
    let date: String
    let machine: MachineFacts
    /// The command's arguments.
    let arguments: [String]
    var series: [Series] = []
    var witnesses: [Witness] = []
    var minutes = 0.0

    mutating func add(_ handover: Handover, _ gap: GuestGap, shape: GuestShape, method: Method) {
        change(shape, method) { series in
            series.switchMicroseconds.append(handover.switchMicroseconds)
            series.gapMicroseconds.append(gap.gapMicroseconds)
            series.clockMicroseconds.append(gap.clockMicroseconds)
            series.wholeMicroseconds.append(handover.wholeMicroseconds)
            if let value = handover.oldCompletedMicroseconds { series.oldCompletedMicroseconds.append(value) }
            if let value = handover.newCompletedMicroseconds { series.newCompletedMicroseconds.append(value) }
            if let value = handover.controllerMicroseconds { series.controllerMicroseconds.append(value) }
            for (name, value) in handover.phases { series.phaseMicroseconds[name, default: []].append(value) }
            series.lostDatagrams += gap.lost
        }
    }
}

/// Reads and writes result files.
enum ResultFile {
    /// Writes results with one series a line, for readers and for diffs.
    static func write(_ results: some TurnResults, to path: String) throws {
        var head = results
        head.series = []
        head.witnesses = []
        try save(try fill(encode(head), series: results.series, witnesses: results.witnesses), to: path)
    }

    /// Writes other results unchanged.
    static func write(_ results: some Encodable, to path: String) throws { try save(try encode(results), to: path) }

    static func read<Results: Decodable>(_ type: Results.Type, from path: String) throws -> Results {
        try JSONDecoder().decode(type, from: Data(contentsOf: URL(fileURLWithPath: path)))
    }

    static func save(_ text: String, to path: String) throws {
        let url = URL(fileURLWithPath: path)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data((text.hasSuffix("\n") ? text : text + "\n").utf8).write(to: url, options: .atomic)
    }

    static func fill(
        _ text: String, series: [some Encodable], witnesses: [some Encodable]
    ) throws -> String {
        text.replacingOccurrences(of: "\"series\":[]", with: "\"series\":[\n\(try lines(series))\n]")
            .replacingOccurrences(of: "\"witnesses\":[]", with: "\"witnesses\":[\n\(try lines(witnesses))\n]")
    }

    private static func lines(_ elements: [some Encodable]) throws -> String {
        try elements.map { try encode($0) }.joined(separator: ",\n")
    }

    static func encode(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
