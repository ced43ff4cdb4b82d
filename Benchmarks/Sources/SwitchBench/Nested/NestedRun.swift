/// Measures every method on every shape of guests; methods take turns.
///
/// Refreshed and copied guests are two separate groups; one of the groups is always paused.
struct NestedRun {
    let shapes: [NestedShape]
    let methods: [NestedMethod]
    let rounds: Int
    let tools: NestedTools

    /// - Parameters:
    ///   - results: Receives the measurements.
    ///   - save: Called after each shape: a run takes long, and its results should not be lost.
    /// - Throws: If results cannot be saved, or the remains of a failure cannot be removed.
    func run(into results: inout NestedResults, save: (NestedResults) throws -> Void) async throws {
        for shape in shapes {
            do {
                try await run(shape, into: &results)
            } catch {
                // A lost guest does not invalidate the other figures; it is reported with them.
                results.failures.append("\(shape.name): \(error)")
                Progress.say("\(shape.name): \(error)")
                tools.scratch.endProcesses()
                try await RefreshedStack.sweep(tools)
                try await CopyPair.sweep(tools)
            }
            try save(results)
        }
    }

    private func run(_ shape: NestedShape, into results: inout NestedResults) async throws {
        // With a single guest, one-by-one and at-once are the same.
        let methods = methods.filter { shape.guests > 1 || $0 != .atOnce }
        var field = Field(shape: shape, tools: tools)
        try await takeTurns(methods, rounds: rounds) { round, method in
            let what = "\(shape.name), round \(round) of \(rounds), \(method.title)"
            Progress.show(what)
            let move = try await field.move(by: method)
            results.add(move, shape, method)
            let switches = move.handovers.map { handover in
                Figures.milliseconds(handover.switchMicroseconds) + (handover.fellSilent ? " and silent since" : "")
            }
            Progress.say("\(what): stopped for \(switches.joined(separator: ", ")) ms")
        }
        try await field.clear()
        results.witnesses += field.witnesses
        if field.witnesses.contains(where: { $0.anomalies > 0 }) {
            throw BenchError("a canary found an anomaly")
        }
    }

    /// The guests of one shape, twice: one set to refresh and one to copy.
    private struct Field {
        let shape: NestedShape
        let tools: NestedTools
        var witnesses: [NestedResults.Witness] = []
        private var stack: RefreshedStack?
        private var pair: CopyPair?

        init(shape: NestedShape, tools: NestedTools) {
            self.shape = shape
            self.tools = tools
        }

        /// Resumes the guests of a method, moves them, and pauses them again.
        ///
        /// If one is lost, all of them are restarted before the next move.
        mutating func move(by method: NestedMethod) async throws -> NestedMove {
            if method == .precopy {
                if pair != nil {
                    try await pair?.setRunning(true)
                } else {
                    pair = try await CopyPair.start(shape, tools: tools)
                }
                guard let pair else { throw BenchError("there are no guests") }
                let move = try await pair.migrate()
                if move.lostGuest { try await clearPair() } else { try await pair.setRunning(false) }
                return move
            }
            if stack != nil {
                try await stack?.setRunning(true)
            } else {
                stack = try await RefreshedStack.start(shape, tools: tools)
            }
            guard let stack else { throw BenchError("there are no guests") }
            let move = try await stack.refresh(parallel: method == .atOnce ? shape.guests : 1)
            if move.lostGuest { try await clearStack() } else { try await stack.setRunning(false) }
            return move
        }

        /// Ends all guests.
        mutating func clear() async throws {
            try await clearStack()
            try await clearPair()
        }

        private mutating func clearStack() async throws {
            guard let stack else { return }
            witnesses += stack.witnesses()
            try await stack.end()
            self.stack = nil
        }

        private mutating func clearPair() async throws {
            guard let pair else { return }
            witnesses += pair.witnesses()
            try await pair.end()
            self.pair = nil
        }
    }
}
