internal import JSON
internal import QMP

/// The running machine of a QEMU, which may differ from its command line; read over QMP and HMP.
///
/// It is data only, so that tests can use recordings.
struct RunningMachine: Sendable, Hashable {
    /// A device below /machine/peripheral or /machine/peripheral-anon.
    struct Device: Sendable, Hashable {
        var path: String
        var type: String
        /// Whether it was added after the machine was created, not by the command line.
        var isHotplugged: Bool
        /// The path of its bus; nil for a CPU or a DIMM.
        var parentBus: String?
        /// Its settable properties; for a device from the command line, only those that give its address and image.
        var properties: [Property]

        /// Its id; nil if it was created without one.
        var id: String? { GuestDescription.Peripheral(path: path, type: type).id }
    }

    /// A property that can be set when a device is created.
    struct Property: Sendable, Hashable {
        var name: String
        var type: String
        var value: JSONValue
        /// The device's own default; nil if its type reports none.
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
        /// As in `query-chardev`: `unix:/run/x.sock,server=on`, `pty:/dev/pts/3`, or only the kind.
        var filename: String
        /// The QOM type: `chardev-socket`; nil if QEMU does not report it.
        var type: String?
    }

    /// The devices in the order of their creation.
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
    /// The number of /dev/vhost-net descriptors that the process has open.
    var vhostNetCount = 0
}
