/// The permanent name of a condition that prevents a handoff, or that an administrator should know.
///
/// The names are an interface: scripts match on them and docs/preflight.md has a section for each. A name never changes
/// its meaning; a condition that is no longer checked is no longer reported.
public struct FindingID: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    /// The name as printed, such as `ram-not-shared`.
    public let rawValue: String

    /// Creates an ID; does not check that such a finding exists.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The name as printed.
    public var description: String { rawValue }
}

// MARK: - Memory

extension FindingID {
    /// The guest's RAM is anonymous or mapped privately, so a second QEMU cannot map it.
    public static let ramNotShared = FindingID(rawValue: "ram-not-shared")
    /// The RAM is shared, but not a named file: QEMU would lose it or copy it over itself.
    public static let ramNotNamedFile = FindingID(rawValue: "ram-not-named-file")
    /// Users other than QEMU's own can open the RAM file.
    public static let ramFileTooOpen = FindingID(rawValue: "ram-file-too-open")
    /// `discard-data=on`: QEMU discards the RAM from the file when it exits.
    public static let ramDiscardData = FindingID(rawValue: "ram-discard-data")
    /// `prealloc=on`: a starting QEMU may write old bytes back over a running guest's.
    public static let ramPrealloc = FindingID(rawValue: "ram-prealloc")
    /// The new QEMU would clear or write shared memory at start, while the guest runs on it.
    public static let startChangesMemory = FindingID(rawValue: "start-changes-memory")
    /// The host has too little memory for a second QEMU next to the first.
    public static let noRoomMemory = FindingID(rawValue: "no-room-memory")
}

// MARK: - The old QEMU

extension FindingID {
    /// `query-migrate` lists reasons why this guest cannot migrate.
    public static let migrationBlocked = FindingID(rawValue: "migration-blocked")
    /// Another client is connected to the monitor.
    public static let monitorBusy = FindingID(rawValue: "monitor-busy")
    /// There is no QMP monitor on a unix socket.
    public static let monitorMissing = FindingID(rawValue: "monitor-missing")
    /// QEMU does not save the state of a device that the guest has.
    public static let deviceStateNotSaved = FindingID(rawValue: "device-state-not-saved")
    /// Devices that were added or changed after the start cannot be written as command-line options.
    public static let devicesNotOnCommandLine = FindingID(rawValue: "devices-not-on-command-line")
    /// The guest is in a state that cannot be handed over; for example, it has crashed or is being saved.
    public static let guestState = FindingID(rawValue: "guest-state")
    /// Another handoff of this guest is in progress.
    public static let refreshInProgress = FindingID(rawValue: "refresh-in-progress")
    /// The caller lacks a permission on the old process.
    public static let notPermitted = FindingID(rawValue: "not-permitted")
    /// AppArmor or SELinux confines the old process differently from us; the new process would be confined as we are.
    public static let confinementChanges = FindingID(rawValue: "confinement-changes")
    /// The new QEMU starts with our privileges, using a command line that the old process may have written itself.
    public static let rightsByCommandLine = FindingID(rawValue: "rights-by-command-line")
}

// MARK: - Containers

extension FindingID {
    /// A bundle uses a feature that cannot be moved: a namespace, a mount that leads outside, a terminal.
    public static let containerConfig = FindingID(rawValue: "container-config")
    /// `criu check` reports a problem with an OS VM's kernel.
    public static let criuCheck = FindingID(rawValue: "criu-check")
    /// CRIU in the new OS VM is older than in the old one.
    public static let criuOlder = FindingID(rawValue: "criu-older")
    /// A process of the container has something open that CRIU cannot restore.
    public static let containerDescriptor = FindingID(rawValue: "container-descriptor")
}

// MARK: - The new QEMU

extension FindingID {
    /// The new binary does not know the machine type, or the running versioned type cannot be determined.
    public static let machineTypeUnknown = FindingID(rawValue: "machine-type-unknown")
    /// The device states of the two binaries are incompatible.
    public static let vmstateIncompatible = FindingID(rawValue: "vmstate-incompatible")
    /// The CPU model is the host's own and may differ under another QEMU or kernel.
    public static let cpuTiedToHost = FindingID(rawValue: "cpu-tied-to-host")
    /// The new QEMU cannot use the accelerator that the guest runs on.
    public static let kvmUnusable = FindingID(rawValue: "kvm-unusable")
    /// The new binary is missing, is not QEMU, or does not start.
    public static let binaryUnusable = FindingID(rawValue: "binary-unusable")
    /// There is too little disk space for logs and the journal.
    public static let noRoomDisk = FindingID(rawValue: "no-room-disk")
}

