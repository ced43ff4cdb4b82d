internal import Linux
internal import Synchronization

/// The shared state of a scripted server: its thread plays scripts, and other threads query the results.
final class ServerStage: Sendable {
    private struct State: ~Copyable {
        var transcript = Transcript()
        var descriptors = DescriptorList()
        var current: UnixStream?
        var connections = 0
        var isStopped = false
    }

    private let listener: UnixListener
    private let scripts: [[ScriptStep]]
    private let state = Mutex(State())

    init(_ listener: UnixListener, scripts: [[ScriptStep]]) {
        self.listener = listener
        self.scripts = scripts
    }

    var transcript: Transcript { state.withLock { $0.transcript } }
    var connectionCount: Int { state.withLock { $0.connections } }
    var isStopped: Bool { state.withLock { $0.isStopped } }

    func takeDescriptors() -> DescriptorList {
        state.withLock { state in
            var taken = DescriptorList()
            swap(&taken, &state.descriptors)
            return taken
        }
    }

    func stop() {
        let current = state.withLock { state in
            state.isStopped = true
            return state.current
        }
        listener.shutdown()
        current?.shutdown()
    }

    /// Serves one connection after the other until the server is stopped.
    func run() {
        while let (stream, number) = nextConnection() {
            var player = ScriptPlayer(stream, stage: self, connection: number)
            player.play(scripts.isEmpty ? [] : scripts[min(number, scripts.count) - 1])
            stream.shutdown()
            state.withLock { $0.current = nil }
        }
    }

    private func nextConnection() -> (UnixStream, Int)? {
        guard let stream = try? listener.accept() else { return nil }
        return state.withLock { state in
            if state.isStopped { return nil }
            state.connections += 1
            state.current = stream
            return (stream, state.connections)
        }
    }

    func note(_ speaker: Transcript.Line.Speaker, _ text: String, connection: Int, descriptors: Int = 0) {
        let line = Transcript.Line(
            connection: connection,
            speaker: speaker,
            text: String(text.prefix(4096)),
            descriptorCount: descriptors
        )
        state.withLock { $0.transcript.lines.append(line) }
    }

    func note(deviation: String) {
        state.withLock { $0.transcript.deviations.append(deviation) }
    }

    func keep(_ descriptors: consuming DescriptorList) {
        var kept: DescriptorList? = consume descriptors
        state.withLock { state in
            if let more = kept.take() { state.descriptors.append(more) }
        }
    }
}
