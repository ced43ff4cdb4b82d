internal import CGLib

/// Command lines as a POSIX shell reads and writes them, without its expansions.
public enum ShellWords {
    /// Puts words on one line that can be pasted into a shell.
    ///
    /// - Parameter words: what the shell is to make of it again.
    /// - Returns: the words, quoted where a shell needs it.
    public static func join(_ words: [String]) -> String {
        words.map(quote).joined(separator: " ")
    }

    /// Writes one word so that a shell reads it as it is.
    ///
    /// - Parameter word: without a zero byte, at which it would end.
    /// - Returns: the word itself where it holds nothing special.
    public static func quote(_ word: String) -> String {
        let isPlain = word.utf8.allSatisfy { byte in
            let character = Character(UnicodeScalar(byte))
            return character.isASCII && (character.isLetter || character.isNumber || "%+,-./:=@_".contains(character))
        }
        if isPlain && !word.isEmpty { return word }
        guard let quoted = g_shell_quote(word) else { return word }
        defer { g_free(quoted) }
        return String(cString: quoted)
    }

    /// Takes a line apart.
    ///
    /// - Parameter line: as it would be typed.
    /// - Returns: the words; nil when a quote is not closed or something follows a last backslash.
    public static func split(_ line: String) -> [String]? {
        var count: gint = 0
        var words: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        var failure: UnsafeMutablePointer<GError>?
        guard g_shell_parse_argv(line, &count, &words, &failure) != 0, let words else {
            defer { g_error_free(failure) }
            // A line without words is no mistake.
            let isEmpty = g_error_matches(failure, g_shell_error_quark(), Int32(G_SHELL_ERROR_EMPTY_STRING.rawValue))
            return isEmpty != 0 ? [] : nil
        }
        defer { g_strfreev(words) }
        return (0..<Int(count)).compactMap { words[$0].map { String(cString: $0) } }
    }
}
