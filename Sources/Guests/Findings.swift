/// The lasting name of something that stands in the way of a refresh, or that an administrator should know.
///
/// The names are part of the product's interface: scripts match on them and docs/preflight.md has a section for each.
/// A name never changes its meaning; what is no longer found is no longer reported.
public struct FindingID: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    /// The name as printed, such as `ram-not-shared`.
    public let rawValue: String

    /// Makes the finding with this name.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The name as printed.
    public var description: String { rawValue }
}

// MARK: - Memory

extension FindingID {
    /// The guest's RAM is anonymous or mapped privately: no second QEMU can map it.
    public static let ramNotShared = FindingID(rawValue: "ram-not-shared")
    /// The RAM is shared, but not a named file: QEMU would lose it or copy it over itself.
    public static let ramNotNamedFile = FindingID(rawValue: "ram-not-named-file")
    /// Somebody else than QEMU's user can open the RAM file.
    public static let ramFileTooOpen = FindingID(rawValue: "ram-file-too-open")
    /// `discard-data=on`: a QEMU that exits punches the RAM out of the file.
    public static let ramDiscardData = FindingID(rawValue: "ram-discard-data")
    /// `prealloc=on`: a QEMU that starts may write old bytes back over a live guest's.
    public static let ramPrealloc = FindingID(rawValue: "ram-prealloc")
    /// The new QEMU would empty or write shared memory when it starts, under the guest that runs.
    public static let startChangesMemory = FindingID(rawValue: "start-changes-memory")
    /// The host has too little memory for a second QEMU beside the first.
    public static let noRoomMemory = FindingID(rawValue: "no-room-memory")
}

// MARK: - The old QEMU

extension FindingID {
    /// `query-migrate` names reasons why this guest cannot migrate.
    public static let migrationBlocked = FindingID(rawValue: "migration-blocked")
    /// Another client holds the monitor.
    public static let monitorBusy = FindingID(rawValue: "monitor-busy")
    /// There is no QMP monitor on a unix socket.
    public static let monitorMissing = FindingID(rawValue: "monitor-missing")
    /// QEMU does not save the state of a device that the guest has.
    public static let deviceStateNotSaved = FindingID(rawValue: "device-state-not-saved")
    /// What runs was added or changed after the start and cannot be put on a command line.
    public static let devicesNotOnCommandLine = FindingID(rawValue: "devices-not-on-command-line")
    /// The guest is in a state that cannot be handed over, such as it has crashed or is being saved.
    public static let guestState = FindingID(rawValue: "guest-state")
    /// Another refresh of this guest is under way.
    public static let refreshInProgress = FindingID(rawValue: "refresh-in-progress")
    /// The caller lacks a right over the old process.
    public static let notPermitted = FindingID(rawValue: "not-permitted")
    /// AppArmor or SELinux confines the old process otherwise than us, and with us the new one.
    public static let confinementChanges = FindingID(rawValue: "confinement-changes")
    /// The new QEMU begins with our rights, by a command line that the old process may have written itself.
    public static let rightsByCommandLine = FindingID(rawValue: "rights-by-command-line")
}

// MARK: - Containers

extension FindingID {
    /// A bundle asks for what is not moved: a namespace, a mount that leads out, a terminal.
    public static let containerConfig = FindingID(rawValue: "container-config")
    /// `criu check` complains of an OS VM's kernel.
    public static let criuCheck = FindingID(rawValue: "criu-check")
    /// CRIU in the new OS VM is older than in the old one.
    public static let criuOlder = FindingID(rawValue: "criu-older")
    /// A process of the container has something open that CRIU does not make again.
    public static let containerDescriptor = FindingID(rawValue: "container-descriptor")
}

// MARK: - The new QEMU

extension FindingID {
    /// The new binary does not know the machine type, or it cannot be told which versioned type runs.
    public static let machineTypeUnknown = FindingID(rawValue: "machine-type-unknown")
    /// The device state of the two binaries does not fit together.
    public static let vmstateIncompatible = FindingID(rawValue: "vmstate-incompatible")
    /// The CPU model is the host's own and may differ under another QEMU or kernel.
    public static let cpuTiedToHost = FindingID(rawValue: "cpu-tied-to-host")
    /// The accelerator that the guest runs on cannot be used by the new QEMU.
    public static let kvmUnusable = FindingID(rawValue: "kvm-unusable")
    /// The new binary is missing, is not QEMU, or does not start.
    public static let binaryUnusable = FindingID(rawValue: "binary-unusable")
    /// There is too little room for logs and the journal.
    public static let noRoomDisk = FindingID(rawValue: "no-room-disk")
}

