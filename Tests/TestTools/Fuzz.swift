internal import Glibc
internal import Linux

/// Feeds mutated inputs to a parser.
///
/// A run is reproducible: each input depends only on the seed and the input's number. Tests run some thousand inputs;
/// `scripts/fuzz` runs millions under AddressSanitizer. Environment variables:
///
/// - `HYPERFRESH_FUZZ_INPUTS`: the number of inputs; `HYPERFRESH_FUZZ_SEED`: the seed, 1 by default.
/// - `HYPERFRESH_FUZZ_ONLY`: the number of the one input to run, which is printed too.
/// - `HYPERFRESH_FUZZ_NOTES`: a folder where each worker stores an input before it runs it, in case the process
///   crashes.
public struct Fuzz: Sendable {
    /// A violated property.
    public struct Violation: Error, CustomStringConvertible {
        /// The description.
        public let description: String

        /// Creates a violation.
        public init(_ description: String) { self.description = description }
    }

    /// Checks a property that must hold for every input.
    ///
    /// The second argument returns numbers below a bound, the same ones for the same input, for example to divide it.
    public typealias Check = @Sendable (_ input: [UInt8], _ below: (Int) -> Int) throws -> Void

    private let parser: String
    private let corpus: FuzzCorpus
    private let inputs: Int
    private let seed: UInt64
    private let only: Int?
    private let notes: String?

    /// The longest time for one input; a slower one counts as a hang.
    private static let patience = Duration.seconds(10)
    private static let workers = 2

    /// Creates a run.
    ///
    /// - Parameters:
    ///   - parser: The parser's name, for `scripts/fuzz` and for the folder in Crashers.
    ///   - corpus: The initial inputs.
    ///   - inputs: The number of inputs in an ordinary test, which should take seconds at most.
    public init(_ parser: String, _ corpus: FuzzCorpus, inputs: Int = 4000) {
        self.parser = parser
        self.corpus = corpus
        self.inputs = Self.number("HYPERFRESH_FUZZ_INPUTS") ?? inputs
        seed = UInt64(Self.number("HYPERFRESH_FUZZ_SEED") ?? 1)
        only = Self.number("HYPERFRESH_FUZZ_ONLY")
        notes = Self.variable("HYPERFRESH_FUZZ_NOTES")
    }

    /// The number of inputs for a related test whose inputs take some hundred times longer each.
    public var fewInputs: Int { max(100, inputs / 200) }

    /// Creates the input with a number.
    ///
    /// - Parameter number: The number, from 0.
    /// - Returns: The input, and a generator of further numbers.
    public func input(_ number: Int) -> (bytes: [UInt8], mutator: Mutator) {
        var mutator = Mutator(corpus, seed: seed &* 1_000_003 &+ UInt64(number))
        let bytes = mutator.input()
        return (bytes, mutator)
    }

    /// Runs the parser on its crashers first, then on the unchanged corpus, then on mutations of it.
    ///
    /// - Parameter check: The property to check.
    /// - Returns: The violation; nil if there is none.
    public func run(_ check: @escaping Check) async -> String? {
        let start = ContinuousClock.now
        if only == nil, let failure = replay(check) { return failure }
        let outcomes = await withTaskGroup(of: Outcome.self) { group in
            for worker in 0..<Self.workers { group.addTask { await runInThread(worker, check) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        let bytes = outcomes.map(\.bytes).reduce(0, +)
        let slowest = outcomes.max { $0.slowest < $1.slowest } ?? Outcome()
        print(
            """
            fuzz: \(parser): \(outcomes.map(\.count).reduce(0, +)) inputs of seed \(seed), \(bytes) bytes, \
            \(ContinuousClock.now - start); the slowest took \(slowest.slowest) (number \(slowest.slowestNumber))
            """)
        let failure = outcomes.compactMap(\.failure).first
        if let failure { print("fuzz: \(failure)") }
        return failure
    }

    private struct Outcome {
        var count = 0
        var bytes = 0
        var slowest = Duration.zero
        var slowestNumber = 0
        var failure: String?
    }

    private func replay(_ check: @escaping Check) -> String? {
        for (name, bytes) in Crashers.of(parser) {
            if let failure = Self.failure(of: bytes, check, below: { _ in 0 }) { return "\(name): \(failure)" }
        }
        for (index, bytes) in corpus.inputs.enumerated() {
            if let failure = Self.failure(of: bytes, check, below: { $0 / 2 }) { return "corpus \(index): \(failure)" }
        }
        return nil
    }

    private static func failure(of input: [UInt8], _ check: @escaping Check, below: (Int) -> Int) -> String? {
        let start = ContinuousClock.now
        do {
            try check(input, below)
        } catch {
            return "\(error)\n\(input)\n\(String(decoding: input, as: UTF8.self))"
        }
        return ContinuousClock.now - start > patience ? "it takes too long: \(input)" : nil
    }

    /// Runs in its own thread, with the stack size of a reader's thread; leaves Swift's pool to concurrent tests.
    private func runInThread(_ worker: Int, _ check: @escaping Check) async -> Outcome {
        await withCheckedContinuation { continuation in
            do throws(SystemError) {
                try startThread(name: "fuzz") { continuation.resume(returning: run(worker, check)) }
            } catch {
                continuation.resume(returning: Outcome(failure: "\(error)"))
            }
        }
    }

    private func run(_ worker: Int, _ check: @escaping Check) -> Outcome {
        var outcome = Outcome()
        let note = notes.map { open("\($0)/\(parser).\(worker)", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600) } ?? -1
        defer { close(note) }
        let numbers = only.map { worker == 0 ? [$0] : [] }
        for number in numbers ?? Array(stride(from: worker, to: inputs, by: Self.workers)) {
            if note >= 0 { Self.write(number, to: note) }
            let made = self.input(number)
            let input = made.bytes
            var mutator = made.mutator
            if only != nil { print("fuzz: \(parser): \(input)\n\(String(decoding: input, as: UTF8.self))") }
            let start = ContinuousClock.now
            let failure = Self.failure(of: input, check) { mutator.below($0) }
            let time = ContinuousClock.now - start
            if time > outcome.slowest { (outcome.slowest, outcome.slowestNumber) = (time, number) }
            outcome.count += 1
            outcome.bytes += input.count
            if let failure {
                outcome.failure = "\(parser), input \(number) of seed \(seed): \(failure)"
                break
            }
        }
        return outcome
    }

    private static func write(_ number: Int, to note: Int32) {
        let digits = String(number)
        let text = Array((digits + String(repeating: " ", count: max(0, 12 - digits.count)) + "\n").utf8)
        _ = pwrite(note, text, text.count, 0)
    }

    private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    private static func number(_ name: String) -> Int? { variable(name).flatMap { Int($0) } }
}
