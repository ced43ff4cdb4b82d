internal import StackFile
internal import VirtualMachines

/// The names of a container's files, units and devices within an OS VM.
package struct ContainerFiles: Sendable, Hashable {
    /// The container's name.
    package let container: String

    /// Derives the names from the container's name.
    ///
    /// - Parameter container: The container's name.
    package init(container: String) { self.container = container }

    /// The folder of all its files.
    package var directory: String { "/run/hyperfresh/containers/\(container)" }
    /// The mount point of its OCI bundle, a folder of the physical host (virtiofs).
    package var bundle: String { "\(directory)/bundle" }
    /// The bundle for runc, with the `config.json` for this OS VM.
    package var runtimeBundle: String { "\(directory)/oci" }
    /// A second mount of its root file system, on which CRIU restores it.
    package var root: String { "\(directory)/root" }
    /// The mount point of its image store; not always mounted.
    package var store: String { "\(directory)/store" }
    /// The file with the pid of its first process.
    package var pidFile: String { "\(directory)/pid" }
    /// The file that holds the name of the store's block device.
    package var deviceFile: String { "\(directory)/device" }
    /// The systemd unit that lives as long as its first process.
    package var unit: String { "hyperfresh-container-\(container).service" }
    /// Its control group, as in OCI's `cgroupsPath`.
    package var controlGroup: String { "/hyperfresh/\(container)" }
    /// The control group's folder.
    package var controlGroupFolder: String { "/sys/fs/cgroup\(controlGroup)" }
    /// Its network namespace, which remains between its runs.
    package var networkNamespace: String { "/run/netns/\(container)" }
    /// The end of its veth pair outside of the namespace, at most 15 characters.
    package var cable: String { InnerGuestFiles(guest: container).tap(0) }
    /// The port through which its standard output and error leave the OS VM.
    package var console: String { InnerGuestFiles(guest: container).console }
}
