internal import StackFile
internal import VirtualMachines

/// The names of a container's files, units and devices within an OS VM.
public struct ContainerFiles: Sendable, Hashable {
    /// The container's name.
    public let container: String

    /// Derives the names from the container's name.
    ///
    /// - Parameter container: The container's name.
    public init(container: String) { self.container = container }

    /// The folder of all its files.
    public var directory: String { "/run/hyperfresh/containers/\(container)" }
    /// The mount point of its OCI bundle, a folder of the physical host (virtiofs).
    public var bundle: String { "\(directory)/bundle" }
    /// The bundle for runc, with the `config.json` for this OS VM.
    public var runtimeBundle: String { "\(directory)/oci" }
    /// A second mount of its root file system, on which CRIU restores it.
    public var root: String { "\(directory)/root" }
    /// The mount point of its image store; not always mounted.
    public var store: String { "\(directory)/store" }
    /// The file with the pid of its first process.
    public var pidFile: String { "\(directory)/pid" }
    /// The file that holds the name of the store's block device.
    public var deviceFile: String { "\(directory)/device" }
    /// The systemd unit that lives as long as its first process.
    public var unit: String { "hyperfresh-container-\(container).service" }
    /// The systemd unit that waits for the switch and then dumps it.
    public var leavingUnit: String { "hyperfresh-leaving-\(container).service" }
    /// Its control group, as in OCI's `cgroupsPath`.
    public var controlGroup: String { "/hyperfresh/\(container)" }
    /// The control group's folder.
    public var controlGroupFolder: String { "/sys/fs/cgroup\(controlGroup)" }
    /// Its network namespace, which remains between its runs.
    public var networkNamespace: String { "/run/netns/\(container)" }
    /// The end of its veth pair outside of the namespace, at most 15 characters.
    public var cable: String { InnerGuestFiles(guest: container).tap(0) }
    /// The port through which its standard output and error leave the OS VM.
    public var console: String { InnerGuestFiles(guest: container).console }
}
