import Glibc
import JSON
import Linux
import Testing

@testable import QMP

/// Throws mutated talk at the parser, the session, the readers and the client.
///
/// `HYPERFRESH_FUZZ_ITERATIONS` sets how many inputs (20,000 by default), `HYPERFRESH_FUZZ_SEED` which ones. A run is the
/// same for the same seed; `scripts/fuzz-qmp` does a million and more under AddressSanitizer.
@Suite struct FuzzTests {
    private static let iterations = number("HYPERFRESH_FUZZ_ITERATIONS") ?? 20_000
    private static let seed = UInt64(number("HYPERFRESH_FUZZ_SEED") ?? 1)

    private static func number(_ name: String) -> Int? {
        getenv(name).flatMap { Int(String(cString: $0)) }
    }

    /// The longest that one input may take: what is slower hangs.
    private static let patience = Duration.seconds(20)

    @Test func parserSessionAndReadersHoldTheirProperties() async throws {
        let corpus = try FuzzCorpus()
        let start = ContinuousClock.now
        let workers = 2
        let outcomes = await withTaskGroup(of: Outcome.self) { group in
            for worker in 0..<workers {
                group.addTask { await Self.runInThread(corpus, Self.share(of: worker, workers)) }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        for outcome in outcomes {
            if let failure = outcome.failure { Issue.record("\(failure)") }
        }
        let bytes = outcomes.map(\.bytes).reduce(0, +)
        let elapsed = ContinuousClock.now - start
        print("fuzz: \(Self.iterations) inputs, \(bytes) bytes, seed \(Self.seed), \(elapsed)")
    }

    private struct Outcome {
        var bytes = 0
        var failure: String?
    }

    private static func share(of worker: Int, _ workers: Int) -> StrideTo<Int> {
        stride(from: worker, to: iterations, by: workers)
    }

    /// Concurrency's own threads are left to the tests beside this one; the stack is that of a reader's thread.
    private static func runInThread(_ corpus: FuzzCorpus, _ numbers: StrideTo<Int>) async -> Outcome {
        await withCheckedContinuation { continuation in
            do throws(SystemError) {
                try startThread(name: "fuzz") { continuation.resume(returning: run(corpus, numbers)) }
            } catch {
                continuation.resume(returning: Outcome(failure: "\(error)"))
            }
        }
    }

    /// Every input has a seed of its own: it can be made again without those before it.
    private static func run(_ corpus: FuzzCorpus, _ numbers: StrideTo<Int>) -> Outcome {
        var outcome = Outcome()
        for number in numbers {
            var mutator = Mutator(corpus, seed: seed &* 1_000_003 &+ UInt64(number))
            let input = mutator.input()
            outcome.bytes += input.count
            let start = ContinuousClock.now
            do throws(FuzzProperties.Violation) {
                try FuzzProperties.check(input) { mutator.below($0) }
            } catch {
                outcome.failure = "input \(number) of seed \(seed): \(error)\n\(input)"
                return outcome
            }
            if ContinuousClock.now - start > patience {
                outcome.failure = "input \(number) of seed \(seed) takes too long: \(input)"
                return outcome
            }
            if number % 100_000 < 2, number > 1 { print("fuzz: at input \(number)") }
        }
        return outcome
    }

    @Test(.timeLimit(.minutes(10))) func clientOutlivesWhateverItIsTold() async throws {
        let corpus = try FuzzCorpus()
        for number in 0..<max(100, Self.iterations / 200) {
            var mutator = Mutator(corpus, seed: Self.seed &* 7919 &+ UInt64(number))
            try await talk(to: mutator.input(), greetsFirst: mutator.below(4) > 0, number)
        }
    }

    /// A client whose peer says the input and goes away.
    private func talk(to input: [UInt8], greetsFirst: Bool, _ number: Int) async throws {
        let (ours, theirs) = try UnixStream.pair()
        let greeting = #"{"QMP":{"version":{"qemu":{"major":1,"minor":2,"micro":3},"package":""},"capabilities":[]}}"#
        try startThread(name: "fuzz-peer") {
            let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 1)
            defer { room.deallocate() }
            if greetsFirst {
                try? theirs.send(Array("\(greeting)\r\n".utf8))
                _ = try? theirs.receive(into: room).count
                try? theirs.send(Array("{\"return\":{},\"id\":1}\r\n".utf8))
                _ = try? theirs.receive(into: room).count
            }
            try? theirs.send(input)
            theirs.shutdown()
        }
        let descriptor = Descriptor(adopting: dup(ours.number))
        do throws(QMPError) {
            let client = try await QMPClient.connect(adopting: descriptor, name: "fuzz", greetingDeadline: .seconds(20))
            let events = client.events(capacity: 100_000)
            _ = try? await client.executeRaw("query-status", deadline: .seconds(20))
            var last: QMPError?
            while last == nil {
                do throws(QMPError) { _ = try await events.next() } catch { last = error }
            }
            #expect(
                last?.code == .disconnected || last?.code == .protocolViolation,
                "input \(number): \(String(describing: last))")
        } catch {
            #expect(error.code != .timeout && error.code != .system, "input \(number): \(error)")
        }
    }
}
