public import QMP

/// A guest as its QEMU describes it.
public struct GuestDescription: Sendable, Hashable {
    /// A device that was given on the command line or added later.
    public struct Peripheral: Sendable, Hashable {
        /// Its place in QEMU's object tree: `/machine/peripheral/ID`, or `/machine/peripheral-anon/device[N]`.
        public var path: String
        /// Its type, such as `virtio-blk-pci`.
        public var type: String
        /// The bus that it sits on, as a path of the object tree; nil for a CPU or a DIMM.
        public var bus: String?
        /// Its place on a PCI bus: eight times the slot, plus the function; nil on any other bus.
        public var address: Int?
        /// A network card's MAC address; nil for any other device.
        public var hardwareAddress: String?

        /// Makes the description of a device.
        ///
        /// - Parameters:
        ///   - path: its place in the object tree.
        ///   - type: its type.
        ///   - bus: the path of the bus that it sits on.
        ///   - address: its place on a PCI bus.
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

        /// Its id; nil where it was made without one.
        public var id: String? {
            let folder = "/machine/peripheral/"
            return path.hasPrefix(folder) ? String(path.dropFirst(folder.count)) : nil
        }
    }

    /// Why its vCPUs run or not.
    public var runState: RunState
    /// Whether its vCPUs run.
    public var isRunning: Bool
    /// The version of QEMU that runs.
    public var version: QEMUVersion
    /// The machine type, never an alias: `pc-q35-7.2`.
    public var machineType: String
    /// The guest's name; nil where it has none.
    public var name: String?
    /// The guest's UUID; nil for the null UUID that stands where none was given.
    public var uuid: String?
    /// The parts of its memory, with what of them is mapped.
    public var memory: [MemoryBackend]
    /// Where they lie in the guest's physical address space; empty where QEMU does not say.
    public var memoryLayout: [GuestMemoryRange]
    /// Whether KVM runs it.
    public var isKVM: Bool
    /// The type of its CPUs, such as `qemu64-x86_64-cpu`; nil where the machine has none that can be plugged.
    public var cpuType: String?
    /// The places for CPUs, occupied or not.
    public var cpuSlots: [QueryHotpluggableCPUs.Slot]
    /// Its vCPUs.
    public var cpus: [QueryCPUsFast.CPU]
    /// Why it cannot migrate, in QEMU's words; empty when it can.
    public var migrationBlockers: [String]
    /// How its last or present migration stands; nil when there was none.
    public var migrationStatus: MigrationStatus?
    /// The migration capabilities that its QEMU knows, and whether they are on.
    public var migrationCapabilities: [String: Bool]
    /// What is plugged into its disk devices.
    public var drives: [QueryBlock.Drive]
    /// The nodes of the block layer.
    public var blockNodes: [BlockNode]
    /// The jobs that copy or merge images now.
    public var blockJobs: [QueryBlockJobs.Job]
    /// The character devices.
    public var chardevs: [QueryChardev.Chardev]
    /// The PCI functions on the root buses, bridges with what is behind them.
    public var pci: [PCIDevice]
    /// The devices that were given or added.
    public var peripherals: [Peripheral]
    /// The memory that was plugged in.
    public var memoryDevices: [QueryMemoryDevices.Device]
    /// The VNC display; nil where QEMU has none built in.
    public var vnc: QueryVNC.Reply?
    /// The SPICE server; nil where QEMU has none built in or loaded.
    public var spice: QuerySpice.Reply?
    /// The sets of descriptors that QEMU was given.
    public var fdSets: [QueryFDSets.FDSet]
}
