/// Finds the known word closest to a misspelled one.
enum Spelling {
    /// Returns the word that was most likely meant; `nil` if none is close.
    static func nearest(to word: String, among known: [String]) -> String? {
        // A long word is no misspelling of a short one, and the comparison would take long.
        guard word.count <= 64 else { return nil }
        let best = known.map { (word: $0, distance: distance(word.lowercased(), $0)) }.min { $0.distance < $1.distance }
        guard let best, best.distance <= max(2, best.word.count / 3) else { return nil }
        return best.word
    }

    /// Returns the number of characters to add, remove or replace to turn one word into the other (Levenshtein
    /// distance).
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
