/// A refresh or a relocation that runs, whether or not anybody watches.
public struct Operation<Report: OperationReport>: Sendable {
    /// What happens, as it happens; ends after ``Progress/finished(_:)``.
    public let progress: AsyncStream<Progress<Report>>

    private let task: Task<Report, Never>
    private let cancellation: @Sendable () -> Void

    /// Starts an operation.
    ///
    /// - Parameters:
    ///   - cancellation: Rolls it back, from any thread.
    ///   - work: Performs it; tells what happens, and returns its report.
    init(
        cancellation: @escaping @Sendable () -> Void,
        work: @escaping @Sendable (_ tell: @escaping @Sendable (Progress<Report>) -> Void) async -> Report
    ) {
        let (progress, continuation) = AsyncStream.makeStream(of: Progress<Report>.self, bufferingPolicy: .unbounded)
        self.progress = progress
        self.cancellation = cancellation
        task = Task {
            let report = await work { continuation.yield($0) }
            continuation.yield(.finished(report))
            continuation.finish()
            return report
        }
    }

    /// Rolls back uncommitted work; committed work completes.
    public func cancel() { cancellation() }

    /// Waits for the end.
    ///
    /// - Returns: The report.
    public func report() async -> Report { await task.value }
}
