internal import QEMUCommandLine

extension LaunchPlanner {
    /// Plans `-pidfile`.
    mutating func pidFile(_ option: CommandLineOption) -> CommandLineOption {
        guard let path = option.value else { return option }
        addEndpoint(.pidFile, path)
        return CommandLineOption("pidfile", LastingPath.temporary(path, handoffID: handoffID), form: option.form)
    }

    /// Plans `-D`: QEMU truncates its log when it opens it, so the log goes to standard error instead.
    ///
    /// A name with `%d` contains the process id, so the new QEMU creates a new file in any case.
    mutating func logFile(_ option: CommandLineOption) -> [CommandLineOption] {
        guard let path = option.value, !path.contains("%") else { return [option] }
        logPath = path
        return []
    }

    /// Translates an option that another version of QEMU spells differently, or lacks.
    mutating func translated(_ option: CommandLineOption) -> [CommandLineOption] {
        switch option.name {
        case "runas" where target.version >= .runWithUser:
            return [CommandLineOption("run-with", properties: OptionProperties([("user", option.value ?? "")]))]
        case "chroot" where target.version >= .runWithChroot:
            return [CommandLineOption("run-with", properties: OptionProperties([("chroot", option.value ?? "")]))]
        case "async-teardown" where target.version >= .runWithChroot:
            return [CommandLineOption("run-with", "async-teardown=on")]
        case "run-with":
            return runWith(option)
        case "no-hpet" where target.version >= .machineSwitches:
            return [CommandLineOption("machine", "hpet=off")]
        case "no-acpi" where target.version >= .machineSwitches:
            return [CommandLineOption("machine", "acpi=off")]
        default:
            refuseIfGone(option)
            return [option]
        }
    }

    /// Translates `-run-with` for a QEMU that does not have it, or not all of it.
    private func runWith(_ option: CommandLineOption) -> [CommandLineOption] {
        guard var properties = option.properties else { return [option] }
        var options: [CommandLineOption] = []
        if target.version < .runWithUser, let user = properties["user"] {
            options.append(CommandLineOption("runas", user))
            properties.remove("user")
        }
        if target.version < .runWithChroot {
            if let folder = properties["chroot"] { options.append(CommandLineOption("chroot", folder)) }
            if properties.flag("async-teardown") == true { options.append(CommandLineOption("async-teardown")) }
            properties.remove("chroot", "async-teardown")
        }
        return properties.text.isEmpty ? options : [option.with(properties)] + options
    }

    /// Translates `reconnect-ms` for a QEMU that counts in seconds.
    func translateReconnect(_ properties: inout OptionProperties) {
        guard target.version < .reconnectMilliseconds, let text = properties["reconnect-ms"],
            let milliseconds = Int(text)
        else { return }
        properties.remove("reconnect-ms")
        properties.set("reconnect", String(max(1, milliseconds / 1000)))
    }

    /// Refuses an option that the new binary is known to lack and that has no equivalent.
    private mutating func refuseIfGone(_ option: CommandLineOption) {
        guard let removed = LaunchPlanner.removals[option.name], target.version >= removed else { return }
        refuse(
            .optionUnsupported,
            option,
            "QEMU \(target.version) does not have this option; QEMU \(removed) removed it.",
            remedy: "Choose a binary older than \(removed)."
        )
    }

    /// The version that removed an option (docs/about/removed-features.rst of QEMU 10.0).
    private static let removals: [String: QEMUBinary.Version] = [
        "no-kvm": .init(5, 2), "realtime": .init(6, 0), "show-cursor": .init(6, 0), "tb-size": .init(6, 0),
        "no-quit": .init(7, 0), "enable-fips": .init(7, 1), "writeconfig": .init(7, 1), "alt-grab": .init(7, 1),
        "ctrl-grab": .init(7, 1), "sdl": .init(7, 1), "curses": .init(7, 1), "soundhw": .init(7, 1),
        "watchdog": .init(7, 2), "audio-help": .init(8, 2), "singlestep": .init(9, 0), "portrait": .init(9, 2),
        "rotate": .init(9, 2),
    ]
}

extension QEMUBinary.Version {
    /// `-run-with async-teardown=` and `chroot=`.
    static let runWithChroot = QEMUBinary.Version(8, 1)
    /// `reconnect-ms=` in addition to `reconnect=`.
    static let reconnectMilliseconds = QEMUBinary.Version(9, 2)
    /// `-run-with user=`.
    static let runWithUser = QEMUBinary.Version(9, 1)
    /// Properties of the machine replaced `-no-hpet` and `-no-acpi`.
    static let machineSwitches = QEMUBinary.Version(9, 0)
}
