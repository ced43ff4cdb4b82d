import Hypervisors

/// Measures every method on every kind of containers, in turns.
struct ContainerRun {
    let shapes: [ContainerShape]
    let methods: [ContainerMethod]
    let rounds: Int
    let tools: ContainerTools

    /// - Parameters:
    ///   - results: Gets what is measured.
    ///   - save: Called after each shape: a run takes long, and what has been measured shall not be lost.
    /// - Throws: When results cannot be saved, or what a failure has left cannot be removed.
    func run(into results: inout ContainerResults, save: (ContainerResults) throws -> Void) async throws {
        for shape in shapes {
            do {
                try await run(shape, into: &results)
            } catch {
                // One container that is lost does not spoil the others' figures; it is told with them.
                results.failures.append("\(shape.name): \(error)")
                Progress.say("\(shape.name): \(error)")
                tools.scratch.endProcesses()
                try await ContainerField.sweep(tools)
            }
            try save(results)
        }
    }

    private func run(_ shape: ContainerShape, into results: inout ContainerResults) async throws {
        Progress.show("\(shape.name): booting two OS VMs")
        let field = try await ContainerField.start(shape, tools: tools)
        results.inside = .init(
            kernel: results.inside.kernel, criu: try await field.criuVersion(),
            accelerator: results.inside.accelerator)
        try await takeTurns(methods, rounds: rounds) { round, method in
            let what = "\(shape.name), round \(round) of \(rounds), \(method.title)"
            Progress.show(what)
            let move = try await field.move(by: method)
            results.add(move, shape, method)
            let steps = move.steps.map { "\($0.name) \($0.milliseconds)" }.joined(separator: ", ")
            Progress.say("\(what): silent for \(Figures.milliseconds(move.downtimeMicroseconds)) ms (\(steps))")
        }
        let witnesses = try await field.witnesses()
        results.witnesses += witnesses
        try await field.end()
        if let wrong = witnesses.first(where: { $0.anomalies > 0 || !$0.keptConnection }) {
            throw BenchError("\(wrong.method.title): the canary has found something wrong, or its connection was lost")
        }
    }
}

extension ContainerField {
    /// The version of CRIU in the OS VMs.
    func criuVersion() async throws -> String {
        try await tools.with(Self.systems[0]) { system in
            let text = try await system.agent.run("criu --version", to: "ask CRIU for its version")
            return text.split(whereSeparator: \.isNewline).first.map { $0.split(separator: " ").last ?? "" }.map(
                String.init) ?? "?"
        }
    }
}
