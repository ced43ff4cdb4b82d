public import QMP

/// A guest as its QEMU reports it.
public struct GuestDescription: Sendable, Hashable {
    /// A device that was given on the command line or added later.
    public struct Peripheral: Sendable, Hashable {
        /// Its path in QEMU's object tree: `/machine/peripheral/ID`, or `/machine/peripheral-anon/device[N]`.
        public var path: String
        /// Its type, such as `virtio-blk-pci`.
        public var type: String
        /// The path of its bus in the object tree; nil for a CPU or a DIMM.
        public var bus: String?
        /// Its address on a PCI bus: eight times the slot, plus the function; nil on any other bus.
        public var address: Int?
        /// A network card's MAC address; nil for any other device.
        public var hardwareAddress: String?

        /// Creates the description of a device; nil means that the device has no such property.
        ///
        /// - Parameters:
        ///   - path: its path in the object tree.
        ///   - type: its type.
        ///   - bus: the path of its bus.
        ///   - address: its address on a PCI bus.
        ///   - hardwareAddress: a network card's MAC address.
        public init(
            path: String, type: String, bus: String? = nil, address: Int? = nil, hardwareAddress: String? = nil
        ) {
            self.path = path
            self.type = type
            self.bus = bus
            self.address = address
            self.hardwareAddress = hardwareAddress
        }

        /// Its id; nil if it was created without one.
        public var id: String? {
            let folder = "/machine/peripheral/"
            return path.hasPrefix(folder) ? String(path.dropFirst(folder.count)) : nil
        }
    }

    /// The run state, which tells why its vCPUs run or not.
    public var runState: RunState
    /// Whether its vCPUs run.
    public var isRunning: Bool
    /// The version of the QEMU that runs it.
    public var version: QEMUVersion
    /// The machine type, never an alias: `pc-q35-7.2`.
    public var machineType: String
    /// The guest's name; nil if it has none.
    public var name: String?
    /// The guest's UUID; nil for the null UUID, which means that none was given.
    public var uuid: String?
    /// Its memory backends, with their mappings.
    public var memory: [MemoryBackend]
    /// Where the backends lie in the guest's physical address space; empty if QEMU does not report it.
    public var memoryLayout: [GuestMemoryRange]
    /// Whether KVM runs it.
    public var isKVM: Bool
    /// The type of its CPUs, such as `qemu64-x86_64-cpu`; nil if the machine has no pluggable CPUs.
    public var cpuType: String?
    /// The CPU slots, occupied or not.
    public var cpuSlots: [QueryHotpluggableCPUs.Slot]
    /// Its vCPUs.
    public var cpus: [QueryCPUsFast.CPU]
    /// Why it cannot migrate, in QEMU's words; empty if it can.
    public var migrationBlockers: [String]
    /// The status of its last or current migration; nil if there was none.
    public var migrationStatus: MigrationStatus?
    /// The migration capabilities that its QEMU knows, and whether they are enabled.
    public var migrationCapabilities: [String: Bool]
    /// Its block devices and what is inserted in them.
    public var drives: [QueryBlock.Drive]
    /// The nodes of the block layer.
    public var blockNodes: [BlockNode]
    /// The running block jobs, which copy or merge images.
    public var blockJobs: [QueryBlockJobs.Job]
    /// The character devices.
    public var chardevs: [QueryChardev.Chardev]
    /// The PCI functions on the root buses; a bridge contains the functions behind it.
    public var pci: [PCIDevice]
    /// The devices that were given on the command line or added later.
    public var peripherals: [Peripheral]
    /// The plugged memory devices.
    public var memoryDevices: [QueryMemoryDevices.Device]
    /// The VNC display; nil if QEMU was built without VNC.
    public var vnc: QueryVNC.Reply?
    /// The SPICE server; nil if QEMU was built without SPICE or has not loaded it.
    public var spice: QuerySpice.Reply?
    /// The sets of file descriptors that QEMU received.
    public var fdSets: [QueryFDSets.FDSet]
}
