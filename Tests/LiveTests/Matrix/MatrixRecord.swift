import Glibc
import JSON
import Linux

/// The result of a cell.
struct MatrixResult<Fault: MatrixFault>: Sendable {
    let cell: MatrixCell<Fault>
    /// The problem; `nil` if the result is as expected.
    var problem: String?
    /// Where the guest was.
    var end: MatrixEnd?
    var seconds = 0.0
    /// How often the watcher looked, how often it saw either side run, and whether it saw a side run after the other
    /// had run.
    var looks = 0
    var runs = 0
    var isDoubleRun = false
    /// The pages that the canary verified during the cell, and its anomalies.
    var pages = 0
    var records = 0
    var anomalies = 0

    init(_ cell: MatrixCell<Fault>) { self.cell = cell }

    init?(_ json: JSONValue) {
        guard let fault = json["fault"]?.string.flatMap(Fault.init),
            let place = Fault.places.first(where: { $0.name == json["place"]?.string })
        else { return nil }
        self.init(MatrixCell(fault: fault, place: place))
        problem = json["problem"]?.string
        end = json["end"]?.string.flatMap(MatrixEnd.init)
        seconds = json["seconds"]?.double ?? 0
        looks = json["looks"]?.int ?? 0
        runs = json["runs"]?.int ?? 0
        isDoubleRun = json["double_run"]?.bool ?? false
        pages = json["pages"]?.int ?? 0
        records = json["records"]?.int ?? 0
        anomalies = json["anomalies"]?.int ?? 0
    }

    var json: JSONValue {
        .object(
            [
                "fault": .string(cell.fault.rawValue), "place": .string(cell.place.name),
                "end": end.map { .string($0.rawValue) }, "problem": problem.map(JSONValue.string),
                "seconds": .number(seconds), "looks": .integer(Int64(looks)), "runs": .integer(Int64(runs)),
                "double_run": .bool(isDoubleRun), "pages": .integer(Int64(pages)), "records": .integer(Int64(records)),
                "anomalies": .integer(Int64(anomalies)),
            ].compactMapValues(\.self))
    }
}

/// The results of a whole run, one line each; an interrupted run continues from them.
struct MatrixRecord<Fault: MatrixFault> {
    private let path: String
    private var results: [MatrixCell<Fault>: MatrixResult<Fault>] = [:]

    init(_ path: String) throws {
        self.path = path
        let text = Files.exists(path) ? String(decoding: try Files.readAll(path), as: UTF8.self) : ""
        for line in text.split(separator: "\n") {
            guard let result = MatrixResult<Fault>(try JSONValue(parsing: String(line))) else { continue }
            results[result.cell] = result
        }
    }

    func result(of cell: MatrixCell<Fault>) -> MatrixResult<Fault>? { results[cell] }

    mutating func append(_ result: MatrixResult<Fault>) throws {
        results[result.cell] = result
        let file = try Descriptor.open(path, flags: O_WRONLY | O_CREAT | O_APPEND, mode: 0o644)
        try Files.write(Array("\(result.json)\n".utf8), to: file, name: path)
    }

    /// Returns a report on these cells.
    func report(_ cells: [MatrixCell<Fault>]) -> MatrixReport<Fault> {
        MatrixReport(results: cells.compactMap { results[$0] })
    }
}
