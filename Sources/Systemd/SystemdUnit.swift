internal import CGLib

/// The properties of a process's unit that decide what systemd does when the process ends.
package struct SystemdUnit: Sendable, Hashable {
    /// Its name: `qemu@web.service`, `session-3.scope`.
    package let name: String

    /// Its slice: `system.slice`.
    package let slice: String

    /// Its control group: `/system.slice/qemu@web.service`.
    package let controlGroup: String

    /// The main process, whose exit ends the service; nil if the unit has none.
    package let mainPID: Int32?

    /// The value of `Restart=`: `no`, `always`, `on-failure`, ...; nil for units that are no services.
    package let restart: String?

    /// The programs that systemd runs after the service has ended (`ExecStopPost=`).
    package internal(set) var stopPrograms: [String] = []

    /// The folders that systemd removes after the service has ended: /run/NAME for `RuntimeDirectory=NAME`.
    package internal(set) var passingFolders: [String] = []

    /// Returns whether the service ends when this process is killed.
    ///
    /// - Parameters:
    ///   - pid: the process to be killed.
    ///   - ancestors: its parent, grandparent, and so on: a main process that waits for it may exit with it.
    /// - Returns: false for a unit without a main process.
    package func ends(whenKilled pid: Int32, ancestors: [Int32] = []) -> Bool {
        mainPID.map { $0 == pid || ancestors.contains($0) } ?? false
    }

    /// Returns whether systemd restarts the service when this process is killed, which would start a second QEMU on the
    /// same disks.
    ///
    /// - Parameters:
    ///   - pid: the process to be killed.
    ///   - ancestors: its parent, grandparent, and so on.
    /// - Returns: false if the service does not end with it, or is not restarted after an unclean signal.
    package func restarts(whenKilled pid: Int32, ancestors: [Int32] = []) -> Bool {
        guard ends(whenKilled: pid, ancestors: ancestors), let restart else { return false }
        // systemd.service(5), table of Restart=: SIGKILL is an unclean signal. But a main process that waits for the
        // killed one may exit with any status.
        return restart != "no" && (restart != "on-success" || mainPID != pid)
    }
}

/// The settings of systemd.resource-control(5) to copy when a process moves to another unit.
enum ResourceControl {
    /// Setting names with their D-Bus types.
    private static let settings = [
        "CPUWeight": "t", "StartupCPUWeight": "t", "CPUQuotaPerSecUSec": "t", "CPUQuotaPeriodUSec": "t",
        "AllowedCPUs": "ay", "AllowedMemoryNodes": "ay",
        "MemoryMin": "t", "MemoryLow": "t", "MemoryHigh": "t", "MemoryMax": "t", "MemorySwapMax": "t",
        "TasksMax": "t",
        "IOWeight": "t", "IODeviceWeight": "a(st)", "IOReadBandwidthMax": "a(st)", "IOWriteBandwidthMax": "a(st)",
        "IOReadIOPSMax": "a(st)", "IOWriteIOPSMax": "a(st)",
        "DevicePolicy": "s", "DeviceAllow": "a(ss)",
    ]

    /// Returns the settings that differ from systemd's defaults.
    ///
    /// The default of TasksMax depends on the host, so it is always included.
    static func worthCopying(_ properties: [String: Variant]) -> [(String, Variant)] {
        settings.keys.sorted().compactMap { name in
            guard let value = properties[name], value.type == settings[name] else { return nil }
            let isStandard =
                switch value.type {
                case "t": name != "TasksMax" && (value.number == .max || value.number == 0)
                case "s": value.text == "auto"
                default: value.children.isEmpty
                }
            return isStandard ? nil : (name, value)
        }
    }
}

/// Splits and joins command lines by POSIX shell rules, without expansions.
package enum ShellWords {
    /// Joins words to a line that can be pasted into a shell.
    ///
    /// - Parameter words: the words that the shell should see.
    /// - Returns: the words, quoted where necessary.
    package static func join(_ words: [String]) -> String {
        words.map(quote).joined(separator: " ")
    }

    /// Quotes one word for a shell.
    ///
    /// - Parameter word: the word, without a zero byte.
    /// - Returns: the word itself if it needs no quotes.
    package static func quote(_ word: String) -> String {
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
    package static func split(_ line: String) -> [String]? {
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
