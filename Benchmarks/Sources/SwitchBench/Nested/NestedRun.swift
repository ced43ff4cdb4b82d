/// Measures every method on every kind of guest, in turns.
///
/// The refreshed guests and the copied ones are different ones, and of these two groups one is always paused.
struct NestedRun {
    let shapes: [NestedShape]
    let methods: [NestedMethod]
    let rounds: Int
    let tools: NestedTools

    /// - Parameters:
    ///   - results: Gets what is measured.
    ///   - save: Called after each shape: a run takes long, and what has been measured shall not be lost.
    /// - Throws: When results cannot be saved, or what a failure has left cannot be removed.
    func run(into results: inout NestedResults, save: (NestedResults) throws -> Void) async throws {
        for shape in shapes {
            do {
                try await run(shape, into: &results)
            } catch {
                // One guest that is lost does not spoil the others' figures; it is told with them.
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
        // One guest alone is all guests at once.
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
            throw BenchError("a canary has found something wrong")
        }
    }

    /// The guests of one shape, twice: to be refreshed and to be copied.
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

        /// Lets the guests of a method run, moves them, and pauses them again.
        ///
        /// Where one is lost, all of them are started anew for the next time.
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
