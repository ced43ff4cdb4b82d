/// How near words are to each other.
enum Spelling {
    /// The word that was most likely meant; `nil` where none is near.
    static func nearest(to word: String, among known: [String]) -> String? {
        // A long word is no misspelling of a short one, and not worth the time.
        guard word.count <= 64 else { return nil }
        let best = known.map { (word: $0, distance: distance(word.lowercased(), $0)) }.min { $0.distance < $1.distance }
        guard let best, best.distance <= max(2, best.word.count / 3) else { return nil }
        return best.word
    }

    /// How many characters have to be added, removed or replaced to get from one to the other (Levenshtein).
    static func distance(_ first: String, _ second: String) -> Int {
        let second = Array(second)
        var row = Array(0...second.count)
        for (index, character) in first.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in second.indices {
                let replaced = diagonal + (character == second[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, diagonal + 1, row[column] + 1)
            }
        }
        return row[second.count]
    }
}