// MARK: - The command line and its resources

extension FindingID {
    /// The recorded command line cannot be parsed as QEMU parses it.
    public static let commandLineUnreadable = FindingID(rawValue: "command-line-unreadable")
    /// An option cannot be carried over to the new QEMU.
    public static let optionUnsupported = FindingID(rawValue: "option-unsupported")
    /// A helper process serves only one QEMU: virtiofsd, a vhost-user back end, swtpm, passt.
    public static let helperCannotFollow = FindingID(rawValue: "helper-cannot-follow")
    /// A device of the host can belong to only one QEMU, such as a vhost-vsock context id.
    public static let deviceCannotFollow = FindingID(rawValue: "device-cannot-follow")
    /// A listening socket that QEMU does not let another process open or take over.
    public static let listenerCannotFollow = FindingID(rawValue: "listener-cannot-follow")
    /// A connected socket that two processes cannot share without losing bytes.
    public static let connectionCannotFollow = FindingID(rawValue: "connection-cannot-follow")
    /// The command line names a descriptor that does not exist in the old process.
    public static let descriptorMissing = FindingID(rawValue: "descriptor-missing")
    /// A socket's path is too long for the suffix of its temporary name.
    public static let socketPathTooLong = FindingID(rawValue: "socket-path-too-long")
    /// A name on the command line now refers to another file, or another process's socket, than when QEMU opened it.
    public static let nameLeadsElsewhere = FindingID(rawValue: "name-leads-elsewhere")
    /// Writes go to a temporary overlay that is private to the old QEMU.
    public static let snapshotMode = FindingID(rawValue: "snapshot-mode")
    /// The handoff loses something that the guest does not see: a scroll-back, a terminal's name, a connected viewer.
    public static let endpointChanges = FindingID(rawValue: "endpoint-changes")
    /// A tap with several queues, which a second QEMU would detach from the first.
    public static let multiQueueTap = FindingID(rawValue: "multi-queue-tap")
}

// MARK: - The host

extension FindingID {
    /// A service manager would start the guest a second time when the old QEMU exits.
    public static let supervisorRestarts = FindingID(rawValue: "supervisor-restarts")
    /// The kernel ends the guest's pid namespace, and the new QEMU in it, when the old QEMU exits.
    public static let pidNamespaceEnds = FindingID(rawValue: "pid-namespace-ends")
    /// A process waits for the old QEMU, or a program manages it, and may clean up after its exit.
    public static let parentActs = FindingID(rawValue: "parent-acts")
    /// The controller of a handoff died, and the handoff has not been recovered.
    public static let handoffUnfinished = FindingID(rawValue: "handoff-unfinished")
    /// Another QEMU has the guest's memory mapped.
    public static let memoryInUse = FindingID(rawValue: "memory-in-use")
    /// The directory in which handoffs are recorded is not usable.
    public static let stateFolderUnusable = FindingID(rawValue: "state-folder-unusable")
}

// MARK: - Host facilities for hypervisors

extension FindingID {
    /// KVM cannot run hypervisors that run guests (nesting); they are emulated.
    public static let nestingUnusable = FindingID(rawValue: "nesting-unusable")
    /// No huge pages are reserved and free.
    public static let hugePagesMissing = FindingID(rawValue: "huge-pages-missing")
    /// /dev/shm provides no transparent huge pages.
    public static let sharedHugePagesOff = FindingID(rawValue: "shmem-huge-pages-off")
    /// vhost is not usable, so the kernel cannot forward the packets of hypervisors' network cards.
    public static let vhostUnusable = FindingID(rawValue: "vhost-unusable")
    /// No device can be passed through to a hypervisor.
    public static let iommuUnusable = FindingID(rawValue: "iommu-unusable")
    /// Hypervisors cannot be connected to a bridge of the host.
    public static let bridgeUnusable = FindingID(rawValue: "bridge-unusable")
    /// There is little space for guests' memory files.
    public static let noRoomGuestMemory = FindingID(rawValue: "no-room-guest-memory")
    /// A program that containers in an OS VM require is missing.
    public static let containersUnusable = FindingID(rawValue: "containers-unusable")
}
