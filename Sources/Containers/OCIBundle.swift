package import JSON
package import StackFile

/// A container's OCI bundle: as it is on the physical host, and as runc runs it in an OS VM.
///
/// Source: the OCI runtime specification 1.0.2, config.md and config-linux.md.
package struct OCIBundle: Sendable {
    /// A property of a bundle that prevents relocation.
    package struct Obstacle: Sendable, Hashable {
        /// The property.
        package let message: String
        /// How to change it.
        package let remedy: String
    }

    /// The folder of the root file system, relative to the bundle: `rootfs`.
    package let rootFolder: String
    private let config: [String: JSONValue]

    /// Parses a bundle's `config.json`; `nil` without a process to run or a root file system within the bundle.
    ///
    /// - Parameter json: The file's contents.
    package init?(json: JSONValue) {
        guard let config = json.object, let root = config["root"]?["path"]?.string,
            config["process"]?["args"]?.array?.isEmpty == false
        else { return nil }
        let folders = root.split(separator: "/").filter { $0 != "." }
        guard !root.hasPrefix("/"), !folders.isEmpty, !folders.contains("..") else { return nil }
        rootFolder = folders.joined(separator: "/")
        self.config = config
    }

    /// The namespaces that CRIU needs to restore a process tree's ids and mounts.
    private static let needed = ["pid", "ipc", "uts", "mount"]
    /// The types of mounts whose contents the kernel provides, or CRIU keeps in its images.
    private static let movable: Set<String> = ["proc", "sysfs", "tmpfs", "devpts", "mqueue"]

    /// The properties that prevent relocation in any state of the container.
    package var obstacles: [Obstacle] {
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
                message: "the container has a \(kind) namespace, which cannot be moved",
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
                message: "the mount at \(target) (\(kind)) refers to something outside the container",
                remedy: "Copy the files that it needs into the bundle's root file system.")
        }
    }

    private var ioObstacles: [Obstacle] {
        guard config["process"]?["terminal"]?.bool == true else { return [] }
        return [
            Obstacle(
                message: "the container needs a terminal",
                remedy: "Set process.terminal to false: its output goes to its console log.")
        ]
    }

    /// Returns the `config.json` with which runc runs the container in an OS VM.
    ///
    /// It is the bundle's own, except for the parts that depend on the place: root file system, network namespace,
    /// control group, and memory limit.
    ///
    /// - Parameter spec: The container as the stack file describes it.
    /// - Returns: The file's contents.
    package func runtimeConfig(of spec: ContainerSpec) -> JSONValue {
        let files = ContainerFiles(container: spec.name)
        var config = config
        var root = config["root"]?.object ?? [:]
        // In the OS VM the bundle is mounted at this one path.
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
