internal import JSON
internal import QMP

/// What a QEMU's command line may no longer say of its machine, read over QMP and HMP.
///
/// It is data only, so that what follows from it can be tested on recordings.
struct RunningMachine: Sendable, Hashable {
    /// A device below /machine/peripheral or /machine/peripheral-anon.
    struct Device: Sendable, Hashable {
        var path: String
        var type: String
        /// Whether it was added after the machine was made, not by the command line.
        var isHotplugged: Bool
        /// The path of the bus it sits on; nil for a CPU or a DIMM.
        var parentBus: String?
        /// What can be set on it; for a device of the command line only what says where it sits.
        var properties: [Property]

        /// Its id; nil where it was made without one.
        var id: String? { GuestDescription.Peripheral(path: path, type: type).id }
    }

    /// A property that can be set when a device is made.
    struct Property: Sendable, Hashable {
        var name: String
        var type: String
        var value: JSONValue
        /// The device's own default; nil where its kind tells none.
        var defaultValue: JSONValue?
    }

    /// A user-creatable object below /objects.
    struct Object: Sendable, Hashable {
        var id: String
        var type: String
        var properties: [String: JSONValue]
    }

    /// A character device.
    struct Chardev: Sendable, Hashable {
        var label: String
        /// As `query-chardev` has it: `unix:/run/x.sock,server=on`, `pty:/dev/pts/3`, or only the kind.
        var filename: String
        /// The QOM type: `chardev-socket`; nil where QEMU does not tell.
        var type: String?
    }

    /// The devices in the order in which they were made.
    var devices: [Device] = []
    var objects: [Object] = []
    var blocks = BlockGraph()
    var chardevs: [Chardev] = []
    var network = NetworkInfo("")
    /// The forwarding rules of user networks by netdev, as `hostfwd` takes them.
    var hostForwards: [String: [String]] = [:]
    /// The port of each USB device by its id, from `info usb`.
    var usbPorts: [String: String] = [:]
    var cpuSlots: [QueryHotpluggableCPUs.Slot] = []
    /// How many /dev/vhost-net the process has open.
    var vhostNetCount = 0
}
