import VirtualMachines

/// Measures every method on every shape of containers; methods take turns.
struct ContainerRun {
    let shapes: [ContainerShape]
    let methods: [ContainerMethod]
    let rounds: Int
    let tools: ContainerTools

    /// - Parameters:
    ///   - results: Receives the measurements.
    ///   - save: Called after each shape: a run takes long, and its results should not be lost.
    /// - Throws: If results cannot be saved, or the remains of a failure cannot be removed.
    func run(into results: inout ContainerResults, save: (ContainerResults) throws -> Void) async throws {
        for shape in shapes {
            do {
                try await run(shape, into: &results)
            } catch {
                // A lost container does not invalidate the other figures; it is reported with them.
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
            throw BenchError("\(wrong.method.title): the canary found an anomaly, or its connection was lost")
        }
    }
}

extension ContainerField {
    /// Returns the version of CRIU in the OS VMs.
    func criuVersion() async throws -> String {
        try await tools.with(Self.systems[0]) { system in
            let text = try await system.agent.run("criu --version", to: "ask CRIU for its version")
            return text.split(whereSeparator: \.isNewline).first.map { $0.split(separator: " ").last ?? "" }.map(
                String.init) ?? "?"
        }
    }
}
