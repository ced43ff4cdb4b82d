import Foundation

/// Everything that one run of `switch` has measured.
struct SwitchResults: TurnResults {
    /// All handovers of one method on one kind of guest: the arrays have one place for each, in the order of the run.
    struct Series: TurnSeries {
        let shape: GuestShape
        let method: Method
        /// From STOP to RESUME.
        var switchMicroseconds: [Int] = []
        /// The longest time in which the guest got nothing done.
        var gapMicroseconds: [Int] = []
        /// By how much the guest's own clock fell behind.
        var clockMicroseconds: [Int] = []
        /// From the start to the end of all of it.
        var wholeMicroseconds: [Int] = []
        var oldCompletedMicroseconds: [Int] = []
        var newCompletedMicroseconds: [Int] = []
        /// From the second `completed` seen to `cont` written.
        var controllerMicroseconds: [Int] = []
        /// What the method says of its own phases.
        var phaseMicroseconds: [String: [Int]] = [:]
        /// Datagrams that the guest sent and nobody got.
        var lostDatagrams = 0

        static func empty(_ shape: GuestShape, _ method: Method) -> Self { Self(shape: shape, method: method) }
    }

    /// What the canary found in one guest, after all its handovers.
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
    /// How the command was called.
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

/// Results in files.
enum ResultFile {
    /// Writes results so that one series stands on one line, for readers and for diffs.
    static func write(_ results: some TurnResults, to path: String) throws {
        var head = results
        head.series = []
        head.witnesses = []
        try save(try fill(encode(head), series: results.series, witnesses: results.witnesses), to: path)
    }

    /// Writes other results as they are.
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
