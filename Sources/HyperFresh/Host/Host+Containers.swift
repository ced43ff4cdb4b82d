extension Host {
    /// Begins to relocate a container; it goes on in a task of its own, whether or not anybody watches.
    ///
    /// - Parameter request: What to relocate, and within which bounds.
    /// - Returns: The relocation, to watch and to cancel.
    public func relocate(_ request: RelocationRequest) -> Relocating { Relocating(request, on: self) }
}

/// The relocation of a container that goes on.
public struct Relocating: Sendable {
    /// What happens, as it happens; ends after ``RelocationProgress/finished(_:)``.
    public let progress: AsyncStream<RelocationProgress>
    private let relocation: ContainerRelocation

    init(_ request: RelocationRequest, on host: Host) {
        let (progress, continuation) = AsyncStream.makeStream(of: RelocationProgress.self, bufferingPolicy: .unbounded)
        let relocation = ContainerRelocation(request, host: host) { continuation.yield($0) }
        self.progress = progress
        self.relocation = relocation
        Task {
            continuation.yield(.finished(await relocation.run()))
            continuation.finish()
        }
    }

    /// Rolls back what is not committed; what is goes on to its end.
    public func cancel() { relocation.cancel() }

    /// Waits for the end.
    ///
    /// - Returns: The report.
    public func report() async -> RelocationReport? {
        for await case .finished(let report) in progress { return report }
        return nil
    }
}