// MARK: - The command line and what hangs on it

extension FindingID {
    /// The recorded command line cannot be read as QEMU reads it.
    public static let commandLineUnreadable = FindingID(rawValue: "command-line-unreadable")
    /// An option cannot be carried over to the new QEMU.
    public static let optionUnsupported = FindingID(rawValue: "option-unsupported")
    /// A helper process serves one QEMU only: virtiofsd, a vhost-user back end, swtpm, passt.
    public static let helperCannotFollow = FindingID(rawValue: "helper-cannot-follow")
    /// A device of the host belongs to one QEMU only, such as a vhost-vsock context id.
    public static let deviceCannotFollow = FindingID(rawValue: "device-cannot-follow")
    /// A listening socket that QEMU does not let another process open or take over.
    public static let listenerCannotFollow = FindingID(rawValue: "listener-cannot-follow")
    /// A connected socket that cannot be shared by two processes without losing bytes.
    public static let connectionCannotFollow = FindingID(rawValue: "connection-cannot-follow")
    /// The command line names a descriptor that cannot be found in the old process.
    public static let descriptorMissing = FindingID(rawValue: "descriptor-missing")
    /// A socket's path leaves no room for the suffix of its temporary name.
    public static let socketPathTooLong = FindingID(rawValue: "socket-path-too-long")
    /// A name of the command line leads to another file, or another process's socket, than when QEMU took it.
    public static let nameLeadsElsewhere = FindingID(rawValue: "name-leads-elsewhere")
    /// Writes go to a temporary overlay that is private to the old QEMU.
    public static let snapshotMode = FindingID(rawValue: "snapshot-mode")
    /// Something is lost that the guest does not see: a scroll-back, a terminal's name, a connected viewer.
    public static let endpointChanges = FindingID(rawValue: "endpoint-changes")
    /// A tap with several queues, which a second QEMU would detach from under the first.
    public static let multiQueueTap = FindingID(rawValue: "multi-queue-tap")
}

// MARK: - The host

extension FindingID {
    /// A service manager would start the guest a second time once its old QEMU is retired.
    public static let supervisorRestarts = FindingID(rawValue: "supervisor-restarts")
    /// The kernel ends the guest's pid namespace, with the new QEMU in it, once the old one has ended.
    public static let pidNamespaceEnds = FindingID(rawValue: "pid-namespace-ends")
    /// A process waits for the old QEMU, or a program looks after it, and may clean up after it.
    public static let parentActs = FindingID(rawValue: "parent-acts")
    /// A handoff whose controller died has not been brought to its end.
    public static let handoffUnfinished = FindingID(rawValue: "handoff-unfinished")
    /// Another QEMU has the guest's memory mapped.
    public static let memoryInUse = FindingID(rawValue: "memory-in-use")
    /// The folder in which handoffs are recorded cannot be used.
    public static let stateFolderUnusable = FindingID(rawValue: "state-folder-unusable")
}

// MARK: - What the host offers hypervisors

extension FindingID {
    /// KVM cannot run hypervisors that run guests: they are emulated.
    public static let nestingUnusable = FindingID(rawValue: "nesting-unusable")
    /// No huge pages are set aside and free.
    public static let hugePagesMissing = FindingID(rawValue: "huge-pages-missing")
    /// /dev/shm gives out no transparent huge pages.
    public static let sharedHugePagesOff = FindingID(rawValue: "shmem-huge-pages-off")
    /// The kernel cannot move the packets of hypervisors' cards.
    public static let vhostUnusable = FindingID(rawValue: "vhost-unusable")
    /// No device can be passed to a hypervisor.
    public static let iommuUnusable = FindingID(rawValue: "iommu-unusable")
    /// Hypervisors cannot be put on a bridge of the host.
    public static let bridgeUnusable = FindingID(rawValue: "bridge-unusable")
    /// There is little room for guests' memory files.
    public static let noRoomGuestMemory = FindingID(rawValue: "no-room-guest-memory")
    /// A program is missing without which no container runs in an OS VM.
    public static let containersUnusable = FindingID(rawValue: "containers-unusable")
}
