/// Mutates the inputs of a corpus, reproducibly for a seed.
public struct Mutator: Sendable {
    private let corpus: FuzzCorpus
    private var random: SeededGenerator

    init(_ corpus: FuzzCorpus, seed: UInt64) {
        self.corpus = corpus
        random = SeededGenerator(seed: seed)
    }

    /// Returns a number below a bound, for the check of an input.
    ///
    /// - Parameter bound: The bound; if it is not positive, the result is 0.
    /// - Returns: The number, from 0.
    public mutating func below(_ bound: Int) -> Int { random.below(bound) }

    mutating func input() -> [UInt8] {
        var input = random.element(of: corpus.inputs)
        for _ in 0..<(1 + random.below(4)) { mutate(&input) }
        return Array(input.prefix(corpus.largestInput))
    }

    private mutating func mutate(_ input: inout [UInt8]) {
        let place = random.below(input.count + 1)
        let length = random.below(min(input.count - place, 64) + 1)
        let range = place..<(place + length)
        switch random.below(12) {
        case 0: if place < input.count { input[place] ^= 1 << random.below(8) }
        case 1: if place < input.count { input[place] = UInt8(truncatingIfNeeded: random.next()) }
        case 2: input.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
        case 3: input.removeSubrange(range)
        case 4: input.insert(contentsOf: random.element(of: corpus.tokens), at: place)
        case 5: input.insert(contentsOf: input[range], at: random.below(input.count + 1))
        case 6: input.removeLast(input.count - place)
        case 7: input += random.element(of: corpus.inputs)
        case 8: input.insert(contentsOf: random.element(of: corpus.inputs), at: place)
        case 9: input.insert(contentsOf: repeatElement(input[range], count: random.below(40)).joined(), at: place)
        case 10: input.replaceSubrange(range, with: random.element(of: corpus.tokens))
        default: input = input.isEmpty ? input : Array(input[place...]) + input[..<place]
        }
        if input.count > corpus.largestInput { input.removeLast(input.count - corpus.largestInput) }
    }
}
