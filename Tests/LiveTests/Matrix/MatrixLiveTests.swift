import CanaryTesting
import Glibc
import Testing

extension Live {
    /// Every fault at every place of a handoff; docs/recovery.md says where the guest must be in the end.
    @Suite(.enabled(if: Live.isReady, Live.howToGetReady))
    struct MatrixLiveTests {
        @Test(.enabled(if: geteuid() == 0, "needs root, to mount file systems that are full or read-only"))
        func everyFaultEndsWhereItShould() async throws {
            let table = try MatrixTable<GuestFault>(document: Self.expectations)
            let cells = Live.isWhole ? MatrixCell.all(table) : MatrixCell.slice(table, every: 12)
            var record = try Self.record(GuestFault.self)
            let matrix = GuestMatrix(table)
            defer { matrix.drop() }
            for cell in cells where record?.result(of: cell) == nil {
                let result = try await matrix.run(cell)
                #expect(result.problem == nil, "\(cell)")
                try record?.append(result)
            }
            try record?.report(cells).write()
        }

        /// A cell takes one or two minutes if hypervisors are emulated; NestedLiveTests always runs some of them.
        @Test(.enabled(if: Live.isWhole && Live.hasHypervisorImages, "is part of scripts/test --matrix"))
        func everyFaultEndsWhereItShouldInHypervisors() async throws {
            let table = try MatrixTable<HypervisorFault>(document: Self.expectations)
            let cells = MatrixCell.all(table)
            var record = try Self.record(HypervisorFault.self)
            let matrix = HypervisorMatrix(table: table) { result in
                #expect(result.problem == nil, "\(result.cell)")
                try record?.append(result)
            }
            try await matrix.run(cells.filter { record?.result(of: $0) == nil })
            try record?.report(cells).write()
        }

        private static let expectations = "\(Live.packageRoot)/docs/recovery.md"

        private static func record<Fault: MatrixFault>(_: Fault.Type) throws -> MatrixRecord<Fault>? {
            try Live.matrixFolder.map { try MatrixRecord("\($0)/\(Fault.self).jsonl") }
        }
    }
}
