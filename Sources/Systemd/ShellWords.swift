internal import CGLib

/// Splits and joins command lines by POSIX shell rules, without expansions.
public enum ShellWords {
    /// Joins words to a line that can be pasted into a shell.
    ///
    /// - Parameter words: the words that the shell should see.
    /// - Returns: the words, quoted where necessary.
    public static func join(_ words: [String]) -> String {
        words.map(quote).joined(separator: " ")
    }

    /// Quotes one word for a shell.
    ///
    /// - Parameter word: the word, without a zero byte.
    /// - Returns: the word itself if it needs no quotes.
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

    /// Splits a line into words.
    ///
    /// - Parameter line: the line as typed into a shell.
    /// - Returns: the words; nil if a quote is not closed or the line ends with a backslash.
    public static func split(_ line: String) -> [String]? {
        var count: gint = 0
        var words: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        var failure: UnsafeMutablePointer<GError>?
        guard g_shell_parse_argv(line, &count, &words, &failure) != 0, let words else {
            defer { g_error_free(failure) }
            // A line without words is no error.
            let isEmpty = g_error_matches(failure, g_shell_error_quark(), Int32(G_SHELL_ERROR_EMPTY_STRING.rawValue))
            return isEmpty != 0 ? [] : nil
        }
        defer { g_strfreev(words) }
        return (0..<Int(count)).compactMap { words[$0].map { String(cString: $0) } }
    }
}
