/// QEMU's options: whether they take an argument, and how QEMU parses it.
///
/// From qemu-options.hx of QEMU 7.2 and 10.0. Options removed since 4.0 are kept because a QEMU of that age may be
/// running; `-id`, which Proxmox adds, is included.
package enum OptionTable {
    /// How QEMU parses an option's argument.
    package enum Syntax: Hashable {
        /// The option takes no argument.
        case flag
        /// The argument is plain text.
        case text
        /// The argument describes a character device in the short form (`unix:PATH,server`, `tcp:…`, `stdio`, …).
        case character
        /// The argument is a list of key=value pairs; the first may lack its key, and `json` allows `{…}` too.
        case properties(impliedKey: String?, json: Bool)
    }

    /// Returns how QEMU parses the option's argument; `.text` for a positional disk image and for unknown options.
    package static func syntax(of name: String) -> Syntax {
        table[canonicalName(name)] ?? .text
    }

    /// Returns whether any QEMU since 4.0 knows the option.
    package static func knows(_ name: String) -> Bool {
        table[canonicalName(name)] != nil
    }

    /// Returns the name under which the table lists an option to which QEMU gives two names.
    package static func canonicalName(_ name: String) -> String {
        switch name {
        case "M": "machine"
        case "h": "help"
        default: name
        }
    }

    private static let table: [String: Syntax] = {
        var table: [String: Syntax] = [:]
        for name in flags { table[name] = .flag }
        for name in texts { table[name] = .text }
        for name in characters { table[name] = .character }
        for (name, impliedKey) in lists { table[name] = .properties(impliedKey: impliedKey, json: false) }
        for (name, impliedKey) in listsOrJSON { table[name] = .properties(impliedKey: impliedKey, json: true) }
        return table
    }()

    private static let flags = [
        "S", "async-teardown", "audio-help", "daemonize", "enable-fips", "enable-kvm", "enable-sync-profile",
        "full-screen", "help", "jitdump", "mem-prealloc", "no-acpi", "no-fd-bootchk", "no-hpet", "no-kvm", "no-quit",
        "no-reboot", "no-shutdown", "no-user-config", "nodefaults", "nographic", "old-param",
        "only-migratable", "perfmap", "portrait", "preconfig", "s", "semihosting", "singlestep", "snapshot", "usb",
        "version", "win2k-hack", "xen-attach", "xen-domid-restrict", "alt-grab", "ctrl-grab", "curses",
        "sdl", "show-cursor",
    ]

    private static let texts = [
        "D", "L", "append", "bios", "cdrom", "chroot", "cpu", "d", "dfilter", "dtb", "dump-vmstate", "echr",
        "fda", "fdb", "g", "hda", "hdb", "hdc", "hdd", "incoming", "id", "initrd", "k", "kernel", "loadvm", "mem-path",
        "mtdblock", "pflash", "pidfile", "prom-env", "qtest", "qtest-log", "readconfig", "realtime", "rotate", "runas",
        "sd", "seed", "set", "shim", "soundhw", "tb-size", "usbdevice", "uuid", "vga", "watchdog",
        "watchdog-action", "writeconfig", "xen-domid", "global",
    ]

    private static let characters = ["debugcon", "gdb", "monitor", "parallel", "qmp", "qmp-pretty", "serial"]

    private static let lists: [(String, String?)] = [
        ("accel", "accel"), ("acpitable", "sig"), ("action", nil), ("add-fd", nil), ("audio", "driver"),
        ("boot", "order"), ("chardev", "backend"), ("drive", nil), ("fsdev", "fsdriver"), ("fw_cfg", "name"),
        ("icount", "shift"), ("iscsi", nil), ("m", "size"), ("machine", "type"), ("mon", "chardev"), ("msg", nil),
        ("name", "guest"), ("net", "type"), ("nic", "type"), ("numa", "type"), ("option-rom", "romfile"),
        ("overcommit", nil), ("plugin", "file"), ("rtc", nil), ("run-with", nil), ("sandbox", "enable"),
        ("semihosting-config", nil), ("smbios", nil), ("smp", "cpus"), ("spice", nil), ("tpmdev", "type"),
        ("trace", "enable"), ("virtfs", "fsdriver"), ("vnc", "vnc"),
    ]

    private static let listsOrJSON: [(String, String?)] = [
        ("audiodev", "driver"), ("blockdev", "driver"), ("compat", nil), ("device", "driver"), ("display", "type"),
        ("netdev", "type"), ("object", "qom-type"),
    ]
}
