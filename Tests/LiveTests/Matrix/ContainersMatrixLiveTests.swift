import CanaryTesting
import Testing

extension Live {
    /// Old OS VM, new OS VM and controller are each killed in each phase of a relocation; docs/recovery.md says where
    /// the container must be.
    @Suite(.enabled(if: Live.hasBundles, Live.howToGetBundles))
    struct ContainersMatrixLiveTests {
        /// A cell takes almost a minute if OS VMs are emulated.
        @Test(.enabled(if: Live.isWhole, "is part of scripts/test --matrix"))
        func everyFaultEndsWhereItShouldForContainers() async throws {
            let table = try Self.table
            let cells = MatrixCell.all(table)
            var record = try Live.matrixFolder.map { try MatrixRecord<ContainerFault>("\($0)/ContainerFault.jsonl") }
            let matrix = ContainerMatrix(table: table) { result in
                #expect(result.problem == nil, "\(result.cell)")
                try record?.append(result)
            }
            try await matrix.run(cells.filter { record?.result(of: $0) == nil })
            try record?.report(cells).write()
        }

        private static var table: MatrixTable<ContainerFault> {
            get throws { try MatrixTable<ContainerFault>(document: "\(Live.packageRoot)/docs/recovery.md") }
        }
    }
}
