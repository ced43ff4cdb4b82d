public import JSON
public import StackFile

/// A container's OCI bundle as the hyperplexor has it, and as runc runs it in an OS VM.
///
/// Source: the OCI runtime specification 1.0.2, config.md and config-linux.md.
public struct OCIBundle: Sendable {
    /// Something in a bundle with which it cannot be relocated.
    public struct Obstacle: Sendable, Hashable {
        /// What it is.
        public let message: String
        /// What to do about it.
        public let remedy: String
    }

    /// The folder of the root file system, seen from the bundle's: `rootfs`.
    public let rootFolder: String
    private let config: [String: JSONValue]

    /// Reads a bundle's `config.json`; `nil` where it has nothing to run, or no root file system within the bundle.
    ///
    /// - Parameter json: The file's content.
    public init?(json: JSONValue) {
        guard let config = json.object, let root = config["root"]?["path"]?.string,
            config["process"]?["args"]?.array?.isEmpty == false
        else { return nil }
        let folders = root.split(separator: "/").filter { $0 != "." }
        guard !root.hasPrefix("/"), !folders.isEmpty, !folders.contains("..") else { return nil }
        rootFolder = folders.joined(separator: "/")
        self.config = config
    }

    /// The namespaces without which CRIU cannot give a process tree back its ids and mounts.
    private static let needed = ["pid", "ipc", "uts", "mount"]
    /// Kinds of mounts whose content is the kernel's, or goes along in the images.
    private static let movable: Set<String> = ["proc", "sysfs", "tmpfs", "devpts", "mqueue"]

    /// What keeps the container from being relocated, whatever it does.
    public var obstacles: [Obstacle] {
        namespaceObstacles + mountObstacles + ioObstacles
    }

    private var namespaceObstacles: [Obstacle] {
        let kinds = Set((config["linux"]?["namespaces"]?.array ?? []).compactMap { $0["type"]?.string })
        let missing = Self.needed.filter { !kinds.contains($0) }.map { kind in
            Obstacle(
                message: "the container has no \(kind) namespace of its own",
                remedy: "Add {\"type\": \"\(kind)\"} to linux.namespaces of its config.json.")
        }
        let foreign = ["user", "cgroup", "time"].filter(kinds.contains).map { kind in
            Obstacle(
                message: "the container has a \(kind) namespace, which is not moved",
                remedy: "Remove it from linux.namespaces of its config.json.")
        }
        return missing + foreign
    }

    private var mountObstacles: [Obstacle] {
        (config["mounts"]?.array ?? []).compactMap { mount in
            let kind = mount["type"]?.string ?? "bind"
            guard !Self.movable.contains(kind) else { return nil }
            let target = mount["destination"]?.string ?? "?"
            return Obstacle(
                message: "the mount at \(target) (\(kind)) leads out of the container",
                remedy: "Put what it needs into the bundle's root file system.")
        }
    }

    private var ioObstacles: [Obstacle] {
        guard config["process"]?["terminal"]?.bool == true else { return [] }
        return [
            Obstacle(
                message: "the container wants a terminal",
                remedy: "Set process.terminal to false: what it writes goes to its console log.")
        ]
    }

    /// The `config.json` by which runc runs the container in an OS VM.
    ///
    /// The bundle's own, but for what depends on the place: root file system, network namespace, control group, and the
    /// limit of its memory.
    ///
    /// - Parameter spec: The container as the stack file describes it.
    /// - Returns: The content.
    public func runtimeConfig(of spec: ContainerSpec) -> JSONValue {
        let files = ContainerFiles(container: spec.name)
        var config = config
        var root = config["root"]?.object ?? [:]
        // The bundle's root is reached by the one path at which it is mounted.
        root["path"] = .string("\(files.bundle)/\(rootFolder)")
        config["root"] = .object(root)
        var linux = config["linux"]?.object ?? [:]
        let namespaces = (linux["namespaces"]?.array ?? []).filter { $0["type"]?.string != "network" }
        linux["namespaces"] = .array(
            namespaces + [["type": "network", "path": .string(files.networkNamespace)]])
        linux["cgroupsPath"] = .string(files.controlGroup)
        var resources = linux["resources"]?.object ?? [:]
        var memory = resources["memory"]?.object ?? [:]
        memory["limit"] = JSONValue(spec.memory)
        resources["memory"] = .object(memory)
        linux["resources"] = .object(resources)
        config["linux"] = .object(linux)
        return .object(config)
    }
}
