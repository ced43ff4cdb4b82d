internal import StackFile
internal import VirtualMachines

/// The names by which a container's things are known within an OS VM.
public struct ContainerFiles: Sendable, Hashable {
    /// The container's name.
    public let container: String

    /// Makes the names.
    ///
    /// - Parameter container: The container's name.
    public init(container: String) { self.container = container }

    /// The folder of everything that belongs to it.
    public var directory: String { "/run/hyperfresh/containers/\(container)" }
    /// Where its OCI bundle, a folder of the hyperplexor, is mounted (virtiofs).
    public var bundle: String { "\(directory)/bundle" }
    /// What runc takes for its bundle: the `config.json` by which it is run here.
    public var runtimeBundle: String { "\(directory)/oci" }
    /// Its root file system once more, as the mount that CRIU restores it on.
    public var root: String { "\(directory)/root" }
    /// Where its image store is mounted, while it is.
    public var store: String { "\(directory)/store" }
    /// The file with the pid of its first process.
    public var pidFile: String { "\(directory)/pid" }
    /// The file that holds the name of the store's block device.
    public var deviceFile: String { "\(directory)/device" }
    /// The systemd unit that lives as long as its first process.
    public var unit: String { "hyperfresh-container-\(container).service" }
    /// The systemd unit that waits to dump it, and does.
    public var leavingUnit: String { "hyperfresh-leaving-\(container).service" }
    /// Its control group, as OCI writes it.
    public var controlGroup: String { "/hyperfresh/\(container)" }
    /// The control group's folder.
    public var controlGroupFolder: String { "/sys/fs/cgroup\(controlGroup)" }
    /// Its network namespace, which outlives each of its runs.
    public var networkNamespace: String { "/run/netns/\(container)" }
    /// The end of its network cable outside of it, 15 characters at most.
    public var cable: String { InnerGuestFiles(guest: container).tap(0) }
    /// Where what it writes to standard output and error leaves the OS VM.
    public var console: String { InnerGuestFiles(guest: container).console }
}
