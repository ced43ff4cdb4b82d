internal import Linux
internal import QEMUCommandLine

/// The facts about a guest that its command line states, before any query.
struct CommandLineSurvey: Hashable {
    /// Where a QMP monitor listens.
    enum Monitor: Hashable {
        /// A unix socket at this path, which may be relative.
        case path(String)
        /// A listening socket that QEMU received as a file descriptor.
        case descriptor(Int32)
    }

    /// `-name guest=`.
    let name: String?
    /// `-uuid`.
    let uuid: String?
    /// The QMP monitors that listen on unix sockets, in order.
    let monitors: [Monitor]
    /// The guest's memory backends.
    let memoryBackends: [MemoryBackendOption]
    /// The accelerators in the order in which QEMU tries them.
    let accelerators: [String]
    /// Whether QEMU was started to wait for incoming state (`-incoming`).
    let waitsForState: Bool

    init(_ line: CommandLine) {
        name = line.options(named: "name").compactMap { $0.properties?["guest"] }.last { !$0.isEmpty }
        uuid = line.options(named: "uuid").last?.value
        monitors = Self.monitors(line)
        memoryBackends = Self.memoryBackends(line)
        accelerators = Self.accelerators(line)
        waitsForState = line.contains("incoming")
    }
}

// MARK: - Monitors

extension CommandLineSurvey {
    private static func monitors(_ line: CommandLine) -> [Monitor] {
        var servers: [String: Monitor] = [:]
        for option in line.options(named: "chardev") {
            guard let properties = option.properties, let id = properties["id"] else { continue }
            servers[id] = server(properties)
        }
        var found: [Monitor] = []
        for option in line.options {
            switch option.name {
            case "qmp", "qmp-pretty":
                if let monitor = shortForm(option.value ?? "", servers: servers) { found.append(monitor) }
            case "mon":
                guard let properties = option.properties, properties["mode"] == "control" else { continue }
                if let monitor = properties["chardev"].flatMap({ servers[$0] }) { found.append(monitor) }
            default: continue
            }
        }
        return found
    }

    /// Returns the unix socket of a `-chardev` that listens.
    private static func server(_ properties: OptionProperties) -> Monitor? {
        guard properties["backend"] == "socket" else { return nil }
        if let number = properties["fd"].flatMap({ Int32($0) }) { return .descriptor(number) }
        guard properties.flag("server") == true, properties.flag("abstract") != true else { return nil }
        return properties["path"].map { .path($0) }
    }

    /// Parses `-qmp unix:PATH,server=on,wait=off` and `-qmp chardev:ID`.
    private static func shortForm(_ text: String, servers: [String: Monitor]) -> Monitor? {
        if text.hasPrefix("chardev:") { return servers[String(text.dropFirst("chardev:".count))] }
        guard text.hasPrefix("unix:") else { return nil }
        let properties = OptionProperties(
            parsing: String(text.dropFirst("unix:".count)), impliedKey: "path", allowsJSON: false)
        guard properties.flag("server") == true, properties.flag("abstract") != true else { return nil }
        return properties["path"].map { .path($0) }
    }
}

// MARK: - Memory and accelerator

extension CommandLineSurvey {
    private static func memoryBackends(_ line: CommandLine) -> [MemoryBackendOption] {
        var backends = line.options(named: "object").compactMap { $0.properties.flatMap(backend) }
        let namesBackend =
            line.options(named: "machine").contains { $0.properties?["memory-backend"] != nil }
            || line.options(named: "numa").contains { $0.properties?["memdev"] != nil }
        if namesBackend { return backends }
        let path = line.options(named: "mem-path").last?.value
        backends.insert(
            MemoryBackendOption(
                type: path == nil ? nil : "memory-backend-file", id: nil, path: path,
                preallocates: line.contains("mem-prealloc")),
            at: 0)
        return backends
    }

    private static func backend(_ properties: OptionProperties) -> MemoryBackendOption? {
        guard let type = properties["qom-type"], type.hasPrefix("memory-backend-") else { return nil }
        return MemoryBackendOption(
            type: type, id: properties["id"], path: properties["mem-path"], size: properties["size"],
            isShared: properties.flag("share") ?? (type == "memory-backend-memfd"),
            preallocates: properties.flag("prealloc") ?? false,
            discardsData: properties.flag("discard-data") ?? false)
    }

    private static func accelerators(_ line: CommandLine) -> [String] {
        let given = line.options(named: "accel").compactMap { $0.properties?["accel"] }
        if !given.isEmpty { return given }
        if line.contains("enable-kvm") { return ["kvm"] }
        if let list = line.options(named: "machine").compactMap({ $0.properties?["accel"] }).last {
            return list.split(separator: ":").map(String.init)
        }
        // A QEMU binary whose name ends in "kvm" prefers KVM.
        return Paths.name(of: line.executable).hasSuffix("kvm") ? ["kvm", "tcg"] : ["tcg"]
    }
}

/// A memory backend of a guest, as on the command line.
package struct MemoryBackendOption: Sendable, Hashable {
    /// The QOM type.
    ///
    /// `memory-backend-file`, `memory-backend-memfd`, `memory-backend-ram`; nil if QEMU chooses anonymous memory
    /// because only `-m` is given.
    package var type: String?
    /// The backend's id; nil without `-object`.
    package var id: String?
    /// The path as given (`mem-path`); it may be relative, or a directory in which QEMU creates an unlinked file.
    package var path: String?
    /// The size as given, such as `4G`; nil if only `-m` gives it.
    package var size: String?
    /// `share`: whether the guest's writes reach the file.
    ///
    /// Off by default, except for memfd.
    package var isShared: Bool
    /// `prealloc`.
    package var preallocates: Bool
    /// `discard-data`.
    package var discardsData: Bool

    /// Creates a description; the default flags are QEMU's for `memory-backend-file`.
    package init(
        type: String?, id: String?, path: String? = nil, size: String? = nil, isShared: Bool = false,
        preallocates: Bool = false, discardsData: Bool = false
    ) {
        self.type = type
        self.id = id
        self.path = path
        self.size = size
        self.isShared = isShared
        self.preallocates = preallocates
        self.discardsData = discardsData
    }
}
